//! "Test connection".

use super::*;
use crate::agent_client::tests::server::answer;

const DEVICE: &str = r#"{"interface":"wg0","public_key":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=","listen_port":51820,"fwmark":0,"addresses":[],"mtu":1420,"up":true,"peer_count":3,"backend":"kernel","ifindex":7,"boot_id":"b"}"#;
const NO_INTERFACE: &str =
    r#"{"status":"error","error":"interface_not_found","message":"no such interface"}"#;

fn checked(seen: &Seen, react: impl Fn(&Seen) -> Reaction) -> Reaction {
    if seen.is_signed() {
        react(seen)
    } else {
        ok_status(401, UNAUTHORIZED)
    }
}

fn full_agent(seen: &Seen) -> Reaction {
    match seen.target.as_str() {
        "/health" => ok(HEALTH_WITH_ALL),
        "/wg/wg0" => ok(DEVICE),
        _ => ok_status(404, NO_INTERFACE),
    }
}

#[tokio::test]
async fn all_is_well() {
    let agent = serve_tcp(|seen| checked(seen, full_agent)).await;
    let report = client(&agent.url).probe(&wg0()).await;
    assert!(report.is_ok(), "{report:?}");
    assert!(report.reachable && report.accepts_secret && report.refuses_wrong_signature);
    assert!(report.has_interface && report.warnings.is_empty());
    assert_eq!(report.version.as_deref(), Some("1.0.0"));
    assert_eq!(
        (report.peer_count, report.uptime_secs),
        (Some(3), Some(86400))
    );
    assert_eq!(report.public_key, Some(PublicKey::from_bytes([1; 32])));
    assert!(report.latency.is_some());
    assert_eq!(
        agent.seen().iter().filter(|seen| !seen.is_signed()).count(),
        1
    );
}

#[tokio::test]
async fn an_agent_that_knows_only_the_documented_endpoints() {
    let agent = serve_agent().await;
    let report = client(&agent.url).probe(&wg0()).await;
    assert!(report.is_ok(), "{report:?}");
    assert_eq!((report.peer_count, report.public_key), (Some(0), None));
}

#[tokio::test]
async fn each_step_has_its_sentence() {
    let wrong_secret = serve_tcp(|_| ok_status(401, UNAUTHORIZED)).await;
    let unchecked = serve_tcp(agent).await;
    let no_interface = serve_tcp(|seen| checked(seen, full_agent)).await;
    let free = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let web_site = serve_tcp(|_| Reaction::Keep(answer(200, "text/html", "<html></html>"))).await;
    for (url, interface, reachable, reason) in [
        (
            &wrong_secret.url,
            "wg0",
            true,
            "the agent refused the signature: wrong secret".into(),
        ),
        (
            &unchecked.url,
            "wg0",
            true,
            "the agent does not check signatures".into(),
        ),
        (
            &no_interface.url,
            "wg9",
            true,
            "the agent has no WireGuard interface wg9".into(),
        ),
        (
            &format!("http://{free}"),
            "wg0",
            false,
            format!("connection refused at {free}"),
        ),
        (
            &web_site.url,
            "wg0",
            true,
            "this does not answer like an agent: its answer is a web page, not JSON".into(),
        ),
    ] {
        let report = client(url).probe(&interface.parse().unwrap()).await;
        assert_eq!(report.reason, Some(reason));
        assert_eq!(report.reachable, reachable);
        assert!(!report.is_ok() && !report.has_interface);
    }
}

#[tokio::test]
async fn an_agent_that_leaves_health_open_must_check_the_rest() {
    let open_health = |seen: &Seen| {
        if seen.target == "/health" {
            ok(HEALTH)
        } else {
            checked(seen, super::agent)
        }
    };
    let agent = serve_tcp(open_health).await;
    let report = client(&agent.url).probe(&wg0()).await;
    assert!(report.is_ok(), "{report:?}");
    assert_eq!(report.warnings.len(), 1);

    let other = wire_contract::signing::Secret::new("quite another secret of 32 bytes").unwrap();
    let url = agent.url.parse().unwrap();
    let client = AgentClient::new(url, &Trust::SystemRoots, &other, Limits::default()).unwrap();
    let report = client.probe(&wg0()).await;
    assert_eq!(
        report.reason.unwrap(),
        "the agent refused the signature: wrong secret"
    );
    assert!(!report.accepts_secret);
}

#[tokio::test]
async fn a_refusal_for_too_many_failures_is_a_refusal() {
    let limited = r#"{"status":"error","error":"rate_limited","message":"later"}"#;
    let agent = serve_tcp(move |seen| {
        if seen.is_signed() {
            full_agent(seen)
        } else {
            ok_status(429, limited)
        }
    })
    .await;
    assert!(client(&agent.url).probe(&wg0()).await.is_ok());
}
