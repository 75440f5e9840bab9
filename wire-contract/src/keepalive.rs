//! How often a peer is sent an empty packet to keep a path open.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Persistent keepalive interval in seconds; 0 is off.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Keepalive(u16);

impl Keepalive {
    /// No keepalives.
    pub const OFF: Self = Self(0);

    /// One every so many seconds; 0 is off.
    #[must_use]
    pub const fn from_secs(seconds: u16) -> Self {
        Self(seconds)
    }

    /// Seconds; 0 is off.
    #[must_use]
    pub const fn as_secs(self) -> u16 {
        self.0
    }
}

impl fmt::Display for Keepalive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
