//! The built controller and two built agents, each in a network of its own, on a real kernel, with
//! `wg` as judge: what the controller was told, the kernels must hold.

mod client;
mod fleet;
mod leaving;
mod mending;
mod moving;
mod outage;
mod policies;
mod rotation;
mod story;
mod traffic;
