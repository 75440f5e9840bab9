//! The built controller and two built agents, each in a network of its own, on a real kernel, with
//! `wg` as judge: what the controller was told, the kernels must hold.

mod fleet;
mod mending;
mod outage;
mod story;
mod traffic;
