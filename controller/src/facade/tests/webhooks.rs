//! The routes of webhooks.

use axum::http::Method;
use serde_json::json;

use super::{Fake, ID, send, send_json};

#[tokio::test]
async fn a_new_webhook_shows_its_secret_once() {
    let fake = Fake::new();
    let body =
        json!({"name": "billing", "url": "https://example.com/hook", "kinds": ["peer.created"]});
    let answered = send_json(&fake, Method::POST, "/api/v1/webhooks", body).await;
    assert_eq!(answered.status, 201);
    let location = format!("/api/v1/webhooks/{ID}");
    assert_eq!(answered.header("location"), Some(location.as_str()));
    let shown = answered.json();
    assert_eq!(shown["secret"], "shown once");
    assert_eq!(shown["last_delivery"]["outcome"], "given_up");
    assert!(fake.last().contains("kinds: [\"peer.created\"]"));
    let read = send(&fake, Method::GET, &location).await.json();
    assert_eq!(read.get("secret"), None);
    assert_eq!(read["retry_at"], json!(null));
}

#[tokio::test]
async fn a_patch_says_what_it_clears() {
    let fake = Fake::new();
    let path = format!("/api/v1/webhooks/{ID}");
    let patch = json!({"kinds": null, "node_id": null, "enabled": false});
    assert_eq!(
        send_json(&fake, Method::PATCH, &path, patch).await.status,
        200
    );
    let asked = fake.last();
    assert!(
        asked.contains("kinds: Some(StringList { values: [] })"),
        "{asked}"
    );
    assert!(
        asked.contains("node_id: Some(\"\")") && asked.contains("url: None"),
        "{asked}"
    );
    let secret = send_json(&fake, Method::PATCH, &path, json!({"secret": "x"})).await;
    assert_eq!(secret.problem().0, 400);
    let name = send_json(&fake, Method::PATCH, &path, json!({"name": null})).await;
    assert_eq!(name.problem().2.as_deref(), Some("name"));
}

#[tokio::test]
async fn deliveries_come_in_pages() {
    let fake = Fake::new();
    let path = format!("/api/v1/webhooks/{ID}/deliveries?limit=1&cursor=44");
    let shown = send(&fake, Method::GET, &path).await.json();
    assert_eq!(
        (&shown["next_cursor"], &shown["total"]),
        (&json!("41"), &json!(3))
    );
    let expected = json!({
        "delivery_id": "d-7", "event_id": "7", "kind": "peer.created", "at": "2026-03-01T12:00:00Z",
        "attempt": 2, "outcome": "given_up", "http_status": 500, "latency_ms": 12,
        "error": "it answered 500",
    });
    assert_eq!(shown["items"], json!([expected]));
    let path = format!("/api/v1/webhooks/{ID}");
    assert_eq!(send(&fake, Method::DELETE, &path).await.status, 204);
    let tested = send(&fake, Method::POST, &format!("{path}/test")).await;
    assert_eq!(
        (tested.status.as_u16(), &tested.json()["attempt"]),
        (200, &json!(2))
    );
    let listed = send(&fake, Method::GET, "/api/v1/webhooks").await.json();
    assert_eq!(
        (&listed["total"], &listed["items"][0]["name"]),
        (&json!(1), &json!("billing"))
    );
    let unknown = send(&fake, Method::GET, "/api/v1/webhooks/7").await;
    assert_eq!(unknown.problem().1, "webhook_not_found");
}
