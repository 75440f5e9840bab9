//! How requests are refused, named and handed on.

use axum::{
    body::Body,
    http::{Method, Request, StatusCode},
};
use serde_json::json;
use tonic::{Code, Status};

use super::{Fake, ID, answer, request, send};

fn status(code: Code, named: Option<&str>, field: Option<&str>) -> Status {
    let mut status = Status::new(code, "one sentence");
    for (key, value) in [("wgfleet-code", named), ("wgfleet-field", field)] {
        if let Some(value) = value {
            status
                .metadata_mut()
                .insert(key, value.parse().expect("ASCII"));
        }
    }
    status
}

#[tokio::test]
async fn every_code_has_its_status() {
    for (code, expected) in [
        (Code::InvalidArgument, 400),
        (Code::OutOfRange, 400),
        (Code::Unauthenticated, 401),
        (Code::PermissionDenied, 403),
        (Code::NotFound, 404),
        (Code::AlreadyExists, 409),
        (Code::FailedPrecondition, 409),
        (Code::Aborted, 409),
        (Code::ResourceExhausted, 409),
        (Code::Unavailable, 503),
        (Code::DeadlineExceeded, 504),
    ] {
        let fake = Fake::refusing(status(code, Some("a_code"), Some("a_field")));
        let answer = send(&fake, Method::GET, "/api/v1/nodes").await;
        let expected = (expected, "a_code".into(), Some("a_field".into()));
        assert_eq!(answer.problem(), expected, "{code:?}");
        assert_eq!(answer.json()["detail"], "one sentence");
        assert_eq!(answer.json()["title"], "A code");
        let unauthenticated = code == Code::Unauthenticated;
        let challenge = answer.header("www-authenticate");
        assert_eq!(challenge, unauthenticated.then_some("Bearer"));
        let retry = answer.header("retry-after").is_some();
        assert_eq!(retry, code == Code::Unavailable);

        let fake = Fake::refusing(status(code, None, None));
        let (_, named, field) = send(&fake, Method::GET, "/api/v1/nodes").await.problem();
        assert!(!named.is_empty() && field.is_none());
    }
}

#[tokio::test]
async fn what_failed_inside_stays_inside() {
    for code in [
        Code::Internal,
        Code::Unknown,
        Code::DataLoss,
        Code::Unimplemented,
    ] {
        let fake = Fake::refusing(status(code, Some("secret_code"), None));
        let answer = send(&fake, Method::GET, "/api/v1/peers").await;
        assert_eq!(answer.problem(), (500, "internal".into(), None));
        assert!(!answer.json()["detail"].to_string().contains("one sentence"));
    }
}

#[tokio::test]
async fn without_a_token_nothing_is_asked() {
    let fake = Fake::new();
    for (method, target) in [
        (Method::GET, "/api/v1/nodes"),
        (Method::POST, "/api/v1/nodes"),
        (Method::GET, "/api/v1/peers/x/config"),
        (Method::DELETE, "/api/v1/peers/x"),
    ] {
        let bare = Request::builder()
            .method(method)
            .uri(target)
            .body(Body::empty());
        let answer = answer(&fake, bare.expect("a request")).await;
        assert_eq!(answer.problem(), (401, "unauthenticated".into(), None));
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    }
    let doubled = request(Method::GET, "/api/v1/nodes").header("authorization", "Bearer other");
    let doubled = doubled.body(Body::empty()).expect("a request");
    assert_eq!(answer(&fake, doubled).await.problem().0, 401);
    let garbled = Request::get("/api/v1/nodes").header("authorization", &b"Bearer \xff"[..]);
    let garbled = garbled.body(Body::empty()).expect("a request");
    assert_eq!(answer(&fake, garbled).await.problem().0, 401);
    assert_eq!(fake.calls(), 0);
}

#[tokio::test]
async fn the_caller_is_handed_on() {
    let fake = Fake::new();
    let request = request(Method::GET, "/api/v1/nodes")
        .header("x-request-id", "mine-1")
        .header("x-wgfleet-source", "198.51.100.1")
        .header("x-forwarded-for", "198.51.100.1")
        .body(Body::empty());
    let answer = answer(&fake, request.expect("a request")).await;
    assert_eq!(answer.header("x-request-id"), Some("mine-1"));
    let (_, metadata) = fake.last_with_metadata();
    let found = |key: &str| metadata.get(key).and_then(|value| value.to_str().ok());
    assert_eq!(found("authorization"), Some("Bearer secret-token"));
    assert_eq!(found("x-wgfleet-source"), Some("192.0.2.7"));
    assert_eq!(found("x-request-id"), Some("mine-1"));
    assert!(
        !format!("{metadata:?}").contains("secret-token"),
        "not for logs"
    );
}

#[tokio::test]
async fn request_ids_unfit_for_a_log_are_replaced() {
    let long = "a".repeat(129);
    for id in ["", "a b", "a\"b", "\u{e4}", long.as_str()] {
        let request = Request::get("/healthz").header("x-request-id", id.as_bytes());
        let answer = answer(&Fake::new(), request.body(Body::empty()).expect("one")).await;
        let given = answer.header("x-request-id").expect("an id");
        assert!(given != id && given.len() == 36, "{id:?} became {given:?}");
    }
}

#[tokio::test]
async fn unknown_routes_and_methods() {
    let fake = Fake::new();
    for target in [
        "/nothing",
        "/api/v1",
        "/api/v1/",
        "/api/v2/nodes",
        "/api/v1/nodes/",
        "//",
    ] {
        let answer = send(&fake, Method::GET, target).await;
        let (status, code, _) = answer.problem();
        assert_eq!(status, 404, "{target}");
        assert!(code.ends_with("_not_found"), "{target}: {code}");
    }
    let answer = send(&fake, Method::PUT, &format!("/api/v1/nodes/{ID}")).await;
    assert_eq!(answer.problem(), (405, "method_not_allowed".into(), None));
    let allow = answer.header("allow").expect("the methods there are");
    for method in ["GET", "PATCH", "DELETE"] {
        assert!(allow.contains(method), "{allow}");
    }
    let answer = send(&fake, Method::GET, "/api/v1/nodes/test").await;
    assert_eq!(answer.problem().0, 405);
}

#[tokio::test]
async fn health_needs_no_token() {
    let mut fake = Fake::new();
    for target in ["/healthz", "/readyz"] {
        let bare = Request::get(target).body(Body::empty()).expect("a request");
        assert_eq!(answer(&fake, bare).await.status, StatusCode::OK);
    }
    fake.ready = false;
    let answer = send(&fake, Method::GET, "/readyz").await;
    assert_eq!(answer.problem(), (503, "not_ready".into(), None));
    assert!(answer.header("retry-after").is_some());
    let answer = send(&fake, Method::GET, "/healthz").await;
    assert_eq!(answer.json(), json!({"status": "ok"}));
}
