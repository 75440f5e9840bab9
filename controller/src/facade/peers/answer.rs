//! What callers are told about peers.

use std::collections::BTreeMap;

use axum::http::HeaderName;
use schemars::JsonSchema;
use serde::Serialize;
use wgfleet_proto::v1;

use super::super::{
    openapi::format,
    shape::{PEER_STATES, QUOTA_PERIODS, Sync, etag, text, word},
    time::Timestamp,
};

/// A peer.
#[derive(JsonSchema, Serialize)]
pub(in crate::facade) struct Peer {
    #[schemars(with = "format::Uuid")]
    id: String,
    /// For people; need not be unique.
    name: String,
    /// The node it is on.
    #[schemars(with = "format::Uuid")]
    node_id: String,
    /// Unique on a node.
    #[schemars(with = "format::Key")]
    public_key: String,
    has_preshared_key: bool,
    /// `false` while an adopted peer's preshared key cannot be known.
    preshared_key_known: bool,
    /// The addresses it may use inside the tunnel.
    allowed_ips: Vec<String>,
    /// Seconds between keepalives the node sends; 0 is off.
    #[schemars(with = "format::Keepalive")]
    persistent_keepalive: u32,
    #[schemars(with = "format::Labels")]
    labels: BTreeMap<String, String>,
    /// Disabled peers are not on the node and keep their address.
    enabled: bool,
    /// Why, when nobody did it by hand.
    disabled_reason: Option<String>,
    /// Whether it is let in, as far as that is declared.
    #[schemars(with = "format::PeerState")]
    state: &'static str,
    /// `null` is never.
    expires_at: Option<Timestamp>,
    /// What it may move in a period, received and sent together.
    #[schemars(with = "Option<format::Quota>")]
    quota_bytes: Option<u64>,
    #[schemars(with = "Option<format::Period>")]
    quota_period: Option<&'static str>,
    /// Moved in the present period, by the last poll.
    #[schemars(with = "Option<format::Total>")]
    quota_used_bytes: Option<u64>,
    /// When the next period begins.
    quota_resets_at: Option<Timestamp>,
    /// In the client's configuration; empty takes the node's.
    dns: Vec<String>,
    /// In the client's configuration; `null` takes the node's.
    #[schemars(with = "Option<format::GivenMtu>")]
    mtu: Option<u32>,
    /// What the client routes through the tunnel; empty takes the node's.
    client_allowed_ips: Vec<String>,
    /// Whether the configuration can be shown whole again.
    private_key_kept: bool,
    sync: Sync,
    /// A handshake within the online window.
    online: bool,
    /// `ip:port` it was last seen at.
    endpoint: Option<String>,
    latest_handshake: Option<Timestamp>,
    /// Received from it, as the kernel counts now.
    #[schemars(with = "format::Total")]
    rx_bytes: u64,
    /// Sent to it, as the kernel counts now.
    #[schemars(with = "format::Total")]
    tx_bytes: u64,
    /// Received over all the kernel's resets; never goes back.
    #[schemars(with = "format::Total")]
    rx_bytes_total: u64,
    /// Sent over all the kernel's resets; never goes back.
    #[schemars(with = "format::Total")]
    tx_bytes_total: u64,
    created_at: Timestamp,
    updated_at: Timestamp,
    /// The version of what is declared, as in the header `ETag`.
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
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "CreatedPeer")]
pub(super) struct Created {
    #[serde(flatten)]
    peer: Peer,
    /// Why this node.
    placement: Option<String>,
    /// Generated and not kept: shown this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<format::Key>")]
    private_key: Option<String>,
    /// Shown when it was generated.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<format::Key>")]
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
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "UpdatedPeer")]
pub(super) struct Updated {
    #[serde(flatten)]
    peer: Peer,
    /// Its node, address or keys are others now.
    client_needs_config: bool,
    /// Shown when it was generated.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<format::Key>")]
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
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "DeletedPeer")]
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
