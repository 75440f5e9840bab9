//! The built `wgfleet` against the built controller with agents on simulated interfaces.

mod docs;
mod failures;
mod fleet;
mod help;
mod imports;
mod logins;
mod outputs;
mod requests;
mod streams;
mod terminals;
