//! Headers that make a request conditional, or safe to send again.

use axum::{
    body::Body,
    http::{Method, Request, StatusCode},
};
use serde_json::json;
use tonic::{Code, Status};

use super::{Answered, Fake, ID, answer, send, send_json};
use crate::services::status::refuse;

async fn with(fake: &Fake, method: Method, path: &str, headers: &[(&str, &str)]) -> Answered {
    let mut request = Request::builder()
        .method(method.clone())
        .uri(format!("/api/v1/{path}"))
        .header("authorization", "Bearer token");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = match method {
        Method::PATCH | Method::POST => Body::from(r#"{"name": "laptop"}"#),
        _ => Body::empty(),
    };
    answer(fake, request.body(body).expect("a request")).await
}

#[tokio::test]
async fn what_has_a_version_says_which() {
    let fake = Fake::new();
    for path in [format!("peers/{ID}"), format!("nodes/{ID}")] {
        let answer = send(&fake, Method::GET, &format!("/api/v1/{path}")).await;
        assert_eq!(answer.header("etag"), Some("\"v1\""), "{path}");
        assert_eq!(answer.json()["etag"], "v1");
        let answer = with(&fake, Method::PATCH, &path, &[]).await;
        assert_eq!(answer.header("etag"), Some("\"v1\""), "{path}");
    }
    let answer = with(&fake, Method::POST, "peers", &[]).await;
    assert_eq!(answer.header("etag"), Some("\"v1\""));
}

#[tokio::test]
async fn if_match_reaches_the_service() {
    let fake = Fake::new();
    for (header, expected) in [
        ("\"a\", \"b\"", "if_match: [\"a\", \"b\"]"),
        ("*", "if_match: [\"*\"]"),
        ("plain", "if_match: [\"plain\"]"),
        ("W/\"a\"", "if_match: [\"W/\\\"a\\\"\"]"),
    ] {
        for (method, path) in [
            (Method::PATCH, format!("peers/{ID}")),
            (Method::DELETE, format!("nodes/{ID}")),
        ] {
            let answer = with(&fake, method, &path, &[("if-match", header)]).await;
            assert_eq!(answer.status, StatusCode::OK);
            assert!(
                fake.last().contains(expected),
                "{} for {header}",
                fake.last()
            );
        }
    }
    let answer = with(
        &fake,
        Method::PATCH,
        &format!("peers/{ID}"),
        &[("if-match", "\"a")],
    )
    .await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn refusals_have_the_status_that_is_theirs() {
    for (code, status) in [
        ("etag_mismatch", StatusCode::PRECONDITION_FAILED),
        ("idempotency_key_reused", StatusCode::UNPROCESSABLE_ENTITY),
        ("plan_changed", StatusCode::CONFLICT),
    ] {
        let fake = Fake::refusing(refuse(Code::FailedPrecondition, code, None, "no"));
        let answer = with(&fake, Method::POST, "peers", &[]).await;
        assert_eq!(
            (answer.status, &answer.json()["code"]),
            (status, &json!(code))
        );
    }
    let fake = Fake::refusing(Status::aborted("later"));
    let answer = with(&fake, Method::POST, "peers", &[]).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn an_idempotency_key_goes_with_a_post_only() {
    let fake = Fake::new();
    let key = [("idempotency-key", "abc")];
    with(&fake, Method::POST, "peers", &key).await;
    let (_, metadata) = fake.last_with_metadata();
    assert_eq!(metadata.get("idempotency-key").expect("the key"), "abc");
    with(&fake, Method::PATCH, &format!("peers/{ID}"), &key).await;
    let (_, metadata) = fake.last_with_metadata();
    assert!(metadata.get("idempotency-key").is_none());
    let calls = fake.calls();
    let two = [("idempotency-key", "a"), ("idempotency-key", "b")];
    let answer = with(&fake, Method::POST, "peers", &two).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        fake.calls(),
        calls,
        "which one is meant is nobody's to guess"
    );
}

#[tokio::test]
async fn many_at_once_have_one_result_each() {
    let fake = Fake::new();
    let body = json!({"peers": [{"name": "a"}, {"name": "b"}]});
    let answer = send_json(&fake, Method::POST, "/api/v1/peers/bulk/create", body).await;
    assert_eq!(answer.status, StatusCode::OK);
    let json = answer.json();
    assert_eq!(
        (&json["succeeded"], &json["failed"]),
        (&json!(1), &json!(1))
    );
    let results = &json["results"];
    assert_eq!(
        (&results[0]["status"], &results[0]["peer"]["id"]),
        (&json!(201), &json!(ID))
    );
    assert_eq!(
        results[1],
        json!({"status": 409, "problem": {
            "code": "address_taken", "detail": "taken", "field": "allowed_ips"}})
    );
    let body = json!({"ids": [ID, "x"]});
    let answer = send_json(&fake, Method::POST, "/api/v1/peers/bulk/delete", body).await;
    let results = &answer.json()["results"];
    assert_eq!(results[0], json!({"status": 200, "id": ID}));
    assert_eq!(results[1]["status"], 404);
    let body = json!({"peers": [{"name": "a"}, {}]});
    let answer = send_json(&fake, Method::POST, "/api/v1/peers/bulk/create", body).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(answer.json()["field"], "peers[1].name");
}
