//! `/api/v1/nodes/{id}/history`, `/api/v1/peers/{id}/history` and `/api/v1/overview`.

use axum::{Json, Router, extract::State, routing::get};
use serde::Serialize;
use wgfleet_proto::v1;

use super::{
    Answer, Facade,
    caller::Caller,
    events::PastEvent,
    input::{Id, OfNode, OfPeer},
    nodes::STATUSES,
    problem::Problem,
    query::Parameters,
    shape::{text, word},
    time::Timestamp,
};

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

async fn overview(
    State(mut facade): State<Facade>,
    caller: Caller,
    query: Parameters,
) -> Answer<Json<Overview>> {
    query.finish()?;
    let message = v1::OverviewRequest {};
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

#[derive(Serialize)]
struct Point {
    at: Timestamp,
    rx_bytes: u64,
    tx_bytes: u64,
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

#[derive(Serialize)]
struct StatusChange {
    at: Timestamp,
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

/// A peer's history, and the part of a node's that is the same.
#[derive(Serialize)]
struct PeerHistory {
    from: Timestamp,
    to: Timestamp,
    step_s: u32,
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

#[derive(Serialize)]
struct NodeHistory {
    #[serde(flatten)]
    traffic: PeerHistory,
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

#[derive(Serialize)]
struct NodeCounts {
    online: u32,
    offline: u32,
    error: u32,
    disabled: u32,
}

#[derive(Serialize)]
struct PeerCounts {
    total: u64,
    online: u64,
    applied: u64,
    pending: u64,
    failed: u64,
}

#[derive(Serialize)]
struct Talker {
    peer_id: String,
    name: String,
    node_id: String,
    rx_bytes_per_s: u64,
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

#[derive(Serialize)]
struct TroubledNode {
    node_id: String,
    name: String,
    status: &'static str,
    reason: Option<String>,
    pending: u32,
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

#[derive(Serialize)]
struct Overview {
    version: String,
    uptime_s: u64,
    nodes: NodeCounts,
    peers: PeerCounts,
    rx_bytes_per_s: u64,
    tx_bytes_per_s: u64,
    top_talkers: Vec<Talker>,
    troubled_nodes: Vec<TroubledNode>,
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
            recent_events: all(seen.recent_events),
        }
    }
}

fn all<M, T: From<M>>(messages: Vec<M>) -> Vec<T> {
    messages.into_iter().map(Into::into).collect()
}
