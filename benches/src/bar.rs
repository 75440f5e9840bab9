//! What must hold, beside what was measured.

use std::fmt;

/// A bound, and a figure to be judged by it.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    what: String,
    bound: Bound,
    unit: &'static str,
    measured: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

/// The head of a table of bars.
pub const HEAD: &str = "| what must hold | bar | measured | holds |\n|---|---|---|---|";

impl Bar {
    /// `measured` may be as large as `bound`.
    pub fn at_most(what: impl Into<String>, bound: f64, unit: &'static str, measured: f64) -> Self {
        let bound = Bound::AtMost(bound);
        let what = what.into();
        Self {
            what,
            bound,
            unit,
            measured,
        }
    }

    /// `measured` may be as small as `bound`.
    pub fn at_least(
        what: impl Into<String>,
        bound: f64,
        unit: &'static str,
        measured: f64,
    ) -> Self {
        let bound = Bound::AtLeast(bound);
        let what = what.into();
        Self {
            what,
            bound,
            unit,
            measured,
        }
    }

    /// Whether it holds.
    #[must_use]
    pub fn holds(&self) -> bool {
        match self.bound {
            Bound::AtMost(bound) => self.measured <= bound,
            Bound::AtLeast(bound) => self.measured >= bound,
        }
    }
}

/// A row of the table that begins with [`HEAD`].
impl fmt::Display for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            what,
            unit,
            measured,
            ..
        } = self;
        let (sign, bound) = match self.bound {
            Bound::AtMost(bound) => ("≤", bound),
            Bound::AtLeast(bound) => ("≥", bound),
        };
        let holds = if self.holds() { "holds" } else { "**fails**" };
        write!(
            f,
            "| {what} | {sign} {bound} {unit} | {measured:.2} {unit} | {holds} |"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_judges_in_its_direction() {
        assert!(Bar::at_most("a", 2.0, "×", 2.0).holds());
        assert!(!Bar::at_most("a", 2.0, "×", 2.01).holds());
        assert!(Bar::at_least("a", 4.0, "×", 4.0).holds());
        assert!(!Bar::at_least("a", 4.0, "×", 3.99).holds());
        assert!(!Bar::at_least("a", 4.0, "×", f64::NAN).holds());
    }

    #[test]
    fn a_bar_is_a_row() {
        let row = Bar::at_most("whole dump", 2.0, "×", 1.876).to_string();
        assert_eq!(row, "| whole dump | ≤ 2 × | 1.88 × | holds |");
        let row = Bar::at_least("hello", 0.8, "×", 0.5).to_string();
        assert_eq!(row, "| hello | ≥ 0.8 × | 0.50 × | **fails** |");
    }
}
