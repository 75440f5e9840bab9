//! The wgfleet agent: drives the WireGuard interfaces of one host and serves the documented contract.
//!
//! A request comes in over [`http`], is authenticated there, and ends at the one owner of its
//! interface in [`wireguard`], which alone talks to the kernel. What must outlive the process is in
//! [`state`]; [`link`] watches interfaces come and go; [`metrics`] shows what was counted.
//!
//! The agent never runs a subprocess, never creates an interface and never shows a preshared or
//! private key.
//!
//! Read first: [`wireguard`] for how a change reaches the kernel.

pub mod clock;
pub mod config;
pub mod http;
pub mod link;
pub mod metrics;
pub mod reload;
pub mod run;
pub mod state;
pub mod wireguard;
