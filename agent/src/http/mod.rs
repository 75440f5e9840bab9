//! The contract over HTTP/1.1, on raw hyper.
//!
//! A connection passes [`server`] (accept, cap, TLS, time limits), each of its requests the [`gate`]
//! (header shape, time window, bounded body, signature) and then the [`handlers`]. Nothing behind the
//! gate is reached by a request that is not authentic.

mod answer;
mod body;
mod connections;
mod gate;
mod handlers;
mod limits;
mod listener;
mod mutations;
mod server;
mod service;
mod tls;

pub use answer::Answer;
pub use limits::{Limits, Source};
pub use listener::{BindError, ListenAddr, ListenAddrError, Listener};
pub use server::{DRAIN, Server};
pub use service::{AgentService, ServiceParts};
pub use tls::{Tls, TlsError, TlsFiles};
