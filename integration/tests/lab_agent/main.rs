//! The built agent on a real kernel, with `wg` as judge: what one writes, the other must read.

mod behind;
mod common;
mod concurrent;
mod crash;
mod identity;
mod interfaces;
mod metrics;
mod replays;
mod rules;
mod story;
