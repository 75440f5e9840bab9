//! Nodes as they are shown.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value, json};
use tonic::Status;
use wgfleet_proto::v1;

use super::pools as pool_text;
use crate::{
    agent_client::AgentUrl,
    dispatch::WorkerState,
    services::{Core, auth::Caller, etag},
    store::{
        AgentId, Connection, NodeId, NodeStatus, Sealer, StoreError, UnmanagedPeers, WriteTx,
        agents::{self, Slot},
        node_status::NodeState,
        nodes::{self, NodeRow, NodeSettings},
        pools::{self, PoolRow},
    },
};

/// What is known of all nodes, at one moment: one is shown beside the others for its warnings.
pub(super) struct Fleet {
    pools: Vec<(String, PoolRow)>,
    weak: HashMap<AgentId, bool>,
}

impl Fleet {
    /// As far as this caller may know of it.
    pub(super) fn read(conn: &Connection, caller: &Caller) -> Result<Self, StoreError> {
        let mut fleet = Self::whole(conn)?;
        if caller.is_scoped() {
            let theirs: HashSet<_> = caller.nodes(conn)?.iter().map(|row| row.id).collect();
            fleet
                .pools
                .retain(|(_, pool)| theirs.contains(&pool.node_id));
        }
        Ok(fleet)
    }

    /// All of it, for events: what a reader may not know of is taken off as they are read.
    fn whole(conn: &Connection) -> Result<Self, StoreError> {
        Ok(Self {
            pools: pools::list_all(conn)?,
            weak: HashMap::new(),
        })
    }

    /// The node as the store has it.
    pub(super) fn show(
        &mut self,
        conn: &Connection,
        sealer: &Sealer,
        row: &NodeRow,
    ) -> Result<v1::Node, StoreError> {
        let weak = self.has_weak_secret(conn, sealer, row.settings.agent_id)?;
        let mut node = declared(row);
        node.ip_pool_cidr = self.pool_text(row.id);
        node.warnings = warnings(&row.agent_url, weak);
        node.warnings
            .extend(pool_text::overlaps(row.id, &self.pools));
        node.etag = etag::of_node(&node);
        Ok(node)
    }

    fn has_weak_secret(
        &mut self,
        conn: &Connection,
        sealer: &Sealer,
        agent: AgentId,
    ) -> Result<bool, StoreError> {
        if let Some(weak) = self.weak.get(&agent) {
            return Ok(*weak);
        }
        let secret = agents::secret(conn, sealer, agent, Slot::Current)?;
        let weak = secret.is_some_and(|secret| secret.is_weak());
        self.weak.insert(agent, weak);
        Ok(weak)
    }

    fn pool_text(&self, node: NodeId) -> String {
        let own = self.pools.iter().filter(|(_, row)| row.node_id == node);
        let own: Vec<_> = own.map(|(_, row)| row.clone()).collect();
        pool_text::text(&own)
    }
}

/// Refuses a change of a node that is another version by now.
pub(super) fn check_etag(
    (conn, sealer): (&Connection, &Sealer),
    caller: &Caller,
    row: &NodeRow,
    if_match: &[String],
) -> Result<(), Status> {
    if if_match.is_empty() {
        return Ok(());
    }
    let present = Fleet::read(conn, caller)?.show(conn, sealer, row)?;
    etag::check(if_match, &present.etag)
}

/// One node as it stands now.
pub(super) async fn node(core: &Core, caller: &Caller, id: NodeId) -> Result<v1::Node, Status> {
    let (sealer, caller) = (core.store.sealer(), caller.clone());
    let mut node = core
        .look(move |conn| {
            let row = caller.node(conn, id)?;
            Ok(Fleet::read(conn, &caller)?.show(conn, &sealer, &row)?)
        })
        .await?;
    add_worker(core, id, &mut node);
    Ok(node)
}

/// One node for an event, from within the transaction that changes it: as the store has it.
pub(super) fn within(tx: &WriteTx<'_>, id: NodeId) -> Result<v1::Node, StoreError> {
    let row = nodes::get(tx, id)?;
    Fleet::whole(tx)?.show(tx, tx.sealer(), &row)
}

/// What its worker knows better than the store, which is told of changes and now and then.
pub(super) fn add_worker(core: &Core, id: NodeId, node: &mut v1::Node) {
    if let Some(seen) = core.dispatch.seen(id) {
        set_state(node, &seen);
    }
    if node.status() == v1::NodeStatus::Online {
        let rate = core.dispatch.observed(id).summary.rate;
        node.rx_bytes_per_s = Some(rate.rx_bytes);
        node.tx_bytes_per_s = Some(rate.tx_bytes);
    }
    let worker = core.dispatch.worker(id);
    node.awaits_confirmation |= worker.is_some_and(|worker| worker.state == WorkerState::Held);
}

/// The declared settings for the audit: everything but secrets.
pub(super) fn audited(settings: &NodeSettings, agent_url: &str, pools: &str) -> Map<String, Value> {
    let fields = json!({
        "name": settings.name,
        "agent_url": agent_url,
        "wg_interface": settings.wg_interface.as_str(),
        "endpoint": settings.endpoint,
        "ip_pool_cidr": pools,
        "weight": settings.weight,
        "max_peers": settings.max_peers,
        "enabled": settings.enabled,
        "labels": settings.labels,
        "unmanaged_peers": settings.unmanaged_peers.as_str(),
        "reserved_ips": settings.reserved_ips,
        "public_key": settings.public_key,
        "dns": settings.dns,
        "mtu": settings.mtu,
        "client_allowed_ips": settings.client_allowed_ips,
        "persistent_keepalive": settings.persistent_keepalive,
        "tls_pin_sha256": settings.tls_pin_sha256,
        "tls_ca_pem": settings.tls_ca_pem,
    });
    match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// The fields in which two states differ: those of the first, those of the second.
pub(super) fn changed_fields(
    mut before: Map<String, Value>,
    mut after: Map<String, Value>,
) -> (Value, Value) {
    before.retain(|field, value| {
        let same = after.get(field) == Some(value);
        if same {
            after.remove(field);
        }
        !same
    });
    (before.into(), after.into())
}

/// The warnings that a node earns by itself.
fn warnings(agent_url: &str, has_weak_secret: bool) -> Vec<String> {
    let mut warnings = Vec::new();
    if agent_url
        .parse()
        .is_ok_and(|url: AgentUrl| url.is_exposed())
    {
        warnings.push(
            "the agent is reached over plain http: what is sent, preshared keys too, can be read \
             on the way"
                .into(),
        );
    }
    if has_weak_secret {
        warnings.push("the secret is short: 32 bytes or more are better".into());
    }
    warnings
}

fn declared(row: &NodeRow) -> v1::Node {
    let settings = row.settings.clone();
    let texts = |list: &[wire_contract::AllowedIp]| list.iter().map(ToString::to_string).collect();
    let reserved = settings.reserved_ips.iter().map(pool_text::reserved_text);
    let mut node = v1::Node {
        id: row.id.to_string(),
        name: settings.name,
        agent_url: row.agent_url.clone(),
        wg_interface: settings.wg_interface.to_string(),
        endpoint: settings.endpoint.unwrap_or_default(),
        weight: settings.weight,
        max_peers: settings.max_peers,
        enabled: settings.enabled,
        labels: settings.labels,
        unmanaged_peers: unmanaged(settings.unmanaged_peers).into(),
        reserved_ips: reserved.collect(),
        public_key: settings
            .public_key
            .map(|key| key.to_string())
            .unwrap_or_default(),
        dns: settings.dns,
        mtu: settings.mtu,
        client_allowed_ips: texts(&settings.client_allowed_ips),
        persistent_keepalive: settings.persistent_keepalive.map(|k| k.as_secs().into()),
        tls_pin_sha256: settings.tls_pin_sha256.unwrap_or_default(),
        tls_ca_pem: settings.tls_ca_pem.unwrap_or_default(),
        peer_count: row.peer_count,
        desired_generation: row.desired_generation,
        observed_generation: row.observed_generation,
        awaits_confirmation: row.writes_held,
        created_at: row.created_at,
        updated_at: row.updated_at,
        ..Default::default()
    };
    set_state(&mut node, &row.state);
    node
}

fn set_state(node: &mut v1::Node, state: &NodeState) {
    node.status = status(state.status).into();
    node.status_reason.clone_from(&state.status_reason);
    node.status_since = state.status_since;
    node.last_seen = state.last_seen;
    node.latency_ms = state.latency_ms;
    node.version = state.version.clone().unwrap_or_default();
    node.uptime_s = state.uptime_s;
}

pub(super) const fn status(status: NodeStatus) -> v1::NodeStatus {
    match status {
        NodeStatus::Online => v1::NodeStatus::Online,
        NodeStatus::Offline => v1::NodeStatus::Offline,
        NodeStatus::Error => v1::NodeStatus::Error,
        NodeStatus::Disabled => v1::NodeStatus::Disabled,
    }
}

const fn unmanaged(policy: UnmanagedPeers) -> v1::UnmanagedPeers {
    match policy {
        UnmanagedPeers::Ignore => v1::UnmanagedPeers::Ignore,
        UnmanagedPeers::Adopt => v1::UnmanagedPeers::Adopt,
        UnmanagedPeers::Remove => v1::UnmanagedPeers::Remove,
    }
}
