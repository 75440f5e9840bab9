//! What each route answers.

use crate::rig::{Rig, key};

#[tokio::test]
async fn health_is_as_documented_and_honest() {
    let rig = Rig::new();
    for target in ["/health", "/v1/health"] {
        let health = rig.get(target).await.expect_ok();
        assert_eq!(health["status"], "ok");
        assert_eq!(health["timestamp"], crate::rig::NOW);
        assert!(health["uptime"].is_u64());
        assert_eq!(health["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(health["backend"], "simulated");
        let capabilities = health["capabilities"].as_array().expect("a list");
        assert!(capabilities.contains(&"device".into()) && capabilities.contains(&"nonce".into()));
    }
}

#[tokio::test]
async fn the_extensions_tell_of_interfaces() {
    let rig = Rig::new();
    let list = rig.get("/wg").await.expect_ok();
    assert_eq!(
        list,
        serde_json::json!({"interfaces": [{"interface": "wg0", "backend": "simulated"}]})
    );
    let body = format!(r#"{{"public_key":"{}"}}"#, key(1));
    rig.ask("POST", "/wg/wg0/peers", &body).await.expect_ok();
    let device = rig.get("/v1/wg/wg0").await.expect_ok();
    assert_eq!(device["interface"], "wg0");
    assert_eq!(device["peer_count"], 1);
    assert_eq!(device["backend"], "simulated");
    assert!(device["public_key"].is_string() && device["boot_id"].is_string());
    assert!(
        device["ifindex"]
            .as_u64()
            .is_some_and(|ifindex| ifindex > 0)
    );
}

#[tokio::test]
async fn an_empty_dump_is_an_empty_list() {
    let rig = Rig::new();
    let answer = rig.get("/wg/wg0/dump").await;
    assert_eq!(&*answer.body, br#"{"interface":"wg0","peers":[]}"#);
    assert_eq!(answer.headers["content-type"], "application/json");
}

#[tokio::test]
async fn the_wrong_method_is_told_the_right_ones() {
    let rig = Rig::new();
    let peer = format!("/wg/wg0/peers/{}", key(1));
    for (method, target, allow) in [
        ("POST", "/health", "GET"),
        ("HEAD", "/health", "GET"),
        ("OPTIONS", "/wg", "GET"),
        ("DELETE", "/wg/wg0/dump", "GET"),
        ("GET", "/wg/wg0/peers", "POST"),
        ("PATCH", "/wg/wg0/peers", "POST"),
        ("GET", peer.as_str(), "PUT, DELETE"),
        ("POST", peer.as_str(), "PUT, DELETE"),
    ] {
        let answer = rig.ask(method, target, "").await;
        answer.expect(405, "method_not_allowed");
        assert_eq!(answer.headers["allow"], allow, "{method} {target}");
    }
}

#[tokio::test]
async fn hostile_06_no_path_means_another_peer() {
    let rig = Rig::new();
    // 0xFF repeated: a key full of slashes.
    let (slashes, other) = (key(0xff), key(2));
    for key in [&slashes, &other] {
        let body = format!(r#"{{"public_key":"{key}"}}"#);
        rig.ask("POST", "/wg/wg0/peers", &body).await.expect_ok();
    }
    let encoded = slashes.replace('/', "%2F");
    let twice = encoded.replace('%', "%25");
    for (target, status) in [
        (format!("/wg//peers/{other}"), 400),
        (format!("//wg/wg0/peers/{other}"), 404),
        (format!("/wg/wg0//peers/{other}"), 404),
        (format!("/wg/./wg0/peers/{other}"), 404),
        (format!("/wg/wg0/peers/./{other}"), 400),
        (format!("/wg/%2e%2e/peers/{other}"), 400),
        (format!("/wg/wg0/peers/%2e%2e/{other}"), 400),
        (format!("/wg/wg0/peers/{twice}"), 400),
        (format!("/wg/wg0/peers/{other}/"), 400),
        (format!("/wg/wg0/peers/{other}%2F"), 400),
        (format!("/wg/wg0%00/peers/{other}"), 400),
    ] {
        let answer = rig.ask("DELETE", &target, "").await;
        assert_eq!(answer.status, status, "{target}: {:?}", answer.body);
    }
    assert_eq!(rig.peers().await.len(), 2);
    rig.ask("DELETE", &format!("/wg/wg0/peers/{encoded}"), "")
        .await
        .expect_ok();
    rig.ask("DELETE", &format!("/v1/wg/wg0/peers/{other}"), "")
        .await
        .expect_ok();
    assert_eq!(rig.peers().await.len(), 0);
}

#[tokio::test]
async fn hostile_16_interfaces_that_are_none() {
    let rig = Rig::new();
    for (name, status, error) in [
        ("..%2Fx", 400, "bad_request"),
        ("a234567890123456", 400, "bad_request"),
        ("wg%200", 400, "bad_request"),
        ("eth0", 404, "interface_not_found"),
        ("wg9", 404, "interface_not_found"),
    ] {
        rig.get(&format!("/wg/{name}/dump"))
            .await
            .expect(status, error);
        rig.get(&format!("/wg/{name}")).await.expect(status, error);
        let body = format!(r#"{{"public_key":"{}"}}"#, key(1));
        let added = rig.ask("POST", &format!("/wg/{name}/peers"), &body).await;
        added.expect(status, error);
    }
    let list = rig.get("/wg").await.expect_ok();
    assert_eq!(
        list["interfaces"].as_array().map(Vec::len),
        Some(1),
        "none was created"
    );
}
