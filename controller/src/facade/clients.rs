//! The generated clients, straight on the generated servers: no transport, 3 to 5 µs a call.

use std::convert::Infallible;

use axum::http::{Request, Response};
use tonic::{body::Body, codegen::Service};
use tower::util::BoxCloneSyncService;
use wgfleet_proto::v1::{
    audit_service_client::AuditServiceClient,
    audit_service_server::{AuditService, AuditServiceServer},
    backup_service_client::BackupServiceClient,
    backup_service_server::{BackupService, BackupServiceServer},
    event_service_client::EventServiceClient,
    event_service_server::{EventService, EventServiceServer},
    history_service_client::HistoryServiceClient,
    history_service_server::{HistoryService, HistoryServiceServer},
    node_service_client::NodeServiceClient,
    node_service_server::{NodeService, NodeServiceServer},
    peer_service_client::PeerServiceClient,
    peer_service_server::{PeerService, PeerServiceServer},
    token_service_client::TokenServiceClient,
    token_service_server::{TokenService, TokenServiceServer},
    webhook_service_client::WebhookServiceClient,
    webhook_service_server::{WebhookService, WebhookServiceServer},
};

type InProcess = BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>;
pub(super) type History = HistoryServiceClient<InProcess>;
pub(super) type Nodes = NodeServiceClient<InProcess>;
pub(super) type Events = EventServiceClient<InProcess>;
pub(super) type Webhooks = WebhookServiceClient<InProcess>;
pub(super) type Peers = PeerServiceClient<InProcess>;
pub(super) type Tokens = TokenServiceClient<InProcess>;
pub(super) type Audit = AuditServiceClient<InProcess>;
pub(super) type Backup = BackupServiceClient<InProcess>;

/// A page of a thousand peers with a hundred addresses each is larger than tonic's own 4 MiB, and
/// nothing here comes from outside.
const MAX_MESSAGE_BYTES: usize = 64 << 20;

pub(super) fn history(server: HistoryServiceServer<impl HistoryService>) -> History {
    HistoryServiceClient::new(boxed(server)).max_decoding_message_size(MAX_MESSAGE_BYTES)
}

pub(super) fn nodes(server: NodeServiceServer<impl NodeService>) -> Nodes {
    NodeServiceClient::new(boxed(server)).max_decoding_message_size(MAX_MESSAGE_BYTES)
}

pub(super) fn peers(server: PeerServiceServer<impl PeerService>) -> Peers {
    PeerServiceClient::new(boxed(server)).max_decoding_message_size(MAX_MESSAGE_BYTES)
}

pub(super) fn tokens(server: TokenServiceServer<impl TokenService>) -> Tokens {
    TokenServiceClient::new(boxed(server)).max_decoding_message_size(MAX_MESSAGE_BYTES)
}

pub(super) fn audit(server: AuditServiceServer<impl AuditService>) -> Audit {
    AuditServiceClient::new(boxed(server)).max_decoding_message_size(MAX_MESSAGE_BYTES)
}

pub(super) fn events(server: EventServiceServer<impl EventService>) -> Events {
    EventServiceClient::new(boxed(server)).max_decoding_message_size(MAX_MESSAGE_BYTES)
}

pub(super) fn webhooks(server: WebhookServiceServer<impl WebhookService>) -> Webhooks {
    WebhookServiceClient::new(boxed(server)).max_decoding_message_size(MAX_MESSAGE_BYTES)
}

pub(super) fn backup(server: BackupServiceServer<impl BackupService>) -> Backup {
    BackupServiceClient::new(boxed(server))
}

fn boxed<S>(server: S) -> InProcess
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send + 'static,
{
    BoxCloneSyncService::new(server)
}
