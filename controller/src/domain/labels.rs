//! Labels of nodes and peers, and the selectors that match them.

use std::collections::BTreeMap;

/// Key → value, both valid by [`check_labels`].
pub type Labels = BTreeMap<String, String>;

/// The longest key or value, in characters.
pub const MAX_CHARS: usize = 63;
/// The most labels one thing can have.
pub const MAX_LABELS: usize = 64;

/// Labels or a selector that can't be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLabels {
    /// A key or a value.
    #[error("labels: {0:?} must be 1 to 63 letters, digits, '.', '_', '/' or '-'")]
    Text(String),
    /// More than [`MAX_LABELS`].
    #[error("labels: {0} are too many; 64 is the most")]
    TooMany(usize),
}

/// Checks every key and value, of labels as of a selector.
///
/// # Errors
/// [`InvalidLabels`] names the first that is bad.
pub fn check_labels(labels: &Labels) -> Result<(), InvalidLabels> {
    if labels.len() > MAX_LABELS {
        return Err(InvalidLabels::TooMany(labels.len()));
    }
    match labels
        .iter()
        .flat_map(|(key, value)| [key, value])
        .find(|text| !is_valid(text))
    {
        None => Ok(()),
        Some(bad) => Err(InvalidLabels::Text(
            bad.chars().take(MAX_CHARS + 1).collect(),
        )),
    }
}

fn is_valid(text: &str) -> bool {
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || b"._/-".contains(&byte);
    (1..=MAX_CHARS).contains(&text.len()) && text.bytes().all(valid)
}

/// Whether `labels` has every key of `selector` with the same value; an empty selector matches all.
#[must_use]
pub fn matches(selector: &Labels, labels: &Labels) -> bool {
    first_mismatch(selector, labels).is_none()
}

/// The first key and value of `selector` that `labels` lacks.
#[must_use]
pub fn first_mismatch<'a>(
    selector: &'a Labels,
    labels: &Labels,
) -> Option<(&'a String, &'a String)> {
    selector
        .iter()
        .find(|(key, value)| labels.get(*key) != Some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn keys_and_values_are_checked() {
        assert_eq!(
            check_labels(&labels(&[("example.com/a-b_c", "EU.1")])),
            Ok(())
        );
        let long = "x".repeat(MAX_CHARS + 1);
        for bad in ["", "a b", "ü", "a\n", long.as_str()] {
            assert!(check_labels(&labels(&[(bad, "v")])).is_err(), "{bad:?}");
            assert!(check_labels(&labels(&[("k", bad)])).is_err(), "{bad:?}");
        }
        let many = (0..=MAX_LABELS)
            .map(|n| (n.to_string(), "v".to_owned()))
            .collect();
        assert_eq!(check_labels(&many), Err(InvalidLabels::TooMany(65)));
    }

    #[test]
    fn a_selector_matches_by_equality() {
        let node = labels(&[("region", "eu"), ("tier", "1")]);
        assert!(matches(&Labels::new(), &node) && matches(&node, &node));
        assert!(matches(&labels(&[("region", "eu")]), &node));
        assert!(!matches(&labels(&[("region", "us")]), &node));
        assert!(!matches(&labels(&[("zone", "eu")]), &node));
    }
}
