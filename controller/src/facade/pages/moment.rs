//! Points in time as forms have them: `datetime-local`, in UTC.

use crate::facade::time::Timestamp;

/// Unix seconds of what was typed: `2026-03-01T12:00`, or a time as the API takes it.
pub(super) fn parse(text: &str) -> Option<i64> {
    let whole = || Timestamp::parse(text);
    let minute = || Timestamp::parse(&format!("{text}:00Z"));
    let second = || Timestamp::parse(&format!("{text}Z"));
    whole()
        .or_else(minute)
        .or_else(second)
        .map(|Timestamp(at)| at)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn as_browsers_and_as_programs_write_it() {
        for text in [
            "2026-03-01T12:00",
            "2026-03-01T12:00:00",
            "2026-03-01T12:00:00Z",
            "2026-03-01T14:00:00+02:00",
        ] {
            assert_eq!(parse(text), Some(1_772_366_400), "{text}");
        }
        for text in ["", "noon", "2026-03-01", "2026-03-01T25:00"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
