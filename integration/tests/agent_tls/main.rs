//! HTTPS of the built agent: who is let in, what SIGHUP exchanges, and those who never shake hands.

mod common;
mod handshakes;
mod https;
mod reloads;
mod starts;
