//! Measures what the README claims.
//!
//! `benches/run` (or `make bench`) runs everything and prints one Markdown report; docs/benchmarks.md
//! says what each row means. A claim is a ratio of two things measured in the same run, interleaved,
//! so that a noisy machine hurts both alike.
//!
//! [`samples`] keeps times and tells their median, [`bar`] what must hold. [`floor`] is the least a
//! dump can cost: receiving it and looking at nothing. [`codec`] and [`signature`] are the parts that
//! are measured alone, outside the lab; [`load`] keeps a server busy; [`calls`] counts system calls.

pub mod bar;
pub mod calls;
pub mod codec;
pub mod floor;
pub mod kernel_dump;
pub mod load;
pub mod local_client;
pub mod samples;
pub mod signature;
