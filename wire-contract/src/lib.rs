//! The documented contract between a controller and its WireGuard agents, as types.
//!
//! Everything both sides must agree on lives here and nowhere else: keys and addresses in their one
//! normal form, request and response bodies, error codes, paths, and the request signature. A client
//! in any other language can check itself against the golden cases in `vectors/`.
//!
//! This crate never does I/O, never reads a clock and never draws a random number.
//!
//! Read first: [`signing`] for how a request is authenticated, [`path`] for what a target means,
//! [`dto`] for the bodies.

pub mod allowed_ip;
pub mod dto;
pub mod error;
pub mod interface;
pub mod keepalive;
pub mod key;
pub mod path;
pub mod signing;

mod text;

pub use allowed_ip::AllowedIp;
pub use error::ErrorCode;
pub use interface::InterfaceName;
pub use keepalive::Keepalive;
pub use key::{PresharedKey, PublicKey};
