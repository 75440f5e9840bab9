//! The service that looks back, and over the fleet.

use tonic::Request;
use wgfleet_proto::v1::{self, history_service_server::HistoryService};

use super::{Fake, ID, Reply};

fn point() -> v1::HistoryPoint {
    v1::HistoryPoint {
        at: 1_772_366_400,
        rx_bytes: 5,
        tx_bytes: 7,
        online_permille: 990,
    }
}

#[tonic::async_trait]
impl HistoryService for Fake {
    async fn node_history(
        &self,
        r: Request<v1::NodeHistoryRequest>,
    ) -> Reply<v1::NodeHistoryResponse> {
        let change = v1::StatusChange {
            at: 1_772_366_400,
            status: v1::NodeStatus::Offline.into(),
            reason: "connection refused".into(),
        };
        let answer = v1::NodeHistoryResponse {
            from: 1_772_366_400,
            to: 1_772_370_000,
            step_s: 10,
            points: vec![point()],
            status_changes: vec![change],
        };
        self.reply(&r, answer)
    }

    async fn peer_history(
        &self,
        r: Request<v1::PeerHistoryRequest>,
    ) -> Reply<v1::PeerHistoryResponse> {
        let answer = v1::PeerHistoryResponse {
            from: 1_772_366_400,
            to: 1_772_370_000,
            step_s: 300,
            points: vec![point()],
        };
        self.reply(&r, answer)
    }

    async fn fleet_history(
        &self,
        r: Request<v1::FleetHistoryRequest>,
    ) -> Reply<v1::FleetHistoryResponse> {
        let answer = v1::FleetHistoryResponse {
            from: 1_772_366_400,
            to: 1_772_370_000,
            step_s: 60,
            points: vec![point()],
        };
        self.reply(&r, answer)
    }

    async fn overview(&self, r: Request<v1::OverviewRequest>) -> Reply<v1::OverviewResponse> {
        let talker = v1::Talker {
            peer_id: ID.into(),
            name: self.called("laptop"),
            node_id: ID.into(),
            rx_bytes_per_s: 1,
            tx_bytes_per_s: 2,
        };
        let troubled = v1::TroubledNode {
            node_id: ID.into(),
            name: self.called("node-1"),
            status: v1::NodeStatus::Error.into(),
            reason: "wrong secret".into(),
            pending: 3,
            failed: 0,
        };
        let expired = v1::Event {
            id: "7".into(),
            occurred_at: 1_772_366_400,
            name: "peer.expired".into(),
            kind: Some(v1::event::Kind::PeerExpired(v1::PeerExpired {
                peer_id: ID.into(),
                node_id: ID.into(),
            })),
        };
        let answer = v1::OverviewResponse {
            recent_events: vec![expired],
            version: "1.2.3".into(),
            nodes_error: 1,
            peers: 7,
            top_talkers: vec![talker],
            troubled_nodes: vec![troubled],
            troubled_nodes_total: 1,
            ..v1::OverviewResponse::default()
        };
        self.reply(&r, self.overview.clone().unwrap_or(answer))
    }
}
