//! Every route of nodes.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Fake, ID, send, send_json};

fn expected() -> Value {
    json!({
        "id": ID, "name": "node-1", "agent_url": "http://127.0.0.1:8080", "wg_interface": "wg0",
        "endpoint": null, "ip_pool_cidr": "10.8.0.0/24, fd00:8::/64", "weight": 100, "max_peers": 0,
        "enabled": true, "labels": {"region": "eu"}, "unmanaged_peers": "adopt",
        "reserved_ips": [], "public_key": null, "dns": [], "mtu": null, "client_allowed_ips": [],
        "persistent_keepalive": null, "tls_pin_sha256": null, "tls_ca_pem": null,
        "status": "offline", "status_reason": "connection refused",
        "status_since": "2026-03-01T12:00:00Z", "last_seen": null, "latency_ms": 3, "version": null,
        "uptime_s": null, "rx_bytes_per_s": null, "tx_bytes_per_s": null, "peer_count": 0, "desired_generation": 0, "observed_generation": 0,
        "awaits_confirmation": false, "warnings": [],
        "created_at": "2026-03-01T12:00:00Z", "updated_at": "2026-03-01T12:00:01Z", "etag": "v1",
    })
}

fn target(rest: &str) -> String {
    format!("/api/v1/nodes/{ID}{rest}")
}

#[tokio::test]
async fn listed() {
    let fake = Fake::new();
    let target = "/api/v1/nodes?limit=10&cursor=xy&status=online&q=eu&label=a%3Db&label=c:d";
    let answer = send(&fake, Method::GET, target).await;
    assert_eq!(answer.status, StatusCode::OK);
    let items = [expected()];
    assert_eq!(
        answer.json(),
        json!({"items": items, "next_cursor": "abc", "total": 7})
    );
    assert_eq!(
        fake.last(),
        "ListNodesRequest { page: Some(PageRequest { page_size: 10, cursor: \"xy\" }), status: \
         Online, label: {\"a\": \"b\", \"c\": \"d\"}, q: \"eu\" }"
    );
}

#[tokio::test]
async fn created() {
    let fake = Fake::new();
    let body = json!({
        "name": "node-1", "agent_url": "http://127.0.0.1:8080", "wg_interface": "wg0",
        "endpoint": "vpn1.example.com:51820", "ip_pool_cidr": "10.8.0.0/24, fd00:8::/64",
        "weight": 100, "max_peers": 0, "secret": null, "enabled": true,
        "labels": {"region": "eu"}, "unmanaged_peers": "ignore",
    });
    let answer = send_json(&fake, Method::POST, "/api/v1/nodes", body).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    assert_eq!(answer.header("location"), Some(target("").as_str()));
    let mut with_secret = expected();
    with_secret["secret"] = json!("drawn");
    assert_eq!(answer.json(), with_secret);
    let message = fake.last();
    assert!(
        message.contains("weight: Some(100), max_peers: 0, secret: None"),
        "{message}"
    );
    assert!(message.contains("unmanaged_peers: Ignore"), "{message}");

    let body = json!({"name": "a", "agent_url": "b", "wg_interface": "c", "secret": "mine"});
    let answer = send_json(&fake, Method::POST, "/api/v1/nodes", body).await;
    assert_eq!(
        answer.json(),
        expected(),
        "a given secret does not come back"
    );
}

#[tokio::test]
async fn read_enabled_and_disabled() {
    let fake = Fake::new();
    for (method, rest, message) in [
        (Method::GET, "", "GetNodeRequest"),
        (Method::POST, "/enable", "EnableNodeRequest"),
        (Method::POST, "/disable", "DisableNodeRequest"),
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
    let body = json!({"weight": 0, "endpoint": null, "mtu": null, "labels": null, "dns": ["::1"]});
    let answer = send_json(&fake, Method::PATCH, &target(""), body).await;
    assert_eq!((answer.status, answer.json()), (StatusCode::OK, expected()));
    let message = fake.last();
    for part in [
        "name: None",
        "weight: Some(0)",
        "endpoint: Some(\"\")",
        "mtu: Some(0)",
        "labels: Some(Labels { values: {} })",
        "dns: Some(StringList { values: [\"::1\"] })",
        "reserved_ips: None",
        "unmanaged_peers: Unspecified",
    ] {
        assert!(message.contains(part), "{part} in {message}");
    }
}

#[tokio::test]
async fn deleted() {
    let fake = Fake::new();
    for (query, peers) in [
        ("", "Refuse"),
        ("?peers=move", "Move"),
        ("?peers=delete", "Delete"),
        ("?peers=forget", "Forget"),
    ] {
        let answer = send(&fake, Method::DELETE, &target(query)).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.json(), json!({"peer_count": 3}));
        assert!(fake.last().contains(peers), "{}", fake.last());
    }
}

#[tokio::test]
async fn tested_saved_or_not() {
    let fake = Fake::new();
    let expected = json!({
        "ok": false, "reason": "the agent refused the signature: wrong secret", "reachable": true,
        "secret_accepted": false, "wrong_signature_refused": false, "interface_found": false,
        "latency_ms": null, "version": null, "public_key": null,
    });
    let answer = send(&fake, Method::POST, &target("/test")).await;
    assert_eq!(
        (answer.status, answer.json()),
        (StatusCode::OK, expected.clone())
    );
    let body = json!({"agent_url": "http://a", "wg_interface": "wg0", "secret": "s"});
    let answer = send_json(&fake, Method::POST, "/api/v1/nodes/test", body).await;
    assert_eq!((answer.status, answer.json()), (StatusCode::OK, expected));
    assert!(fake.last().contains("Unsaved"));
}

#[tokio::test]
async fn planned_and_synced() {
    let fake = Fake::new();
    let answer = send(&fake, Method::GET, &target("/plan")).await;
    let fields = json!({"persistent_keepalive": {"from": null, "to": "25"}});
    assert_eq!(
        answer.json(),
        json!({
            "in_sync": false, "hash": "h",
            "changes": [{"action": "update", "public_key": "a", "fields": fields,
                         "reason": "another peer owns an address"}],
            "blocked": [],
            "unmanaged": [{
                "public_key": "b", "allowed_ips": ["10.8.0.9/32"], "persistent_keepalive": 25,
            }],
            "needs_confirmation": false, "confirmation_reason": null,
        })
    );
    let body = json!({"confirm": "h"});
    let answer = send_json(&fake, Method::POST, &target("/sync"), body).await;
    assert_eq!(
        answer.json(),
        json!({
            "sync": {"state": "pending", "reason": "the node is offline"},
            "desired_generation": 9, "observed_generation": 8,
        })
    );
    assert!(fake.last().contains("confirm: Some(\"h\")"));
    let answer = send(&fake, Method::POST, &target("/sync")).await;
    assert_eq!(answer.status, StatusCode::OK, "no body is an empty one");
}

#[tokio::test]
async fn secret_rotated() {
    let fake = Fake::new();
    let body = json!({"secret": "next"});
    let answer = send_json(&fake, Method::POST, &target("/secret"), body).await;
    let expected = json!({"completed": true, "reason": null, "node_ids": [ID]});
    assert_eq!((answer.status, answer.json()), (StatusCode::OK, expected));
}
