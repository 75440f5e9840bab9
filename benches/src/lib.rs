//! Measures what the README claims.
//!
//! `benches/run` (or `make bench`) runs everything and prints one Markdown report. A claim is a ratio
//! of two things measured in the same run, interleaved, so that a noisy machine hurts both alike.
//!
//! [`floor`] is the least a dump can cost: receiving it and looking at nothing. [`samples`] keeps
//! times and tells their median.

pub mod floor;
pub mod local_client;
pub mod samples;
pub mod simulated_fleet;
