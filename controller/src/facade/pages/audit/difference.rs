//! What an entry of the audit changed, field by field. The audit holds no secrets, so nothing is left
//! out here.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::domain::calendar::rfc3339;

/// Characters of one value that are shown.
const MAX_CHARS: usize = 300;

/// One field. With neither side it is not here.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// With a dot before each inner name.
    pub(super) field: String,
    pub(super) was: Option<String>,
    pub(super) is: Option<String>,
}

/// Fields that differ between two JSON objects; an empty text is none.
pub(super) fn changes(before: &str, after: &str) -> Vec<Change> {
    let (was, mut is) = (fields(before), fields(after));
    let mut changes: Vec<_> = was
        .into_iter()
        .map(|(field, was)| Change {
            is: is.remove(&field),
            was: Some(was),
            field,
        })
        .collect();
    changes.extend(is.into_iter().map(|(field, is)| Change {
        field,
        was: None,
        is: Some(is),
    }));
    // Of a webhook's URL only where it goes is told, so that two of them may look the same.
    changes.retain(|it| it.was != it.is || it.field == "url");
    changes.sort_by(|a, b| a.field.cmp(&b.field));
    changes
}

/// What the object is called, or was.
pub(super) fn name(before: &str, after: &str) -> Option<String> {
    let mut documents = [after, before].into_iter();
    documents.find_map(|text| {
        let document: Value = serde_json::from_str(text).ok()?;
        document["name"].as_str().map(ToOwned::to_owned)
    })
}

fn fields(text: &str) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    if let Ok(document) = serde_json::from_str(text) {
        add(&mut fields, "", &document);
    }
    fields
}

fn add(fields: &mut BTreeMap<String, String>, path: &str, value: &Value) {
    let shown = match value {
        Value::Object(inner) => {
            for (name, value) in inner {
                let path = match path {
                    "" => name.clone(),
                    outer => format!("{outer}.{name}"),
                };
                add(fields, &path, value);
            }
            return;
        }
        Value::Array(items) if items.iter().all(is_plain) => {
            let items: Vec<_> = items.iter().map(plain).collect();
            items.join(", ")
        }
        Value::Number(number) if path.ends_with("_at") => match number.as_i64() {
            Some(at) => rfc3339(at),
            None => number.to_string(),
        },
        value => plain(value),
    };
    if !shown.is_empty() {
        fields.insert(path.to_owned(), shortened(&shown));
    }
}

fn is_plain(value: &Value) -> bool {
    !value.is_array() && !value.is_object()
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{changes, name};

    fn told(before: &str, after: &str) -> Vec<String> {
        let changes = changes(before, after).into_iter();
        let told = changes.map(|it| {
            let side = |side: Option<String>| side.unwrap_or_else(|| "-".into());
            format!("{}: {} > {}", it.field, side(it.was), side(it.is))
        });
        told.collect()
    }

    #[test]
    fn fields_that_differ_by_their_paths() {
        let before = r#"{"name":"a","weight":1,"labels":{"team":"red","region":"eu"},"dns":[]}"#;
        let after = r#"{"name":"a","weight":2,"labels":{"team":"blue","region":"eu"},"dns":["1.1.1.1","9.9.9.9"],"mtu":null}"#;
        assert_eq!(
            told(before, after),
            [
                "dns: - > 1.1.1.1, 9.9.9.9",
                "labels.team: red > blue",
                "weight: 1 > 2"
            ]
        );
        assert_eq!(
            told("", r#"{"enabled":false}"#),
            ["enabled: - > false"],
            "something new"
        );
        assert_eq!(
            told(r#"{"expires_at":1772366400,"kinds":[{"a":1}]}"#, ""),
            [
                "expires_at: 2026-03-01T12:00:00Z > -",
                "kinds: [{\"a\":1}] > -"
            ]
        );
        assert_eq!(told("", ""), [""; 0]);
    }

    #[test]
    fn a_url_whose_end_is_not_told_changed_all_the_same() {
        let url = r#"{"url":"https://example.com/…","enabled":true}"#;
        assert_eq!(
            told(url, url),
            ["url: https://example.com/… > https://example.com/…"]
        );
    }

    #[test]
    fn long_values_are_cut_between_characters() {
        let long = format!("{{\"name\":\"{}\"}}", "é".repeat(400));
        let [only] = &changes("", &long)[..] else {
            panic!("one change");
        };
        let is = only.is.as_deref().expect("a value");
        assert_eq!(is.chars().count(), 301);
    }

    #[test]
    fn the_name_it_has_or_had() {
        assert_eq!(
            name(r#"{"name":"old"}"#, r#"{"name":"new"}"#).as_deref(),
            Some("new")
        );
        assert_eq!(name(r#"{"name":"old"}"#, "").as_deref(), Some("old"));
        assert_eq!(name("", "{}"), None);
    }
}
