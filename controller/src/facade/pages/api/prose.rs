//! Text of the document: paragraphs, and code between backticks.

use std::fmt::{self, Display, Formatter, Write as _};

use askama::filters::HtmlSafe;

/// A description. What it is shown as is escaped here.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Prose(String);

impl Prose {
    pub(super) fn new(text: &str) -> Self {
        Self(text.trim().to_owned())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Display for Prose {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (at, paragraph) in self.0.split("\n\n").enumerate() {
            if at > 0 {
                f.write_str("<br>")?;
            }
            for (at, part) in paragraph.split('`').enumerate() {
                let is_code = at % 2 == 1;
                f.write_str(if is_code { "<code>" } else { "" })?;
                escaped(f, part)?;
                f.write_str(if is_code { "</code>" } else { "" })?;
            }
        }
        Ok(())
    }
}

impl HtmlSafe for Prose {}

fn escaped(f: &mut Formatter<'_>, text: &str) -> fmt::Result {
    for c in text.chars() {
        match c {
            '<' => f.write_str("&lt;")?,
            '>' => f.write_str("&gt;")?,
            '&' => f.write_str("&amp;")?,
            '"' => f.write_str("&quot;")?,
            '\'' => f.write_str("&#39;")?,
            c => f.write_char(c)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Prose;

    #[test]
    fn code_and_paragraphs_and_nothing_else() {
        let prose = Prose::new("Takes `<a>` & more.\n\nOr `none");
        assert_eq!(
            prose.to_string(),
            "Takes <code>&lt;a&gt;</code> &amp; more.<br>Or <code>none</code>"
        );
        assert_eq!(Prose::new(" ").to_string(), "");
    }
}
