//! The whole agent behind its connections, without a socket: requests in, answers out, on the
//! simulated backend.

mod authentication;
mod bodies;
mod metrics;
mod model;
mod peers;
mod replays;
mod rig;
mod routes;
mod sequences;
