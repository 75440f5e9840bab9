//! The document out of its operations.

use axum::http::StatusCode;
use schemars::{Schema, SchemaGenerator, generate::SchemaSettings, transform::RecursiveTransform};
use serde_json::{Map, Value, json};

use super::{
    super::access,
    operation::{Content, Operation, Success, reference},
    parameters,
    refusals::{self, Components, header},
};
use crate::services::auth::rules;

/// What most generators of clients read.
pub(super) const VERSION: &str = "3.0.3";

const ABOUT: &str = "What WireGuard peers a fleet of nodes should have, and how they stand.\n\n\
    Times are RFC 3339 in UTC, sizes are bytes. Unknown fields of a body and unknown parameters of a \
    list are refused; answers may have more fields than are described here in later versions. Every \
    refusal is a problem document with a stable `code`. A method that a path does not have is \
    answered 405 (`method_not_allowed`), a path there is none of 404 (`route_not_found`). `HEAD` is \
    answered wherever `GET` is.";

const TAGS: [(&str, &str); 9] = [
    (
        "Nodes",
        "WireGuard interfaces, one agent's each, and how they stand.",
    ),
    (
        "Peers",
        "Who may connect, on which node, with which addresses.",
    ),
    ("History", "What was moved, and how the fleet is now."),
    ("Events", "What happens, as it happens."),
    ("Webhooks", "Endpoints elsewhere that are told of events."),
    ("Tokens", "Who may call, and what they may do."),
    ("Audit", "Who did what."),
    ("Backup", "Copies of the store."),
    ("Service", "The controller itself."),
];

/// The document.
pub(super) fn document(operations: &[Operation]) -> Value {
    let settings = SchemaSettings::openapi3()
        .with_transform(RecursiveTransform(without_null_default as fn(&mut Schema)));
    let mut asked = settings.clone().for_deserialize().into_generator();
    let mut told = settings.for_serialize().into_generator();
    let mut components = Components::default();
    let mut paths = Map::new();
    for operation in operations {
        let described = describe(operation, &mut asked, &mut told, &mut components);
        let path = full_path(operation);
        let item = paths.entry(path).or_insert_with(|| json!({}));
        item[operation.method.as_str().to_lowercase()] = described;
    }
    link(operations, &mut paths);
    let mut schemas = asked.take_definitions(true);
    schemas.append(&mut told.take_definitions(true));
    schemas.insert("Problem".into(), refusals::problem());
    let tags = TAGS.map(|(name, description)| json!({"name": name, "description": description}));
    json!({
        "openapi": VERSION,
        "info": {
            "title": "wgfleet controller", "version": env!("CARGO_PKG_VERSION"), "description": ABOUT,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "servers": [{"url": "/", "description": "The controller that serves this document."}],
        "tags": tags,
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {
                "type": "http", "scheme": "bearer",
                "description": "A token, as `POST /api/v1/tokens` makes them: `Authorization: Bearer wgf_…`.",
            }},
            "parameters": parameters::shared(),
            "headers": parameters::headers(),
            "responses": components.responses,
            "examples": components.examples,
            "schemas": schemas,
        },
    })
}

/// Fields that may be left out are not `null` then: they are not there.
fn without_null_default(schema: &mut Schema) {
    if schema.get("default").is_some_and(Value::is_null) {
        schema.remove("default");
    }
}

/// What takes a token stands under one prefix.
pub(super) fn full_path(operation: &Operation) -> String {
    let prefix = if operation.is_public {
        ""
    } else {
        access::PREFIX
    };
    format!("{prefix}{}", operation.path)
}

fn describe(
    operation: &Operation,
    asked: &mut SchemaGenerator,
    told: &mut SchemaGenerator,
    components: &mut Components,
) -> Value {
    let mut responses = Map::new();
    for success in &operation.success {
        responses.insert(success.status.as_str().into(), answer(success, told));
    }
    responses.append(&mut refusals::responses(&operation.refusals, components));
    let mut parameters = operation.parameters.clone();
    parameters.push(reference("RequestId"));
    let mut described = json!({
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": description(operation),
        "parameters": parameters,
        "responses": responses,
    });
    if let Some(body) = &operation.body {
        described["requestBody"] = json!({
            "required": body.is_required,
            "content": {"application/json": {
                "schema": (body.schema)(asked), "example": body.example,
            }},
        });
    }
    if let Some(callbacks) = operation.callbacks {
        described["callbacks"] = callbacks(told);
    }
    if operation.is_public {
        described["security"] = json!([]);
    }
    described
}

/// With who may do it.
fn description(operation: &Operation) -> String {
    let method = access::service_method(&operation.method, operation.path);
    let rule = method.and_then(|method| rules::of(&method));
    let Some(rule) = rule else {
        return operation.description.to_owned();
    };
    let role = format!("{:?}", rule.role).to_lowercase();
    let whole = if rule.scoped {
        ""
    } else {
        ", without a label scope"
    };
    let needs = format!("Takes a token of the role `{role}`{whole}.");
    match operation.description {
        "" => needs,
        text => format!("{text}\n\n{needs}"),
    }
}

fn answer(success: &Success, told: &mut SchemaGenerator) -> Value {
    let mut headers = Map::new();
    for name in success.headers.iter().chain(&["X-Request-Id"]) {
        headers.insert((*name).to_owned(), header(name));
    }
    let mut content = Map::new();
    for form in &success.content {
        match form {
            Content::Nothing => {}
            Content::Json(schema, example) => {
                let described = json!({"schema": schema(told), "example": example});
                content.insert("application/json".into(), described);
            }
            Content::Raw(media_type, schema) => {
                content.insert((*media_type).to_owned(), json!({"schema": schema}));
            }
        }
    }
    let mut described = json!({"description": success.description, "headers": headers});
    if !content.is_empty() {
        described["content"] = content.into();
    }
    described
}

/// From what makes something to all that can be done with it.
fn link(operations: &[Operation], paths: &mut Map<String, Value>) {
    let created = StatusCode::CREATED;
    for maker in operations {
        if !maker.success.iter().any(|answer| answer.status == created) {
            continue;
        }
        let of_one = format!("{}/{{id}}", maker.path);
        let links = operations.iter().filter(|it| it.path.starts_with(&of_one));
        let links = links.map(|it| {
            let link = json!({"operationId": it.id, "parameters": {"id": "$response.body#/id"}});
            (it.id.to_owned(), link)
        });
        let links: Map<_, _> = links.collect();
        paths[&full_path(maker)]["post"]["responses"]["201"]["links"] = links.into();
    }
}
