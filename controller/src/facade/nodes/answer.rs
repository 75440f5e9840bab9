//! What callers are told about nodes.

use std::collections::BTreeMap;

use axum::http::HeaderName;
use schemars::JsonSchema;
use serde::Serialize;
use wgfleet_proto::v1::{self, ChangeAction, NodeStatus, UnmanagedPeers};

use super::super::{
    openapi::format,
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
pub(in crate::facade) const UNMANAGED: [(&str, UnmanagedPeers); 3] = [
    ("ignore", UnmanagedPeers::Ignore),
    ("adopt", UnmanagedPeers::Adopt),
    ("remove", UnmanagedPeers::Remove),
];

/// The words of `action`.
pub(in crate::facade) const ACTIONS: [(&str, ChangeAction); 3] = [
    ("add", ChangeAction::Add),
    ("update", ChangeAction::Update),
    ("remove", ChangeAction::Remove),
];

/// A node.
#[derive(JsonSchema, Serialize)]
pub(in crate::facade) struct Node {
    #[schemars(with = "format::Uuid")]
    id: String,
    /// Unique.
    name: String,
    /// Where its agent is; unique together with `wg_interface`.
    agent_url: String,
    /// The WireGuard interface on the agent's host.
    wg_interface: String,
    /// `host:port` that clients connect to.
    endpoint: Option<String>,
    /// The pools peers get their addresses from, separated by `, `, in the order they are used.
    ip_pool_cidr: Option<String>,
    /// Share of new peers relative to other nodes; 0 takes none by itself.
    #[schemars(with = "format::Count")]
    weight: u32,
    /// Most peers on the interface; 0 is unlimited.
    #[schemars(with = "format::Count")]
    max_peers: u32,
    /// Whether it is polled and written to.
    enabled: bool,
    /// What placement selects by.
    #[schemars(with = "format::Labels")]
    labels: BTreeMap<String, String>,
    /// What happens to peers nobody declared.
    #[schemars(with = "format::Unmanaged")]
    unmanaged_peers: &'static str,
    /// Addresses and networks that no peer is given.
    reserved_ips: Vec<String>,
    /// The interface's key; `null` while unknown.
    #[schemars(with = "Option<format::Key>")]
    public_key: Option<String>,
    /// DNS servers and search domains in the configuration of its clients.
    dns: Vec<String>,
    /// MTU in the configuration of its clients, bytes.
    #[schemars(with = "Option<format::GivenMtu>")]
    mtu: Option<u32>,
    /// What its clients route through the tunnel.
    client_allowed_ips: Vec<String>,
    /// Seconds between keepalives of its clients unless a peer says otherwise.
    #[schemars(with = "Option<format::Keepalive>")]
    persistent_keepalive: Option<u32>,
    /// SHA-256 of the agent's pinned certificate, in hex.
    tls_pin_sha256: Option<String>,
    /// The authority the agent's certificate must come from.
    tls_ca_pem: Option<String>,
    /// `online`: the last poll was good. `offline`: three polls without an answer. `error`: it answers,
    /// but not as it should. `disabled`: by hand.
    #[schemars(with = "format::Status")]
    status: &'static str,
    /// One sentence on why.
    status_reason: Option<String>,
    status_since: Timestamp,
    /// The last good poll.
    last_seen: Option<Timestamp>,
    /// How long that took.
    #[schemars(with = "Option<format::Count>")]
    latency_ms: Option<u32>,
    /// The agent's.
    version: Option<String>,
    /// The host's.
    #[schemars(with = "Option<format::Total>")]
    uptime_s: Option<u64>,
    /// Received from its peers, over its last two polls; `null` unless it is online.
    #[schemars(with = "Option<format::Total>")]
    rx_bytes_per_s: Option<u64>,
    /// Sent to its peers, over its last two polls; `null` unless it is online.
    #[schemars(with = "Option<format::Total>")]
    tx_bytes_per_s: Option<u64>,
    /// Declared peers, whether applied or not.
    #[schemars(with = "format::Count")]
    peer_count: u32,
    /// Of the last declared change.
    #[schemars(with = "format::Total")]
    desired_generation: u64,
    /// That was last seen applied.
    #[schemars(with = "format::Total")]
    observed_generation: u64,
    /// Whether removals or all writes wait for an operator to confirm the plan.
    awaits_confirmation: bool,
    /// Things that work but deserve a look.
    warnings: Vec<String>,
    created_at: Timestamp,
    updated_at: Timestamp,
    /// The version of what is declared, as in the header `ETag`.
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
            rx_bytes_per_s: node.rx_bytes_per_s,
            tx_bytes_per_s: node.tx_bytes_per_s,
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
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "CreatedNode")]
pub(super) struct Created {
    #[serde(flatten)]
    node: Node,
    /// Shown this once.
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
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "DeletedNode")]
pub(super) struct Deleted {
    /// Peers that were moved, deleted or forgotten.
    #[schemars(with = "format::Count")]
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
#[derive(JsonSchema, Serialize)]
pub(super) struct TestResult {
    /// Whether all checks passed; they stop at the first that fails.
    ok: bool,
    /// What failed.
    reason: Option<String>,
    reachable: bool,
    secret_accepted: bool,
    wrong_signature_refused: bool,
    interface_found: bool,
    #[schemars(with = "Option<format::Count>")]
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
#[derive(JsonSchema, Serialize)]
pub(super) struct Plan {
    /// Nothing would be written.
    in_sync: bool,
    /// What `confirm` must repeat.
    hash: String,
    /// In the order they would be sent.
    changes: Vec<Change>,
    /// What cannot be done as things stand; each says why.
    blocked: Vec<Change>,
    /// Peers on the node that nobody declared.
    unmanaged: Vec<UnmanagedPeer>,
    /// Whether it waits for `confirm`.
    needs_confirmation: bool,
    confirmation_reason: Option<String>,
}

#[derive(JsonSchema, Serialize)]
struct Change {
    #[schemars(with = "format::Action")]
    action: &'static str,
    public_key: String,
    /// By name. Preshared keys are never shown.
    fields: BTreeMap<String, FieldChange>,
    /// Why it is not made at once.
    reason: Option<String>,
}

#[derive(JsonSchema, Serialize)]
struct FieldChange {
    from: Option<String>,
    to: String,
}

#[derive(JsonSchema, Serialize)]
struct UnmanagedPeer {
    public_key: String,
    allowed_ips: Vec<String>,
    /// Seconds; 0 is off.
    #[schemars(with = "format::Count")]
    persistent_keepalive: u32,
}

impl From<v1::PlanNodeResponse> for Plan {
    fn from(plan: v1::PlanNodeResponse) -> Self {
        let unmanaged = plan.unmanaged.into_iter().map(|peer| UnmanagedPeer {
            public_key: peer.public_key,
            allowed_ips: peer.allowed_ips,
            persistent_keepalive: peer.persistent_keepalive,
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
#[derive(JsonSchema, Serialize)]
pub(super) struct SyncResult {
    sync: Sync,
    #[schemars(with = "format::Total")]
    desired_generation: u64,
    #[schemars(with = "format::Total")]
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
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "RotatedSecret")]
pub(super) struct Rotated {
    /// Whether the agent accepted the new secret and the old one is gone.
    completed: bool,
    reason: Option<String>,
    /// Shown this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    /// The nodes that share the agent and move with it.
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
