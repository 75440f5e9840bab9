//! The fleet as it is now, as far as the caller sees it. Nothing here goes through the peers: workers sum up each dump, and the
//! store counts what is not as declared along an index.

use std::{cmp::Reverse, collections::HashMap, time::Duration};

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
        Connection, NodeId, NodeStatus, StoreError, SyncState, events,
        holders::{self, Holder},
        nodes::NodeRow,
        peer_nodes::{self, NodeBacklog},
    },
};

const MAX_TALKERS: usize = 10;
const MAX_TROUBLED: usize = 100;
/// Events unless more are asked for.
const EVENTS: u32 = 20;
/// The most that can be asked for.
const MAX_EVENTS: u32 = 500;
/// How often as many are gone through for a caller who does not see all of them.
const MAX_STEPS: usize = 20;

/// What the store knows.
struct Stored {
    nodes: Vec<NodeRow>,
    backlogs: HashMap<NodeId, NodeBacklog>,
    /// Why the first peer of each backlog is in it.
    reasons: HashMap<NodeId, String>,
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
    events: Option<u32>,
) -> Result<v1::OverviewResponse, Status> {
    let events = events.unwrap_or(EVENTS).min(MAX_EVENTS);
    let read = core.store.read(move |conn| read(conn, &caller, events));
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
        let waits_for = stored.reasons.get(&node.id).map_or("", String::as_str);
        seen.peers_pending += u64::from(backlog.peers_pending);
        seen.peers_failed += u64::from(backlog.peers_failed);
        seen.troubled_nodes
            .extend(troubled(core, node, status, why, backlog, waits_for));
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
    seen.troubled_nodes_total = u32::try_from(seen.troubled_nodes.len()).unwrap_or(u32::MAX);
    // Nodes come by name, and a stable sort leaves equals so.
    seen.troubled_nodes.sort_by_key(badness);
    seen.troubled_nodes.truncate(MAX_TROUBLED);
    seen.rx_bytes_per_s = rate.rx_bytes;
    seen.tx_bytes_per_s = rate.tx_bytes;
    seen.top_talkers = talkers(core, busiest).await?;
    Ok(seen)
}

/// The lower, the worse.
fn badness(node: &v1::TroubledNode) -> (u8, Reverse<u32>, Reverse<u32>) {
    let rank = match node.status() {
        v1::NodeStatus::Error => 0,
        v1::NodeStatus::Offline => 1,
        v1::NodeStatus::Online | v1::NodeStatus::Unspecified => 2,
        v1::NodeStatus::Disabled => 3,
    };
    (rank, Reverse(node.failed), Reverse(node.pending))
}

fn read(conn: &Connection, caller: &Caller, events: u32) -> Result<Stored, StoreError> {
    let (nodes, backlogs) = (caller.nodes(conn)?, peer_nodes::backlogs(conn)?);
    let mut reasons = HashMap::new();
    for node in &nodes {
        let Some(backlog) = backlogs.get(&node.id) else {
            continue;
        };
        let state = if backlog.failed > 0 {
            SyncState::Failed
        } else {
            SyncState::Pending
        };
        let reason = peer_nodes::first_reason(conn, node.id, state)?;
        reasons.extend(reason.map(|reason| (node.id, reason)));
    }
    Ok(Stored {
        nodes,
        backlogs,
        reasons,
        events: recent(conn, caller, events)?,
    })
}

/// The last events, newest first, as far as the caller may see them.
fn recent(conn: &Connection, caller: &Caller, count: u32) -> Result<Vec<v1::Event>, StoreError> {
    let wanted = count as usize;
    let (limit, steps) = if caller.is_scoped() {
        (MAX_EVENTS, MAX_STEPS)
    } else {
        (count, 1)
    };
    let mut recent = Vec::new();
    let mut before = i64::MAX;
    for _ in 0..steps {
        let rows = events::latest(conn, before, limit)?;
        let Some(first) = rows.first().filter(|_| recent.len() < wanted) else {
            break;
        };
        before = first.id;
        let mut visible = Visible::after(conn, caller, before - 1)?;
        let mut shown = Vec::new();
        for row in &rows {
            shown.extend(visible.show(message(row)?));
        }
        recent.extend(shown.into_iter().rev());
    }
    recent.truncate(wanted);
    Ok(recent)
}

/// `None` when all is well with the node, or somebody disabled it. `waits_for` is what stands behind
/// its backlog.
fn troubled(
    core: &Core,
    node: &NodeRow,
    status: NodeStatus,
    why: String,
    backlog: NodeBacklog,
    waits_for: &str,
) -> Option<v1::TroubledNode> {
    let reason = match status {
        NodeStatus::Offline | NodeStatus::Error => why,
        _ if backlog == NodeBacklog::default() => return None,
        NodeStatus::Disabled => "the node is disabled".into(),
        NodeStatus::Online if backlog.failed > 0 => refused(backlog.failed, waits_for),
        NodeStatus::Online => {
            let worker = core.dispatch.worker(node.id);
            let last_error = worker.map(|worker| worker.last_error);
            last_error
                .filter(|error| !error.is_empty())
                .unwrap_or_else(|| waits_for.to_owned())
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

/// How many peers a node refused, and why the first of them.
fn refused(count: u32, first: &str) -> String {
    let colon = if first.is_empty() { "" } else { ": " };
    match count {
        1 => format!("1 peer failed{colon}{first}"),
        _ if first.is_empty() => format!("{count} peers failed"),
        _ => format!("{count} peers failed, the first of them because of this: {first}"),
    }
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

#[cfg(test)]
mod tests {
    use wgfleet_proto::v1;

    use super::{badness, refused};

    #[test]
    fn the_worst_comes_first_and_equals_stay_by_name() {
        let node = |name: &str, status: v1::NodeStatus, failed, pending| v1::TroubledNode {
            name: name.into(),
            status: status.into(),
            failed,
            pending,
            ..Default::default()
        };
        let mut nodes = [
            node("disabled", v1::NodeStatus::Disabled, 9, 0),
            node("few wait", v1::NodeStatus::Online, 0, 2),
            node("gone", v1::NodeStatus::Offline, 0, 0),
            node("gone too", v1::NodeStatus::Offline, 0, 0),
            node("many wait", v1::NodeStatus::Online, 0, 3),
            node("refuses", v1::NodeStatus::Online, 1, 0),
            node("wrong", v1::NodeStatus::Error, 0, 0),
        ];
        nodes.sort_by_key(badness);
        let names = nodes.map(|node| node.name);
        assert_eq!(
            names,
            [
                "wrong",
                "gone",
                "gone too",
                "refuses",
                "many wait",
                "few wait",
                "disabled"
            ]
        );
    }

    #[test]
    fn refusals_are_counted_and_the_first_is_told() {
        assert_eq!(refused(1, "it is taken"), "1 peer failed: it is taken");
        assert_eq!(
            refused(3, "it is taken"),
            "3 peers failed, the first of them because of this: it is taken"
        );
        assert_eq!(refused(1, ""), "1 peer failed");
        assert_eq!(refused(2, ""), "2 peers failed");
    }
}
