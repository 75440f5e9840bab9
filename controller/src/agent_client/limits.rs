//! How long and how much an agent may take.

use std::time::Duration;

/// Deadlines and sizes of one [`AgentClient`](super::AgentClient). An agent that hangs or talks
/// without end costs this much and no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Resolving the name, connecting and the TLS handshake together.
    pub connect_timeout: Duration,
    /// A whole call except a dump: waiting for a connection, sending, and the last byte of the
    /// answer.
    pub request_timeout: Duration,
    /// The same for a dump.
    pub dump_timeout: Duration,
    /// How long an unused connection is kept. Agents close theirs after 10 s and hyper counts that
    /// time into the next request's head, so this stays well below.
    pub idle_timeout: Duration,
    /// Largest answer that is read, dumps aside. Errors too.
    pub max_answer_bytes: usize,
    /// Largest dump that is read.
    pub max_dump_bytes: usize,
    /// Connections to this agent at once; further calls wait, within their deadline.
    pub max_connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(3),
            request_timeout: Duration::from_secs(10),
            dump_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(5),
            max_answer_bytes: 64 << 10,
            max_dump_bytes: 64 << 20,
            max_connections: 8,
        }
    }
}
