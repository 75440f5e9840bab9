//! WireGuard, whoever implements it.
//!
//! [`Backend`] and [`Device`] are the one boundary: the Linux kernel ([`kernel`]), daemons such as
//! wireguard-go ([`userspace`]) and a faithful fake ([`simulated`]) stand behind it, and the same
//! suite of tests runs on all three.

mod backend;
mod boot_id;
pub mod fingerprint;
pub mod interface;
pub mod kernel;
pub mod simulated;
pub mod userspace;

pub use backend::{
    AllowedIpsChange, Backend, BackendError, BackendKind, BoxFuture, Device, DeviceFacts, DumpSink,
    Link, LinkEvent, PeerAction, PeerChange, PeerFacts, PeerSettings,
};
