//! Services that remember what they were asked and answer one thing each.

use std::{
    fmt::Debug,
    sync::{Arc, Mutex},
};

use tonic::{Request, Response, Status, metadata::MetadataMap};
use wgfleet_proto::v1::{
    self, audit_service_server::AuditService, bulk_result::Outcome,
    event_service_server::EventService, history_service_server::HistoryService,
    node_service_server::NodeService, peer_service_server::PeerService,
    token_service_server::TokenService, webhook_service_server::WebhookService,
};

use super::ID;

#[derive(Clone)]
pub(in crate::facade) struct Fake {
    /// What every call is refused with.
    pub(super) refusal: Option<Status>,
    /// What the message that is refused is called; absent refuses all.
    pub(super) only: Option<&'static str>,
    /// What callers are refused with before they are let in.
    pub(super) closed: Option<Status>,
    pub(super) ready: bool,
    /// What nodes, peers and the token are called on pages; absent is their usual names.
    pub(super) name: Option<String>,
    /// How the fleet is; absent is as usual.
    pub(super) overview: Option<v1::OverviewResponse>,
    /// The role of a token for the whole fleet; absent is the usual token.
    pub(super) role: Option<v1::TokenRole>,
    /// Messages, as `Debug` shows them, with what came beside them.
    pub(super) asked: Arc<Mutex<Vec<(String, MetadataMap)>>>,
}

impl Fake {
    pub(in crate::facade) fn new() -> Self {
        Self {
            refusal: None,
            only: None,
            closed: None,
            ready: true,
            name: None,
            overview: None,
            role: None,
            asked: Arc::default(),
        }
    }

    pub(super) fn refusing(status: Status) -> Self {
        Self {
            refusal: Some(status),
            ..Self::new()
        }
    }

    /// The last message.
    pub(super) fn last(&self) -> String {
        self.last_with_metadata().0
    }

    pub(super) fn last_with_metadata(&self) -> (String, MetadataMap) {
        self.asked
            .lock()
            .expect("not poisoned")
            .last()
            .expect("a call")
            .clone()
    }

    /// The last message of that kind.
    pub(super) fn last_of(&self, kind: &str) -> String {
        let asked = self.asked.lock().expect("not poisoned");
        let mut messages = asked.iter().map(|(message, _)| message).rev();
        let last = messages.find(|message| message.starts_with(kind));
        last.expect("it was asked").clone()
    }

    /// The last message that adds many peers.
    pub(super) fn last_bulk(&self) -> String {
        self.last_of("BulkCreatePeersRequest")
    }

    fn peer(&self) -> v1::Peer {
        let peer = peer();
        v1::Peer {
            name: self.called(&peer.name),
            ..peer
        }
    }

    fn called(&self, usual: &str) -> String {
        self.name.clone().unwrap_or_else(|| usual.to_owned())
    }

    fn node(&self) -> v1::Node {
        let name = self.called("node-1");
        v1::Node { name, ..node() }
    }

    pub(in crate::facade) fn calls(&self) -> usize {
        self.asked.lock().expect("not poisoned").len()
    }

    pub(super) fn reply<M: Debug, A>(
        &self,
        request: &Request<M>,
        answer: A,
    ) -> Result<Response<A>, Status> {
        let entry = (
            format!("{:?}", request.get_ref()),
            request.metadata().clone(),
        );
        let is_meant = self.only.is_none_or(|only| entry.0.starts_with(only));
        self.asked.lock().expect("not poisoned").push(entry);
        let refusal = self.refusal.clone().filter(|_| is_meant);
        refusal.map_or(Ok(Response::new(answer)), Err)
    }
}

pub(super) fn node() -> v1::Node {
    v1::Node {
        id: ID.into(),
        name: "node-1".into(),
        agent_url: "http://127.0.0.1:8080".into(),
        wg_interface: "wg0".into(),
        ip_pool_cidr: "10.8.0.0/24, fd00:8::/64".into(),
        weight: 100,
        enabled: true,
        labels: [("region".into(), "eu".into())].into(),
        unmanaged_peers: v1::UnmanagedPeers::Adopt.into(),
        status: v1::NodeStatus::Offline.into(),
        status_reason: "connection refused".into(),
        status_since: 1_772_366_400,
        latency_ms: Some(3),
        created_at: 1_772_366_400,
        updated_at: 1_772_366_401,
        etag: "v1".into(),
        ..v1::Node::default()
    }
}

pub(super) fn peer() -> v1::Peer {
    v1::Peer {
        id: ID.into(),
        name: "laptop".into(),
        node_id: ID.into(),
        public_key: "key".into(),
        allowed_ips: vec!["10.8.0.2/32".into()],
        persistent_keepalive: 25,
        enabled: true,
        state: v1::PeerState::Active.into(),
        sync: Some(pending()),
        rx_bytes_total: u64::MAX,
        created_at: 1_772_366_400,
        updated_at: 1_772_366_400,
        etag: "v1".into(),
        ..v1::Peer::default()
    }
}

fn pending() -> v1::Sync {
    v1::Sync {
        state: v1::SyncState::Pending.into(),
        reason: "the node is offline".into(),
    }
}

fn page() -> Option<v1::PageInfo> {
    Some(v1::PageInfo {
        next_cursor: "abc".into(),
        total: 7,
    })
}

type Reply<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl NodeService for Fake {
    async fn list(&self, r: Request<v1::ListNodesRequest>) -> Reply<v1::ListNodesResponse> {
        let items = vec![self.node()];
        self.reply(
            &r,
            v1::ListNodesResponse {
                items,
                page: page(),
            },
        )
    }

    async fn create(&self, r: Request<v1::CreateNodeRequest>) -> Reply<v1::CreateNodeResponse> {
        let secret = r.get_ref().secret.is_none().then(|| "drawn".to_owned());
        let node = Some(self.node());
        self.reply(&r, v1::CreateNodeResponse { node, secret })
    }

    async fn get(&self, r: Request<v1::GetNodeRequest>) -> Reply<v1::Node> {
        self.reply(&r, self.node())
    }

    async fn update(&self, r: Request<v1::UpdateNodeRequest>) -> Reply<v1::UpdateNodeResponse> {
        let node = Some(self.node());
        self.reply(&r, v1::UpdateNodeResponse { node })
    }

    async fn delete(&self, r: Request<v1::DeleteNodeRequest>) -> Reply<v1::DeleteNodeResponse> {
        self.reply(&r, v1::DeleteNodeResponse { peer_count: 3 })
    }

    async fn enable(&self, r: Request<v1::EnableNodeRequest>) -> Reply<v1::Node> {
        self.reply(&r, self.node())
    }

    async fn disable(&self, r: Request<v1::DisableNodeRequest>) -> Reply<v1::Node> {
        self.reply(&r, self.node())
    }

    async fn test(&self, r: Request<v1::TestNodeRequest>) -> Reply<v1::TestNodeResponse> {
        let answer = v1::TestNodeResponse {
            reason: "the agent refused the signature: wrong secret".into(),
            reachable: true,
            ..Default::default()
        };
        self.reply(&r, answer)
    }

    async fn plan(&self, r: Request<v1::PlanNodeRequest>) -> Reply<v1::PlanNodeResponse> {
        let keepalive = v1::FieldChange {
            from: String::new(),
            to: "25".into(),
        };
        let change = v1::Change {
            action: v1::ChangeAction::Update.into(),
            public_key: "a".into(),
            fields: [("persistent_keepalive".into(), keepalive)].into(),
            reason: "another peer owns an address".into(),
        };
        let unmanaged = v1::UnmanagedPeer {
            public_key: "b".into(),
            allowed_ips: vec!["10.8.0.9/32".into()],
            persistent_keepalive: 25,
        };
        let answer = v1::PlanNodeResponse {
            hash: "h".into(),
            changes: vec![change],
            unmanaged: vec![unmanaged],
            ..Default::default()
        };
        self.reply(&r, answer)
    }

    async fn sync(&self, r: Request<v1::SyncNodeRequest>) -> Reply<v1::SyncNodeResponse> {
        let answer = v1::SyncNodeResponse {
            sync: Some(pending()),
            desired_generation: 9,
            observed_generation: 8,
        };
        self.reply(&r, answer)
    }

    async fn rotate_secret(
        &self,
        r: Request<v1::RotateNodeSecretRequest>,
    ) -> Reply<v1::RotateNodeSecretResponse> {
        let answer = v1::RotateNodeSecretResponse {
            completed: true,
            node_ids: vec![ID.into()],
            ..Default::default()
        };
        self.reply(&r, answer)
    }
}

#[tonic::async_trait]
impl PeerService for Fake {
    async fn list(&self, r: Request<v1::ListPeersRequest>) -> Reply<v1::ListPeersResponse> {
        let items = vec![self.peer()];
        self.reply(
            &r,
            v1::ListPeersResponse {
                items,
                page: page(),
            },
        )
    }

    async fn create(&self, r: Request<v1::CreatePeerRequest>) -> Reply<v1::CreatePeerResponse> {
        let is_shown = r.get_ref().keep_private_key == Some(false);
        let answer = v1::CreatePeerResponse {
            private_key: is_shown.then(|| "a drawn key".into()),
            peer: Some(self.peer()),
            placement: "node-1: 3 of 100 peers at weight 100".into(),
            ..Default::default()
        };
        self.reply(&r, answer)
    }

    async fn get(&self, r: Request<v1::GetPeerRequest>) -> Reply<v1::Peer> {
        self.reply(&r, self.peer())
    }

    async fn update(&self, r: Request<v1::UpdatePeerRequest>) -> Reply<v1::UpdatePeerResponse> {
        let answer = v1::UpdatePeerResponse {
            peer: Some(self.peer()),
            client_needs_config: true,
            preshared_key: None,
        };
        self.reply(&r, answer)
    }

    async fn delete(&self, r: Request<v1::DeletePeerRequest>) -> Reply<v1::DeletePeerResponse> {
        let sync = Some(pending());
        self.reply(&r, v1::DeletePeerResponse { sync })
    }

    async fn enable(&self, r: Request<v1::EnablePeerRequest>) -> Reply<v1::Peer> {
        self.reply(&r, self.peer())
    }

    async fn disable(&self, r: Request<v1::DisablePeerRequest>) -> Reply<v1::Peer> {
        self.reply(&r, self.peer())
    }

    async fn bulk_create(
        &self,
        r: Request<v1::BulkCreatePeersRequest>,
    ) -> Reply<v1::BulkPeersResponse> {
        let created = v1::CreatePeerResponse {
            peer: Some(self.peer()),
            ..Default::default()
        };
        let refused = v1::Refusal {
            status: tonic::Code::AlreadyExists.into(),
            code: "address_taken".into(),
            message: "taken".into(),
            field: "allowed_ips".into(),
        };
        self.reply(&r, results(Outcome::Created(created), refused))
    }

    async fn bulk_delete(
        &self,
        r: Request<v1::BulkDeletePeersRequest>,
    ) -> Reply<v1::BulkPeersResponse> {
        let refused = v1::Refusal {
            status: tonic::Code::NotFound.into(),
            code: "peer_not_found".into(),
            message: "no such peer".into(),
            field: String::new(),
        };
        self.reply(&r, results(Outcome::Deleted(ID.into()), refused))
    }

    async fn get_config(
        &self,
        r: Request<v1::GetPeerConfigRequest>,
    ) -> Reply<v1::GetPeerConfigResponse> {
        let answer = v1::GetPeerConfigResponse {
            config: "[Interface]\n".into(),
            file_name: "lap\"top\r\n.conf".into(),
            complete: true,
        };
        self.reply(&r, answer)
    }
    async fn get_qr(&self, r: Request<v1::GetPeerQrRequest>) -> Reply<v1::GetPeerQrResponse> {
        let png = r.get_ref().format() == v1::QrFormat::Png;
        let answer = v1::GetPeerQrResponse {
            image: b"an image".into(),
            media_type: if png { "image/png" } else { "image/svg+xml" }.into(),
        };
        self.reply(&r, answer)
    }
}

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

fn results(first: Outcome, second: v1::Refusal) -> v1::BulkPeersResponse {
    let outcomes = [first, Outcome::Refused(second)];
    let result = |outcome| v1::BulkResult {
        outcome: Some(outcome),
    };
    v1::BulkPeersResponse {
        results: outcomes.map(result).into(),
        succeeded: 1,
        failed: 1,
    }
}

fn token() -> v1::Token {
    v1::Token {
        id: ID.into(),
        name: "ci".into(),
        role: v1::TokenRole::Operator.into(),
        label_scope: [("team".into(), "red".into())].into(),
        expires_at: Some(1_772_366_400),
        revoked_at: None,
        created_at: 1_772_366_400,
        last_used_at: Some(1_772_366_460),
    }
}

#[tonic::async_trait]
impl TokenService for Fake {
    async fn list(&self, r: Request<v1::ListTokensRequest>) -> Reply<v1::ListTokensResponse> {
        let mut token = token();
        token.name = self.called(&token.name);
        let items = vec![token];
        let page = page();
        self.reply(&r, v1::ListTokensResponse { items, page })
    }

    async fn create(&self, r: Request<v1::CreateTokenRequest>) -> Reply<v1::CreateTokenResponse> {
        let answer = v1::CreateTokenResponse {
            token: Some(token()),
            text: "wgf_drawn".into(),
        };
        self.reply(&r, answer)
    }

    async fn revoke(&self, r: Request<v1::RevokeTokenRequest>) -> Reply<v1::Token> {
        let mut token = token();
        token.revoked_at = Some(1_772_366_401);
        self.reply(&r, token)
    }

    /// Lets in who shows a token. Noted is only who asks for no more than that.
    async fn who_am_i(&self, r: Request<v1::WhoAmIRequest>) -> Reply<v1::Token> {
        if !r.metadata().contains_key("authorization") {
            let status = Status::unauthenticated("a valid token is needed");
            return Err(status);
        }
        if let Some(status) = self.closed.clone() {
            return Err(status);
        }
        let mut token = token();
        token.name = self.called(&token.name);
        if let Some(role) = self.role {
            token.set_role(role);
            token.label_scope.clear();
        }
        if r.metadata().contains_key("x-wgfleet-counted") {
            return self.reply(&r, token);
        }
        Ok(Response::new(token))
    }
}

#[tonic::async_trait]
impl AuditService for Fake {
    async fn list(&self, r: Request<v1::ListAuditRequest>) -> Reply<v1::ListAuditResponse> {
        let entry = v1::AuditEntry {
            id: 9,
            at: 1_772_366_400,
            actor: self.called("ci"),
            source: "192.0.2.7".into(),
            action: "peer.update".into(),
            object_kind: "peer".into(),
            object_id: ID.into(),
            before: String::new(),
            after: "{\"enabled\":false}".into(),
        };
        let answer = v1::ListAuditResponse {
            items: vec![entry],
            page: page(),
        };
        self.reply(&r, answer)
    }
}

#[tonic::async_trait]
impl EventService for Fake {
    type WatchStream = futures_util::stream::Iter<std::vec::IntoIter<Result<v1::Event, Status>>>;

    async fn watch(
        &self,
        request: Request<v1::WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let deleted = v1::PeerDeleted {
            peer_id: ID.into(),
            node_id: ID.into(),
            public_key: "a key".into(),
        };
        let events = vec![
            Ok(v1::Event {
                id: "6".into(),
                ..Default::default()
            }),
            Ok(v1::Event {
                id: "7".into(),
                occurred_at: 1_772_366_400,
                name: "peer.deleted".into(),
                kind: Some(v1::event::Kind::PeerDeleted(deleted)),
            }),
            Err(crate::services::status::refuse(
                tonic::Code::ResourceExhausted,
                "too_slow",
                None,
                "too slow",
            )),
        ];
        self.reply(&request, futures_util::stream::iter(events))
    }
}

fn webhook() -> v1::Webhook {
    v1::Webhook {
        id: ID.into(),
        name: "billing".into(),
        url: "https://example.com/hook".into(),
        enabled: true,
        last_delivery: Some(delivery()),
        created_at: 1_772_366_400,
        updated_at: 1_772_366_400,
        ..Default::default()
    }
}

fn delivery() -> v1::WebhookDelivery {
    v1::WebhookDelivery {
        delivery_id: "d-7".into(),
        event_id: "7".into(),
        kind: "peer.created".into(),
        at: 1_772_366_400,
        attempt: 2,
        outcome: v1::DeliveryOutcome::GivenUp.into(),
        http_status: Some(500),
        latency_ms: 12,
        error: "it answered 500".into(),
    }
}

#[tonic::async_trait]
impl WebhookService for Fake {
    async fn list(
        &self,
        request: Request<v1::ListWebhooksRequest>,
    ) -> Result<Response<v1::ListWebhooksResponse>, Status> {
        let mut webhook = webhook();
        webhook.name = self.called(&webhook.name);
        let items = vec![webhook];
        self.reply(&request, v1::ListWebhooksResponse { items })
    }

    async fn create(
        &self,
        request: Request<v1::CreateWebhookRequest>,
    ) -> Result<Response<v1::CreateWebhookResponse>, Status> {
        let answer = v1::CreateWebhookResponse {
            webhook: Some(webhook()),
            secret: Some("shown once".into()),
        };
        self.reply(&request, answer)
    }

    async fn get(
        &self,
        request: Request<v1::GetWebhookRequest>,
    ) -> Result<Response<v1::Webhook>, Status> {
        let mut webhook = webhook();
        webhook.name = self.called(&webhook.name);
        self.reply(&request, webhook)
    }

    async fn update(
        &self,
        request: Request<v1::UpdateWebhookRequest>,
    ) -> Result<Response<v1::Webhook>, Status> {
        self.reply(&request, webhook())
    }

    async fn delete(
        &self,
        request: Request<v1::DeleteWebhookRequest>,
    ) -> Result<Response<v1::DeleteWebhookResponse>, Status> {
        self.reply(&request, v1::DeleteWebhookResponse {})
    }

    async fn test(
        &self,
        request: Request<v1::TestWebhookRequest>,
    ) -> Result<Response<v1::WebhookDelivery>, Status> {
        self.reply(&request, delivery())
    }

    async fn list_deliveries(
        &self,
        request: Request<v1::ListWebhookDeliveriesRequest>,
    ) -> Result<Response<v1::ListWebhookDeliveriesResponse>, Status> {
        let answer = v1::ListWebhookDeliveriesResponse {
            items: vec![delivery()],
            page: Some(v1::PageInfo {
                next_cursor: "41".into(),
                total: 3,
            }),
        };
        self.reply(&request, answer)
    }
}
