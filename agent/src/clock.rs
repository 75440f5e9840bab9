//! The time of day, and a way for tests to set it.
//!
//! A request asks for the time again and again, and where that is a real system call it costs more than
//! the request. So a thread of the runtime asks once and uses the answer for a few dozen questions,
//! until it next waits for something ([`woke_up`]). All other threads ask each time.

use std::{
    cell::Cell,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use hyper::rt::{Sleep, Timer};
use hyper_util::rt::TokioTimer;

/// How often an answer is used by a thread that is so busy that it never waits: for some milliseconds.
const USES: u32 = 64;

thread_local! {
    static UNIX_SECONDS: Recent<i64> = const { Recent::new() };
    static INSTANT: Recent<Instant> = const { Recent::new() };
}

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
            Self::System => UNIX_SECONDS.with(|recent| recent.get(ask_system)),
            Self::Manual(seconds) => seconds.load(Ordering::Relaxed),
        }
    }
}

fn ask_system() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_secs()).map_or(i64::MIN, |s| -s),
    }
}

/// To be called by a thread of the runtime whenever it has waited: what it knew of the time is old.
pub fn woke_up() {
    UNIX_SECONDS.with(Recent::forget);
    INSTANT.with(Recent::forget);
}

/// What this thread was told last.
struct Recent<T> {
    told: Cell<Option<T>>,
    uses_left: Cell<u32>,
    /// Whether somebody says when the thread has waited; without that nothing is kept.
    is_told_of_waits: Cell<bool>,
}

impl<T: Copy> Recent<T> {
    const fn new() -> Self {
        Self {
            told: Cell::new(None),
            uses_left: Cell::new(0),
            is_told_of_waits: Cell::new(false),
        }
    }

    fn forget(&self) {
        self.told.set(None);
        self.is_told_of_waits.set(true);
    }

    fn get(&self, ask: impl FnOnce() -> T) -> T {
        if let (Some(told), Some(left)) = (self.told.get(), self.uses_left.get().checked_sub(1)) {
            self.uses_left.set(left);
            return told;
        }
        let told = ask();
        if self.is_told_of_waits.get() {
            self.told.set(Some(told));
            self.uses_left.set(USES);
        }
        told
    }
}

/// Tokio's timer for hyper, which asks for the time with every request, to know when its head would be
/// too late.
#[derive(Debug, Clone, Default)]
pub struct ConnectionTimer(TokioTimer);

impl Timer for ConnectionTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.0.sleep(duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        self.0.sleep_until(deadline)
    }

    fn reset(&self, sleep: &mut Pin<Box<dyn Sleep>>, deadline: Instant) {
        self.0.reset(sleep, deadline);
    }

    fn now(&self) -> Instant {
        INSTANT.with(|recent| recent.get(|| self.0.now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_nobody_watches_asks_each_time() {
        let recent = Recent::new();
        assert_eq!([1, 2, 3].map(|now| recent.get(|| now)), [1, 2, 3]);
    }

    #[test]
    fn an_answer_is_used_until_the_thread_has_waited() {
        let recent = Recent::new();
        recent.forget();
        assert_eq!([1, 2, 3].map(|now| recent.get(|| now)), [1, 1, 1]);
        recent.forget();
        assert_eq!(recent.get(|| 4), 4);
    }

    #[test]
    fn a_thread_that_never_waits_asks_now_and_then() {
        let recent = Recent::new();
        recent.forget();
        let told: Vec<_> = (0..=USES + 1).map(|now| recent.get(|| now)).collect();
        assert!(told[..=USES as usize].iter().all(|told| *told == 0));
        assert_eq!(told.last(), Some(&(USES + 1)));
    }

    #[test]
    fn it_is_the_systems_time() {
        let (before, told) = (ask_system(), Clock::System.unix_seconds());
        assert!((before..=ask_system()).contains(&told), "{told}");
    }
}
