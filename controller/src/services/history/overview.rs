//! The fleet as it is now, as far as the caller sees it. Nothing here goes through the peers: workers sum up each dump, and the
//! store counts what is not as declared along an index.

use std::{collections::HashMap, time::Duration};

use tonic::Status;
use wgfleet_proto::v1;
use wire_contract::PublicKey;

use super::proto_status;
use crate::{
    domain::counters::Traffic,
    events::message,
    services::{
        Core,
        auth::{Caller, scope::Visible},
    },
    store::{
        Connection, NodeId, NodeStatus, StoreError, events,
        holders::{self, Holder},
        nodes::NodeRow,
        peer_nodes::{self, NodeBacklog},
    },
};

const MAX_TALKERS: usize = 10;
const MAX_TROUBLED: usize = 100;
const MAX_EVENTS: u32 = 20;
/// Events that are gone through for a caller who does not see all of them.
const LOOK_BACK: u32 = 500;

/// What the store knows.
struct Stored {
    nodes: Vec<NodeRow>,
    backlogs: HashMap<NodeId, NodeBacklog>,
    /// Newest first.
    events: Vec<v1::Event>,
}

/// The fleet as it is now.
///
/// # Errors
/// When the store can't be read.
pub(super) async fn look(
    core: &Core,
    caller: Caller,
    uptime: Duration,
) -> Result<v1::OverviewResponse, Status> {
    let read = core.store.read(move |conn| read(conn, &caller));
    let stored = read.await?;
    let mut seen = v1::OverviewResponse {
        version: env!("CARGO_PKG_VERSION").into(),
        uptime_s: uptime.as_secs(),
        peers: stored.nodes.iter().map(|n| u64::from(n.peer_count)).sum(),
        ..v1::OverviewResponse::default()
    };
    seen.recent_events = stored.events;
    let mut rate = Traffic::default();
    let mut busiest: Vec<(NodeId, PublicKey, Traffic)> = Vec::new();
    for node in &stored.nodes {
        let state = core.dispatch.seen(node.id);
        let status = state.as_ref().map_or(node.state.status, |s| s.status);
        match status {
            NodeStatus::Online => seen.nodes_online += 1,
            NodeStatus::Offline => seen.nodes_offline += 1,
            NodeStatus::Error => seen.nodes_error += 1,
            NodeStatus::Disabled => seen.nodes_disabled += 1,
        }
        let why = state.map_or_else(
            || node.state.status_reason.clone(),
            |state| state.status_reason.clone(),
        );
        let backlog = stored.backlogs.get(&node.id).copied().unwrap_or_default();
        seen.peers_pending += u64::from(backlog.peers_pending);
        seen.peers_failed += u64::from(backlog.peers_failed);
        seen.troubled_nodes
            .extend(troubled(core, node, status, why, backlog));
        if status == NodeStatus::Online {
            let dump = core.dispatch.observed(node.id);
            seen.peers_online += u64::from(dump.summary.online);
            rate = rate.saturating_add(dump.summary.rate);
            let top = dump.summary.top.iter();
            busiest.extend(top.map(|(key, rate)| (node.id, *key, *rate)));
        }
    }
    seen.peers_applied = seen
        .peers
        .saturating_sub(seen.peers_pending + seen.peers_failed);
    seen.troubled_nodes.sort_by(|a, b| a.name.cmp(&b.name));
    seen.troubled_nodes.truncate(MAX_TROUBLED);
    seen.rx_bytes_per_s = rate.rx_bytes;
    seen.tx_bytes_per_s = rate.tx_bytes;
    seen.top_talkers = talkers(core, busiest).await?;
    Ok(seen)
}

fn read(conn: &Connection, caller: &Caller) -> Result<Stored, StoreError> {
    Ok(Stored {
        nodes: caller.nodes(conn)?,
        backlogs: peer_nodes::backlogs(conn)?,
        events: recent(conn, caller)?,
    })
}

/// The last events, newest first, as far as the caller may see them.
fn recent(conn: &Connection, caller: &Caller) -> Result<Vec<v1::Event>, StoreError> {
    let limit = if caller.is_scoped() {
        LOOK_BACK
    } else {
        MAX_EVENTS
    };
    let rows = events::latest(conn, limit)?;
    let before = rows.first().map_or(0, |first| first.id - 1);
    let mut visible = Visible::after(conn, caller, before)?;
    let mut recent = Vec::new();
    for row in &rows {
        recent.extend(visible.show(message(row)?));
    }
    recent.reverse();
    recent.truncate(MAX_EVENTS as usize);
    Ok(recent)
}

/// `None` when all is well with the node, or somebody disabled it.
fn troubled(
    core: &Core,
    node: &NodeRow,
    status: NodeStatus,
    why: String,
    backlog: NodeBacklog,
) -> Option<v1::TroubledNode> {
    let reason = match status {
        NodeStatus::Offline | NodeStatus::Error => why,
        _ if backlog == NodeBacklog::default() => return None,
        NodeStatus::Disabled => "the node is disabled".into(),
        NodeStatus::Online => {
            let worker = core.dispatch.worker(node.id);
            worker.map(|worker| worker.last_error).unwrap_or_default()
        }
    };
    Some(v1::TroubledNode {
        node_id: node.id.to_string(),
        name: node.settings.name.clone(),
        status: proto_status(status).into(),
        reason,
        pending: backlog.pending,
        failed: backlog.failed,
    })
}

/// The declared ones among the busiest, with their names.
async fn talkers(
    core: &Core,
    mut busiest: Vec<(NodeId, PublicKey, Traffic)>,
) -> Result<Vec<v1::Talker>, Status> {
    busiest.sort_by_key(|(.., rate)| std::cmp::Reverse(rate.sum()));
    let named = core.store.read(move |conn| {
        let mut named = Vec::new();
        for (node, key, rate) in busiest {
            let holder = holders::of_key(conn, node, &key)?;
            named.extend(holder.map(|holder| talker(node, holder, rate)));
            if named.len() == MAX_TALKERS {
                break;
            }
        }
        Ok(named)
    });
    Ok(named.await?)
}

fn talker(node: NodeId, holder: Holder, rate: Traffic) -> v1::Talker {
    v1::Talker {
        peer_id: holder.peer_id.to_string(),
        name: holder.name,
        node_id: node.to_string(),
        rx_bytes_per_s: rate.rx_bytes,
        tx_bytes_per_s: rate.tx_bytes,
    }
}
