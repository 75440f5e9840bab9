//! Parameters of queries, and the parameters and headers that many operations share.

use serde_json::{Value, json};

use super::format;

/// A point in time, such as `example`.
pub(in crate::facade) fn time(name: &str, example: &str, description: &str) -> Value {
    let schema = json!({"type": "string", "format": "date-time", "example": example});
    described(name, description, &schema)
}

/// One of some words.
pub(in crate::facade) fn word<T>(name: &str, words: &[(&str, T)], description: &str) -> Value {
    described(name, description, &format::words(words))
}

/// Any text.
pub(in crate::facade) fn text(name: &str, description: &str) -> Value {
    described(name, description, &json!({"type": "string"}))
}

/// Text of so many characters at most.
pub(in crate::facade) fn short_text(name: &str, max_chars: u32, description: &str) -> Value {
    let schema = json!({"type": "string", "maxLength": max_chars});
    described(name, description, &schema)
}

/// Yes or no.
pub(in crate::facade) fn flag(name: &str, description: &str) -> Value {
    described(name, description, &json!({"type": "boolean"}))
}

/// `label`, which may be repeated.
pub(in crate::facade) fn label() -> Value {
    let label = "[A-Za-z0-9._/-]{1,63}";
    let schema = json!({
        "type": "array",
        "items": {"type": "string", "pattern": format!("^{label}[=:]{label}$")},
    });
    let description = "Only what has this label, `key=value`. Repeat it for several.";
    repeated("label", description, &schema)
}

/// `kind`, which may be repeated.
pub(in crate::facade) fn kinds() -> Value {
    let schema = json!({"type": "array", "items": format::kind()});
    repeated(
        "kind",
        "Only these kinds of events. Repeat it for several.",
        &schema,
    )
}

fn described(name: &str, description: &str, schema: &Value) -> Value {
    json!({"name": name, "in": "query", "description": description, "schema": schema})
}

fn repeated(name: &str, description: &str, schema: &Value) -> Value {
    json!({
        "name": name, "in": "query", "description": description, "schema": schema,
        "style": "form", "explode": true,
    })
}

/// Parameters by the names that operations use.
pub(super) fn shared() -> Value {
    json!({
        "Limit": {
            "name": "limit", "in": "query", "description": "Most items of a page; 100 when absent.",
            "schema": {"type": "integer", "minimum": 1, "maximum": 1000},
        },
        "Cursor": {
            "name": "cursor", "in": "query",
            "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]*$"},
            "description": "`next_cursor` of the page before, with the same filter and order.",
        },
        "IfMatch": {
            "name": "If-Match", "in": "header", "schema": {"type": "string", "minLength": 1},
            "description": "Only if its `ETag` is one of these, else 412. `*`, or no header, is any.",
        },
        "IdempotencyKey": {
            "name": "Idempotency-Key", "in": "header",
            "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
            "description": "A text of the caller's own, new for each request. The same request with \
                            the same key is done once, and answered the same for 24 hours.",
        },
        "LastEventId": {
            "name": "Last-Event-ID", "in": "header",
            "schema": {"type": "string", "pattern": "^[0-9]{0,19}$"},
            "description": "The last event that was seen: the stream goes on after it.",
        },
        "RequestId": {
            "name": "X-Request-Id", "in": "header", "schema": {"type": "string"},
            "description": "A name for the request, for the log and the answer: 1 to 128 letters, digits, \
                            `-`, `_`, `.` or `:`. With another, or none, it is given one.",
        },
        "IfNoneMatch": {
            "name": "If-None-Match", "in": "header", "schema": {"type": "string"},
            "description": "The `ETag` of what is held already: 304 while it is the same.",
        },
    })
}

/// Headers of answers by their names.
pub(super) fn headers() -> Value {
    let text = json!({"type": "string"});
    json!({
        "X-Request-Id": {
            "description": "The name of the request, as it stands in the log.",
            "required": true,
            "schema": {"type": "string", "pattern": "^[A-Za-z0-9._:-]{1,128}$"},
        },
        "ETag": {
            "description": "The version of what was read or made, for `If-Match`.",
            "required": true, "schema": {"type": "string", "pattern": "^\"[^\"]+\"$"},
        },
        "Location": {
            "description": "Where it is from now on.", "required": true, "schema": text,
        },
        "Retry-After": {
            "description": "Seconds after which to come back.", "required": true,
            "schema": {"type": "integer", "minimum": 1},
        },
        "WWW-Authenticate": {
            "description": "How to come in.", "required": true,
            "schema": {"type": "string", "enum": ["Bearer"]},
        },
        "Content-Disposition": {
            "description": "A name for the file.", "required": true, "schema": text,
        },
        "Content-Length": {
            "description": "How many bytes follow: with fewer, the copy is not whole.",
            "required": true, "schema": {"type": "integer", "minimum": 0},
        },
        "Vary": {"description": "What the answer depends on.", "required": true, "schema": text},
    })
}
