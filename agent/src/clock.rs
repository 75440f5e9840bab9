//! The time of day, and a way for tests to set it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

/// Tells the time of day. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub enum Clock {
    /// The system's.
    #[default]
    System,
    /// Unix seconds that somebody else sets.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// Unix seconds; negative before 1970, which a wrong clock may well claim.
    #[must_use]
    pub fn unix_seconds(&self) -> i64 {
        match self {
            Self::System => match SystemTime::now().duration_since(UNIX_EPOCH) {
                Ok(since) => i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
                Err(before) => i64::try_from(before.duration().as_secs()).map_or(i64::MIN, |s| -s),
            },
            Self::Manual(seconds) => seconds.load(Ordering::Relaxed),
        }
    }
}
