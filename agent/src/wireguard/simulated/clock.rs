//! The time a simulation goes by.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

/// Time since the Unix epoch, as the simulation sees it. It must not go backwards: counters are
/// worked out from it.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Duration + Send + Sync>);

impl Clock {
    /// A clock of the caller's own.
    #[must_use]
    pub fn new(now: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The system's time when it is made, and steadily onwards from there: a clock that is set back
    /// later does not turn counters back.
    #[must_use]
    pub fn system() -> Self {
        let epoch = SystemTime::UNIX_EPOCH;
        let at_start = SystemTime::now().duration_since(epoch).unwrap_or_default();
        let started = Instant::now();
        Self::new(move || at_start + started.elapsed())
    }

    /// A clock that stands still: peers that are added stay silent.
    #[must_use]
    pub fn stopped(at: Duration) -> Self {
        Self::new(move || at)
    }

    pub(super) fn now(&self) -> Duration {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({:?})", self.now())
    }
}
