//! What callers are told about peers.

use std::collections::BTreeMap;

use axum::http::HeaderName;
use serde::Serialize;
use wgfleet_proto::v1;

use super::super::{
    shape::{PEER_STATES, QUOTA_PERIODS, Sync, etag, text, word},
    time::Timestamp,
};

/// A peer.
#[derive(Serialize)]
pub(in crate::facade) struct Peer {
    id: String,
    name: String,
    node_id: String,
    public_key: String,
    has_preshared_key: bool,
    preshared_key_known: bool,
    allowed_ips: Vec<String>,
    persistent_keepalive: u32,
    labels: BTreeMap<String, String>,
    enabled: bool,
    disabled_reason: Option<String>,
    state: &'static str,
    expires_at: Option<Timestamp>,
    quota_bytes: Option<u64>,
    quota_period: Option<&'static str>,
    quota_used_bytes: Option<u64>,
    quota_resets_at: Option<Timestamp>,
    dns: Vec<String>,
    mtu: Option<u32>,
    client_allowed_ips: Vec<String>,
    private_key_kept: bool,
    sync: Sync,
    online: bool,
    endpoint: Option<String>,
    latest_handshake: Option<Timestamp>,
    rx_bytes: u64,
    tx_bytes: u64,
    rx_bytes_total: u64,
    tx_bytes_total: u64,
    created_at: Timestamp,
    updated_at: Timestamp,
    etag: String,
}

impl From<v1::Peer> for Peer {
    fn from(peer: v1::Peer) -> Self {
        let period = peer.quota_period.is_some().then(|| peer.quota_period());
        Self {
            state: word(&PEER_STATES, peer.state()),
            quota_bytes: peer.quota_bytes,
            quota_period: period.map(|period| word(&QUOTA_PERIODS, period)),
            quota_used_bytes: peer.quota_used_bytes,
            quota_resets_at: peer.quota_resets_at.map(Timestamp),
            id: peer.id,
            name: peer.name,
            node_id: peer.node_id,
            public_key: peer.public_key,
            has_preshared_key: peer.has_preshared_key,
            preshared_key_known: peer.preshared_key_known,
            allowed_ips: peer.allowed_ips,
            persistent_keepalive: peer.persistent_keepalive,
            labels: peer.labels,
            enabled: peer.enabled,
            disabled_reason: text(peer.disabled_reason),
            expires_at: peer.expires_at.map(Timestamp),
            dns: peer.dns,
            mtu: peer.mtu,
            client_allowed_ips: peer.client_allowed_ips,
            private_key_kept: peer.private_key_kept,
            sync: peer.sync.unwrap_or_default().into(),
            online: peer.online,
            endpoint: text(peer.endpoint),
            latest_handshake: Timestamp::unless_zero(peer.latest_handshake),
            rx_bytes: peer.rx_bytes,
            tx_bytes: peer.tx_bytes,
            rx_bytes_total: peer.rx_bytes_total,
            tx_bytes_total: peer.tx_bytes_total,
            created_at: Timestamp(peer.created_at),
            updated_at: Timestamp(peer.updated_at),
            etag: peer.etag,
        }
    }
}

/// A peer that was just made. Keys are there only when they were generated and are not kept.
#[derive(Serialize)]
pub(super) struct Created {
    #[serde(flatten)]
    peer: Peer,
    placement: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    private_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    preshared_key: Option<String>,
}

impl Created {
    pub(super) fn id(&self) -> &str {
        &self.peer.id
    }

    pub(super) fn etag(&self) -> (HeaderName, String) {
        etag(&self.peer.etag)
    }
}

impl From<v1::CreatePeerResponse> for Created {
    fn from(answer: v1::CreatePeerResponse) -> Self {
        Self {
            peer: answer.peer.unwrap_or_default().into(),
            placement: text(answer.placement),
            private_key: answer.private_key,
            preshared_key: answer.preshared_key,
        }
    }
}

/// A peer that was just changed.
#[derive(Serialize)]
pub(super) struct Updated {
    #[serde(flatten)]
    peer: Peer,
    client_needs_config: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    preshared_key: Option<String>,
}

impl Updated {
    pub(super) fn etag(&self) -> (HeaderName, String) {
        etag(&self.peer.etag)
    }
}

impl From<v1::UpdatePeerResponse> for Updated {
    fn from(answer: v1::UpdatePeerResponse) -> Self {
        Self {
            peer: answer.peer.unwrap_or_default().into(),
            client_needs_config: answer.client_needs_config,
            preshared_key: answer.preshared_key,
        }
    }
}

/// Whether a deleted peer is gone from its node already.
#[derive(Serialize)]
pub(super) struct Deleted {
    sync: Sync,
}

impl From<v1::DeletePeerResponse> for Deleted {
    fn from(answer: v1::DeletePeerResponse) -> Self {
        Self {
            sync: answer.sync.unwrap_or_default().into(),
        }
    }
}
