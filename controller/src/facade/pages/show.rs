//! Values as a page shows them: times, bytes, chips.
//!
//! What implements [`HtmlSafe`] writes HTML; all it is given is escaped or a word of ours.

use std::{
    fmt::{self, Display, Formatter},
    time::{SystemTime, UNIX_EPOCH},
};

use askama::filters::HtmlSafe;

use crate::domain::calendar::rfc3339;

/// Now, Unix seconds.
pub(super) fn now_s() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    })
}

/// A moment: `3 min ago` with the exact time behind it. The page counts on by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ago {
    at: i64,
    now: i64,
}

impl Ago {
    /// How long ago `at` is, in Unix seconds.
    pub(super) const fn new(at: i64, now: i64) -> Self {
        Self { at, now }
    }
}

impl Display for Ago {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let exact = rfc3339(self.at);
        let shown = exact.replace('T', " ").replace('Z', " UTC");
        let ago = relative(self.now.saturating_sub(self.at));
        write!(
            f,
            "<time datetime=\"{exact}\" title=\"{shown}\" data-ago>{ago}</time>"
        )
    }
}

impl HtmlSafe for Ago {}

/// From here on a person counts years.
const TWO_YEARS_S: u64 = 730 * 86_400;

/// Seconds ago, or ahead when negative, as a person says it. app.js says it in the same words.
pub(super) fn relative(seconds: i64) -> String {
    let (length, ahead) = (seconds.unsigned_abs(), seconds < 0);
    let (count, unit) = match length {
        0..5 => return "now".into(),
        5..60 => (length, "s"),
        60..3600 => (length / 60, "min"),
        3600..86_400 => (length / 3600, "h"),
        86_400..TWO_YEARS_S => (length / 86_400, "d"),
        _ => (length / (365 * 86_400), "y"),
    };
    if ahead {
        format!("in {count} {unit}")
    } else {
        format!("{count} {unit} ago")
    }
}

/// A length of time: `3 d 4 h`, `5 min`.
pub(super) fn duration(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// `1.5 GiB`. The powers of 1024 are those of `wg show`.
pub(super) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut unit = 0;
    let mut whole = bytes;
    let mut rest = 0;
    while whole >= 1024 {
        rest = whole % 1024;
        whole /= 1024;
        unit += 1;
    }
    if unit == 0 || whole >= 100 {
        format!("{whole} {}", UNITS[unit])
    } else {
        format!("{whole}.{} {}", rest * 10 / 1024, UNITS[unit])
    }
}

/// `12 Mbit/s`: of bytes per second, as networks are measured.
pub(super) fn rate(bytes_per_s: u64) -> String {
    const UNITS: [&str; 5] = ["bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"];
    let mut whole = bytes_per_s.saturating_mul(8);
    let (mut unit, mut rest) = (0, 0);
    while whole >= 1000 && unit + 1 < UNITS.len() {
        rest = whole % 1000;
        whole /= 1000;
        unit += 1;
    }
    if unit == 0 || whole >= 100 {
        format!("{whole} {}", UNITS[unit])
    } else {
        format!("{whole}.{} {}", rest / 100, UNITS[unit])
    }
}

/// `100 000`, with narrow spaces that do not break.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::with_capacity(digits.len() * 2);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            shown.push('\u{202f}');
        }
        shown.push(digit);
    }
    shown
}

/// A state as a coloured word. Both are words of ours, from [`super::text`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chip {
    word: &'static str,
    class: &'static str,
}

impl From<(&'static str, &'static str)> for Chip {
    fn from((word, class): (&'static str, &'static str)) -> Self {
        Self { word, class }
    }
}

impl Display for Chip {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { word, class } = self;
        write!(f, "<span class=\"chip {class}\">{word}</span>")
    }
}

impl HtmlSafe for Chip {}

#[cfg(test)]
mod tests {
    use super::{Ago, bytes, count, duration, rate, relative};

    #[test]
    fn times() {
        for (seconds, said) in [
            (0, "now"),
            (5, "5 s ago"),
            (179, "2 min ago"),
            (7200, "2 h ago"),
            (200_000, "2 d ago"),
            (-90, "in 1 min"),
            (729 * 86_400, "729 d ago"),
            (-26_336 * 86_400, "in 72 y"),
        ] {
            assert_eq!(relative(seconds), said);
        }
        assert_eq!(
            Ago::new(1_772_366_400, 1_772_366_580).to_string(),
            "<time datetime=\"2026-03-01T12:00:00Z\" title=\"2026-03-01 12:00:00 UTC\" data-ago>3 min ago</time>"
        );
        assert_eq!(duration(90_061), "1 d 1 h");
    }

    #[test]
    fn amounts() {
        for (number, said) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1536, "1.5 KiB"),
            (104_857_600, "100 MiB"),
            (u64::MAX, "15.9 EiB"),
        ] {
            assert_eq!(bytes(number), said);
        }
        for (number, said) in [
            (0, "0 bit/s"),
            (125, "1.0 kbit/s"),
            (1_562_500, "12.5 Mbit/s"),
            (u64::MAX, "18446744 Tbit/s"),
        ] {
            assert_eq!(rate(number), said);
        }
        assert_eq!(count(100_000), "100\u{202f}000");
        assert_eq!(count(999), "999");
    }
}
