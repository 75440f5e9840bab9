//! Signatures beside bare `ring`, in turns: the raw times of one process, which `parts` starts again
//! and again. Where a process has its stack and its heap is chance, and decides by several percent how
//! fast so short a thing is; one process measures its own luck.
//!
//! Prints a line for each round: what, bytes of the body, nanoseconds of ours, nanoseconds of bare
//! `ring`, each of a thousand operations.

use std::{hint::black_box, time::Duration};

use wgfleet_benches::{
    samples::{Samples, in_turns},
    signature::{BODY_BYTES, Signature},
};

/// The agent's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 25;
/// One round hashes about so many bytes each way.
const BYTES_A_ROUND: usize = 400_000;
/// A signature over an empty body hashes about as much.
const OVERHEAD_BYTES: usize = 250;

fn main() {
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
