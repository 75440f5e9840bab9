//! The routes of webhooks, for programs.

use axum::http::StatusCode;
use schemars::SchemaGenerator;
use serde_json::{Value, json};
use wgfleet_proto::v1;

use super::{
    super::{
        events::Told,
        openapi::{Operation, samples},
        shape::Page,
    },
    OfWebhook,
    answer::{Created, Delivery, Webhook},
    request::{CreateWebhook, PatchWebhook},
};

const TAG: &str = "Webhooks";
const ABOUT: &str = "It is told of what happens from then on: each event is POSTed to it as JSON, in order, \
    until it answers 2xx or 24 hours have passed. `X-Wgfleet-Signature: t=SECONDS,v1=HEX` is the \
    HMAC-SHA256 of `SECONDS.BODY` under the secret.";

pub(in crate::facade) fn operations() -> Vec<Operation> {
    let webhook = Webhook::from(samples::webhook());
    let delivery = Delivery::from(samples::delivery());
    let all: Page<Webhook> = Page::new(vec![samples::webhook()], samples::page());
    let tries: Page<Delivery> = Page::new(vec![samples::delivery()], samples::page());
    let created = Created::from(v1::CreateWebhookResponse {
        webhook: Some(samples::webhook()),
        secret: Some("S3fV8sCqYHkGxYJmJz5fWw3dA2r0K9uE1pLtQnB7oXc".into()),
    });
    let settings = json!({
        "name": "billing", "url": "https://billing.example.com/hook", "kinds": ["peer.created"],
    });
    vec![
        Operation::get("/webhooks", "listWebhooks")
            .does(TAG, "All webhooks, by name", "On one page.")
            .refuses(400, &["invalid_field"])
            .answers(&all, "All of them."),
        Operation::post("/webhooks", "createWebhook")
            .does(TAG, "Adds a webhook", ABOUT)
            .body::<CreateWebhook>(settings)
            .refuses(404, &["node_not_found"])
            .refuses(409, &["name_taken", "too_many_webhooks"])
            .creates(&created, "The webhook that was added.")
            .calls(deliveries),
        Operation::get("/webhooks/{id}", "getWebhook")
            .does(TAG, "One webhook", "")
            .of::<OfWebhook>()
            .answers(&webhook, "The webhook."),
        Operation::patch("/webhooks/{id}", "updateWebhook")
            .does(
                TAG,
                "Changes what is given",
                "One that is enabled again is told of what happens from then on.",
            )
            .of::<OfWebhook>()
            .body::<PatchWebhook>(json!({"enabled": false}))
            .refuses(404, &["node_not_found"])
            .refuses(409, &["name_taken"])
            .answers(&webhook, "The webhook as it is now."),
        Operation::delete("/webhooks/{id}", "deleteWebhook")
            .does(
                TAG,
                "Removes a webhook with its log",
                "What was not delivered by then is not.",
            )
            .of::<OfWebhook>()
            .answers_nothing(StatusCode::NO_CONTENT, "It is gone."),
        Operation::post("/webhooks/{id}/test", "testWebhook")
            .does(TAG, "Sends a ping now", "A failed one is an answer, too.")
            .of::<OfWebhook>()
            .answers(&delivery, "How it went."),
        Operation::get("/webhooks/{id}/deliveries", "listWebhookDeliveries")
            .does(TAG, "The last thousand tries, newest first", "")
            .of::<OfWebhook>()
            .page()
            .answers(&tries, "A page of them."),
    ]
}

/// What is sent to an endpoint.
fn deliveries(generator: &mut SchemaGenerator) -> Value {
    let header = |name: &str, description: &str| {
        json!({
            "name": name, "in": "header", "required": true, "description": description,
            "schema": {"type": "string"},
        })
    };
    json!({"event": {"{$request.body#/url}": {"post": {
        "summary": "Tells of an event",
        "description": "A `ping` is told to test an endpoint.",
        "security": [],
        "parameters": [
            header("X-Wgfleet-Event", "The kind."),
            header("X-Wgfleet-Delivery", "The same whenever the same event is sent again."),
            header("X-Wgfleet-Signature", "`t=SECONDS,v1=HEX`, over `SECONDS.BODY`."),
        ],
        "requestBody": {"required": true, "content": {"application/json": {
            "schema": generator.subschema_for::<Told<'_>>(),
        }}},
        "responses": {"2XX": {"description": "It was taken. Anything else has it sent again."}},
    }}}})
}
