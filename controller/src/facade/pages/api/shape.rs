//! Schemas in words: what a value may be.

use serde_json::Value;

/// What a value may be, such as `text`, `list of 0 to 65535`, or the name of a schema.
pub(super) fn of(schema: &Value) -> String {
    let shape = base(schema);
    if schema["nullable"] == true {
        format!("{shape} or null")
    } else {
        shape
    }
}

/// The named schema that a value is, or holds.
pub(super) fn named(schema: &Value) -> Option<&str> {
    if let Some(reference) = schema["$ref"].as_str() {
        return reference.rsplit('/').next();
    }
    for list in ["allOf", "oneOf", "anyOf"] {
        let parts = schema[list].as_array();
        if let Some(name) = parts.into_iter().flatten().find_map(named) {
            return Some(name);
        }
    }
    ["items", "additionalProperties"]
        .into_iter()
        .find_map(|inner| schema.get(inner).and_then(named))
}

fn base(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str() {
        return name.rsplit('/').next().unwrap_or(name).to_owned();
    }
    for list in ["oneOf", "anyOf", "allOf"] {
        if let Some(parts) = schema[list].as_array() {
            let parts: Vec<_> = parts.iter().map(of).collect();
            return parts.join(if list == "allOf" { " with " } else { " or " });
        }
    }
    if let Some(words) = schema["enum"].as_array() {
        let words = words.iter().filter(|word| !word.is_null());
        let words: Vec<_> = words.map(word).collect();
        return words.join(", ");
    }
    match schema["type"].as_str() {
        Some("string") => match schema["format"].as_str() {
            Some("date-time") => "time".into(),
            Some("binary") => "bytes".into(),
            Some("uuid") => "id".into(),
            Some(format) => format.to_owned(),
            None => "text".into(),
        },
        Some("integer" | "number") => number(schema),
        Some("boolean") => "true or false".into(),
        Some("array") => format!("list of {}", base(&schema["items"])),
        Some("object") => match schema.get("additionalProperties") {
            Some(values) if values.is_object() => format!("object of {}", base(values)),
            _ => "object".into(),
        },
        Some(other) => other.to_owned(),
        None => "anything".into(),
    }
}

fn word(word: &Value) -> String {
    word.as_str().map_or_else(|| word.to_string(), Into::into)
}

/// The bounds of a number that are bounds of its meaning, not of its type.
fn number(schema: &Value) -> String {
    const LARGE: f64 = 4_294_967_295.0;
    let bound = |name: &str| schema[name].as_f64();
    let highest = bound("maximum").filter(|highest| *highest < LARGE);
    match (bound("minimum"), highest) {
        (Some(lowest), Some(highest)) => format!("{lowest} to {highest}"),
        (Some(lowest), None) => format!("number from {lowest}"),
        (None, Some(highest)) => format!("number to {highest}"),
        (None, None) => "number".into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{named, of};

    #[test]
    fn in_words() {
        for (schema, said) in [
            (json!({"type": "string"}), "text"),
            (
                json!({"type": "string", "format": "date-time", "nullable": true}),
                "time or null",
            ),
            (
                json!({"type": "integer", "minimum": 0, "maximum": 65535}),
                "0 to 65535",
            ),
            (
                json!({"type": "integer", "minimum": 0, "maximum": u64::MAX}),
                "number from 0",
            ),
            (
                json!({"enum": ["none", "day", null], "nullable": true}),
                "none, day or null",
            ),
            (
                json!({"type": "array", "items": {"$ref": "#/components/schemas/Peer"}}),
                "list of Peer",
            ),
            (
                json!({"type": "object", "additionalProperties": {"type": "string"}}),
                "object of text",
            ),
            (
                json!({"anyOf": [{"type": "boolean"}, {"type": "integer"}]}),
                "true or false or number",
            ),
            (json!({}), "anything"),
        ] {
            assert_eq!(of(&schema), said, "{schema}");
        }
        let inside = json!({"type": "array", "items": {"allOf": [{"$ref": "#/a/Peer"}]}});
        assert_eq!(named(&inside), Some("Peer"));
        assert_eq!(named(&json!({"type": "string"})), None);
    }
}
