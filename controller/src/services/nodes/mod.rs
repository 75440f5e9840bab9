//! Nodes: added, changed, looked at and deleted.
//!
//! Read first: `create.rs`, which shows how a change is made; `delete.rs` for the hard part.

mod connection;
mod create;
mod delete;
mod fields;
mod list;
mod moving;
mod plan;
mod pools;
mod secret;
mod update;
mod view;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use tonic::{Request, Response, Status};
use wgfleet_proto::v1::{self, node_service_server::NodeService};

use super::{
    Core,
    auth::{Caller, authorize_scoped},
    once,
    status::{no_such_node, parse_id},
};
use crate::store::Role;

/// The service of nodes.
#[derive(Clone)]
pub struct Nodes(Arc<Core>);

impl Nodes {
    /// The service.
    #[must_use]
    pub const fn new(core: Arc<Core>) -> Self {
        Self(core)
    }

    /// Who calls, and what they say.
    async fn admit<T>(&self, request: Request<T>, role: Role) -> Result<(Caller, T), Status> {
        let (metadata, _, message) = request.into_parts();
        let caller = authorize_scoped(&self.0, &metadata, role).await?;
        Ok((caller, message))
    }
}

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl NodeService for Nodes {
    async fn list(&self, request: Request<v1::ListNodesRequest>) -> Answer<v1::ListNodesResponse> {
        let (caller, request) = self.admit(request, Role::Viewer).await?;
        list::list(&self.0, caller, request)
            .await
            .map(Response::new)
    }

    async fn create(
        &self,
        request: Request<v1::CreateNodeRequest>,
    ) -> Answer<v1::CreateNodeResponse> {
        let (caller, request) = self.admit(request, Role::Operator).await?;
        let seen = request.clone();
        let created = create::create(&self.0, caller.clone(), request);
        once::run(&self.0, &caller, "nodes.create", &seen, created)
            .await
            .map(Response::new)
    }

    async fn get(&self, request: Request<v1::GetNodeRequest>) -> Answer<v1::Node> {
        let (caller, request) = self.admit(request, Role::Viewer).await?;
        let id = parse_id(&request.id, no_such_node)?;
        view::node(&self.0, &caller, id).await.map(Response::new)
    }

    async fn update(
        &self,
        request: Request<v1::UpdateNodeRequest>,
    ) -> Answer<v1::UpdateNodeResponse> {
        let (caller, request) = self.admit(request, Role::Operator).await?;
        let node = Some(update::update(&self.0, caller, request).await?);
        Ok(Response::new(v1::UpdateNodeResponse { node }))
    }

    async fn delete(
        &self,
        request: Request<v1::DeleteNodeRequest>,
    ) -> Answer<v1::DeleteNodeResponse> {
        let (caller, request) = self.admit(request, Role::Operator).await?;
        delete::delete(&self.0, caller, request)
            .await
            .map(Response::new)
    }

    async fn enable(&self, request: Request<v1::EnableNodeRequest>) -> Answer<v1::Node> {
        let (caller, request) = self.admit(request, Role::Operator).await?;
        let seen = request.clone();
        let (id, if_match) = (request.id, request.if_match);
        let node = update::set_enabled(&self.0, caller.clone(), (id, if_match), true);
        once::run(&self.0, &caller, "nodes.enable", &seen, node)
            .await
            .map(Response::new)
    }

    async fn disable(&self, request: Request<v1::DisableNodeRequest>) -> Answer<v1::Node> {
        let (caller, request) = self.admit(request, Role::Operator).await?;
        let seen = request.clone();
        let (id, if_match) = (request.id, request.if_match);
        let node = update::set_enabled(&self.0, caller.clone(), (id, if_match), false);
        once::run(&self.0, &caller, "nodes.disable", &seen, node)
            .await
            .map(Response::new)
    }

    async fn test(&self, request: Request<v1::TestNodeRequest>) -> Answer<v1::TestNodeResponse> {
        let (caller, request) = self.admit(request, Role::Operator).await?;
        let seen = request.clone();
        let tested = connection::test(&self.0, caller.clone(), request);
        once::run(&self.0, &caller, "nodes.test", &seen, tested)
            .await
            .map(Response::new)
    }

    async fn plan(&self, request: Request<v1::PlanNodeRequest>) -> Answer<v1::PlanNodeResponse> {
        let (caller, request) = self.admit(request, Role::Viewer).await?;
        plan::plan(&self.0, caller, &request.id)
            .await
            .map(Response::new)
    }

    async fn sync(&self, request: Request<v1::SyncNodeRequest>) -> Answer<v1::SyncNodeResponse> {
        let (caller, request) = self.admit(request, Role::Operator).await?;
        let seen = request.clone();
        let synced = plan::sync(&self.0, caller.clone(), request);
        once::run(&self.0, &caller, "nodes.sync", &seen, synced)
            .await
            .map(Response::new)
    }

    async fn rotate_secret(
        &self,
        request: Request<v1::RotateNodeSecretRequest>,
    ) -> Answer<v1::RotateNodeSecretResponse> {
        let (caller, request) = self.admit(request, Role::Operator).await?;
        let seen = request.clone();
        let rotated = secret::rotate(&self.0, caller.clone(), request);
        once::run(&self.0, &caller, "nodes.rotate_secret", &seen, rotated)
            .await
            .map(Response::new)
    }
}
