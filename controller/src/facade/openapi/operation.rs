//! One operation: what a route takes and what it answers.

use std::collections::BTreeSet;

use axum::http::{Method, StatusCode};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::super::input::Kind;

type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// What a caller sends.
pub(super) struct Body {
    pub(super) schema: SchemaOf,
    pub(super) example: Value,
    pub(super) is_required: bool,
    /// Whether the example is one.
    #[cfg(test)]
    pub(super) parses: fn(&Value) -> Result<(), String>,
}

/// What a caller gets.
pub(super) enum Content {
    Nothing,
    Json(SchemaOf, Value),
    /// A media type, and the schema of what is sent.
    Raw(&'static str, Value),
}

/// An answer that is no refusal.
pub(super) struct Success {
    pub(super) status: StatusCode,
    pub(super) description: &'static str,
    pub(super) headers: Vec<&'static str>,
    pub(super) content: Vec<Content>,
}

/// What one route does, beside its handler.
pub(in crate::facade) struct Operation {
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) id: &'static str,
    pub(super) tag: &'static str,
    pub(super) summary: &'static str,
    pub(super) description: &'static str,
    pub(super) parameters: Vec<Value>,
    pub(super) body: Option<Body>,
    pub(super) success: Vec<Success>,
    pub(super) refusals: BTreeSet<(u16, &'static str)>,
    pub(super) callbacks: Option<fn(&mut SchemaGenerator) -> Value>,
    pub(super) is_public: bool,
}

impl Operation {
    /// Looks at something.
    pub(in crate::facade) fn get(path: &'static str, id: &'static str) -> Self {
        Self::new(Method::GET, path, id)
    }

    /// Makes or does something; it may be sent again under an idempotency key.
    pub(in crate::facade) fn post(path: &'static str, id: &'static str) -> Self {
        Self::new(Method::POST, path, id)
            .refuses(503, &["overloaded"])
            .parameter(reference("IdempotencyKey"))
            .refuses(400, &["invalid_field"])
            .refuses(409, &["request_running"])
            .refuses(422, &["idempotency_key_reused"])
            .refuses(503, &["answer_not_kept"])
    }

    /// Makes or does something each time it is asked for.
    pub(in crate::facade) fn post_anew(path: &'static str, id: &'static str) -> Self {
        Self::new(Method::POST, path, id)
            .refuses(400, &["invalid_field"])
            .refuses(503, &["overloaded"])
    }

    /// Changes something.
    pub(in crate::facade) fn patch(path: &'static str, id: &'static str) -> Self {
        Self::new(Method::PATCH, path, id).refuses(503, &["overloaded"])
    }

    /// Removes something.
    pub(in crate::facade) fn delete(path: &'static str, id: &'static str) -> Self {
        Self::new(Method::DELETE, path, id).refuses(503, &["overloaded"])
    }

    fn new(method: Method, path: &'static str, id: &'static str) -> Self {
        let operation = Self {
            method,
            path,
            id,
            tag: "",
            summary: "",
            description: "",
            parameters: Vec::new(),
            body: None,
            success: Vec::new(),
            refusals: BTreeSet::new(),
            callbacks: None,
            is_public: false,
        };
        operation
            .refuses(401, &["unauthenticated"])
            .refuses(403, &["forbidden"])
            .refuses(429, &["rate_limited"])
            .refuses(500, &["internal"])
            .refuses(503, &["store_unavailable"])
    }

    /// Without a token.
    pub(in crate::facade) fn public(mut self) -> Self {
        self.is_public = true;
        self.refusals.clear();
        self
    }

    /// In which chapter, what it does in a line, and what else there is to know.
    pub(in crate::facade) fn does(
        mut self,
        tag: &'static str,
        summary: &'static str,
        description: &'static str,
    ) -> Self {
        (self.tag, self.summary, self.description) = (tag, summary, description);
        self
    }

    /// Refusals of this kind, by their codes.
    pub(in crate::facade) fn refuses(mut self, status: u16, codes: &[&'static str]) -> Self {
        self.refusals
            .extend(codes.iter().map(|code| (status, *code)));
        self
    }

    /// The id in the path.
    pub(in crate::facade) fn of<K: Kind>(self) -> Self {
        let described = json!({
            "name": "id", "in": "path", "required": true,
            "description": format!("The id of the {}.", K::NAME),
            "schema": {"type": "string", "format": "uuid"},
        });
        self.parameter(described).refuses(404, &[K::NOT_FOUND])
    }

    /// Parameters of the query.
    pub(in crate::facade) fn query(mut self, parameters: Vec<Value>) -> Self {
        self.parameters.extend(parameters);
        self.refuses(400, &["invalid_field"])
    }

    /// Which page.
    pub(in crate::facade) fn page(self) -> Self {
        self.query(vec![reference("Limit"), reference("Cursor")])
    }

    /// Only as it was when it was read.
    pub(in crate::facade) fn if_match(self) -> Self {
        self.parameter(reference("IfMatch"))
            .refuses(400, &["invalid_field"])
            .refuses(412, &["etag_mismatch"])
    }

    /// A header of its own.
    pub(in crate::facade) fn parameter(mut self, parameter: Value) -> Self {
        self.parameters.push(parameter);
        self
    }

    /// Has the controller call elsewhere later.
    pub(in crate::facade) fn calls(mut self, how: fn(&mut SchemaGenerator) -> Value) -> Self {
        self.callbacks = Some(how);
        self
    }

    /// Takes a body.
    pub(in crate::facade) fn body<T: DeserializeOwned + JsonSchema>(self, example: Value) -> Self {
        self.takes::<T>(example, true)
    }

    /// Takes a body, or none.
    pub(in crate::facade) fn optional_body<T>(self, example: Value) -> Self
    where
        T: DeserializeOwned + JsonSchema,
    {
        self.takes::<T>(example, false)
    }

    fn takes<T: DeserializeOwned + JsonSchema>(mut self, example: Value, needed: bool) -> Self {
        self.body = Some(Body {
            schema: SchemaGenerator::subschema_for::<T>,
            example,
            is_required: needed,
            #[cfg(test)]
            parses: |example| {
                let parsed = T::deserialize(example).map(drop);
                parsed.map_err(|error| error.to_string())
            },
        });
        self.refuses(400, &["invalid_field", "malformed_json"])
            .refuses(408, &["timed_out"])
            .refuses(413, &["body_too_large"])
    }

    /// Answers 200 with JSON such as `example`.
    pub(in crate::facade) fn answers<T>(self, example: &T, description: &'static str) -> Self
    where
        T: Serialize + JsonSchema,
    {
        self.success(StatusCode::OK, vec![json_content(example)], description)
    }

    /// Answers 201 with JSON such as `example`, and where it is now.
    pub(in crate::facade) fn creates<T>(self, example: &T, description: &'static str) -> Self
    where
        T: Serialize + JsonSchema,
    {
        let content = vec![json_content(example)];
        self.success(StatusCode::CREATED, content, description)
            .header("Location")
    }

    /// Answers with nothing.
    pub(in crate::facade) fn answers_nothing(
        self,
        status: StatusCode,
        description: &'static str,
    ) -> Self {
        self.success(status, vec![Content::Nothing], description)
    }

    /// Answers 200 with something that is no JSON.
    pub(in crate::facade) fn sends(
        self,
        content: &[(&'static str, Value)],
        description: &'static str,
    ) -> Self {
        let content = content.iter().cloned();
        let content = content.map(|(media_type, schema)| Content::Raw(media_type, schema));
        self.success(StatusCode::OK, content.collect(), description)
    }

    fn success(
        mut self,
        status: StatusCode,
        content: Vec<Content>,
        description: &'static str,
    ) -> Self {
        self.success.push(Success {
            status,
            description,
            headers: Vec::new(),
            content,
        });
        self
    }

    /// The answer comes with a header, one of those that are described for all.
    pub(in crate::facade) fn header(mut self, name: &'static str) -> Self {
        let last = self.success.last_mut().expect("after the answer");
        last.headers.push(name);
        self
    }
}

fn json_content<T: Serialize + JsonSchema>(example: &T) -> Content {
    let example = serde_json::to_value(example).expect("answers are JSON");
    Content::Json(SchemaGenerator::subschema_for::<T>, example)
}

/// A parameter that is described once for all.
pub(in crate::facade) fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/parameters/{name}")})
}
