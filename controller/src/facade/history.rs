//! `/api/v1/nodes/{id}/history`, `/api/v1/peers/{id}/history`, `/api/v1/overview` and its history.

mod describe;

use axum::{Json, Router, extract::State, routing::get};
use schemars::JsonSchema;
use serde::Serialize;
use wgfleet_proto::v1;

use super::{
    Answer, Facade,
    caller::Caller,
    events::{PastEvent, Told},
    input::{Id, OfNode, OfPeer},
    nodes::STATUSES,
    openapi::format,
    problem::Problem,
    query::Parameters,
    shape::{text, word},
    time::Timestamp,
};

pub(super) use self::describe::operations;

/// The words of `step`.
const STEPS: [(&str, u32); 5] = [
    ("10s", 10),
    ("1m", 60),
    ("5m", 300),
    ("1h", 3600),
    ("1d", 86_400),
];

pub(super) fn routes() -> Router<Facade> {
    Router::new()
        .route("/nodes/{id}/history", get(node))
        .route("/peers/{id}/history", get(peer))
        .route("/overview", get(overview))
        .route("/overview/history", get(fleet))
}

async fn node(
    State(mut facade): State<Facade>,
    caller: Caller,
    Id { id, .. }: Id<OfNode>,
    query: Parameters,
) -> Answer<Json<NodeHistory>> {
    let message = v1::NodeHistoryRequest {
        node_id: id,
        range: Some(range(query)?),
    };
    let answer = facade.history.node_history(caller.request(message)).await?;
    Ok(Json(answer.into_inner().into()))
}

async fn peer(
    State(mut facade): State<Facade>,
    caller: Caller,
    Id { id, .. }: Id<OfPeer>,
    query: Parameters,
) -> Answer<Json<PeerHistory>> {
    let message = v1::PeerHistoryRequest {
        peer_id: id,
        range: Some(range(query)?),
    };
    let answer = facade.history.peer_history(caller.request(message)).await?;
    Ok(Json(answer.into_inner().into()))
}

async fn fleet(
    State(mut facade): State<Facade>,
    caller: Caller,
    query: Parameters,
) -> Answer<Json<PeerHistory>> {
    let message = v1::FleetHistoryRequest {
        range: Some(range(query)?),
    };
    let history = &mut facade.history;
    let answer = history.fleet_history(caller.request(message)).await?;
    Ok(Json(answer.into_inner().into()))
}

async fn overview(
    State(mut facade): State<Facade>,
    caller: Caller,
    query: Parameters,
) -> Answer<Json<Overview>> {
    query.finish()?;
    let message = v1::OverviewRequest::default();
    let answer = facade.history.overview(caller.request(message)).await?;
    Ok(Json(answer.into_inner().into()))
}

fn range(mut query: Parameters) -> Result<v1::HistoryRange, Problem> {
    let range = v1::HistoryRange {
        from: query.time_s("from")?,
        to: query.time_s("to")?,
        step_s: query.word("step", &STEPS)?.unwrap_or(0),
    };
    query.finish()?;
    Ok(range)
}

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "HistoryPoint")]
struct Point {
    /// Its first second: a multiple of the step.
    at: Timestamp,
    /// Received by the node.
    #[schemars(with = "format::Total")]
    rx_bytes: u64,
    /// Sent by the node.
    #[schemars(with = "format::Total")]
    tx_bytes: u64,
    /// Share of the time it was online, in thousandths.
    #[schemars(with = "format::Permille")]
    online_permille: u32,
}

impl From<v1::HistoryPoint> for Point {
    fn from(point: v1::HistoryPoint) -> Self {
        Self {
            at: Timestamp(point.at),
            rx_bytes: point.rx_bytes,
            tx_bytes: point.tx_bytes,
            online_permille: point.online_permille,
        }
    }
}

#[derive(JsonSchema, Serialize)]
struct StatusChange {
    at: Timestamp,
    #[schemars(with = "format::Status")]
    status: &'static str,
    reason: Option<String>,
}

impl From<v1::StatusChange> for StatusChange {
    fn from(change: v1::StatusChange) -> Self {
        Self {
            at: Timestamp(change.at),
            status: word(&STATUSES, change.status()),
            reason: text(change.reason),
        }
    }
}

/// A peer's history, that of the fleet, and the part of a node's that is the same.
#[derive(JsonSchema, Serialize)]
struct PeerHistory {
    /// The range, widened to whole spans.
    from: Timestamp,
    /// Not in it any more.
    to: Timestamp,
    /// Length of a span.
    #[schemars(with = "format::Count")]
    step_s: u32,
    /// Oldest first. A span nobody looked at has none.
    points: Vec<Point>,
}

impl From<v1::PeerHistoryResponse> for PeerHistory {
    fn from(history: v1::PeerHistoryResponse) -> Self {
        Self {
            from: Timestamp(history.from),
            to: Timestamp(history.to),
            step_s: history.step_s,
            points: all(history.points),
        }
    }
}

impl From<v1::FleetHistoryResponse> for PeerHistory {
    fn from(history: v1::FleetHistoryResponse) -> Self {
        Self {
            from: Timestamp(history.from),
            to: Timestamp(history.to),
            step_s: history.step_s,
            points: all(history.points),
        }
    }
}

#[derive(JsonSchema, Serialize)]
struct NodeHistory {
    #[serde(flatten)]
    traffic: PeerHistory,
    /// The latest thousand in the range, oldest first, after the one that was in force at its beginning.
    status_changes: Vec<StatusChange>,
}

impl From<v1::NodeHistoryResponse> for NodeHistory {
    fn from(history: v1::NodeHistoryResponse) -> Self {
        Self {
            traffic: PeerHistory {
                from: Timestamp(history.from),
                to: Timestamp(history.to),
                step_s: history.step_s,
                points: all(history.points),
            },
            status_changes: all(history.status_changes),
        }
    }
}

#[derive(JsonSchema, Serialize)]
struct NodeCounts {
    #[schemars(with = "format::Count")]
    online: u32,
    #[schemars(with = "format::Count")]
    offline: u32,
    #[schemars(with = "format::Count")]
    error: u32,
    #[schemars(with = "format::Count")]
    disabled: u32,
}

#[derive(JsonSchema, Serialize)]
struct PeerCounts {
    #[schemars(with = "format::Total")]
    total: u64,
    #[schemars(with = "format::Total")]
    online: u64,
    #[schemars(with = "format::Total")]
    applied: u64,
    #[schemars(with = "format::Total")]
    pending: u64,
    #[schemars(with = "format::Total")]
    failed: u64,
}

#[derive(JsonSchema, Serialize)]
struct Talker {
    peer_id: String,
    name: String,
    node_id: String,
    #[schemars(with = "format::Total")]
    rx_bytes_per_s: u64,
    #[schemars(with = "format::Total")]
    tx_bytes_per_s: u64,
}

impl From<v1::Talker> for Talker {
    fn from(talker: v1::Talker) -> Self {
        Self {
            peer_id: talker.peer_id,
            name: talker.name,
            node_id: talker.node_id,
            rx_bytes_per_s: talker.rx_bytes_per_s,
            tx_bytes_per_s: talker.tx_bytes_per_s,
        }
    }
}

#[derive(JsonSchema, Serialize)]
struct TroubledNode {
    node_id: String,
    name: String,
    #[schemars(with = "format::Status")]
    status: &'static str,
    /// Why it has its status, or else how many peers it refused and why the first of them, why the
    /// last write failed, or what its peers wait for.
    reason: Option<String>,
    /// Peers that are not yet on it as declared, and deleted ones still to be taken off.
    #[schemars(with = "format::Count")]
    pending: u32,
    /// Peers it refused.
    #[schemars(with = "format::Count")]
    failed: u32,
}

impl From<v1::TroubledNode> for TroubledNode {
    fn from(node: v1::TroubledNode) -> Self {
        let status = word(&STATUSES, node.status());
        Self {
            node_id: node.node_id,
            name: node.name,
            status,
            reason: text(node.reason),
            pending: node.pending,
            failed: node.failed,
        }
    }
}

#[derive(JsonSchema, Serialize)]
struct Overview {
    /// The controller's.
    version: String,
    /// The controller's.
    #[schemars(with = "format::Total")]
    uptime_s: u64,
    /// By status.
    nodes: NodeCounts,
    /// By sync state, and those that are online.
    peers: PeerCounts,
    /// Over the last two polls of each online node.
    #[schemars(with = "format::Total")]
    rx_bytes_per_s: u64,
    /// Over the last two polls of each online node.
    #[schemars(with = "format::Total")]
    tx_bytes_per_s: u64,
    /// The ten that moved most, the busiest first.
    top_talkers: Vec<Talker>,
    /// Nodes that are not as they should be, the worst first; a hundred at most.
    troubled_nodes: Vec<TroubledNode>,
    /// All of them.
    #[schemars(with = "format::Count")]
    troubled_nodes_total: u32,
    /// What happened last, the newest first; twenty at most.
    #[schemars(with = "Vec<Told<'static>>")]
    recent_events: Vec<PastEvent>,
}

impl From<v1::OverviewResponse> for Overview {
    fn from(seen: v1::OverviewResponse) -> Self {
        Self {
            version: seen.version,
            uptime_s: seen.uptime_s,
            nodes: NodeCounts {
                online: seen.nodes_online,
                offline: seen.nodes_offline,
                error: seen.nodes_error,
                disabled: seen.nodes_disabled,
            },
            peers: PeerCounts {
                total: seen.peers,
                online: seen.peers_online,
                applied: seen.peers_applied,
                pending: seen.peers_pending,
                failed: seen.peers_failed,
            },
            rx_bytes_per_s: seen.rx_bytes_per_s,
            tx_bytes_per_s: seen.tx_bytes_per_s,
            top_talkers: all(seen.top_talkers),
            troubled_nodes: all(seen.troubled_nodes),
            troubled_nodes_total: seen.troubled_nodes_total,
            recent_events: all(seen.recent_events),
        }
    }
}

fn all<M, T: From<M>>(messages: Vec<M>) -> Vec<T> {
    messages.into_iter().map(Into::into).collect()
}
