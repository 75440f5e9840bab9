//! The Linux kernel over generic netlink.
//!
//! [`KernelBackend`] finds interfaces and opens them; a [`KernelDevice`] reads one with [`dump`] and
//! changes it, over a socket that lives as long as it does. The kernel's messages are read where they
//! were received and written in our own code: private and preshared keys pass through here, and must
//! not reach a library that logs bytes.

mod abi;
mod backend;
mod device;
pub mod dump;
mod encode;
mod message;
mod session;
mod socket;
#[cfg(test)]
mod tests;

pub use backend::KernelBackend;
pub use device::KernelDevice;
pub use message::Malformed;
pub use socket::{GenericSocket, NetlinkIo, Received};
