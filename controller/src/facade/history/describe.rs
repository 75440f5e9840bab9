//! The routes of histories and of the overview, for programs.

use wgfleet_proto::v1;

use super::{
    super::openapi::{Operation, parameters, samples},
    NodeHistory, OfNode, OfPeer, Overview, PeerHistory, STEPS,
};

const TAG: &str = "History";

pub(in crate::facade) fn operations() -> Vec<Operation> {
    let step = "Length of a span. Without it the shortest that is kept over the whole range and makes \
                no more than 400 points.";
    let range = || {
        vec![
            parameters::time(
                "from",
                "2026-03-01T00:00:00Z",
                "A day before `to` when absent.",
            ),
            parameters::time("to", "2026-03-02T00:00:00Z", "Now when absent."),
            parameters::word("step", &STEPS, step),
        ]
    };
    vec![
        Operation::get("/nodes/{id}/history", "getNodeHistory")
            .does(
                TAG,
                "What a node moved, and when it was there",
                "Spans of 10 s are kept for 24 hours, of 5 minutes for 14 days, of an hour and of a day for \
                 400 days.",
            )
            .of::<OfNode>()
            .query(range())
            .answers(&node(), "Its history."),
        Operation::get("/peers/{id}/history", "getPeerHistory")
            .does(
                TAG,
                "What a peer moved",
                "Spans of 5 minutes are kept for 7 days, of an hour for 90 days; `10s` and `1m` are for \
                 nodes only.",
            )
            .of::<OfPeer>()
            .query(range())
            .answers(&peer(), "Its history."),
        Operation::get("/overview", "getOverview")
            .does(TAG, "The fleet as it is now", "")
            .refuses(400, &["invalid_field"])
            .answers(&overview(), "How it is."),
        Operation::get("/overview/history", "getFleetHistory")
            .does(
                TAG,
                "What all nodes moved",
                "The nodes this token sees, together. Spans are kept as those of a node.",
            )
            .query(range())
            .answers(&peer(), "Their history."),
    ]
}

fn points() -> Vec<v1::HistoryPoint> {
    vec![v1::HistoryPoint {
        at: samples::NOON,
        rx_bytes: 1000,
        tx_bytes: 2000,
        online_permille: 1000,
    }]
}

fn node() -> NodeHistory {
    NodeHistory::from(v1::NodeHistoryResponse {
        from: samples::NOON,
        to: samples::NOON + 300,
        step_s: 300,
        points: points(),
        status_changes: vec![v1::StatusChange {
            at: samples::NOON,
            status: v1::NodeStatus::Online.into(),
            reason: String::new(),
        }],
    })
}

fn peer() -> PeerHistory {
    PeerHistory::from(v1::PeerHistoryResponse {
        from: samples::NOON,
        to: samples::NOON + 300,
        step_s: 300,
        points: points(),
    })
}

fn overview() -> Overview {
    Overview::from(v1::OverviewResponse {
        version: "0.1.0".into(),
        uptime_s: 3600,
        nodes_online: 1,
        peers: 1,
        peers_online: 1,
        peers_applied: 1,
        rx_bytes_per_s: 100,
        tx_bytes_per_s: 200,
        top_talkers: vec![v1::Talker {
            peer_id: samples::PEER.into(),
            name: "laptop".into(),
            node_id: samples::NODE.into(),
            rx_bytes_per_s: 100,
            tx_bytes_per_s: 200,
        }],
        ..v1::OverviewResponse::default()
    })
}
