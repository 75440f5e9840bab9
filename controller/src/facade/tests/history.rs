//! Histories, the overview and QR codes.

use axum::{
    body::Body,
    http::{Method, StatusCode},
};
use serde_json::json;

use super::{Fake, ID, answer, request, send};

#[tokio::test]
async fn a_node_with_its_changes_of_status() {
    let fake = Fake::new();
    let target = format!(
        "/api/v1/nodes/{ID}/history?from=2026-03-01T12:00:00Z&to=2026-03-01T13:00:00Z&step=10s"
    );
    let answer = send(&fake, Method::GET, &target).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(
        answer.json(),
        json!({
            "from": "2026-03-01T12:00:00Z", "to": "2026-03-01T13:00:00Z", "step_s": 10,
            "points": [{
                "at": "2026-03-01T12:00:00Z", "rx_bytes": 5, "tx_bytes": 7, "online_permille": 990,
            }],
            "status_changes": [{
                "at": "2026-03-01T12:00:00Z", "status": "offline", "reason": "connection refused",
            }],
        })
    );
    let message = fake.last();
    for part in [
        ID,
        "from: Some(1772366400)",
        "to: Some(1772370000)",
        "step_s: 10 ",
    ] {
        assert!(message.contains(part), "{part} in {message}");
    }
}

#[tokio::test]
async fn a_peer_over_what_is_left_to_the_service() {
    let fake = Fake::new();
    let target = format!("/api/v1/peers/{ID}/history");
    let answer = send(&fake, Method::GET, &target).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.json()["step_s"], 300);
    assert!(fake.last().contains("from: None, to: None, step_s: 0"));
    let wrong = send(&fake, Method::GET, &format!("{target}?step=7s")).await;
    assert_eq!(
        wrong.problem(),
        (400, "invalid_field".into(), Some("step".into()))
    );
    assert_eq!(fake.calls(), 1);
}

#[tokio::test]
async fn all_nodes_together() {
    let fake = Fake::new();
    let target = "/api/v1/overview/history?step=1m";
    let answer = send(&fake, Method::GET, target).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(
        answer.json(),
        json!({
            "from": "2026-03-01T12:00:00Z", "to": "2026-03-01T13:00:00Z", "step_s": 60,
            "points": [{
                "at": "2026-03-01T12:00:00Z", "rx_bytes": 5, "tx_bytes": 7, "online_permille": 990,
            }],
        })
    );
    assert!(fake.last().contains("step_s: 60"), "{}", fake.last());
}

#[tokio::test]
async fn the_overview() {
    let fake = Fake::new();
    let answer = send(&fake, Method::GET, "/api/v1/overview").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(
        answer.json(),
        json!({
            "version": "1.2.3", "uptime_s": 0,
            "nodes": {"online": 0, "offline": 0, "error": 1, "disabled": 0},
            "peers": {"total": 7, "online": 0, "applied": 0, "pending": 0, "failed": 0},
            "rx_bytes_per_s": 0, "tx_bytes_per_s": 0,
            "top_talkers": [{
                "peer_id": ID, "name": "laptop", "node_id": ID, "rx_bytes_per_s": 1,
                "tx_bytes_per_s": 2,
            }],
            "troubled_nodes": [{
                "node_id": ID, "name": "node-1", "status": "error", "reason": "wrong secret",
                "pending": 3, "failed": 0,
            }],
            "troubled_nodes_total": 1,
            "recent_events": [{
                "id": "7", "kind": "peer.expired", "occurred_at": "2026-03-01T12:00:00Z",
                "peer_id": ID, "node_id": ID,
            }],
        })
    );
}

#[tokio::test]
async fn a_qr_code_in_the_form_that_is_wanted() {
    let fake = Fake::new();
    let target = format!("/api/v1/peers/{ID}/qr");
    for (accept, query, media_type) in [
        ("*/*", "", "image/svg+xml"),
        ("image/png", "", "image/png"),
        ("text/html, IMAGE/PNG;q=0.8", "", "image/png"),
        (
            "image/avif,image/png,image/svg+xml,*/*",
            "",
            "image/svg+xml",
        ),
        ("image/png", "?format=svg", "image/svg+xml"),
        ("*/*", "?format=png", "image/png"),
    ] {
        let asked = request(Method::GET, &format!("{target}{query}")).header("accept", accept);
        let got = answer(&fake, asked.body(Body::empty()).expect("a request")).await;
        assert_eq!(got.status, StatusCode::OK);
        assert_eq!(
            got.header("content-type"),
            Some(media_type),
            "{accept} {query}"
        );
        assert_eq!(got.header("cache-control"), Some("no-store"));
        assert_eq!(got.body, b"an image");
    }
    let wrong = send(&fake, Method::GET, &format!("{target}?format=gif")).await;
    assert_eq!(
        wrong.problem(),
        (400, "invalid_field".into(), Some("format".into()))
    );
}
