//! Webhooks and tries as pages show them.

use wgfleet_proto::v1;

use super::super::{
    show::{Ago, Chip},
    text,
};

pub(super) struct Hook {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) url: String,
    pub(super) is_enabled: bool,
    pub(super) state: Chip,
    /// Empty is all.
    pub(super) kinds: Vec<String>,
    pub(super) node_id: String,
    /// The name of the only node it is told of; empty is all, or not looked up.
    pub(super) node: String,
    pub(super) has_authorities: bool,
    pub(super) failures: u32,
    pub(super) retry: Option<Ago>,
    pub(super) last: Option<Try>,
    pub(super) created: Ago,
    pub(super) updated: Ago,
}

impl Hook {
    pub(super) fn new(hook: v1::Webhook, now: i64) -> Self {
        let state = text::webhook_state(hook.enabled, hook.failures > 0);
        Self {
            state: state.into(),
            is_enabled: hook.enabled,
            has_authorities: !hook.tls_ca_pem.is_empty(),
            failures: hook.failures,
            retry: hook.retry_at.map(|at| Ago::new(at, now)),
            last: hook.last_delivery.map(|it| Try::new(it, now)),
            created: Ago::new(hook.created_at, now),
            updated: Ago::new(hook.updated_at, now),
            id: hook.id,
            name: hook.name,
            url: hook.url,
            kinds: hook.kinds,
            node_id: hook.node_id,
            node: String::new(),
        }
    }
}

/// One try to deliver an event.
pub(super) struct Try {
    pub(super) at: Ago,
    pub(super) kind: String,
    pub(super) event_id: String,
    pub(super) delivery_id: String,
    pub(super) attempt: u32,
    pub(super) outcome: Chip,
    /// What was answered; a dash when nothing was.
    pub(super) answered: String,
    pub(super) latency_ms: u32,
    pub(super) error: String,
}

impl Try {
    pub(super) fn new(delivery: v1::WebhookDelivery, now: i64) -> Self {
        let answered = delivery.http_status.map(|status| status.to_string());
        Self {
            at: Ago::new(delivery.at, now),
            outcome: text::delivery_outcome(delivery.outcome()).into(),
            answered: answered.unwrap_or_else(|| "–".into()),
            attempt: delivery.attempt,
            latency_ms: delivery.latency_ms,
            error: text::sentence(&delivery.error),
            kind: delivery.kind,
            event_id: delivery.event_id,
            delivery_id: delivery.delivery_id,
        }
    }
}
