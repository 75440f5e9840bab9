//! Bodies nobody should send.

use serde_json::json;

use crate::rig::{Ask, Rig, key};

const PEERS: &str = "/wg/wg0/peers";

#[track_caller]
fn names(answer: &crate::rig::Answered, field: &str) {
    answer.expect(400, "bad_request");
    let message = answer.json()["message"]
        .as_str()
        .expect("a message")
        .to_owned();
    assert!(message.contains(field), "{message:?} does not name {field}");
}

#[tokio::test]
async fn hostile_15_bad_json_is_refused_before_the_kernel() {
    let rig = Rig::new();
    let key = key(1);
    let deep = format!(
        r#"{{"public_key":"{key}","allowed_ips":{}"#,
        "[".repeat(10_000)
    );
    let deep_unknown = format!(r#"{{"public_key":"{key}","x":{}"#, "[".repeat(10_000));
    let bodies = [
        String::new(),
        "null".into(),
        "[]".into(),
        "{".into(),
        "{}".into(),
        format!("{{\"public_key\":\"{key}\"}} {{}}"),
        format!("\u{feff}{{\"public_key\":\"{key}\"}}"),
        format!(r#"{{"public_key":"{key}","public_key":"{key}"}}"#),
        format!(r#"{{"public_key":"{key}","endpoint":"\ud800"}}"#),
        format!(r#"{{"public_key":"{key}","persistent_keepalive":1e400}}"#),
        deep,
        deep_unknown,
    ];
    for body in bodies {
        let answer = rig.ask("POST", PEERS, &body).await;
        answer.expect(400, "bad_request");
    }
    let mut invalid = format!(r#"{{"public_key":"{key}","endpoint":""#).into_bytes();
    invalid.extend(b"\xff\"}");
    rig.send(Ask::new("POST", PEERS, invalid).build())
        .await
        .expect(400, "bad_request");
    assert_eq!(rig.device_calls().sets, 0);
}

#[tokio::test]
async fn hostile_17_hostile_18_hostile_20_the_field_is_named() {
    let rig = Rig::new();
    let mut list: Vec<String> = (1..200).map(|n| format!("10.1.0.{n}")).collect();
    list.push("10.0.0.256".into());
    for (body, field) in [
        (json!({"public_key": "AAAA"}), "public_key"),
        (
            json!({"public_key": format!("{}A", &key(1)[..43])}),
            "public_key",
        ),
        (json!({"allowed_ips": []}), "public_key"),
        (
            json!({"public_key": key(1), "allowed_ips": ["10.0.0.1/33"]}),
            "allowed_ips",
        ),
        (
            json!({"public_key": key(1), "allowed_ips": ["fd00::/129"]}),
            "allowed_ips",
        ),
        (
            json!({"public_key": key(1), "allowed_ips": list}),
            "allowed_ips",
        ),
        (
            json!({"public_key": key(1), "preshared_key": "short"}),
            "preshared_key",
        ),
        (
            json!({"public_key": key(1), "endpoint": "vpn.example.com:1"}),
            "endpoint",
        ),
        (
            json!({"public_key": key(1), "persistent_keepalive": 65536}),
            "persistent_keepalive",
        ),
    ] {
        names(&rig.ask("POST", PEERS, &body.to_string()).await, field);
    }
    assert!(rig.peers().await.is_empty());
}

#[tokio::test]
async fn a_bad_preshared_key_is_not_repeated() {
    let rig = Rig::new();
    let body = json!({"public_key": key(1), "preshared_key": "do not tell anybody"});
    let answer = rig.ask("POST", PEERS, &body.to_string()).await;
    assert!(!String::from_utf8_lossy(&answer.body).contains("do not tell"));
}

#[tokio::test]
async fn only_json_is_taken_for_json() {
    let rig = Rig::new();
    let ask = |n: u8, content_type: &str| {
        let body = json!({"public_key": key(n)}).to_string();
        Ask::new("POST", PEERS, body)
            .header("content-type", content_type)
            .build()
    };
    rig.send(ask(1, "text/plain"))
        .await
        .expect(415, "unsupported_media_type");
    rig.send(ask(2, "application/x-www-form-urlencoded"))
        .await
        .expect(415, "unsupported_media_type");
    rig.send(ask(3, "Application/JSON; charset=utf-8"))
        .await
        .expect_ok();
    let get = Ask::new("GET", "/health", "").header("content-type", "text/plain");
    rig.send(get.build()).await.expect_ok();
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused_unread() {
    let rig = Rig::new();
    let large = Ask::new("POST", PEERS, vec![b' '; 256 * 1024 + 1]);
    rig.send(large.build()).await.expect(413, "too_large");
    let whole = Ask::new("POST", PEERS, vec![b' '; 256 * 1024]);
    rig.send(whole.build()).await.expect(400, "bad_request");
}
