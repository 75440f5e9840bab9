//! Tokens and the audit in JSON.

use axum::http::Method;
use serde_json::json;

use super::{Fake, ID, send, send_json};

#[tokio::test]
async fn a_token_is_made_and_shown_once() {
    let fake = Fake::new();
    let body = json!({
        "name": "ci", "role": "operator", "label_scope": {"team": "red"},
        "expires_at": "2026-03-01T12:00:00Z",
    });
    let answer = send_json(&fake, Method::POST, "/api/v1/tokens", body).await;
    assert_eq!(answer.status, 201);
    let location = format!("/api/v1/tokens/{ID}");
    assert_eq!(answer.header("location"), Some(location.as_str()));
    let expected = json!({
        "id": ID, "name": "ci", "role": "operator", "label_scope": {"team": "red"},
        "expires_at": "2026-03-01T12:00:00Z", "revoked_at": null,
        "created_at": "2026-03-01T12:00:00Z", "last_used_at": "2026-03-01T12:01:00Z",
        "token": "wgf_drawn",
    });
    assert_eq!(answer.json(), expected);
    let asked = fake.last();
    assert!(
        asked.contains("role: Operator") && asked.contains("1772366400"),
        "{asked}"
    );

    for (body, field) in [
        (json!({"role": "viewer"}), "name"),
        (json!({"name": "ci"}), "role"),
        (json!({"name": "ci", "role": "root"}), "role"),
        (json!({"name": "ci", "role": "viewer", "x": 1}), "x"),
        (
            json!({"name": "ci", "role": "viewer", "expires_at": 5}),
            "expires_at",
        ),
    ] {
        let answer = send_json(&fake, Method::POST, "/api/v1/tokens", body).await;
        assert_eq!(answer.problem().2.as_deref(), Some(field));
    }
}

#[tokio::test]
async fn tokens_are_listed_and_revoked_without_their_text() {
    let fake = Fake::new();
    let answer = send(&fake, Method::GET, "/api/v1/tokens?limit=5").await;
    assert_eq!(answer.json()["total"], 7);
    assert_eq!(answer.json()["items"][0].get("token"), None);
    let answer = send(&fake, Method::DELETE, &format!("/api/v1/tokens/{ID}")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["revoked_at"], "2026-03-01T12:00:01Z");
    let answer = send(&fake, Method::DELETE, "/api/v1/tokens/7").await;
    assert_eq!(answer.problem(), (404, "token_not_found".into(), None));
    let answer = send(&fake, Method::GET, "/api/v1/whoami").await;
    assert_eq!(answer.json()["name"], "ci");
}

#[tokio::test]
async fn the_audit_is_filtered() {
    let fake = Fake::new();
    let target = "/api/v1/audit?actor=ci&action=peer.update&object_kind=peer&object_id=x\
                  &source=192.0.2.7&since=2026-03-01T12:00:00Z&until=2026-03-01T12:00:01Z&limit=2";
    let answer = send(&fake, Method::GET, target).await;
    let expected = json!({
        "id": 9, "at": "2026-03-01T12:00:00Z", "actor": "ci", "source": "192.0.2.7",
        "action": "peer.update", "object_kind": "peer", "object_id": ID,
        "before": null, "after": {"enabled": false},
    });
    assert_eq!(answer.json()["items"], json!([expected]));
    let asked = fake.last();
    for part in [
        "\"ci\"",
        "\"peer.update\"",
        "\"192.0.2.7\"",
        "1772366400",
        "1772366401",
    ] {
        assert!(asked.contains(part), "{part} in {asked}");
    }
    let answer = send(&fake, Method::GET, "/api/v1/audit?who=me").await;
    assert_eq!(
        answer.problem(),
        (400, "invalid_field".into(), Some("who".into()))
    );
}
