//! Peers in the audit: what changed, and never a secret.

use serde_json::{Map, Value, json};

use crate::store::peers::PeerRow;

/// A peer's declared fields. Of keys only whether there are any.
pub(super) fn describe(row: &PeerRow) -> Map<String, Value> {
    let settings = &row.settings;
    let fields = json!({
        "name": settings.name,
        "node_id": row.node_id.to_string(),
        "public_key": row.public_key,
        "has_preshared_key": row.has_preshared_key,
        "private_key_kept": row.has_private_key,
        "allowed_ips": row.allowed_ips,
        "persistent_keepalive": settings.persistent_keepalive,
        "labels": settings.labels,
        "enabled": settings.enabled,
        "disabled_reason": settings.disabled_reason,
        "expires_at": settings.expires_at,
        "dns": settings.dns,
        "mtu": settings.mtu,
        "client_allowed_ips": settings.client_allowed_ips,
        "quota_bytes": row.quota.map(|quota| quota.bytes),
        "quota_period": row.quota.map(|quota| quota.period.as_str()),
    });
    match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// The fields that differ, before and after.
pub(super) fn difference(before: &PeerRow, after: &PeerRow) -> (Value, Value) {
    let (mut old, mut new) = (describe(before), describe(after));
    old.retain(|field, value| new.get(field) != Some(value));
    new.retain(|field, _| old.contains_key(field));
    (old.into(), new.into())
}
