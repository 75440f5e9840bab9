//! Webhooks as they are shown, and as the audit has them.

use serde_json::{Value, json};
use wgfleet_proto::v1;

use crate::{
    store::{
        Connection, DeliveryOutcome, StoreError, WebhookId,
        webhooks::{
            self, WebhookRow, WebhookSettings,
            deliveries::{self, DeliveryRow},
        },
    },
    webhooks::WebhookUrl,
};

pub(super) fn within(conn: &Connection, id: WebhookId) -> Result<v1::Webhook, StoreError> {
    show(conn, webhooks::get(conn, id)?)
}

pub(super) fn show(conn: &Connection, row: WebhookRow) -> Result<v1::Webhook, StoreError> {
    let last = deliveries::last(conn, row.id)?;
    let settings = row.settings;
    Ok(v1::Webhook {
        id: row.id.to_string(),
        name: settings.name,
        url: settings.url,
        enabled: settings.enabled,
        kinds: settings.kinds,
        node_id: settings
            .node_id
            .map(|id| id.to_string())
            .unwrap_or_default(),
        tls_ca_pem: settings.tls_ca_pem.unwrap_or_default(),
        failures: row.attempts,
        retry_at: row.retry_at,
        last_delivery: last.map(delivery),
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}

pub(super) fn delivery(row: DeliveryRow) -> v1::WebhookDelivery {
    v1::WebhookDelivery {
        delivery_id: row.delivery_id,
        event_id: row.event_id.map(|id| id.to_string()).unwrap_or_default(),
        kind: row.kind,
        at: row.at,
        attempt: row.attempt,
        outcome: outcome(row.outcome).into(),
        http_status: row.http_status.map(Into::into),
        latency_ms: row.latency_ms,
        error: row.error,
    }
}

const fn outcome(outcome: DeliveryOutcome) -> v1::DeliveryOutcome {
    match outcome {
        DeliveryOutcome::Delivered => v1::DeliveryOutcome::Delivered,
        DeliveryOutcome::Failed => v1::DeliveryOutcome::Failed,
        DeliveryOutcome::GivenUp => v1::DeliveryOutcome::GivenUp,
        DeliveryOutcome::Skipped => v1::DeliveryOutcome::Skipped,
    }
}

/// What is declared, for the audit. Of the URL only where it goes: the rest may be known to the
/// endpoint's owner alone.
pub(super) fn audited(settings: &WebhookSettings) -> Value {
    let url: Option<WebhookUrl> = settings.url.parse().ok();
    json!({
        "name": settings.name,
        "url": url.map(|url| url.to_string()),
        "enabled": settings.enabled,
        "kinds": settings.kinds,
        "node_id": settings.node_id.map(|id| id.to_string()),
        "tls_ca_pem": settings.tls_ca_pem,
    })
}

/// The fields that differ, before and after.
pub(super) fn difference(before: &WebhookSettings, after: &WebhookSettings) -> (Value, Value) {
    let (mut old, mut new) = (audited(before), audited(after));
    if let (Some(old), Some(new)) = (old.as_object_mut(), new.as_object_mut()) {
        let other_url = before.url != after.url;
        old.retain(|field, value| new.get(field) != Some(value) || (field == "url" && other_url));
        new.retain(|field, _| old.contains_key(field));
    }
    (old, new)
}
