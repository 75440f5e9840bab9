//! The served document, as far as a test asks it.

use serde_json::Value;
use wgfleet_integration::{client::Response, controller::Controller};

const PROBLEM: &str = "application/problem+json";

pub(crate) struct Document(Value);

/// One operation, references followed.
pub(crate) struct Operation {
    pub(crate) method: String,
    /// Below `/api/v1`.
    pub(crate) path: String,
    pub(crate) parameters: Vec<Value>,
    /// The schema of the body, and an example of one.
    pub(crate) body: Option<(Value, Value)>,
    responses: Value,
}

impl Document {
    #[track_caller]
    pub(crate) fn served_by(controller: &Controller) -> Self {
        let answer = controller.rest_with("nobody").get("/openapi.json");
        assert_eq!(answer.status, 200, "{answer:?}");
        Self(answer.json())
    }

    /// All operations that take a token.
    pub(crate) fn operations(&self) -> Vec<Operation> {
        let mut operations = Vec::new();
        for (path, item) in self.0["paths"].as_object().expect("paths") {
            for (method, operation) in item.as_object().expect("operations") {
                if let Some(path) = path.strip_prefix("/api/v1")
                    && operation.get("security").is_none()
                {
                    operations.push(self.operation(method, path, operation));
                }
            }
        }
        operations
    }

    fn operation(&self, method: &str, path: &str, operation: &Value) -> Operation {
        let parameters = operation["parameters"].as_array().expect("parameters");
        let content = &operation["requestBody"]["content"]["application/json"];
        let schema = self.follow(&content["schema"]).clone();
        Operation {
            method: method.to_uppercase(),
            path: path.to_owned(),
            parameters: parameters
                .iter()
                .map(|it| self.follow(it).clone())
                .collect(),
            body: schema
                .is_object()
                .then(|| (schema, content["example"].clone())),
            responses: operation["responses"].clone(),
        }
    }

    /// What a reference leads to, or else the value itself.
    pub(crate) fn follow<'a>(&'a self, value: &'a Value) -> &'a Value {
        let Some(reference) = value["$ref"].as_str() else {
            return value;
        };
        let pointer = reference.strip_prefix('#').expect("within the document");
        self.0.pointer(pointer).expect("it leads somewhere")
    }

    /// A refusal that the document has for this operation, in the form it has for all of them. Gives
    /// its status.
    #[track_caller]
    pub(crate) fn assert_refused(
        &self,
        operation: &Operation,
        asked: &str,
        answer: &Response,
    ) -> u16 {
        let what = format!(
            "{} {} with {asked}: {answer:?}",
            operation.method, operation.path
        );
        assert!((400..500).contains(&answer.status), "{what}");
        let described = &operation.responses[answer.status.to_string()];
        assert!(described.is_object(), "not documented: {what}");
        let described = &self.follow(described)["content"][PROBLEM];
        assert_eq!(answer.header("content-type"), Some(PROBLEM), "{what}");
        let problem = answer.json();
        let code = problem["code"].as_str().expect("a code");
        let codes = &described["schema"]["allOf"][1]["properties"]["code"]["enum"];
        let codes = codes.as_array().expect("codes");
        assert!(
            codes.iter().any(|known| known == code),
            "not documented: {what}"
        );
        assert_eq!(problem["status"], answer.status, "{what}");
        assert_eq!(
            problem["type"],
            format!("urn:wgfleet:problem:{code}"),
            "{what}"
        );
        assert_eq!(
            problem["request_id"].as_str(),
            answer.header("x-request-id"),
            "{what}"
        );
        let form = &self.0["components"]["schemas"]["Problem"];
        let known = form["properties"].as_object().expect("properties");
        let fields = problem.as_object().expect("an object");
        assert!(
            fields.keys().all(|field| known.contains_key(field)),
            "{what}"
        );
        for field in form["required"].as_array().expect("fields") {
            let value = &problem[field.as_str().expect("a name")];
            assert!(
                value.is_u64() || value.as_str().is_some_and(|text| !text.is_empty()),
                "{what}"
            );
        }
        answer.status
    }
}
