//! Looking back, and over the whole fleet.
//!
//! Read first: [`range`] for what is answered of what was asked.

mod overview;
mod range;

use std::sync::Arc;

use tokio::time::Instant;
use tonic::{Request, Response, Status};
use wgfleet_proto::v1::{self, history_service_server::HistoryService};

pub(crate) use self::range::Kept;
use self::range::Range;
use super::{
    Core,
    auth::authorize_scoped,
    peers::peer_id,
    status::{no_such_node, parse_id},
};
use crate::store::{NodeId, NodeStatus, Role, samples, status_changes};

/// Status changes in one answer.
const MAX_CHANGES: u32 = 1000;

/// The history service.
#[derive(Clone)]
pub struct History {
    core: Arc<Core>,
    started: Instant,
}

impl History {
    /// A service on what all services share. The controller counts as started now.
    #[must_use]
    pub fn new(core: Arc<Core>) -> Self {
        Self {
            core,
            started: Instant::now(),
        }
    }
}

#[tonic::async_trait]
impl HistoryService for History {
    async fn node_history(
        &self,
        request: Request<v1::NodeHistoryRequest>,
    ) -> Result<Response<v1::NodeHistoryResponse>, Status> {
        let caller = authorize_scoped(&self.core, request.metadata(), Role::Viewer).await?;
        let request = request.into_inner();
        let id: NodeId = parse_id(&request.node_id, no_such_node)?;
        let range = Range::new(request.range, Kept::NODES, self.core.now_s())?;
        let found = self.core.look(move |conn| {
            caller.node(conn, id)?;
            let spans = samples::of_node(conn, id, range.resolution_s, range.from_s, range.to_s)?;
            let changes = status_changes::of_node(conn, id, range.from_s, range.to_s, MAX_CHANGES)?;
            Ok((spans, changes))
        });
        let (spans, changes) = found.await?;
        let changes = changes.into_iter().map(|change| v1::StatusChange {
            at: change.at,
            status: proto_status(change.status).into(),
            reason: change.reason,
        });
        Ok(Response::new(v1::NodeHistoryResponse {
            from: range.from_s,
            to: range.to_s,
            step_s: range.step(),
            points: range.points(&spans, false),
            status_changes: changes.collect(),
        }))
    }

    async fn peer_history(
        &self,
        request: Request<v1::PeerHistoryRequest>,
    ) -> Result<Response<v1::PeerHistoryResponse>, Status> {
        let caller = authorize_scoped(&self.core, request.metadata(), Role::Viewer).await?;
        let request = request.into_inner();
        let id = peer_id(&request.peer_id)?;
        let range = Range::new(request.range, Kept::PEERS, self.core.now_s())?;
        let found = self.core.look(move |conn| {
            caller.peer(conn, id)?;
            let (from_s, to_s) = (range.from_s, range.to_s);
            Ok(samples::of_peer(
                conn,
                id,
                range.resolution_s,
                from_s,
                to_s,
            )?)
        });
        let spans = found.await?;
        Ok(Response::new(v1::PeerHistoryResponse {
            from: range.from_s,
            to: range.to_s,
            step_s: range.step(),
            points: range.points(&spans, true),
        }))
    }

    async fn fleet_history(
        &self,
        request: Request<v1::FleetHistoryRequest>,
    ) -> Result<Response<v1::FleetHistoryResponse>, Status> {
        let caller = authorize_scoped(&self.core, request.metadata(), Role::Viewer).await?;
        let range = Range::new(request.into_inner().range, Kept::NODES, self.core.now_s())?;
        let found = self.core.look(move |conn| {
            let nodes = caller.nodes(conn)?.into_iter().map(|node| node.id);
            Ok(samples::of_nodes(conn, nodes, &range.spans())?)
        });
        let spans = found.await?;
        Ok(Response::new(v1::FleetHistoryResponse {
            from: range.from_s,
            to: range.to_s,
            step_s: range.step(),
            points: range.points(&spans, false),
        }))
    }

    async fn overview(
        &self,
        request: Request<v1::OverviewRequest>,
    ) -> Result<Response<v1::OverviewResponse>, Status> {
        let caller = authorize_scoped(&self.core, request.metadata(), Role::Viewer).await?;
        let uptime = self.started.elapsed();
        let events = request.into_inner().recent_events;
        let seen = overview::look(&self.core, caller, uptime, events).await?;
        Ok(Response::new(seen))
    }
}

const fn proto_status(status: NodeStatus) -> v1::NodeStatus {
    match status {
        NodeStatus::Online => v1::NodeStatus::Online,
        NodeStatus::Offline => v1::NodeStatus::Offline,
        NodeStatus::Error => v1::NodeStatus::Error,
        NodeStatus::Disabled => v1::NodeStatus::Disabled,
    }
}
