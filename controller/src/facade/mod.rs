//! HTTP and JSON to gRPC and back, and nothing else.
//!
//! Routes under `/api/v1` turn a request into a message for one of the services and its answer into
//! JSON. The facade decides nothing and keeps nothing: it knows no store, holds no token and hands
//! every caller's token on. What it refuses by itself are requests that can't be a message: a field
//! nobody knows, a wrong type, an id that is none; and before any of that a service is asked whether
//! the caller may come in at all. All other routes are [`pages`], for people.
//!
//! Read first: [`router`], then `nodes` for how a route looks and `problem` for how one refuses.

mod access;
mod audit;
mod backup;
mod caller;
mod clients;
mod connections;
mod events;
mod health;
mod history;
mod input;
mod latency;
mod nodes;
mod openapi;
mod pages;
mod peers;
mod problem;
mod qr;
mod query;
mod request_id;
mod server;
mod shape;
mod stall;
#[cfg(test)]
mod tests;
mod time;
mod tls;
mod tokens;
mod webhooks;

use std::sync::Arc;

use axum::{
    Router,
    extract::Request,
    http::StatusCode,
    middleware,
    response::{IntoResponse, Response},
};
use wgfleet_proto::v1::{
    audit_service_server::{AuditService, AuditServiceServer},
    backup_service_server::{BackupService, BackupServiceServer},
    event_service_server::{EventService, EventServiceServer},
    history_service_server::{HistoryService, HistoryServiceServer},
    node_service_server::{NodeService, NodeServiceServer},
    peer_service_server::{PeerService, PeerServiceServer},
    token_service_server::{TokenService, TokenServiceServer},
    webhook_service_server::{WebhookService, WebhookServiceServer},
};

pub use caller::{SOURCE_KEY, Source};
pub use events::event_json;
pub use health::Readiness;
use problem::Problem;

use crate::metrics::Metrics;
pub use input::BodyLimits;
pub use pages::PageOptions;
pub use server::{BindError, DRAIN, Listener, Server, ServerLimits};
pub use tls::{TlsError, TlsFiles};

type Answer<T> = Result<T, Problem>;

/// What handlers work with. Cheap to clone.
#[derive(Clone)]
struct Facade {
    nodes: clients::Nodes,
    peers: clients::Peers,
    tokens: clients::Tokens,
    audit: clients::Audit,
    events: clients::Events,
    webhooks: clients::Webhooks,
    history: clients::History,
    backup: clients::Backup,
    ready: Readiness,
    sessions: Arc<pages::Sessions>,
}

/// All routes, over these services.
pub fn router(
    nodes: NodeServiceServer<impl NodeService>,
    peers: PeerServiceServer<impl PeerService>,
    (tokens, audit): (
        TokenServiceServer<impl TokenService>,
        AuditServiceServer<impl AuditService>,
    ),
    (events, webhooks): (
        EventServiceServer<impl EventService>,
        WebhookServiceServer<impl WebhookService>,
    ),
    (history, backup): (
        HistoryServiceServer<impl HistoryService>,
        BackupServiceServer<impl BackupService>,
    ),
    (ready, metrics): (Readiness, Metrics),
    pages: PageOptions,
) -> Router {
    let facade = Facade {
        nodes: clients::nodes(nodes),
        peers: clients::peers(peers),
        tokens: clients::tokens(tokens),
        audit: clients::audit(audit),
        events: clients::events(events),
        webhooks: clients::webhooks(webhooks),
        history: clients::history(history),
        backup: clients::backup(backup),
        ready,
        sessions: Arc::new(pages::Sessions::new(pages)),
    };
    let api = nodes::routes()
        .merge(peers::routes())
        .merge(tokens::routes())
        .merge(audit::routes())
        .merge(events::routes())
        .merge(webhooks::routes())
        .merge(qr::routes())
        .merge(history::routes())
        .merge(backup::routes())
        .route_layer(middleware::from_fn_with_state(
            facade.clone(),
            access::check,
        ));
    Router::new()
        .nest(access::PREFIX, api)
        .merge(health::routes())
        .merge(openapi::routes())
        .merge(pages::routes(&facade))
        .route_layer(middleware::from_fn(latency::name_route))
        .fallback(no_such_route)
        .layer(middleware::from_fn_with_state(metrics, latency::measure))
        .layer(middleware::from_fn(request_id::layer))
        .with_state(facade)
}

async fn no_such_route(request: Request) -> Response {
    if !request.uri().path().starts_with("/api/") && pages::wants_html(request.headers()) {
        return pages::not_found(request.extensions().get());
    }
    let detail = "there is nothing here";
    Problem::new(StatusCode::NOT_FOUND, "route_not_found", detail).into_response()
}
