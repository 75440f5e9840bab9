//! Who may come in is asked first.

use std::time::Duration;

use axum::{
    body::Body,
    http::{Method, Request},
};
use tonic::{Code, Status};

use super::{Fake, ID, answer, request, send, send_text};
use crate::{
    facade::BodyLimits,
    services::status::{rate_limited, refuse, retry_after},
};

fn closed(status: Status) -> Fake {
    Fake {
        closed: Some(status),
        ..Fake::new()
    }
}

const MALFORMED: [(Method, &str); 6] = [
    (Method::POST, "/api/v1/nodes"),
    (Method::POST, "/api/v1/peers"),
    (Method::PATCH, "/api/v1/peers/not-an-id"),
    (Method::POST, "/api/v1/tokens"),
    (Method::DELETE, "/api/v1/tokens/not-an-id"),
    (Method::GET, "/api/v1/audit?limit=none"),
];

#[tokio::test]
async fn before_a_body_is_looked_at() {
    for (code, named, status) in [
        (Code::Unauthenticated, "unauthenticated", 401),
        (Code::PermissionDenied, "forbidden", 403),
    ] {
        for (method, target) in MALFORMED {
            let fake = closed(refuse(code, named, None, "no"));
            let answer = send_text(&fake, method, target, "{ not json").await;
            assert_eq!(answer.problem(), (status, named.into(), None), "{target}");
            assert_eq!(fake.calls(), 0);
        }
        let fake = closed(refuse(code, named, None, "no"));
        let answer = send(&fake, Method::GET, "/api/v1/nowhere").await;
        assert_eq!(answer.problem(), (404, "route_not_found".into(), None));
    }
    for (method, target) in MALFORMED {
        let answer = send_text(&Fake::new(), method, target, "{ not json").await;
        let (status, ..) = answer.problem();
        assert!(status == 400 || status == 404, "{target}: {status}");
    }
}

#[tokio::test]
async fn what_is_asked_for_one_request_is_counted_once() {
    let fake = Fake::new();
    // Nobody marks a request from outside.
    let given = request(Method::GET, "/api/v1/nodes").header("x-wgfleet-counted", "no");
    answer(&fake, given.body(Body::empty()).expect("a request")).await;
    let (_, metadata) = fake.last_with_metadata();
    assert_eq!(metadata.get("x-wgfleet-counted").expect("marked"), "yes");
}

#[tokio::test]
async fn a_refusal_says_when_to_come_back() {
    let fake = closed(rate_limited("too many", 7));
    let answer = send(&fake, Method::GET, "/api/v1/nodes").await;
    assert_eq!(answer.problem(), (429, "rate_limited".into(), None));
    assert_eq!(answer.header("retry-after"), Some("7"));

    let busy = refuse(Code::Unavailable, "overloaded", None, "busy");
    let fake = Fake::refusing(retry_after(busy, 1));
    let answer = send(&fake, Method::GET, &format!("/api/v1/nodes/{ID}")).await;
    assert_eq!(answer.problem(), (503, "overloaded".into(), None));
    assert_eq!(answer.header("retry-after"), Some("1"));
}

#[tokio::test]
async fn bodies_are_bounded_as_the_server_says() {
    let limits = BodyLimits {
        max_bytes: 16,
        timeout: Duration::from_secs(10),
    };
    let body = "{\"name\": \"longer than sixteen\"}";
    let given: Request<Body> = request(Method::POST, "/api/v1/peers")
        .extension(limits)
        .body(Body::from(body))
        .expect("a request");
    let answer = answer(&Fake::new(), given).await;
    assert_eq!(answer.problem(), (413, "body_too_large".into(), None));
}
