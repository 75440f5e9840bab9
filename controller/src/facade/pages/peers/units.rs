//! What people type of lists, labels, times and amounts, and how it is shown for them to change.

use std::collections::BTreeMap;

use crate::{
    domain::calendar::rfc3339,
    facade::{problem::Problem, time::Timestamp},
};

/// Units of bytes, the largest first; those of 1024 before those of 1000.
const UNITS: [(&str, u64); 10] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1000),
    ("KB", 1000),
    ("B", 1),
];
/// Fractions are read to so many digits.
const MAX_DIGITS: u32 = 6;

/// Entries with spaces, commas or semicolons between them.
pub(super) fn list(text: &str) -> Vec<String> {
    let parts = text.split(|c: char| c.is_whitespace() || c == ',' || c == ';');
    let parts = parts.filter(|part| !part.is_empty());
    parts.map(ToOwned::to_owned).collect()
}

/// `team=sales owner=anna`.
pub(super) fn labels(field: &'static str, text: &str) -> Result<BTreeMap<String, String>, Problem> {
    let mut labels = BTreeMap::new();
    for part in list(text) {
        let Some((key, value)) = part.split_once('=').filter(|(key, _)| !key.is_empty()) else {
            let detail =
                format!("{part:?} is no label: write KEY=VALUE, with spaces between labels");
            return Err(Problem::invalid_field(field, detail));
        };
        if labels.insert(key.to_owned(), value.to_owned()).is_some() {
            let detail = format!("the label {key} is there twice");
            return Err(Problem::invalid_field(field, detail));
        }
    }
    Ok(labels)
}

/// Labels as [`labels`] reads them.
pub(super) fn shown_labels(labels: &BTreeMap<String, String>) -> String {
    let pairs: Vec<_> = labels
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    pairs.join(" ")
}

/// A whole number; nothing typed is none.
pub(super) fn number(field: &'static str, text: &str) -> Result<Option<u32>, Problem> {
    if text.is_empty() {
        return Ok(None);
    }
    let number = text.parse();
    let wrong = |_| Problem::invalid_field(field, format!("{text:?} is no whole number"));
    number.map(Some).map_err(wrong)
}

/// A time as a browser's field has it, which is then in UTC, or as the API has it.
pub(super) fn time(field: &'static str, text: &str) -> Result<Option<i64>, Problem> {
    if text.is_empty() {
        return Ok(None);
    }
    let whole = [
        text.to_owned(),
        format!("{text}Z"),
        format!("{text}:00Z"),
        format!("{text}T00:00:00Z"),
    ];
    let read = whole.iter().find_map(|text| Timestamp::parse(text));
    let wrong = || {
        Problem::invalid_field(
            field,
            format!("{text:?} is no time such as 2026-03-01 12:00"),
        )
    };
    read.map(|time| Some(time.0)).ok_or_else(wrong)
}

/// A time for a browser's field.
pub(super) fn shown_time(seconds: i64) -> String {
    rfc3339(seconds).trim_end_matches('Z').to_owned()
}

/// `50 GiB`, `1.5 TB`, or bytes; nothing typed is none.
pub(super) fn bytes(field: &'static str, text: &str) -> Result<Option<u64>, Problem> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let wrong = || Problem::invalid_field(field, format!("{text:?} is no amount such as 50 GiB"));
    let split = text
        .find(|c: char| c.is_ascii_alphabetic())
        .unwrap_or(text.len());
    let (amount, unit) = text.split_at(split);
    let unit = unit.trim();
    let size = if unit.is_empty() {
        Some(1)
    } else {
        let found = UNITS
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(unit));
        found.map(|(_, size)| *size)
    };
    let bytes = size.and_then(|size| times(amount.trim(), size));
    bytes.map(Some).ok_or_else(wrong)
}

/// The amount in the largest unit that holds it exactly.
pub(super) fn shown_bytes(bytes: u64) -> String {
    let fits = |(_, size): &&(&str, u64)| bytes >= *size && bytes.is_multiple_of(*size);
    let (unit, size) = UNITS.iter().find(fits).copied().unwrap_or(("B", 1));
    format!("{} {unit}", bytes / size)
}

fn times(amount: &str, size: u64) -> Option<u64> {
    let (whole, fraction) = amount.split_once('.').unwrap_or((amount, "0"));
    let digits = u32::try_from(fraction.len())
        .ok()
        .filter(|digits| *digits <= MAX_DIGITS)?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) {
        return None;
    }
    let of_fraction =
        u128::from(fraction.parse::<u64>().ok()?) * u128::from(size) / 10_u128.pow(digits);
    let whole = whole.parse::<u64>().ok()?.checked_mul(size)?;
    whole.checked_add(u64::try_from(of_fraction).ok()?)
}

#[cfg(test)]
mod tests {
    use super::{bytes, labels, list, number, shown_bytes, shown_labels, shown_time, time};

    #[test]
    fn amounts() {
        for (typed, read) in [
            ("50 GiB", 50 << 30),
            ("1.5tib", 3 << 39),
            ("5GB", 5_000_000_000),
            ("1000", 1000),
            ("0.5 kB", 500),
        ] {
            assert_eq!(bytes("q", typed).expect(typed), Some(read), "{typed}");
        }
        for wrong in [
            "GiB",
            "-1 GiB",
            "1.2.3 GB",
            "1,5 GiB",
            "5 apples",
            "99999999 TiB",
            ". GB",
        ] {
            assert!(bytes("q", wrong).is_err(), "{wrong}");
        }
        for exact in [1, 1000, 1024, 1025, 5_000_000_000, 50 << 30, u64::MAX] {
            let shown = shown_bytes(exact);
            assert_eq!(
                bytes("q", &shown).expect("an amount"),
                Some(exact),
                "{shown}"
            );
        }
        assert_eq!(shown_bytes(5_000_000_000), "5 GB");
    }

    #[test]
    fn times_of_a_field_and_of_the_api() {
        for typed in [
            "2026-03-01T12:00",
            "2026-03-01T12:00:00",
            "2026-03-01T12:00:00Z",
            "2026-03-01 13:00:00+01:00",
        ] {
            assert_eq!(time("t", typed).expect(typed), Some(1_772_366_400));
        }
        assert_eq!(time("t", "2026-03-01").expect("a day"), Some(1_772_323_200));
        assert_eq!(shown_time(1_772_366_400), "2026-03-01T12:00:00");
        assert!(time("t", "tomorrow").is_err());
    }

    #[test]
    fn lists_labels_and_numbers() {
        assert_eq!(list(" a, b;c\n d "), ["a", "b", "c", "d"]);
        let read = labels("l", "team=sales owner=anna").expect("labels");
        assert_eq!(shown_labels(&read), "owner=anna team=sales");
        for wrong in ["team", "=x", "a=1 a=2"] {
            assert!(labels("l", wrong).is_err(), "{wrong}");
        }
        assert_eq!(number("n", "25").expect("a number"), Some(25));
        assert!(number("n", "-1").is_err());
    }
}
