//! Points in time as RFC 3339 has them, in UTC and whole seconds.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use super::openapi::format;
use crate::domain::calendar::{DAY_S, days_from_civil, days_in_month, rfc3339};

/// Unix seconds that are text in JSON: `2026-03-01T12:00:00Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Timestamp(pub(super) i64);

impl Timestamp {
    /// What is meant by 0 where 0 is "never".
    pub(super) fn unless_zero(seconds: i64) -> Option<Self> {
        (seconds != 0).then_some(Self(seconds))
    }

    /// Reads RFC 3339 with any offset; fractions of a second are cut off.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (date, rest) = text.split_at_checked(10)?;
        let (clock, rest) = rest.split_at_checked(9)?;
        let [year, month, day] = numbers(date, [(0, 4), (5, 2), (8, 2)], [(4, b'-'), (7, b'-')])?;
        let clock = clock.strip_prefix(['T', 't', ' '])?;
        let [hour, minute, second] =
            numbers(clock, [(0, 2), (3, 2), (6, 2)], [(2, b':'), (5, b':')])?;
        let offset_s = offset_s(skip_fraction(rest)?)?;
        let valid = (1..=12).contains(&month)
            && (1..=days_in_month(year, month)).contains(&day)
            && hour < 24
            && minute < 60
            // A leap second; counted as the first second of the next minute, as Unix time does.
            && second <= 60;
        let of_day_s = hour * 3600 + minute * 60 + second;
        valid.then(|| Self(days_from_civil(year, month, day) * DAY_S + of_day_s - offset_s))
    }
}

impl JsonSchema for Timestamp {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format::Time::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        format::Time::json_schema(generator)
    }
}

impl std::fmt::Display for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&rfc3339(self.0))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text)
            .ok_or_else(|| D::Error::custom("expected a time such as 2026-03-01T12:00:00Z"))
    }
}

/// The three numbers of `text` at these places, if the separators stand between them.
fn numbers(text: &str, at: [(usize, usize); 3], separators: [(usize, u8); 2]) -> Option<[i64; 3]> {
    let bytes = text.as_bytes();
    if separators
        .iter()
        .any(|(i, byte)| bytes.get(*i) != Some(byte))
    {
        return None;
    }
    let mut found = [0; 3];
    for (slot, (start, length)) in found.iter_mut().zip(at) {
        *slot = digits(bytes.get(start..start + length)?)?;
    }
    Some(found)
}

fn digits(bytes: &[u8]) -> Option<i64> {
    bytes.iter().try_fold(0, |sum, byte| {
        let digit = char::from(*byte).to_digit(10)?;
        Some(sum * 10 + i64::from(digit))
    })
}

fn skip_fraction(rest: &str) -> Option<&str> {
    let Some(fraction) = rest.strip_prefix('.') else {
        return Some(rest);
    };
    let after = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
    (after.len() < fraction.len()).then_some(after)
}

fn offset_s(text: &str) -> Option<i64> {
    if text.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let bytes = text.as_bytes();
    if bytes.len() != 6 || bytes[3] != b':' {
        return None;
    }
    let (hours, minutes) = (digits(&bytes[1..3])?, digits(&bytes[4..6])?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

#[cfg(test)]
mod tests {
    use super::Timestamp;

    #[test]
    fn known_instants() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_772_366_400, "2026-03-01T12:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(Timestamp(seconds).to_string(), text);
            assert_eq!(Timestamp::parse(text), Some(Timestamp(seconds)));
        }
        assert_eq!(Timestamp(i64::MAX).to_string(), "9999-12-31T23:59:59Z");
    }

    #[test]
    fn offsets_and_fractions() {
        let noon = Some(Timestamp(1_772_366_400));
        for text in [
            "2026-03-01T14:00:00+02:00",
            "2026-03-01T06:30:00-05:30",
            "2026-03-01t12:00:00.999z",
            "2026-03-01 12:00:00Z",
        ] {
            assert_eq!(Timestamp::parse(text), noon, "{text}");
        }
    }

    #[test]
    fn what_is_no_time() {
        for text in [
            "",
            "tomorrow",
            "1772366400",
            "2026-03-01",
            "2026-03-01T12:00:00",
            "2026-02-29T12:00:00Z",
            "2026-13-01T12:00:00Z",
            "2026-03-01T24:00:00Z",
            "2026-03-01T12:00:00.Z",
            "2026-03-01T12:00:00+2:00",
            "2026-03-01T12:00:00Zulu",
            "２０26-03-01T12:00:00Z",
            "+026-03-01T12:00:00Z",
        ] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
    }
}
