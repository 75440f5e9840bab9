//! WireGuard outside the kernel: wireguard-go, boringtun and whatever else speaks the cross-platform
//! UAPI.
//!
//! A daemon listens on a socket named after its interface, and the interface itself is an ordinary
//! tun device. An interface is there when both are: a socket that outlived its daemon is none, a
//! daemon of another network namespace is none. [`UserspaceBackend`] finds them; a
//! [`UserspaceDevice`] reads one with `get=1` ([`answer`]) and changes it with `set=1` ([`request`]),
//! each over a connection of its own ([`socket`]).
//!
//! The client is our own because `wireguard-control` starts a daemon where there is no socket, waits
//! for one without end, and prints what it does not know.
//!
//! What a daemon does not keep is kept here: an order of peers ([`order`]). What can't be had: a
//! request that a daemon took too long to answer may still be carried out later.

pub mod answer;
mod backend;
mod device;
mod order;
pub mod request;
mod socket;
#[cfg(test)]
mod tests;

pub use answer::Malformed;
pub use backend::UserspaceBackend;
pub use device::UserspaceDevice;
pub use socket::SocketDirectory;
