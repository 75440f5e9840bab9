//! What callers are told about nodes.

use std::collections::BTreeMap;

use axum::http::HeaderName;
use serde::Serialize;
use wgfleet_proto::v1::{self, ChangeAction, NodeStatus, UnmanagedPeers};

use super::super::{
    shape::{Sync, etag, text, word},
    time::Timestamp,
};

/// The words of `status`, in answers and filters.
pub(in crate::facade) const STATUSES: [(&str, NodeStatus); 4] = [
    ("online", NodeStatus::Online),
    ("offline", NodeStatus::Offline),
    ("error", NodeStatus::Error),
    ("disabled", NodeStatus::Disabled),
];

/// The words of `unmanaged_peers`, in answers and requests.
pub(super) const UNMANAGED: [(&str, UnmanagedPeers); 3] = [
    ("ignore", UnmanagedPeers::Ignore),
    ("adopt", UnmanagedPeers::Adopt),
    ("remove", UnmanagedPeers::Remove),
];

const ACTIONS: [(&str, ChangeAction); 3] = [
    ("add", ChangeAction::Add),
    ("update", ChangeAction::Update),
    ("remove", ChangeAction::Remove),
];

/// A node.
#[derive(Serialize)]
pub(in crate::facade) struct Node {
    id: String,
    name: String,
    agent_url: String,
    wg_interface: String,
    endpoint: Option<String>,
    ip_pool_cidr: Option<String>,
    weight: u32,
    max_peers: u32,
    enabled: bool,
    labels: BTreeMap<String, String>,
    unmanaged_peers: &'static str,
    reserved_ips: Vec<String>,
    public_key: Option<String>,
    dns: Vec<String>,
    mtu: Option<u32>,
    client_allowed_ips: Vec<String>,
    persistent_keepalive: Option<u32>,
    tls_pin_sha256: Option<String>,
    tls_ca_pem: Option<String>,
    status: &'static str,
    status_reason: Option<String>,
    status_since: Timestamp,
    last_seen: Option<Timestamp>,
    latency_ms: Option<u32>,
    version: Option<String>,
    uptime_s: Option<u64>,
    peer_count: u32,
    desired_generation: u64,
    observed_generation: u64,
    awaits_confirmation: bool,
    warnings: Vec<String>,
    created_at: Timestamp,
    updated_at: Timestamp,
    etag: String,
}

impl From<v1::Node> for Node {
    fn from(node: v1::Node) -> Self {
        Self {
            unmanaged_peers: word(&UNMANAGED, node.unmanaged_peers()),
            status: word(&STATUSES, node.status()),
            id: node.id,
            name: node.name,
            agent_url: node.agent_url,
            wg_interface: node.wg_interface,
            endpoint: text(node.endpoint),
            ip_pool_cidr: text(node.ip_pool_cidr),
            weight: node.weight,
            max_peers: node.max_peers,
            enabled: node.enabled,
            labels: node.labels,
            reserved_ips: node.reserved_ips,
            public_key: text(node.public_key),
            dns: node.dns,
            mtu: node.mtu,
            client_allowed_ips: node.client_allowed_ips,
            persistent_keepalive: node.persistent_keepalive,
            tls_pin_sha256: text(node.tls_pin_sha256),
            tls_ca_pem: text(node.tls_ca_pem),
            status_reason: text(node.status_reason),
            status_since: Timestamp(node.status_since),
            last_seen: node.last_seen.map(Timestamp),
            latency_ms: node.latency_ms,
            version: text(node.version),
            uptime_s: node.uptime_s,
            peer_count: node.peer_count,
            desired_generation: node.desired_generation,
            observed_generation: node.observed_generation,
            awaits_confirmation: node.awaits_confirmation,
            warnings: node.warnings,
            created_at: Timestamp(node.created_at),
            updated_at: Timestamp(node.updated_at),
            etag: node.etag,
        }
    }
}

/// A node that was just made. `secret` is there only when it was generated.
#[derive(Serialize)]
pub(super) struct Created {
    #[serde(flatten)]
    node: Node,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

impl Created {
    pub(super) fn id(&self) -> &str {
        &self.node.id
    }

    pub(super) fn etag(&self) -> (HeaderName, String) {
        etag(&self.node.etag)
    }
}

impl From<v1::CreateNodeResponse> for Created {
    fn from(answer: v1::CreateNodeResponse) -> Self {
        Self {
            node: answer.node.unwrap_or_default().into(),
            secret: answer.secret,
        }
    }
}

/// What became of a deleted node's peers.
#[derive(Serialize)]
pub(super) struct Deleted {
    peer_count: u32,
}

impl From<v1::DeleteNodeResponse> for Deleted {
    fn from(answer: v1::DeleteNodeResponse) -> Self {
        Self {
            peer_count: answer.peer_count,
        }
    }
}

/// How the test of a connection went.
#[derive(Serialize)]
pub(super) struct TestResult {
    ok: bool,
    reason: Option<String>,
    reachable: bool,
    secret_accepted: bool,
    wrong_signature_refused: bool,
    interface_found: bool,
    latency_ms: Option<u32>,
    version: Option<String>,
    public_key: Option<String>,
}

impl From<v1::TestNodeResponse> for TestResult {
    fn from(answer: v1::TestNodeResponse) -> Self {
        Self {
            ok: answer.ok,
            reason: text(answer.reason),
            reachable: answer.reachable,
            secret_accepted: answer.secret_accepted,
            wrong_signature_refused: answer.wrong_signature_refused,
            interface_found: answer.interface_found,
            latency_ms: answer.latency_ms,
            version: text(answer.version),
            public_key: text(answer.public_key),
        }
    }
}

/// What would be written to a node.
#[derive(Serialize)]
pub(super) struct Plan {
    in_sync: bool,
    hash: String,
    changes: Vec<Change>,
    blocked: Vec<Change>,
    unmanaged: Vec<UnmanagedPeer>,
    needs_confirmation: bool,
    confirmation_reason: Option<String>,
}

#[derive(Serialize)]
struct Change {
    action: &'static str,
    public_key: String,
    fields: BTreeMap<String, FieldChange>,
    reason: Option<String>,
}

#[derive(Serialize)]
struct FieldChange {
    from: Option<String>,
    to: String,
}

#[derive(Serialize)]
struct UnmanagedPeer {
    public_key: String,
    allowed_ips: Vec<String>,
}

impl From<v1::PlanNodeResponse> for Plan {
    fn from(plan: v1::PlanNodeResponse) -> Self {
        let unmanaged = plan.unmanaged.into_iter().map(|peer| UnmanagedPeer {
            public_key: peer.public_key,
            allowed_ips: peer.allowed_ips,
        });
        Self {
            in_sync: plan.in_sync,
            hash: plan.hash,
            changes: plan.changes.into_iter().map(Into::into).collect(),
            blocked: plan.blocked.into_iter().map(Into::into).collect(),
            unmanaged: unmanaged.collect(),
            needs_confirmation: plan.needs_confirmation,
            confirmation_reason: text(plan.confirmation_reason),
        }
    }
}

impl From<v1::Change> for Change {
    fn from(change: v1::Change) -> Self {
        let field = |change: v1::FieldChange| FieldChange {
            from: text(change.from),
            to: change.to,
        };
        Self {
            action: word(&ACTIONS, change.action()),
            public_key: change.public_key,
            fields: change
                .fields
                .into_iter()
                .map(|(name, change)| (name, field(change)))
                .collect(),
            reason: text(change.reason),
        }
    }
}

/// How far a sync came.
#[derive(Serialize)]
pub(super) struct SyncResult {
    sync: Sync,
    desired_generation: u64,
    observed_generation: u64,
}

impl From<v1::SyncNodeResponse> for SyncResult {
    fn from(answer: v1::SyncNodeResponse) -> Self {
        Self {
            sync: answer.sync.unwrap_or_default().into(),
            desired_generation: answer.desired_generation,
            observed_generation: answer.observed_generation,
        }
    }
}

/// How far the move to another secret came. `secret` is there only when it was generated.
#[derive(Serialize)]
pub(super) struct Rotated {
    completed: bool,
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    node_ids: Vec<String>,
}

impl From<v1::RotateNodeSecretResponse> for Rotated {
    fn from(answer: v1::RotateNodeSecretResponse) -> Self {
        Self {
            completed: answer.completed,
            reason: text(answer.reason),
            secret: answer.secret,
            node_ids: answer.node_ids,
        }
    }
}
