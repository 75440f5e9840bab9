//! How much a peer may move in a period, and how much of it is used.

use super::{calendar::rfc3339, period::QuotaPeriod};

/// A quota and its use. What is used belongs to the period that began at `period_start_s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// What may be moved in a period, received and sent together.
    pub bytes: u64,
    /// How long a period is.
    pub period: QuotaPeriod,
    /// Start of the period that `used_bytes` counts in, Unix seconds.
    pub period_start_s: i64,
    /// What was moved in it.
    pub used_bytes: u64,
    /// The peer is disabled for the quota alone, and comes back by itself.
    pub held: bool,
}

impl Quota {
    /// A quota of which nothing is used.
    #[must_use]
    pub fn new(bytes: u64, period: QuotaPeriod, now_s: i64) -> Self {
        Self {
            bytes,
            period,
            period_start_s: period.span(now_s).map_or(now_s, |span| span.start_s),
            used_bytes: 0,
            held: false,
        }
    }

    /// The quota in the period of `now_s`: nothing is used of a later one. A clock that goes back
    /// opens no earlier one.
    #[must_use]
    pub fn at(self, now_s: i64) -> Self {
        match self.period.span(now_s) {
            Some(span) if span.start_s > self.period_start_s => Self {
                period_start_s: span.start_s,
                used_bytes: 0,
                ..self
            },
            _ => self,
        }
    }

    /// The quota after so much more was moved.
    #[must_use]
    pub fn charged(self, bytes: u64, now_s: i64) -> Self {
        let now = self.at(now_s);
        Self {
            used_bytes: now.used_bytes.saturating_add(bytes),
            ..now
        }
    }

    /// Other limits. What is used stays, unless the period is another one: then it begins anew.
    #[must_use]
    pub fn changed(self, bytes: u64, period: QuotaPeriod, now_s: i64) -> Self {
        if period == self.period {
            return Self {
                bytes,
                ..self.at(now_s)
            };
        }
        Self {
            held: self.held,
            ..Self::new(bytes, period, now_s)
        }
    }

    /// Whether nothing is left of it.
    #[must_use]
    pub const fn is_used_up(&self) -> bool {
        self.used_bytes >= self.bytes
    }

    /// When the next period begins, Unix seconds; `None` when none does.
    #[must_use]
    pub fn resets_at_s(&self) -> Option<i64> {
        self.period.span(self.period_start_s).map(|span| span.end_s)
    }

    /// Why the peer is disabled, for people.
    #[must_use]
    pub fn reason(&self) -> String {
        let size = size(self.bytes);
        match self.resets_at_s() {
            Some(at_s) => format!("quota of {size} used up; back on {}", rfc3339(at_s)),
            None => format!("quota of {size} used up; back when quota_bytes is raised"),
        }
    }
}

/// Bytes in the largest decimal unit, two digits after the point at most.
fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 5] = [
        (1_000_000_000_000_000, "PB"),
        (1_000_000_000_000, "TB"),
        (1_000_000_000, "GB"),
        (1_000_000, "MB"),
        (1_000, "kB"),
    ];
    let Some((unit, name)) = UNITS.iter().find(|(unit, _)| bytes >= *unit) else {
        return format!("{bytes} B");
    };
    let hundredths = bytes / (unit / 100);
    let (whole, part) = (hundredths / 100, hundredths % 100);
    match part {
        0 => format!("{whole} {name}"),
        _ if part % 10 == 0 => format!("{whole}.{} {name}", part / 10),
        _ => format!("{whole}.{part:02} {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::calendar::{DAY_S, days_from_civil};

    fn noon(year: i64, month: i64, day: i64) -> i64 {
        days_from_civil(year, month, day) * DAY_S + DAY_S / 2
    }

    #[test]
    fn a_new_period_begins_with_nothing_used() {
        let november = noon(2026, 11, 23);
        let quota = Quota::new(1_000, QuotaPeriod::Month, november).charged(999, november);
        assert!(!quota.is_used_up());
        let used_up = quota.charged(1, november + 5);
        assert!(used_up.is_used_up());
        assert_eq!(
            used_up.resets_at_s().map(rfc3339).as_deref(),
            Some("2026-12-01T00:00:00Z")
        );
        let at_start = used_up.resets_at_s().expect("a period");
        assert!(used_up.at(at_start - 1).is_used_up());
        let december = used_up.at(at_start);
        assert_eq!(
            (december.used_bytes, december.period_start_s),
            (0, at_start)
        );
        assert_eq!(used_up.charged(7, at_start).used_bytes, 7);
    }

    #[test]
    fn a_clock_that_goes_back_gives_nothing_back() {
        let quota =
            Quota::new(10, QuotaPeriod::Day, noon(2026, 3, 2)).charged(10, noon(2026, 3, 2));
        assert_eq!(quota.at(noon(2026, 3, 1)), quota);
        assert_eq!(quota.charged(1, noon(2020, 1, 1)).used_bytes, 11);
    }

    #[test]
    fn without_a_period_it_is_used_up_once() {
        let quota = Quota::new(10, QuotaPeriod::None, 0)
            .charged(u64::MAX, 1)
            .charged(1, 2);
        assert_eq!(quota.at(i64::MAX).used_bytes, u64::MAX);
        assert_eq!(quota.resets_at_s(), None);
        assert_eq!(
            quota.reason(),
            "quota of 10 B used up; back when quota_bytes is raised"
        );
    }

    #[test]
    fn raising_keeps_what_is_used_and_another_period_does_not() {
        let now_s = noon(2026, 3, 2);
        let quota = Quota::new(10, QuotaPeriod::Day, now_s).charged(10, now_s);
        assert_eq!(quota.changed(20, QuotaPeriod::Day, now_s).used_bytes, 10);
        assert_eq!(quota.changed(10, QuotaPeriod::Week, now_s).used_bytes, 0);
    }

    #[test]
    fn reasons_say_how_much_and_until_when() {
        let quota = |bytes| Quota::new(bytes, QuotaPeriod::Month, noon(2026, 11, 23)).reason();
        assert_eq!(
            quota(10_000_000_000),
            "quota of 10 GB used up; back on 2026-12-01T00:00:00Z"
        );
        for (bytes, text) in [
            (999, "999 B"),
            (1_000, "1 kB"),
            (1_500_000, "1.5 MB"),
            (1_050_000, "1.05 MB"),
            (12_345_678_901_234, "12.34 TB"),
            (u64::MAX, "18446.74 PB"),
        ] {
            assert!(quota(bytes).contains(&format!("of {text} used")), "{bytes}");
        }
    }
}
