//! What no service should see: the facade refuses it, with 4xx and by name.

use axum::http::{Method, StatusCode};
use serde_json::json;

use super::{Fake, ID, send, send_json, send_text};

async fn refused(method: Method, target: &str, body: &str, field: Option<&str>) {
    let fake = Fake::new();
    let answer = send_text(&fake, method, target, body).await;
    let (status, code, found) = answer.problem();
    assert_eq!(status, 400, "{target} {body}");
    assert_eq!(found.as_deref(), field, "{target} {body}");
    let expected = if field.is_some() {
        "invalid_field"
    } else {
        "malformed_json"
    };
    assert_eq!(code, expected, "{target} {body}");
    assert_eq!(fake.calls(), 0, "{target} {body}");
}

#[tokio::test]
async fn wrong_types_and_unknown_fields_are_named() {
    for (field, body) in [
        ("name", r#"{"name":5}"#),
        ("nmae", r#"{"nmae":"a"}"#),
        ("weight", r#"{"weight":-1}"#),
        ("weight", r#"{"weight":1.5}"#),
        ("weight", r#"{"weight":4294967296}"#),
        ("weight", r#"{"weight":"100"}"#),
        ("enabled", r#"{"enabled":"yes"}"#),
        ("labels", r#"{"labels":["a"]}"#),
        ("labels.a", r#"{"labels":{"a":1}}"#),
        ("reserved_ips[1]", r#"{"reserved_ips":["10.0.0.1",2]}"#),
        ("unmanaged_peers", r#"{"unmanaged_peers":"destroy"}"#),
        ("unmanaged_peers", r#"{"unmanaged_peers":{"ignore":null}}"#),
    ] {
        refused(Method::POST, "/api/v1/nodes", body, Some(field)).await;
        refused(
            Method::PATCH,
            &format!("/api/v1/nodes/{ID}"),
            body,
            Some(field),
        )
        .await;
    }
    for (field, body) in [
        ("name", r#"{"name":null}"#),
        ("enabled", r#"{"enabled":null}"#),
    ] {
        refused(
            Method::PATCH,
            &format!("/api/v1/peers/{ID}"),
            body,
            Some(field),
        )
        .await;
    }
    for (field, body) in [
        ("expires_at", r#"{"name":"a","expires_at":"tomorrow"}"#),
        ("expires_at", r#"{"name":"a","expires_at":1772366400}"#),
        ("preshared_key", r#"{"name":"a","preshared_key":true}"#),
        ("mtu", r#"{"name":"a","mtu":[1420]}"#),
    ] {
        refused(Method::POST, "/api/v1/peers", body, Some(field)).await;
    }
}

#[tokio::test]
async fn missing_fields_are_named() {
    refused(Method::POST, "/api/v1/peers", "{}", Some("name")).await;
    refused(Method::POST, "/api/v1/nodes", "{}", Some("name")).await;
    refused(
        Method::POST,
        "/api/v1/nodes",
        r#"{"name":"a"}"#,
        Some("agent_url"),
    )
    .await;
    let body = r#"{"agent_url":"a","wg_interface":"b"}"#;
    refused(Method::POST, "/api/v1/nodes/test", body, Some("secret")).await;
}

#[tokio::test]
async fn what_is_no_object_is_malformed() {
    let deep = format!("{{\"name\":{}", "[".repeat(10_000));
    for body in [
        "",
        "null",
        "[]",
        r#"["a"]"#,
        "\"text\"",
        "{",
        "{} {}",
        "\u{feff}{}",
        r#"{"weight":1e400}"#,
        r#"{"name":"a","name":"b"}"#,
        r#"{"name":"\ud800"}"#,
    ] {
        let fake = Fake::new();
        let answer = send_text(&fake, Method::POST, "/api/v1/nodes", body).await;
        assert_eq!(answer.problem().0, 400, "{body}");
        assert_eq!(fake.calls(), 0, "{body}");
    }
    let answer = send_text(&Fake::new(), Method::POST, "/api/v1/nodes", &deep).await;
    assert_eq!(answer.problem().0, 400);
}

#[tokio::test]
async fn large_bodies_are_refused() {
    let body = json!({"name": "a".repeat(256 * 1024)});
    let answer = send_json(&Fake::new(), Method::POST, "/api/v1/peers", body).await;
    assert_eq!(answer.problem(), (413, "body_too_large".into(), None));
}

#[tokio::test]
async fn ids_that_are_none_are_nobodys() {
    let fake = Fake::new();
    for id in [
        "1",
        "x",
        "%ff",
        "..%2f..",
        &"0".repeat(32),
        &"a".repeat(9000),
    ] {
        for (kind, code) in [("nodes", "node_not_found"), ("peers", "peer_not_found")] {
            for (method, rest) in [
                (Method::GET, ""),
                (Method::PATCH, ""),
                (Method::DELETE, ""),
                (Method::POST, "/enable"),
            ] {
                let target = format!("/api/v1/{kind}/{id}{rest}");
                let answer = send(&fake, method, &target).await;
                assert_eq!(answer.problem(), (404, code.into(), None), "{target}");
            }
        }
    }
    assert_eq!(fake.calls(), 0);
    let target = format!("/api/v1/nodes/{}", ID.to_uppercase());
    assert_eq!(
        send(&fake, Method::GET, &target).await.status,
        StatusCode::OK
    );
    assert!(fake.last().contains(ID), "in its one form");
}

#[tokio::test]
async fn parameters_are_checked_and_named() {
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=-1", "limit"),
        ("limit=99999999999999999999", "limit"),
        ("limit=ten", "limit"),
        ("limit=1&limit=2", "limit"),
        ("label=", "label"),
        ("label=a", "label"),
        ("label==b", "label"),
        ("label=a=b&label=a=c", "label"),
        ("lable=a=b", "lable"),
        ("online=1", "online"),
        ("enabled=", "enabled"),
        ("sync=done", "sync"),
        ("sync=unknown", "sync"),
        ("sort=size", "sort"),
        ("expires_before=1772366400", "expires_before"),
        ("node_id=a&node_id=b", "node_id"),
    ] {
        refused(
            Method::GET,
            &format!("/api/v1/peers?{query}"),
            "",
            Some(field),
        )
        .await;
    }
    refused(Method::GET, "/api/v1/nodes?status=up", "", Some("status")).await;
    refused(Method::GET, "/api/v1/nodes?sort=name", "", Some("sort")).await;
    let target = format!("/api/v1/nodes/{ID}");
    refused(
        Method::DELETE,
        &format!("{target}?peers=burn"),
        "",
        Some("peers"),
    )
    .await;
    refused(
        Method::DELETE,
        &format!("{target}?peer=move"),
        "",
        Some("peer"),
    )
    .await;
}
