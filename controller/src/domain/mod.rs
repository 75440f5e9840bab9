//! The decisions, as pure functions: where a peer goes, which address it gets, what a node must be
//! told, what a poll says about it.
//!
//! Nothing here does I/O, reads a clock or draws a random number: time and randomness come in as
//! arguments, and everything can be tried by property tests.
//!
//! Read first: [`plan`], the heart of it; then [`allocation`] and [`placement`].

pub mod allocation;
pub mod backoff;
pub mod calendar;
pub mod counters;
pub mod labels;
pub mod name;
pub mod peer_file;
pub mod period;
pub mod placement;
pub mod plan;
pub mod presence;
pub mod quota;
pub mod spread;
pub mod status;
