//! Waiting for something that happens elsewhere.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

const BETWEEN_TRIES: Duration = Duration::from_millis(10);

/// Calls `check` until it gives a value, and returns that; `None` when `within` has passed. It is
/// called at least once.
pub fn poll<T>(within: Duration, mut check: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + within;
    loop {
        if let Some(value) = check() {
            return Some(value);
        }
        if Instant::now() >= deadline {
            return None;
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "the one place that waits between two looks"
        )]
        std::thread::sleep(BETWEEN_TRIES);
    }
}

/// Like [`poll`], for what a test can't go on without.
///
/// # Panics
/// When `within` has passed, naming `what` never happened.
#[track_caller]
pub fn eventually<T>(within: Duration, what: &str, check: impl FnMut() -> Option<T>) -> T {
    match poll(within, check) {
        Some(value) => value,
        None => panic!("not within {within:?}: {what}"),
    }
}

/// Sets a flag when dropped: what runs beside a test until told to stop must also stop when the test
/// fails, or the failure would show as a test that never ends.
pub struct StopOnDrop<'a>(pub &'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_later_is_seen() {
        let mut calls = 0;
        let third = eventually(Duration::from_secs(5), "the third call", || {
            calls += 1;
            (calls == 3).then_some(calls)
        });
        assert_eq!(third, 3);
    }

    #[test]
    fn what_never_happens_ends_in_time() {
        let start = Instant::now();
        assert_eq!(poll(Duration::from_millis(30), || None::<()>), None);
        assert!(start.elapsed() >= Duration::from_millis(30));
    }

    #[test]
    #[should_panic(expected = "not within 1ms: the sky falls")]
    fn a_wait_in_vain_says_for_what() {
        eventually(Duration::from_millis(1), "the sky falls", || None::<()>);
    }
}
