//! The parts alone, outside the lab: signatures beside bare `ring`, and netlink to JSON beside the
//! straightforward way; in turns, with allocations counted. Criterion's times of the same work stand
//! beside the ratios when `cargo bench` has run before.

use std::{
    alloc::{GlobalAlloc, Layout},
    fs,
    hint::black_box,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use serde_json::Value;
use wgfleet_benches::{
    bar::{self, Bar},
    codec::{AgentCodec, straightforward_json},
    kernel_dump::datagrams,
    samples::{Samples, millis},
    signature::{BODY_BYTES, Signature},
};

/// The agent's allocator, counting.
struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);
static MIMALLOC: mimalloc::MiMalloc = mimalloc::MiMalloc;

// SAFETY: every call goes to mimalloc as it came; counting does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps `alloc`'s contract.
        unsafe { MIMALLOC.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps `dealloc`'s contract.
        unsafe { MIMALLOC.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps `realloc`'s contract.
        unsafe { MIMALLOC.realloc(pointer, layout, bytes) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

const SIGNATURE_ROUNDS: usize = 301;
/// One round hashes about so many bytes each way.
const BYTES_A_ROUND: usize = 400_000;
/// A signature over an empty body hashes about as much.
const OVERHEAD_BYTES: usize = 250;
const DUMP_ROUNDS: usize = 31;

fn main() {
    let criterion = Criterion::find();
    let mut bars = Vec::new();
    signatures(&criterion, &mut bars);
    dumps(&criterion, &mut bars);
    println!("\n{}", bar::HEAD);
    for bar in bars {
        println!("{bar}");
    }
}

fn signatures(criterion: &Criterion, bars: &mut Vec<Bar>) {
    println!("\n### Signatures ({SIGNATURE_ROUNDS} rounds, in turns with bare ring)\n");
    println!("| what | body | median | bare `ring` | ratio | criterion | bare, criterion |");
    println!("|---|---|---|---|---|---|---|");
    for bytes in BODY_BYTES {
        let request = Signature::of(bytes);
        let times = BYTES_A_ROUND / (bytes + OVERHEAD_BYTES);
        let (mut ours, mut bare) = (Samples::new("verify"), Samples::new("verify_bare_ring"));
        in_turns(
            SIGNATURE_ROUNDS,
            (&mut ours, || {
                (0..times).for_each(|_| black_box(black_box(&request).verify()).expect("signed"));
            }),
            (&mut bare, || {
                (0..times)
                    .for_each(|_| black_box(black_box(&request).verify_bare()).expect("signed"));
            }),
        );
        let ratio = signature_row(bytes, times, &ours, &bare, criterion);
        if bytes < 1024 {
            let what = format!("verify, {bytes} B, to bare ring");
            bars.push(Bar::at_most(what, 1.15, "×", ratio));
        }
        let (mut ours, mut bare) = (Samples::new("sign"), Samples::new("sign_bare_ring"));
        in_turns(
            SIGNATURE_ROUNDS,
            (&mut ours, || {
                (0..times).for_each(|_| drop(black_box(black_box(&request).sign())));
            }),
            (&mut bare, || {
                (0..times).for_each(|_| {
                    black_box(black_box(&request).sign_bare());
                });
            }),
        );
        signature_row(bytes, times, &ours, &bare, criterion);
    }
}

fn signature_row(
    bytes: usize,
    times: usize,
    ours: &Samples,
    bare: &Samples,
    criterion: &Criterion,
) -> f64 {
    let ratio = ours.ratio_by_rounds(bare);
    let once = |samples: &Samples| nanos(samples.median()) / count(times);
    let criterion = |samples: &Samples| criterion.median("signature", samples.name, bytes);
    println!(
        "| {} | {bytes} B | {:.0} ns | {:.0} ns | {ratio:.2} × | {} | {} |",
        ours.name,
        once(ours),
        once(bare),
        criterion(ours),
        criterion(bare),
    );
    ratio
}

fn dumps(criterion: &Criterion, bars: &mut Vec<Bar>) {
    println!("\n### Netlink to JSON ({DUMP_ROUNDS} rounds, in turns)\n");
    println!(
        "| peers | agent | straightforward | faster | a peer | allocations | the other's | criterion | the other's |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for peers in [1_000_usize, 10_000, 50_000] {
        let datagrams = datagrams(u32::try_from(peers).expect("few"));
        let mut codec = AgentCodec::new();
        let (mut ours, mut other) = (Samples::new("agent"), Samples::new("straightforward"));
        in_turns(
            DUMP_ROUNDS,
            (&mut ours, || drop(codec.json(black_box(&datagrams)))),
            (&mut other, || {
                drop(black_box(straightforward_json(black_box(&datagrams))));
            }),
        );
        let allocations = allocations(|| drop(codec.json(&datagrams)));
        let of_other = allocations_of_other(&datagrams);
        let faster = other.ratio_by_rounds(&ours);
        println!(
            "| {peers} | {:.2} ms | {:.2} ms | {faster:.1} × | {:.0} ns | {allocations} | {of_other} | {} | {} |",
            millis(ours.median()),
            millis(other.median()),
            nanos(ours.median()) / count(peers),
            criterion.median("dump", ours.name, peers),
            criterion.median("dump", other.name, peers),
        );
        if peers == 10_000 {
            let what = "netlink → JSON, 10k peers, times as fast as the straightforward way";
            bars.push(Bar::at_least(what, 4.0, "×", faster));
            let a_peer = allocations / peers;
            let what = "allocations a peer, netlink → JSON";
            bars.push(Bar::at_most(what, 0.0, "", count(a_peer)));
        }
    }
    println!(
        "\nThe straightforward way: `netlink-packet-wireguard`, the contract's types, `serde_json`; the same bytes come out. Allocations are those of one dump after the first."
    );
}

fn allocations(once: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    once();
    ALLOCATIONS.load(Ordering::Relaxed) - before
}

fn allocations_of_other(datagrams: &[Vec<u8>]) -> usize {
    allocations(|| drop(straightforward_json(datagrams)))
}

/// Measures both once to get warm, then in turns.
fn in_turns(
    rounds: usize,
    (one, mut do_one): (&mut Samples, impl FnMut()),
    (other, mut do_other): (&mut Samples, impl FnMut()),
) {
    do_one();
    do_other();
    for _ in 0..rounds {
        one.measure(&mut do_one);
        other.measure(&mut do_other);
    }
}

/// What criterion measured last, if it did.
struct Criterion(Option<PathBuf>);

impl Criterion {
    /// Its folder stands beside the one this program is in.
    fn find() -> Self {
        let program = std::env::current_exe().ok();
        let target = program
            .as_deref()
            .and_then(Path::parent)
            .and_then(Path::parent);
        Self(target.map(|target| target.join("criterion")))
    }

    /// The median time of `group/name/parameter`, for people.
    fn median(&self, group: &str, name: &str, parameter: usize) -> String {
        let estimates = self.0.as_ref().and_then(|folder| {
            let file = format!("{group}/{name}/{parameter}/new/estimates.json");
            let text = fs::read_to_string(folder.join(file)).ok()?;
            serde_json::from_str::<Value>(&text).ok()
        });
        estimates
            .and_then(|estimates| estimates["median"]["point_estimate"].as_f64())
            .map_or_else(|| "not run".into(), in_words)
    }
}

fn in_words(nanos: f64) -> String {
    if nanos < 10_000.0 {
        format!("{nanos:.0} ns")
    } else if nanos < 1_000_000.0 {
        format!("{:.1} µs", nanos / 1e3)
    } else {
        format!("{:.2} ms", nanos / 1e6)
    }
}

fn nanos(time: Duration) -> f64 {
    time.as_secs_f64() * 1e9
}

#[allow(clippy::cast_precision_loss, reason = "for people")]
fn count(number: usize) -> f64 {
    number as f64
}
