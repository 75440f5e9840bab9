//! Values that a schema does not take.

use serde_json::{Value, json};

use super::document::Document;

/// Every wrong type, and values just beyond the bounds.
pub(crate) fn wrong(document: &Document, schema: &Value) -> Vec<Value> {
    let schema = document.follow(schema);
    let mut values = of_wrong_type(schema);
    match schema["type"].as_str() {
        Some("integer") => values.extend(numbers(schema)),
        Some("string") => values.extend(texts(schema).into_iter().map(Value::from)),
        Some("array") => values.extend(lists(document, schema)),
        Some("object") => values.extend(labels(document, schema)),
        _ => {}
    }
    values
}

fn of_wrong_type(schema: &Value) -> Vec<Value> {
    let kind = schema["type"].as_str().unwrap_or_default();
    let all = [
        ("null", Value::Null),
        ("boolean", json!(true)),
        ("integer", json!(7)),
        ("number", json!(1.5)),
        ("string", json!("text")),
        ("array", json!([])),
        ("array", json!([[]])),
        ("object", json!({})),
        ("object", json!({"a": {}})),
    ];
    let taken = |of: &str| {
        let is_null = of == "null" && schema["nullable"] == true;
        of == kind || is_null || (kind == "number" && of == "integer")
    };
    let wrong = all
        .into_iter()
        .filter(|(of, _)| !taken(of) && !kind.is_empty());
    wrong.map(|(_, value)| value).collect()
}

fn numbers(schema: &Value) -> Vec<Value> {
    let mut values = vec![json!(-1), json!(u64::MAX), json!(1e300), json!("7")];
    values.extend(schema["minimum"].as_i64().map(|least| json!(least - 1)));
    let most = schema["maximum"].as_u64();
    values.extend(most.and_then(|most| most.checked_add(1)).map(Value::from));
    values
}

/// Texts that break a bound.
pub(crate) fn texts(schema: &Value) -> Vec<String> {
    let mut texts = Vec::new();
    if schema["minLength"].as_u64().is_some_and(|least| least > 0) {
        texts.push(String::new());
    }
    if let Some(most) = schema["maxLength"].as_u64() {
        let most = usize::try_from(most).expect("it fits");
        texts.push("a".repeat(most + 1));
    }
    if schema["pattern"].is_string() && schema["pattern"] != "\\S" {
        texts.push("\u{1f512} / \u{0}".to_owned());
    }
    if schema["enum"].is_array() || schema["format"].is_string() {
        texts.extend(["", "none of them", "\u{0}"].map(ToOwned::to_owned));
    }
    texts
}

fn lists(document: &Document, schema: &Value) -> Vec<Value> {
    let of = document.follow(&schema["items"]);
    let items = match of["properties"].as_object() {
        // What is beyond a bound is refused by itself there, and its neighbours are taken.
        Some(fields) => {
            let mut items = of_wrong_type(of);
            for (name, field) in fields {
                let values = of_wrong_type(document.follow(field)).into_iter();
                items.extend(values.map(|value| json!({"name": "one of many", (name): value})));
            }
            items
        }
        None => wrong(document, of),
    };
    let mut lists: Vec<_> = items.into_iter().map(|item| json!([item])).collect();
    if schema["minItems"].as_u64().is_some_and(|least| least > 0) {
        lists.push(json!([]));
    }
    if let Some(most) = schema["maxItems"].as_u64().filter(|most| *most <= 1024) {
        let most = usize::try_from(most).expect("it fits");
        lists.push(json!(vec!["10.8.0.9"; most + 1]));
    }
    lists
}

/// Objects with any keys.
fn labels(document: &Document, schema: &Value) -> Vec<Value> {
    let values = wrong(document, &schema["additionalProperties"]).into_iter();
    let mut objects: Vec<_> = values.map(|value| json!({"key": value})).collect();
    objects.push(json!({"no key": "value"}));
    let most = schema["maxProperties"].as_u64().unwrap_or_default();
    let many = (0..=most).map(|number| (format!("key-{number}"), json!("value")));
    objects.push(Value::Object(many.collect()));
    objects
}
