//! Refusals: every code there is, in documents of one form.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::{super::problem::Problem, codes::meaning};

/// The longest name of a shared response.
const MAX_NAME_CHARS: usize = 64;
const REQUEST_ID: &str = "0198f0c5-0000-7000-8000-00000000000f";

/// Responses of an operation, shared ones by reference. What they refer to is added to `components`.
pub(super) fn responses(
    refusals: &BTreeSet<(u16, &'static str)>,
    components: &mut Components,
) -> Map<String, Value> {
    let mut by_status: BTreeMap<u16, Vec<&str>> = BTreeMap::new();
    for (status, code) in refusals {
        by_status.entry(*status).or_default().push(code);
    }
    let named = by_status.into_iter();
    named
        .map(|(status, codes)| (status.to_string(), components.response(status, &codes)))
        .collect()
}

/// What is described once.
#[derive(Default)]
pub(super) struct Components {
    pub(super) responses: Map<String, Value>,
    pub(super) examples: Map<String, Value>,
}

impl Components {
    fn response(&mut self, status: u16, codes: &[&str]) -> Value {
        for code in codes {
            let name = format!("{status}-{code}");
            let example = json!({"summary": meaning(code), "value": example(status, code)});
            self.examples.insert(name, example);
        }
        let name = format!("{status}-{}", codes.join("-"));
        if name.len() > MAX_NAME_CHARS {
            return response(status, codes);
        }
        let reference = format!("#/components/responses/{name}");
        self.responses
            .entry(name)
            .or_insert_with(|| response(status, codes));
        json!({"$ref": reference})
    }
}

fn response(status: u16, codes: &[&str]) -> Value {
    let lines = codes
        .iter()
        .map(|code| format!("`{code}`: {}", meaning(code)));
    let lines: Vec<_> = lines.collect();
    let examples = codes.iter().map(|code| {
        let reference = format!("#/components/examples/{status}-{code}");
        ((*code).to_owned(), json!({"$ref": reference}))
    });
    let mut headers = json!({"X-Request-Id": header("X-Request-Id")});
    if status == 401 {
        headers["WWW-Authenticate"] = header("WWW-Authenticate");
    }
    if status == 429 || status == 503 {
        headers["Retry-After"] = header("Retry-After");
    }
    json!({
        "description": lines.join("\n\n"),
        "headers": headers,
        "content": {"application/problem+json": {
            "schema": {"allOf": [
                {"$ref": "#/components/schemas/Problem"},
                {"type": "object", "properties": {
                    "status": {"type": "integer", "enum": [status]},
                    "code": {"type": "string", "enum": codes},
                }},
            ]},
            "examples": examples.collect::<Map<_, _>>(),
        }},
    })
}

/// A header that is described once for all.
pub(super) fn header(name: &str) -> Value {
    json!({"$ref": format!("#/components/headers/{name}")})
}

fn example(status: u16, code: &'_ str) -> Value {
    let status = axum::http::StatusCode::from_u16(status).expect("a status");
    let mut problem = Problem::new(status, "", meaning(code));
    problem.code = code.to_owned().into();
    problem.field = (code == "invalid_field").then(|| "name".to_owned());
    serde_json::from_slice(&problem.document(REQUEST_ID)).expect("a document is JSON")
}

/// The schema of every refusal.
pub(super) fn problem() -> Value {
    json!({
        "description": "Why a request was refused, as RFC 9457 has it. Programs look at `code`, which \
                        stays what it is; people read `detail`, which may change.",
        "type": "object",
        "required": ["type", "title", "status", "detail", "code", "request_id"],
        "properties": {
            "type": {"type": "string", "pattern": "^urn:wgfleet:problem:[a-z_]+$"},
            "title": {"type": "string", "minLength": 1},
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "detail": {"type": "string", "minLength": 1, "description": "One sentence for people."},
            "code": {"type": "string", "pattern": "^[a-z_]+$", "description": "For programs."},
            "field": {
                "type": "string",
                "description": "The field, parameter or header at fault, such as `labels.region` or \
                                `peers[3].name`.",
            },
            "request_id": {
                "type": "string", "minLength": 1, "maxLength": 128,
                "description": "As in `X-Request-Id`.",
            },
        },
    })
}
