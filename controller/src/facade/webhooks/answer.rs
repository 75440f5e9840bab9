//! What callers are told about webhooks.

use schemars::JsonSchema;
use serde::Serialize;
use wgfleet_proto::v1::{self, DeliveryOutcome};

use super::super::{
    openapi::format,
    shape::{text, word},
    time::Timestamp,
};

/// The words of `outcome`.
pub(in crate::facade) const OUTCOMES: [(&str, DeliveryOutcome); 4] = [
    ("delivered", DeliveryOutcome::Delivered),
    ("failed", DeliveryOutcome::Failed),
    ("given_up", DeliveryOutcome::GivenUp),
    ("skipped", DeliveryOutcome::Skipped),
];

/// A webhook.
#[derive(JsonSchema, Serialize)]
pub(super) struct Webhook {
    #[schemars(with = "format::Uuid")]
    id: String,
    name: String,
    url: String,
    enabled: bool,
    /// Which kinds of events; empty is all.
    #[schemars(with = "format::Kinds")]
    kinds: Vec<String>,
    /// Only events of this node and its peers.
    #[schemars(with = "Option<format::Uuid>")]
    node_id: Option<String>,
    /// The authorities to trust instead of the system's.
    tls_ca_pem: Option<String>,
    /// How often the event at hand was tried in vain.
    #[schemars(with = "format::Count")]
    failures: u32,
    /// When it is tried again.
    retry_at: Option<Timestamp>,
    /// The last try.
    last_delivery: Option<Delivery>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl From<v1::Webhook> for Webhook {
    fn from(webhook: v1::Webhook) -> Self {
        Self {
            id: webhook.id,
            name: webhook.name,
            url: webhook.url,
            enabled: webhook.enabled,
            kinds: webhook.kinds,
            node_id: text(webhook.node_id),
            tls_ca_pem: text(webhook.tls_ca_pem),
            failures: webhook.failures,
            retry_at: webhook.retry_at.map(Timestamp),
            last_delivery: webhook.last_delivery.map(Into::into),
            created_at: Timestamp(webhook.created_at),
            updated_at: Timestamp(webhook.updated_at),
        }
    }
}

/// A webhook that was just made. `secret` is there only when it was generated.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "CreatedWebhook")]
pub(super) struct Created {
    #[serde(flatten)]
    webhook: Webhook,
    /// What deliveries are signed with. Shown this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

impl Created {
    pub(super) fn id(&self) -> &str {
        &self.webhook.id
    }
}

impl From<v1::CreateWebhookResponse> for Created {
    fn from(answer: v1::CreateWebhookResponse) -> Self {
        Self {
            webhook: answer.webhook.unwrap_or_default().into(),
            secret: answer.secret,
        }
    }
}

/// One try to deliver an event.
#[derive(JsonSchema, Serialize)]
pub(super) struct Delivery {
    /// As in `X-Wgfleet-Delivery`.
    delivery_id: String,
    /// `null` for a ping.
    event_id: Option<String>,
    /// As in `X-Wgfleet-Event`.
    #[schemars(with = "Option<format::Kind>")]
    kind: Option<String>,
    at: Timestamp,
    /// From 1 on.
    #[schemars(with = "format::Count")]
    attempt: u32,
    /// `delivered`: answered 2xx. `failed`: it is tried again. `given_up`: it is not. `skipped`: never sent.
    #[schemars(with = "format::Outcome")]
    outcome: &'static str,
    /// What the endpoint answered.
    #[schemars(with = "Option<format::HttpStatus>")]
    http_status: Option<u32>,
    #[schemars(with = "format::Count")]
    latency_ms: u32,
    /// What went wrong.
    error: Option<String>,
}

impl From<v1::WebhookDelivery> for Delivery {
    fn from(delivery: v1::WebhookDelivery) -> Self {
        Self {
            outcome: word(&OUTCOMES, delivery.outcome()),
            delivery_id: delivery.delivery_id,
            event_id: text(delivery.event_id),
            kind: text(delivery.kind),
            at: Timestamp(delivery.at),
            attempt: delivery.attempt,
            http_status: delivery.http_status,
            latency_ms: delivery.latency_ms,
            error: text(delivery.error),
        }
    }
}
