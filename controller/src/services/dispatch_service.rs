//! A look at the workers.

use std::sync::Arc;

use tonic::{Request, Response, Status};
use wgfleet_proto::v1::{self, dispatch_service_server::DispatchService};

use super::{
    Core,
    auth::authorize_scoped,
    status::{no_such_node, parse_id},
};
use crate::{
    dispatch::{WorkerState, WorkerView},
    store::{
        Connection, NodeId, Role, StoreError,
        nodes::NodeRow,
        peer_nodes::{self, Unsettled},
    },
};

/// The service of workers.
#[derive(Clone)]
pub struct Workers(Arc<Core>);

impl Workers {
    /// The service.
    #[must_use]
    pub const fn new(core: Arc<Core>) -> Self {
        Self(core)
    }

    fn show(&self, row: &NodeRow, unsettled: &Unsettled) -> v1::WorkerStatus {
        let worker = self.0.dispatch.worker(row.id).unwrap_or_else(not_started);
        let oldest = unsettled.oldest_change_at;
        let oldest_pending_s = oldest.map_or(0, |at| self.0.now_s().saturating_sub(at).max(0));
        v1::WorkerStatus {
            node_id: row.id.to_string(),
            node_name: row.settings.name.clone(),
            state: state(worker.state).into(),
            queue_depth: unsettled.count,
            desired_generation: row.desired_generation,
            observed_generation: row.observed_generation,
            last_error: worker.last_error,
            retry_at: worker.retry_at_s,
            failures: worker.failures,
            last_poll_at: worker.last_poll_at_s,
            last_in_sync_at: worker.last_in_sync_at_s,
            oldest_pending_s: oldest_pending_s.unsigned_abs(),
        }
    }
}

#[tonic::async_trait]
impl DispatchService for Workers {
    async fn get_worker(
        &self,
        request: Request<v1::GetWorkerRequest>,
    ) -> Result<Response<v1::WorkerStatus>, Status> {
        let caller = authorize_scoped(&self.0, request.metadata(), Role::Viewer).await?;
        let id: NodeId = parse_id(&request.get_ref().node_id, no_such_node)?;
        let found = self.0.look(move |conn| {
            let row = caller.node(conn, id)?;
            Ok(with_unsettled(conn, row)?)
        });
        let (row, unsettled) = found.await?;
        Ok(Response::new(self.show(&row, &unsettled)))
    }

    async fn list_workers(
        &self,
        request: Request<v1::ListWorkersRequest>,
    ) -> Result<Response<v1::ListWorkersResponse>, Status> {
        let caller = authorize_scoped(&self.0, request.metadata(), Role::Viewer).await?;
        let found = self.0.look(move |conn| {
            let rows = caller.nodes(conn)?.into_iter();
            let found = rows.map(|row| with_unsettled(conn, row));
            Ok(found.collect::<Result<Vec<_>, _>>()?)
        });
        let found = found.await?;
        let items = found
            .iter()
            .map(|(row, unsettled)| self.show(row, unsettled));
        Ok(Response::new(v1::ListWorkersResponse {
            items: items.collect(),
        }))
    }
}

fn with_unsettled(conn: &Connection, row: NodeRow) -> Result<(NodeRow, Unsettled), StoreError> {
    let unsettled = peer_nodes::unsettled(conn, row.id)?;
    Ok((row, unsettled))
}

const fn state(state: WorkerState) -> v1::WorkerState {
    match state {
        WorkerState::Idle => v1::WorkerState::Idle,
        WorkerState::Working => v1::WorkerState::Working,
        WorkerState::BackingOff => v1::WorkerState::BackingOff,
        WorkerState::Held => v1::WorkerState::Held,
        WorkerState::Stopped => v1::WorkerState::Stopped,
    }
}

fn not_started() -> WorkerView {
    WorkerView {
        state: WorkerState::Stopped,
        last_error: String::new(),
        retry_at_s: None,
        failures: 0,
        last_poll_at_s: None,
        last_in_sync_at_s: None,
    }
}
