//! Values of flags: labels, sizes, points in time.

use std::{
    str::FromStr,
    time::{SystemTime, UNIX_EPOCH},
};

use serde_json::{Map, Value};

use crate::domain::calendar::rfc3339;

/// `KEY=VALUE`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Label {
    key: String,
    value: String,
}

impl FromStr for Label {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let pair = text
            .split_once('=')
            .filter(|(key, value)| !key.is_empty() && !value.is_empty());
        let (key, value) = pair.ok_or("a label is KEY=VALUE")?;
        Ok(Self {
            key: key.to_owned(),
            value: value.to_owned(),
        })
    }
}

impl std::fmt::Display for Label {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}={}", self.key, self.value)
    }
}

/// Labels as the API takes them.
pub(super) fn object(labels: &[Label]) -> Value {
    let pairs = labels
        .iter()
        .map(|label| (label.key.clone(), label.value.clone().into()));
    Value::Object(pairs.collect())
}

/// Labels as filters of a list.
pub(super) fn filters(labels: &[Label]) -> Vec<String> {
    labels.iter().map(ToString::to_string).collect()
}

/// Has a change of `object` set and take away labels, where any are named: a change replaces them all.
pub(super) fn relabel(
    patch: &mut Map<String, Value>,
    object: &Value,
    set: &[Label],
    removed: &[String],
) {
    if set.is_empty() && removed.is_empty() {
        return;
    }
    let is_cleared = patch.get("labels") == Some(&Value::Null);
    let present = if is_cleared {
        &Value::Null
    } else {
        &object["labels"]
    };
    patch.insert("labels".into(), relabelled(present, set, removed));
}

/// `present` with some labels set and some taken away.
fn relabelled(present: &Value, set: &[Label], removed: &[String]) -> Value {
    let mut labels: Map<String, Value> = present.as_object().cloned().unwrap_or_default();
    labels.retain(|key, _| !removed.contains(key));
    for Label { key, value } in set {
        labels.insert(key.clone(), value.clone().into());
    }
    Value::Object(labels)
}

/// A number of bytes as coreutils read it: `10G` and `10GiB` count in 1024s, `10GB` in thousands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bytes(pub(super) u64);

const UNITS: [(&str, u64); 14] = [
    ("", 1),
    ("B", 1),
    ("K", 1 << 10),
    ("KB", 1_000),
    ("KiB", 1 << 10),
    ("M", 1 << 20),
    ("MB", 1_000_000),
    ("MiB", 1 << 20),
    ("G", 1 << 30),
    ("GB", 1_000_000_000),
    ("GiB", 1 << 30),
    ("T", 1 << 40),
    ("TB", 1_000_000_000_000),
    ("TiB", 1 << 40),
];

impl FromStr for Bytes {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "a size is a whole number and a unit: 500M, 10G, 10GB, 1T";
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let known = UNITS
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(unit));
        let (_, bytes) = known.ok_or(FORM)?;
        let number: u64 = number.parse().map_err(|_| FORM)?;
        number.checked_mul(*bytes).map(Self).ok_or(FORM)
    }
}

/// A point in time: RFC 3339, or how far it is from now: `30d`, `12h`, `45m`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Time {
    At(String),
    SecondsFromNow(i64),
}

impl FromStr for Time {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "a time is 2026-03-01T12:00:00Z, or a distance from now: 30d, 12h, 45m";
        // What is not short is for the controller to judge.
        if text.contains('T') && text.len() >= "2026-03-01T12:00:00Z".len() {
            return Ok(Self::At(text.to_owned()));
        }
        let (number, unit_s) = match text.char_indices().last() {
            Some((at, 'd')) => (&text[..at], 86_400),
            Some((at, 'h')) => (&text[..at], 3_600),
            Some((at, 'm')) => (&text[..at], 60),
            Some((at, 's')) => (&text[..at], 1),
            _ => return Err(FORM),
        };
        let number: u32 = number.parse().map_err(|_| FORM)?;
        Ok(Self::SecondsFromNow(i64::from(number) * unit_s))
    }
}

impl Time {
    /// The time ahead of now.
    pub(super) fn ahead(&self) -> String {
        self.text(1)
    }

    /// The time that lies back.
    pub(super) fn back(&self) -> String {
        self.text(-1)
    }

    fn text(&self, direction: i64) -> String {
        match self {
            Self::At(text) => text.clone(),
            Self::SecondsFromNow(seconds) => rfc3339(now_s() + direction * seconds),
        }
    }
}

fn now_s() -> i64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Bytes, Label, Time, relabelled};

    #[test]
    fn sizes_have_units() {
        for (text, bytes) in [
            ("0", 0),
            ("500M", 500 << 20),
            ("10g", 10 << 30),
            ("10GiB", 10 << 30),
            ("1TB", 1_000_000_000_000),
        ] {
            assert_eq!(text.parse(), Ok(Bytes(bytes)), "{text}");
        }
        for text in ["", "G", "1.5G", "-1", "10 G", "10X", "99999999999999999T"] {
            assert!(text.parse::<Bytes>().is_err(), "{text}");
        }
    }

    #[test]
    fn times_are_given_or_counted_from_now() {
        assert_eq!("30d".parse(), Ok(Time::SecondsFromNow(30 * 86_400)));
        assert_eq!("45m".parse(), Ok(Time::SecondsFromNow(45 * 60)));
        let text = "2026-03-01T12:00:00+02:00";
        assert_eq!(text.parse(), Ok(Time::At(text.into())));
        for text in ["", "d", "tomorrow", "-1d", "1y", "30dé"] {
            assert!(text.parse::<Time>().is_err(), "{text}");
        }
        let (back, ahead) = (
            Time::SecondsFromNow(60).back(),
            Time::SecondsFromNow(60).ahead(),
        );
        assert!(back < ahead, "{back} {ahead}");
    }

    #[test]
    fn labels_are_set_and_taken_away_among_those_there_are() {
        let label = |text: &str| text.parse::<Label>().expect("a label");
        let present = json!({"site": "a", "tier": "1", "old": "x"});
        let labels = relabelled(
            &present,
            &[label("tier=2"), label("new=y")],
            &["old".into()],
        );
        assert_eq!(labels, json!({"site": "a", "tier": "2", "new": "y"}));
        for text in ["", "a", "=b", "a="] {
            assert!(text.parse::<Label>().is_err(), "{text}");
        }
    }
}
