//! What `parts` shows, measured in turns with what stands beside it: the raw times of one process, which
//! `parts` starts again and again. Where a process has its stack and its heap is chance, and decides by
//! several percent how fast such things are; one process measures its own luck.
//!
//! Prints a line for each round: what, its size, nanoseconds of ours, nanoseconds of the other. The size of
//! `verify` and `sign` is the body's in bytes, and the times are those of a thousand operations; that of
//! `dump` is peers, and the times are those of one.

use std::{hint::black_box, time::Duration};

use wgfleet_benches::{
    codec::{AgentCodec, straightforward_json},
    kernel_dump::datagrams,
    samples::{Samples, in_turns},
    signature::{BODY_BYTES, Signature},
};

/// The agent's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 25;
const DUMP_ROUNDS: usize = 5;
const PEERS: [u32; 3] = [1_000, 10_000, 50_000];
/// One round hashes about so many bytes each way.
const BYTES_A_ROUND: usize = 400_000;
/// A signature over an empty body hashes about as much.
const OVERHEAD_BYTES: usize = 250;

fn main() {
    signatures();
    dumps();
}

fn dumps() {
    for peers in PEERS {
        let datagrams = datagrams(peers);
        let mut codec = AgentCodec::new();
        let (mut ours, mut other) = (Samples::new("dump"), Samples::new("straightforward"));
        in_turns(
            DUMP_ROUNDS,
            (&mut ours, || {
                drop(black_box(codec.json(black_box(&datagrams))));
            }),
            (&mut other, || {
                drop(black_box(straightforward_json(black_box(&datagrams))));
            }),
        );
        for (one, other) in ours.times().iter().zip(other.times()) {
            println!("dump {peers} {} {}", one.as_nanos(), other.as_nanos());
        }
    }
}

fn signatures() {
    for bytes in BODY_BYTES {
        let request = Signature::of(bytes);
        let times = u32::try_from(BYTES_A_ROUND / (bytes + OVERHEAD_BYTES)).expect("few");
        let (mut ours, mut bare) = (Samples::new("verify"), Samples::new("verify_bare_ring"));
        in_turns(
            ROUNDS,
            (&mut ours, || {
                (0..times).for_each(|_| black_box(black_box(&request).verify()).expect("signed"));
            }),
            (&mut bare, || {
                (0..times)
                    .for_each(|_| black_box(black_box(&request).verify_bare()).expect("signed"));
            }),
        );
        print(&ours, &bare, bytes, times);
        let (mut ours, mut bare) = (Samples::new("sign"), Samples::new("sign_bare_ring"));
        in_turns(
            ROUNDS,
            (&mut ours, || {
                (0..times).for_each(|_| drop(black_box(black_box(&request).sign())));
            }),
            (&mut bare, || {
                (0..times).for_each(|_| {
                    black_box(black_box(&request).sign_bare());
                });
            }),
        );
        print(&ours, &bare, bytes, times);
    }
}

fn print(ours: &Samples, bare: &Samples, bytes: usize, times: u32) {
    let of_thousand = |time: Duration| (time * 1_000 / times).as_nanos();
    for (one, other) in ours.times().iter().zip(bare.times()) {
        let (one, other) = (of_thousand(*one), of_thousand(*other));
        println!("{} {bytes} {one} {other}", ours.name);
    }
}
