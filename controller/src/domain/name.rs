//! Names of nodes and peers.

/// The longest name, in characters.
pub const MAX_CHARS: usize = 128;

/// A name that can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// Nothing but white space, or too long.
    #[error("name: must be 1 to 128 characters")]
    Length,
    /// A line break or another control character: names are written into configuration files.
    #[error("name: must not contain line breaks or other control characters")]
    Control,
}

/// The name without white space around it.
///
/// # Errors
/// See [`InvalidName`].
pub fn checked_name(text: &str) -> Result<&str, InvalidName> {
    // Line and paragraph separators break lines for some readers, and are no control characters.
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    let name = text.trim();
    if name.is_empty() || name.chars().count() > MAX_CHARS {
        Err(InvalidName::Length)
    } else if name.contains(breaks) {
        Err(InvalidName::Control)
    } else {
        Ok(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_trimmed_and_checked() {
        assert_eq!(checked_name("  Anna's laptop \n"), Ok("Anna's laptop"));
        assert_eq!(checked_name("日本"), Ok("日本"));
        let longest = "ü".repeat(MAX_CHARS);
        assert_eq!(checked_name(&longest), Ok(longest.as_str()));
        assert_eq!(
            checked_name(&format!("{longest}x")),
            Err(InvalidName::Length)
        );
        assert_eq!(checked_name(" \t"), Err(InvalidName::Length));
        for bad in ["a\nb", "a\0b", "a\u{1b}b", "a\u{85}b", "a\u{2028}b"] {
            assert_eq!(checked_name(bad), Err(InvalidName::Control), "{bad:?}");
        }
    }
}
