//! WireGuard, whoever implements it.
//!
//! [`Backend`] and [`Device`] are the one boundary: the Linux kernel ([`kernel`]) and a faithful fake
//! ([`simulated`]) stand behind it, and the same suite of tests runs on both.

mod backend;
pub mod fingerprint;
pub mod interface;
pub mod kernel;
pub mod simulated;

pub use backend::{
    AllowedIpsChange, Backend, BackendError, BackendKind, BoxFuture, Device, DeviceFacts, DumpSink,
    Link, LinkEvent, PeerAction, PeerChange, PeerFacts, PeerSettings,
};
