//! What the page of metrics shows of what was done.

use wgfleet_agent::wireguard::{AllowedIpsChange, PeerAction, PeerChange, PeerSettings};
use wire_contract::{PresharedKey, PublicKey};

use crate::rig::{Ask, NOW, Rig, key, wg0};

const PEERS: &str = "/wg/wg0/peers";

/// The value of a sample, named with its labels and without the prefix; `None` where there is none.
fn sample(page: &str, series: &str) -> Option<f64> {
    let series = format!("wgfleet_agent_{series} ");
    let line = page.lines().find_map(|line| line.strip_prefix(&series));
    line.map(|value| value.parse().expect("a number"))
}

#[track_caller]
fn assert_sample(page: &str, series: &str, value: f64) {
    assert_eq!(sample(page, series), Some(value), "{series} in\n{page}");
}

fn post(n: u8) -> String {
    format!(r#"{{"public_key":"{}"}}"#, key(n))
}

#[tokio::test]
async fn answers_are_counted_by_route_and_never_by_path() {
    let rig = Rig::new();
    rig.get("/health").await.expect_ok();
    rig.get("/v1/health?n=1").await.expect_ok();
    rig.get("/wg/wg0/dump").await.expect_ok();
    rig.get("/wg/absent/dump").await;
    rig.get("/wg/absent").await;
    rig.get("/secret-path").await;
    rig.ask("POST", PEERS, &post(1)).await.expect_ok();
    rig.ask("DELETE", PEERS, "").await;
    rig.ask("DELETE", &format!("{PEERS}/{}", key(9)), "").await;
    let page = rig.metrics_page(false).await;
    for (labels, value) in [
        (r#"route="/health",method="GET",status="200""#, 2.0),
        (
            r#"route="/wg/{interface}/dump",method="GET",status="200""#,
            1.0,
        ),
        (
            r#"route="/wg/{interface}/dump",method="GET",status="404""#,
            1.0,
        ),
        (r#"route="/wg/{interface}",method="GET",status="404""#, 1.0),
        (r#"route="unknown",method="GET",status="404""#, 1.0),
        (
            r#"route="/wg/{interface}/peers",method="POST",status="200""#,
            1.0,
        ),
        (
            r#"route="/wg/{interface}/peers",method="DELETE",status="405""#,
            1.0,
        ),
        (
            r#"route="/wg/{interface}/peers/{public_key}",method="DELETE",status="404""#,
            1.0,
        ),
    ] {
        assert_sample(&page, &format!("http_requests_total{{{labels}}}"), value);
    }
    assert!(
        !page.contains("absent") && !page.contains("secret-path"),
        "{page}"
    );
}

#[tokio::test]
async fn failures_are_counted_by_reason_whatever_their_path() {
    let rig = Rig::new();
    let health = || Ask::new("GET", "/health", "");
    rig.send(health().with_wrong_secret().build()).await;
    rig.send(health().with_wrong_secret().build()).await;
    rig.send(health().at(NOW - 301).build()).await;
    rig.send(Ask::new("GET", "/made-up-1", "").build_with(&[]))
        .await;
    let page = rig.metrics_page(false).await;
    for (reason, count) in [
        ("wrong_signature", 2.0),
        ("outside_window", 1.0),
        ("signature_count", 1.0),
        ("timestamp_shape", 0.0),
    ] {
        let series = format!(r#"authentication_failures_total{{reason="{reason}"}}"#);
        assert_sample(&page, &series, count);
    }
    let turned = r#"http_requests_total{route="unauthenticated",method="GET",status="401"}"#;
    assert_sample(&page, turned, 4.0);
    assert!(!page.contains("made-up"), "{page}");
}

#[tokio::test]
async fn interfaces_are_shown_with_their_peers_and_what_was_done_to_them() {
    let rig = Rig::new();
    for n in 1..=3 {
        rig.ask("POST", PEERS, &post(n)).await.expect_ok();
    }
    let page = rig.metrics_page(false).await;
    assert_sample(&page, r#"interface_up{interface="wg0"}"#, 1.0);
    assert_sample(&page, r#"interface_peers{interface="wg0"}"#, 3.0);
    assert_sample(&page, "replay_memory_entries", 3.0);
    assert_sample(&page, "open_connections", 0.0);
    let calls = rig.device_calls();
    let counted = |series: &str| sample(&page, &format!(r#"{series}{{interface="wg0"}}"#));
    assert_eq!(counted("interface_writes_total"), Some(calls.sets as f64));
    assert_eq!(
        counted("interface_write_batch_size_count"),
        Some(calls.sets as f64)
    );
    assert_eq!(
        counted("interface_write_batch_size_sum"),
        Some(calls.changes as f64)
    );
    assert_eq!(
        counted("interface_dump_duration_seconds_count"),
        Some(calls.dumps as f64)
    );
}

#[tokio::test]
async fn a_look_shares_the_dump_of_those_just_before_it() {
    let rig = Rig::new();
    rig.get("/wg/wg0/dump").await.expect_ok();
    let before = rig.device_calls().dumps;
    rig.metrics_page(false).await;
    rig.metrics_page(false).await;
    assert_eq!(rig.device_calls().dumps, before);
    rig.metrics_page(true).await;
    assert_eq!(
        rig.device_calls().dumps,
        before + 1,
        "peers are read afresh"
    );
}

#[tokio::test]
async fn an_interface_that_fails_is_down_and_the_page_stands() {
    let rig = Rig::new();
    rig.get("/health").await.expect_ok();
    rig.control.create(&"wg1".parse().expect("a name"), 2);
    rig.control.fail_dumps(&wg0(), 1);
    let page = rig.metrics_page(false).await;
    assert_sample(&page, r#"interface_up{interface="wg0"}"#, 0.0);
    assert_eq!(sample(&page, r#"interface_peers{interface="wg0"}"#), None);
    assert_sample(
        &page,
        r#"interface_dump_failures_total{interface="wg0"}"#,
        1.0,
    );
    assert_sample(&page, r#"interface_up{interface="wg1"}"#, 1.0);
    assert_sample(&page, r#"interface_peers{interface="wg1"}"#, 2.0);
    let page = rig.metrics_page(false).await;
    assert_sample(&page, r#"interface_up{interface="wg0"}"#, 1.0);
    rig.control.delete(&wg0());
    let page = rig.metrics_page(false).await;
    assert!(!page.contains(r#"interface="wg0""#), "{page}");
}

#[tokio::test]
async fn a_failed_write_is_counted() {
    let rig = Rig::new();
    rig.control.fail_set_after(&wg0(), 0);
    rig.ask("POST", PEERS, &post(1)).await;
    let page = rig.metrics_page(false).await;
    assert_sample(
        &page,
        r#"interface_write_failures_total{interface="wg0"}"#,
        1.0,
    );
}

/// A peer with a preshared key, added behind the agent's back.
fn add_with_secret(rig: &Rig, n: u8) {
    let settings = PeerSettings {
        preshared_key: Some(PresharedKey::from_bytes([0x5a; 32])),
        allowed_ips: AllowedIpsChange::Unchanged,
        ..PeerSettings::default()
    };
    let change = PeerChange {
        public_key: PublicKey::from_bytes([n; 32]),
        action: PeerAction::Set(settings),
    };
    rig.control.set_externally(&wg0(), &[change]);
}

#[tokio::test]
async fn keys_are_shown_only_when_each_peer_is() {
    let rig = Rig::new();
    let psk = wire_contract::PublicKey::from_bytes([0x5a; 32]).to_string();
    for n in [1, 2] {
        add_with_secret(&rig, n);
    }
    let page = rig.metrics_page(false).await;
    assert!(
        !page.contains(&key(1)) && !page.contains("public_key="),
        "{page}"
    );
    let page = rig.metrics_page(true).await;
    for n in [1, 2] {
        for series in [
            "peer_receive_bytes_total",
            "peer_transmit_bytes_total",
            "peer_last_handshake_timestamp_seconds",
        ] {
            let labels = format!(r#"interface="wg0",public_key="{}""#, key(n));
            assert_sample(&page, &format!("{series}{{{labels}}}"), 0.0);
        }
    }
    assert!(!page.contains(&psk), "{page}");
}

#[tokio::test]
async fn names_with_quotes_do_not_break_the_page() {
    let rig = Rig::new();
    rig.control.create(&r#"a"b\c"#.parse().expect("a name"), 0);
    let page = rig.metrics_page(true).await;
    assert_sample(&page, r#"interface_up{interface="a\"b\\c"}"#, 1.0);
}

#[tokio::test]
async fn every_metric_says_what_it_is_and_is_named_by_convention() {
    let rig = Rig::new();
    rig.ask("POST", PEERS, &post(1)).await.expect_ok();
    let page = rig.metrics_page(true).await;
    let mut described = Vec::new();
    for line in page.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (name, kind) = line.split_once(' ').expect("a name and a type");
        assert!(page.contains(&format!("# HELP {name} ")), "{name}");
        assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
        described.push(name);
    }
    assert!(described.len() >= 18, "{described:?}");
    for line in page.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().expect("a name");
        let base = ["_sum", "_count", "_bucket"]
            .iter()
            .find_map(|suffix| name.strip_suffix(suffix))
            .filter(|base| described.contains(base));
        assert!(described.contains(&base.unwrap_or(name)), "{line}");
    }
    assert!(!page.contains("# EOF") && !page.contains("# UNIT"));
}
