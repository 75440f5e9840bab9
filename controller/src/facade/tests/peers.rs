//! Every route of peers.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Fake, ID, send, send_json};

fn expected() -> Value {
    json!({
        "id": ID, "name": "laptop", "node_id": ID, "public_key": "key", "has_preshared_key": false,
        "preshared_key_known": false, "allowed_ips": ["10.8.0.2/32"], "persistent_keepalive": 25,
        "labels": {}, "enabled": true, "disabled_reason": null, "state": "active", "expires_at": null,
        "quota_bytes": null, "quota_period": null, "quota_used_bytes": null,
        "quota_resets_at": null, "dns": [],
        "mtu": null, "client_allowed_ips": [], "private_key_kept": false,
        "sync": {"state": "pending", "reason": "the node is offline"}, "online": false,
        "endpoint": null, "latest_handshake": null, "rx_bytes": 0, "tx_bytes": 0,
        "rx_bytes_total": u64::MAX, "tx_bytes_total": 0,
        "created_at": "2026-03-01T12:00:00Z", "updated_at": "2026-03-01T12:00:00Z", "etag": "v1",
    })
}

fn target(rest: &str) -> String {
    format!("/api/v1/peers/{ID}{rest}")
}

#[tokio::test]
async fn listed_with_every_filter() {
    let fake = Fake::new();
    let target = format!(
        "/api/v1/peers?node_id={ID}&q=lap&label=a=b&online=true&sync=failed&enabled=false\
         &expires_before=2026-03-01T14:00:00%2B02:00&sort=-rx_bytes_total&limit=1000&cursor=c"
    );
    let answer = send(&fake, Method::GET, &target).await;
    assert_eq!(answer.status, StatusCode::OK);
    let items = [expected()];
    assert_eq!(
        answer.json(),
        json!({"items": items, "next_cursor": "abc", "total": 7})
    );
    let message = fake.last();
    for part in [
        "page_size: 1000, cursor: \"c\"",
        ID,
        "q: \"lap\"",
        "{\"a\": \"b\"}",
        "online: Some(true)",
        "sync: Failed",
        "enabled: Some(false)",
        "expires_before: Some(1772366400)",
        "sort: RxBytesTotalDesc",
    ] {
        assert!(message.contains(part), "{part} in {message}");
    }
}

#[tokio::test]
async fn created() {
    let fake = Fake::new();
    let body = json!({
        "name": "laptop", "node_id": null, "selector": {"region": "eu"}, "public_key": null,
        "preshared_key": "generate", "allowed_ips": null, "persistent_keepalive": 25,
        "labels": {}, "enabled": true, "expires_at": "2026-03-01T12:00:00Z",
    });
    let answer = send_json(&fake, Method::POST, "/api/v1/peers", body).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    assert_eq!(answer.header("location"), Some(target("").as_str()));
    let mut with_placement = expected();
    with_placement["placement"] = json!("node-1: 3 of 100 peers at weight 100");
    assert_eq!(answer.json(), with_placement);
    let message = fake.last();
    for part in [
        "Generate(true)",
        "{\"region\": \"eu\"}",
        "expires_at: Some(1772366400)",
    ] {
        assert!(message.contains(part), "{part} in {message}");
    }
}

#[tokio::test]
async fn the_preshared_key_is_generated_given_or_none() {
    let fake = Fake::new();
    for (given, asked) in [
        (json!({"name": "a"}), "preshared_key: None"),
        (
            json!({"name": "a", "preshared_key": null}),
            "preshared_key: None",
        ),
        (
            json!({"name": "a", "preshared_key": "a2V5"}),
            "Key(\"a2V5\")",
        ),
        (json!({"name": "a", "preshared_key": "keep"}), "Keep(true)"),
    ] {
        send_json(&fake, Method::POST, "/api/v1/peers", given).await;
        assert!(fake.last().contains(asked), "{}", fake.last());
    }
    for (given, asked) in [
        (json!({}), "preshared_key: None"),
        (json!({"preshared_key": null}), "choice: Some(None(true))"),
        (json!({"preshared_key": "generate"}), "Generate(true)"),
    ] {
        send_json(&fake, Method::PATCH, &target(""), given).await;
        assert!(fake.last().contains(asked), "{}", fake.last());
    }
}

#[tokio::test]
async fn read_enabled_and_disabled() {
    let fake = Fake::new();
    for (method, rest, message) in [
        (Method::GET, "", "GetPeerRequest"),
        (Method::POST, "/enable", "EnablePeerRequest"),
        (Method::POST, "/disable", "DisablePeerRequest"),
    ] {
        let answer = send(&fake, method, &target(rest)).await;
        assert_eq!((answer.status, answer.json()), (StatusCode::OK, expected()));
        let expected = format!("{message} {{ id: \"{ID}\"");
        assert!(fake.last().starts_with(&expected), "{}", fake.last());
    }
}

#[tokio::test]
async fn patched() {
    let fake = Fake::new();
    let body = json!({"node_id": ID, "expires_at": null, "mtu": null, "dns": null});
    let answer = send_json(&fake, Method::PATCH, &target(""), body).await;
    let mut changed = expected();
    changed["client_needs_config"] = json!(true);
    assert_eq!((answer.status, answer.json()), (StatusCode::OK, changed));
    let message = fake.last();
    for part in [
        "name: None",
        "expires_at: Some(0)",
        "mtu: Some(0)",
        "dns: Some(StringList { values: [] })",
        "labels: None",
        "enabled: None",
    ] {
        assert!(message.contains(part), "{part} in {message}");
    }
}

#[tokio::test]
async fn deleted() {
    let fake = Fake::new();
    let answer = send(&fake, Method::DELETE, &target("")).await;
    let expected = json!({"sync": {"state": "pending", "reason": "the node is offline"}});
    assert_eq!((answer.status, answer.json()), (StatusCode::OK, expected));
}

#[tokio::test]
async fn config_is_a_download_that_nobody_keeps() {
    let fake = Fake::new();
    let answer = send(&fake, Method::GET, &target("/config")).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(
        answer.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let disposition = answer.header("content-disposition");
    assert_eq!(disposition, Some("attachment; filename=\"lap_top__.conf\""));
    assert_eq!(answer.body, b"[Interface]\n");
}
