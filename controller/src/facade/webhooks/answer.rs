//! What callers are told about webhooks.

use serde::Serialize;
use wgfleet_proto::v1::{self, DeliveryOutcome};

use super::super::{
    shape::{text, word},
    time::Timestamp,
};

const OUTCOMES: [(&str, DeliveryOutcome); 4] = [
    ("delivered", DeliveryOutcome::Delivered),
    ("failed", DeliveryOutcome::Failed),
    ("given_up", DeliveryOutcome::GivenUp),
    ("skipped", DeliveryOutcome::Skipped),
];

/// A webhook.
#[derive(Serialize)]
pub(super) struct Webhook {
    id: String,
    name: String,
    url: String,
    enabled: bool,
    kinds: Vec<String>,
    node_id: Option<String>,
    tls_ca_pem: Option<String>,
    failures: u32,
    retry_at: Option<Timestamp>,
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
#[derive(Serialize)]
pub(super) struct Created {
    #[serde(flatten)]
    webhook: Webhook,
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
#[derive(Serialize)]
pub(super) struct Delivery {
    delivery_id: String,
    event_id: Option<String>,
    kind: Option<String>,
    at: Timestamp,
    attempt: u32,
    outcome: &'static str,
    http_status: Option<u32>,
    latency_ms: u32,
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
