//! Bytes nobody should send, to the built agent over real sockets, on the simulated backend.

mod bodies;
mod common;
mod floods;
mod framing;
mod signatures;
mod slow;
mod targets;
