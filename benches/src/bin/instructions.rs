//! One of the parts, done so many times, for callgrind to count its instructions: `benches/run
//! instructions` runs it. Times vary with the machine; these do not.
//!
//! `instructions WORKLOAD TIMES`; without a workload it lists them.

use std::{hint::black_box, process::ExitCode};

use wgfleet_benches::{
    codec::{AgentCodec, straightforward_json},
    kernel_dump::datagrams,
    signature::Signature,
};

const PEERS: u32 = 1_000;
const WORKLOADS: [&str; 10] = [
    "verify-0",
    "verify-0-bare",
    "verify-200",
    "verify-200-bare",
    "sign-0",
    "sign-0-bare",
    "sign-200",
    "sign-200-bare",
    "dump-1000",
    "dump-1000-straightforward",
];

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(workload) = arguments.next() else {
        WORKLOADS.iter().for_each(|name| println!("{name}"));
        return ExitCode::SUCCESS;
    };
    let times = arguments
        .next()
        .and_then(|text| text.parse().ok())
        .unwrap_or(1);
    let (none, some) = (Signature::of(0), Signature::of(200));
    let datagrams = datagrams(PEERS);
    let mut codec = AgentCodec::new();
    // Warm: the first dump sizes the buffer.
    drop(codec.json(&datagrams));
    let known = match workload.as_str() {
        "verify-0" => counted(times, || none.verify().is_ok()),
        "verify-0-bare" => counted(times, || none.verify_bare().is_ok()),
        "verify-200" => counted(times, || some.verify().is_ok()),
        "verify-200-bare" => counted(times, || some.verify_bare().is_ok()),
        "sign-0" => counted(times, || none.sign()),
        "sign-0-bare" => counted(times, || none.sign_bare()),
        "sign-200" => counted(times, || some.sign()),
        "sign-200-bare" => counted(times, || some.sign_bare()),
        "dump-1000" => counted(times, || codec.json(&datagrams)),
        "dump-1000-straightforward" => counted(times, || straightforward_json(&datagrams)),
        _ => false,
    };
    if known {
        ExitCode::SUCCESS
    } else {
        eprintln!("instructions: no workload {workload:?}");
        ExitCode::from(64)
    }
}

/// Callgrind counts what happens in here alone.
#[inline(never)]
fn counted<T>(times: u32, mut once: impl FnMut() -> T) -> bool {
    for _ in 0..times {
        black_box(once());
    }
    true
}
