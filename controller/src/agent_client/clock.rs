//! The wall clock, and how far an agent's is from it.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Where the time that is signed comes from. Read anew for every request: a clock that is set right
/// is right from the next request on.
#[derive(Clone)]
pub struct WallClock(Arc<dyn Fn() -> Duration + Send + Sync>);

impl WallClock {
    /// The system's clock.
    #[must_use]
    pub fn system() -> Self {
        Self::new(|| {
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default()
        })
    }

    /// A clock that tells the time since the Unix epoch.
    pub fn new(now: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// Time since the Unix epoch.
    #[must_use]
    pub fn now(&self) -> Duration {
        (self.0)()
    }
}

impl fmt::Debug for WallClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WallClock({:?})", self.now())
    }
}

/// Seconds by which the agent's clock is ahead of ours (negative: behind), from its `Date` header.
///
/// The header was written at some moment between `sent` and `received`, is cut to whole seconds and
/// may be a second old, so whatever fits those bounds is no skew at all.
pub(super) fn skew_secs(date: Option<&[u8]>, sent: Duration, received: Duration) -> Option<i64> {
    const ROUNDING_SECS: i64 = 1;

    let date = httpdate::parse_http_date(std::str::from_utf8(date?).ok()?).ok()?;
    let date = whole_secs(date.duration_since(UNIX_EPOCH).ok()?);
    let (earliest, latest) = (whole_secs(sent), whole_secs(received.max(sent)));
    if date < earliest - ROUNDING_SECS {
        Some(date - earliest)
    } else if date > latest + ROUNDING_SECS {
        Some(date - latest)
    } else {
        Some(0)
    }
}

fn whole_secs(time: Duration) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skew(date: u64, sent_ms: u64, received_ms: u64) -> Option<i64> {
        let date = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(date));
        let (sent, received) = (
            Duration::from_millis(sent_ms),
            Duration::from_millis(received_ms),
        );
        skew_secs(Some(date.as_bytes()), sent, received)
    }

    #[test]
    fn a_second_of_rounding_is_no_skew() {
        for date in 999..=1001 {
            assert_eq!(skew(date, 1_000_000, 1_000_100), Some(0), "{date}");
        }
        assert_eq!(skew(998, 1_000_000, 1_000_100), Some(-2));
        assert_eq!(skew(1002, 1_000_000, 1_000_100), Some(2));
    }

    #[test]
    fn a_slow_answer_is_no_skew() {
        assert_eq!(skew(1020, 1_000_000, 1_020_000), Some(0));
        assert_eq!(skew(1000, 1_000_000, 1_020_000), Some(0));
        assert_eq!(skew(1600, 1_000_000, 1_020_000), Some(580));
    }

    #[test]
    fn no_date_no_skew() {
        assert_eq!(skew_secs(None, Duration::ZERO, Duration::ZERO), None);
        assert_eq!(
            skew_secs(Some(b"yesterday"), Duration::ZERO, Duration::ZERO),
            None
        );
    }
}
