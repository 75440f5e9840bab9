//! Values as people read them.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::column::raw;
use crate::domain::calendar::{DAY_S, days_from_civil};

/// As it is; lists with commas.
pub(in crate::cli) fn text(value: &Value) -> String {
    match value {
        Value::Array(items) => items.iter().map(raw).collect::<Vec<_>>().join(", "),
        other => raw(other),
    }
}

/// `key=value, key=value`
pub(in crate::cli) fn labels(value: &Value) -> String {
    let fields = value.as_object().into_iter().flatten();
    let pairs = fields.map(|(key, value)| format!("{key}={}", raw(value)));
    pairs.collect::<Vec<_>>().join(", ")
}

/// `yes` or `no`
pub(in crate::cli) fn yes_no(value: &Value) -> String {
    match value.as_bool() {
        Some(true) => "yes".into(),
        Some(false) => "no".into(),
        None => String::new(),
    }
}

/// `1.21 GiB`
pub(in crate::cli) fn bytes(value: &Value) -> String {
    let shown = |bytes| indicatif::BinaryBytes(bytes).to_string();
    value.as_u64().map(shown).unwrap_or_default()
}

/// `1.21 MiB/s`
pub(in crate::cli) fn rate(value: &Value) -> String {
    let shown = |bytes| format!("{}/s", indicatif::BinaryBytes(bytes));
    value.as_u64().map(shown).unwrap_or_default()
}

/// `applied`, or `pending: why`
pub(in crate::cli) fn sync(value: &Value) -> String {
    let state = raw(&value["state"]);
    match value["reason"].as_str() {
        Some(reason) => format!("{state}: {reason}"),
        None => state,
    }
}

/// How long ago a time was: `3m ago`.
pub(in crate::cli) fn age(value: &Value) -> String {
    let Some(at_s) = value.as_str().and_then(unix_s) else {
        return "never".into();
    };
    format!("{} ago", span(now_s() - at_s))
}

/// A span of seconds: `3d 4h`.
pub(in crate::cli) fn since(value: &Value) -> String {
    value.as_i64().map(span).unwrap_or_default()
}

fn span(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let (days, hours, minutes) = (seconds / DAY_S, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m"),
        (0, _, _) => format!("{hours}h {minutes}m"),
        _ => format!("{days}d {hours}h"),
    }
}

fn now_s() -> i64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}

/// Unix seconds of a time in the API's one form, `2026-03-01T12:00:00Z`.
fn unix_s(text: &str) -> Option<i64> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let day = days_from_civil(number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let of_day_s = number(11, 13)? * 3600 + number(14, 16)? * 60 + number(17, 19)?;
    Some(day * DAY_S + of_day_s)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{age, bytes, labels, now_s, rate, span, sync, text, unix_s};
    use crate::domain::calendar::rfc3339;

    #[test]
    fn times_read_back() {
        for seconds in [0, 951_782_400, 1_772_366_400, 253_402_300_799] {
            assert_eq!(unix_s(&rfc3339(seconds)), Some(seconds));
        }
        assert_eq!(unix_s("yesterday"), None);
        assert_eq!(age(&json!(null)), "never");
        assert_eq!(age(&json!(rfc3339(now_s() - 200))), "3m ago");
    }

    #[test]
    fn spans_have_two_units_at_most() {
        for (seconds, text) in [
            (-5, "0s"),
            (59, "59s"),
            (60, "1m"),
            (3_700, "1h 1m"),
            (90_000, "1d 1h"),
        ] {
            assert_eq!(span(seconds), text);
        }
    }

    #[test]
    fn values_are_named_with_their_units() {
        assert_eq!(bytes(&json!(1536)), "1.50 KiB");
        assert_eq!(rate(&json!(0)), "0 B/s");
        assert_eq!(bytes(&json!(null)), "");
        let pending = json!({"state": "pending", "reason": "the node is offline"});
        assert_eq!(sync(&pending), "pending: the node is offline");
        assert_eq!(text(&json!(["a", "b"])), "a, b");
        assert_eq!(labels(&json!({"a": "1", "b": "2"})), "a=1, b=2");
    }
}
