//! The whole router without sockets, over services that answer what a test tells them to.

mod access;
mod backup;
mod events;
mod fake;
mod history;
mod inputs;
mod nodes;
mod pages;
mod peers;
mod problems;
mod server;
mod tokens;
mod versions;
mod webhooks;

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Method, Request, StatusCode},
};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

pub(super) use self::fake::Fake;
use super::{Readiness, Source, router};

const ID: &str = "0198f0c5-0000-7000-8000-000000000001";

/// The router over `fake`.
fn over(fake: &Fake) -> Router {
    over_with(fake, super::PageOptions { secure: false })
}

fn over_with(fake: &Fake, pages: super::PageOptions) -> Router {
    use wgfleet_proto::v1::{
        audit_service_server::AuditServiceServer, backup_service_server::BackupServiceServer,
        event_service_server::EventServiceServer, history_service_server::HistoryServiceServer,
        node_service_server::NodeServiceServer, peer_service_server::PeerServiceServer,
        token_service_server::TokenServiceServer, webhook_service_server::WebhookServiceServer,
    };
    let ready = fake.ready;
    router(
        NodeServiceServer::new(fake.clone()),
        PeerServiceServer::new(fake.clone()),
        (
            TokenServiceServer::new(fake.clone()),
            AuditServiceServer::new(fake.clone()),
        ),
        (
            EventServiceServer::new(fake.clone()),
            WebhookServiceServer::new(fake.clone()),
        ),
        (
            HistoryServiceServer::new(fake.clone()),
            BackupServiceServer::new(fake.clone()),
        ),
        (
            Readiness::new(move || async move { ready }),
            crate::metrics::Metrics::new(),
        ),
        pages,
    )
}

/// What came back.
pub(super) struct Answered {
    pub(super) status: StatusCode,
    headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Answered {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| {
            panic!("{error}: {}", String::from_utf8_lossy(&self.body));
        })
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .get(name)
            .map(|value| value.to_str().expect("ASCII"))
    }

    /// Status, code and field of a problem, after a look at its form.
    fn problem(&self) -> (u16, String, Option<String>) {
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json")
        );
        let json = self.json();
        let text = |name: &str| json[name].as_str().map(ToOwned::to_owned);
        let code = text("code").expect("a code");
        assert_eq!(json["status"], json!(self.status.as_u16()));
        assert_eq!(text("type"), Some(format!("urn:wgfleet:problem:{code}")));
        assert!(text("title").is_some_and(|title| !title.is_empty()));
        assert!(text("detail").is_some_and(|detail| !detail.is_empty()));
        assert_eq!(text("request_id").as_deref(), self.header("x-request-id"));
        (self.status.as_u16(), code, text("field"))
    }
}

fn request(method: Method, target: &str) -> axum::http::request::Builder {
    Request::builder()
        .method(method)
        .uri(target)
        .header("authorization", "Bearer secret-token")
        .extension(Source([192, 0, 2, 7].into()))
}

pub(super) async fn answer(fake: &Fake, request: Request<Body>) -> Answered {
    let response = over(fake).oneshot(request).await.expect("infallible");
    let (head, body) = response.into_parts();
    let body = body.collect().await.expect("a body").to_bytes().to_vec();
    Answered {
        status: head.status,
        headers: head.headers,
        body,
    }
}

pub(super) async fn send(fake: &Fake, method: Method, target: &str) -> Answered {
    let request = request(method, target).body(Body::empty());
    answer(fake, request.expect("a request")).await
}

async fn send_text(fake: &Fake, method: Method, target: &str, body: &str) -> Answered {
    let request = request(method, target).body(Body::from(body.to_owned()));
    answer(fake, request.expect("a request")).await
}

async fn send_json(fake: &Fake, method: Method, target: &str, body: Value) -> Answered {
    send_text(fake, method, target, &body.to_string()).await
}
