//! Peers: what clients are, and on which node they are let in.
//!
//! A change is one transaction: the peer, its addresses, where it stands, its node's next generation
//! and an audit row. Placement and allocation happen inside of it, so that two callers never get the
//! same address and the last place on a node is given away once. After the commit the workers are
//! woken and the caller is kept for a short while, to be told whether the node has it already.
//!
//! Read first: [`create`], then [`update`].

mod addresses;
mod bulk;
mod config;
mod create;
mod delete;
mod draft;
mod finish;
mod input;
pub(super) mod kernel;
mod keys;
mod list;
pub(super) mod moving;
mod patch;
pub(super) mod placing;
mod qr;
mod record;
mod update;
pub(super) mod view;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use tonic::{Request, Response, Status};
use wgfleet_proto::v1::{
    BulkCreatePeersRequest, BulkDeletePeersRequest, BulkPeersResponse, CreatePeerRequest,
    CreatePeerResponse, DeletePeerRequest, DeletePeerResponse, DisablePeerRequest,
    EnablePeerRequest, GetPeerConfigRequest, GetPeerConfigResponse, GetPeerQrRequest,
    GetPeerQrResponse, GetPeerRequest, ListPeersRequest, ListPeersResponse, Peer,
    UpdatePeerRequest, UpdatePeerResponse,
    peer_service_server::{PeerService, PeerServiceServer},
};

use super::{
    Core,
    auth::{Caller, authorize_scoped},
    once,
    status::{parse_id, refuse},
};
use crate::store::{PeerId, Role};

/// Largest request: ten thousand peers with all their fields.
const MAX_MESSAGE_BYTES: usize = 32 << 20;

/// The peer service.
#[derive(Clone)]
pub struct Peers {
    core: Arc<Core>,
    kernel: Arc<kernel::KernelCounts>,
}

impl Peers {
    /// A service on what all services share.
    #[must_use]
    pub fn new(core: Arc<Core>) -> Self {
        Self {
            core,
            kernel: Arc::default(),
        }
    }

    /// The generated server, which takes messages as long as a full bulk request.
    #[must_use]
    pub fn server(core: Arc<Core>) -> PeerServiceServer<Self> {
        PeerServiceServer::new(Self::new(core)).max_decoding_message_size(MAX_MESSAGE_BYTES)
    }

    async fn admit<T>(&self, request: Request<T>, needed: Role) -> Result<(Caller, T), Status> {
        let caller = authorize_scoped(&self.core, request.metadata(), needed).await?;
        Ok((caller, request.into_inner()))
    }

    async fn switch(
        &self,
        caller: &Caller,
        (id, if_match): (String, Vec<String>),
        enabled: bool,
    ) -> Result<Peer, Status> {
        let request = UpdatePeerRequest {
            id,
            enabled: Some(enabled),
            if_match,
            ..UpdatePeerRequest::default()
        };
        let answer = update::update(self, caller, request).await?;
        answer.peer.ok_or_else(no_such_peer)
    }
}

/// There is no such peer.
fn no_such_peer() -> Status {
    let code = tonic::Code::NotFound;
    refuse(code, "peer_not_found", None, "no such peer")
}

pub(super) fn peer_id(text: &str) -> Result<PeerId, Status> {
    parse_id(text, no_such_peer)
}

#[tonic::async_trait]
impl PeerService for Peers {
    async fn list(
        &self,
        request: Request<ListPeersRequest>,
    ) -> Result<Response<ListPeersResponse>, Status> {
        let (caller, request) = self.admit(request, Role::Viewer).await?;
        let page = list::list(&self.core, caller, request).await;
        page.map(Response::new)
    }

    async fn create(
        &self,
        request: Request<CreatePeerRequest>,
    ) -> Result<Response<CreatePeerResponse>, Status> {
        let (caller, request) = self.admit(request, Role::Operator).await?;
        let seen = request.clone();
        let created = create::create(self, &caller, request);
        let created = once::run(&self.core, &caller, "peers.create", &seen, created).await;
        created.map(Response::new)
    }

    async fn get(&self, request: Request<GetPeerRequest>) -> Result<Response<Peer>, Status> {
        let (caller, request) = self.admit(request, Role::Viewer).await?;
        let id = peer_id(&request.id)?;
        let peer = view::read_for(&self.core, &caller, id).await;
        peer.map(Response::new)
    }

    async fn update(
        &self,
        request: Request<UpdatePeerRequest>,
    ) -> Result<Response<UpdatePeerResponse>, Status> {
        let (caller, request) = self.admit(request, Role::Operator).await?;
        let updated = update::update(self, &caller, request).await;
        updated.map(Response::new)
    }

    async fn delete(
        &self,
        request: Request<DeletePeerRequest>,
    ) -> Result<Response<DeletePeerResponse>, Status> {
        let (caller, request) = self.admit(request, Role::Operator).await?;
        let id = peer_id(&request.id)?;
        let sync = delete::delete(&self.core, caller, id, request.if_match).await?;
        Ok(Response::new(DeletePeerResponse { sync: Some(sync) }))
    }

    async fn enable(&self, request: Request<EnablePeerRequest>) -> Result<Response<Peer>, Status> {
        let (caller, request) = self.admit(request, Role::Operator).await?;
        let seen = request.clone();
        let peer = self.switch(&caller, (request.id, request.if_match), true);
        let peer = once::run(&self.core, &caller, "peers.enable", &seen, peer).await;
        peer.map(Response::new)
    }

    async fn disable(
        &self,
        request: Request<DisablePeerRequest>,
    ) -> Result<Response<Peer>, Status> {
        let (caller, request) = self.admit(request, Role::Operator).await?;
        let seen = request.clone();
        let peer = self.switch(&caller, (request.id, request.if_match), false);
        let peer = once::run(&self.core, &caller, "peers.disable", &seen, peer).await;
        peer.map(Response::new)
    }

    async fn get_config(
        &self,
        request: Request<GetPeerConfigRequest>,
    ) -> Result<Response<GetPeerConfigResponse>, Status> {
        // It holds keys: looking is not enough.
        let (caller, request) = self.admit(request, Role::Operator).await?;
        let id = peer_id(&request.id)?;
        let config = config::get(&self.core, caller, id).await;
        config.map(Response::new)
    }

    async fn bulk_create(
        &self,
        request: Request<BulkCreatePeersRequest>,
    ) -> Result<Response<BulkPeersResponse>, Status> {
        let (caller, request) = self.admit(request, Role::Operator).await?;
        let seen = request.clone();
        let created = bulk::create(self, &caller, request);
        let created = once::run(&self.core, &caller, "peers.bulk_create", &seen, created).await;
        created.map(Response::new)
    }

    async fn bulk_delete(
        &self,
        request: Request<BulkDeletePeersRequest>,
    ) -> Result<Response<BulkPeersResponse>, Status> {
        let (caller, request) = self.admit(request, Role::Operator).await?;
        let seen = request.clone();
        let deleted = bulk::delete(self, &caller, request);
        let deleted = once::run(&self.core, &caller, "peers.bulk_delete", &seen, deleted).await;
        deleted.map(Response::new)
    }

    async fn get_qr(
        &self,
        request: Request<GetPeerQrRequest>,
    ) -> Result<Response<GetPeerQrResponse>, Status> {
        // As with the text of it.
        let (caller, request) = self.admit(request, Role::Operator).await?;
        let id = peer_id(&request.id)?;
        let qr = qr::get(&self.core, caller, id, request.format).await;
        qr.map(Response::new)
    }
}
