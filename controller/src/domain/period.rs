//! Periods of a quota: days, weeks and months of UTC.
//!
//! UTC has no daylight saving, so every day has 86,400 s and a week begins on Monday at midnight.

use super::calendar::{DAY_S, civil_from_days, days_from_civil};

/// 1970-01-01 was a Thursday: so many days after a Monday.
const MONDAY_OFFSET: i64 = 3;
/// Years four digits can't write down; far from where the arithmetic ends.
const MAX_DAYS: i64 = 100_000_000;

/// How long what was used counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum QuotaPeriod {
    /// For ever: the quota is used up once.
    #[default]
    None,
    /// From midnight to midnight.
    Day,
    /// From Monday to Monday.
    Week,
    /// From the first of a month to the first of the next.
    Month,
}

/// One period: from `start_s` until before `end_s`, Unix seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Its first second.
    pub start_s: i64,
    /// The first second of the next one.
    pub end_s: i64,
}

impl QuotaPeriod {
    /// As it stands in the store and in the REST API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// The reverse of [`as_str`](Self::as_str).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::None, Self::Day, Self::Week, Self::Month]
            .into_iter()
            .find(|period| period.as_str() == name)
    }

    /// The period that `at_s` lies in; `None` when there are none.
    #[must_use]
    pub fn span(self, at_s: i64) -> Option<Span> {
        let day = at_s.div_euclid(DAY_S).clamp(-MAX_DAYS, MAX_DAYS);
        let (first, next) = match self {
            Self::None => return None,
            Self::Day => (day, day + 1),
            Self::Week => {
                let monday = day - (day + MONDAY_OFFSET).rem_euclid(7);
                (monday, monday + 7)
            }
            Self::Month => {
                let (year, month, _) = civil_from_days(day);
                let (next_year, next_month) = if month == 12 {
                    (year + 1, 1)
                } else {
                    (year, month + 1)
                };
                (
                    days_from_civil(year, month, 1),
                    days_from_civil(next_year, next_month, 1),
                )
            }
        };
        Some(Span {
            start_s: first * DAY_S,
            end_s: next * DAY_S,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::calendar::rfc3339;

    const PERIODS: [QuotaPeriod; 3] = [QuotaPeriod::Day, QuotaPeriod::Week, QuotaPeriod::Month];

    fn at(year: i64, month: i64, day: i64) -> i64 {
        days_from_civil(year, month, day) * DAY_S
    }

    fn span(period: QuotaPeriod, at_s: i64) -> (String, String) {
        let span = period.span(at_s).expect("a period");
        (rfc3339(span.start_s), rfc3339(span.end_s))
    }

    #[test]
    fn months_are_as_long_as_the_calendar_says() {
        for (year, month, next) in [
            (2026, 1, "2026-02-01"),
            (2026, 2, "2026-03-01"),
            (2028, 2, "2028-03-01"),
            (2000, 2, "2000-03-01"),
            (2100, 2, "2100-03-01"),
            (2026, 4, "2026-05-01"),
            (2026, 12, "2027-01-01"),
            (1969, 12, "1970-01-01"),
        ] {
            let first = at(year, month, 1);
            let (start, end) = span(QuotaPeriod::Month, first);
            assert_eq!(start, format!("{year}-{month:02}-01T00:00:00Z"));
            assert_eq!(end, format!("{next}T00:00:00Z"));
            let last = QuotaPeriod::Month.span(first).expect("a month").end_s - 1;
            assert_eq!(span(QuotaPeriod::Month, last), (start, end));
        }
        let days = |year| {
            let span = QuotaPeriod::Month.span(at(year, 2, 10)).expect("a month");
            (span.end_s - span.start_s) / DAY_S
        };
        assert_eq!([2024, 2026, 2000, 2100].map(days), [29, 28, 29, 28]);
    }

    #[test]
    fn weeks_begin_on_monday() {
        // 2026-11-23 is a Monday.
        let monday = at(2026, 11, 23);
        for second in [monday, monday + 1, monday + 7 * DAY_S - 1] {
            assert_eq!(
                span(QuotaPeriod::Week, second),
                ("2026-11-23T00:00:00Z".into(), "2026-11-30T00:00:00Z".into())
            );
        }
        assert_eq!(
            span(QuotaPeriod::Week, monday - 1).0,
            "2026-11-16T00:00:00Z"
        );
        // Over the end of a year, and before 1970.
        assert_eq!(
            span(QuotaPeriod::Week, at(2027, 1, 1)).0,
            "2026-12-28T00:00:00Z"
        );
        assert_eq!(span(QuotaPeriod::Week, 0).0, "1969-12-29T00:00:00Z");
    }

    #[test]
    fn without_a_period_there_is_none() {
        assert_eq!(QuotaPeriod::None.span(at(2026, 1, 1)), None);
    }

    #[test]
    fn names_there_and_back() {
        for period in PERIODS.into_iter().chain([QuotaPeriod::None]) {
            assert_eq!(QuotaPeriod::from_name(period.as_str()), Some(period));
        }
        assert_eq!(QuotaPeriod::from_name("year"), None);
    }

    proptest! {
        #[test]
        fn every_second_lies_in_one_period_and_the_next_begins_where_it_ends(
            at_s in -100_000_000_000_i64..100_000_000_000,
        ) {
            for period in PERIODS {
                let span = period.span(at_s).expect("a period");
                prop_assert!(span.start_s <= at_s && at_s < span.end_s);
                let next = period.span(span.end_s).expect("a period");
                prop_assert_eq!(next.start_s, span.end_s);
                prop_assert_eq!(period.span(span.start_s), Some(span));
                prop_assert_eq!(span.start_s.rem_euclid(DAY_S), 0);
            }
        }

        #[test]
        fn no_time_is_too_far_away(at_s in any::<i64>()) {
            for period in PERIODS {
                let span = period.span(at_s).expect("a period");
                prop_assert!(span.start_s < span.end_s);
            }
        }
    }
}
