//! Agents behind TLS: who is believed, and what is said of who is not.

use std::net::SocketAddr;

use serde_json::{Value, json};
use wgfleet_integration::{
    agent::{Agent, Config},
    client::Address,
    poll,
};

use super::{
    runner::{Controller, PATIENCE, text, url},
    tls::{Authority, Certificate, TlsProxy},
};

const GOOD: (i32, i32) = (2020, 4000);
const HERE: &str = "127.0.0.1";
const NOT_TRUSTED: &str = "the certificate is signed by an authority that is not trusted here";

fn behind(agent: &Agent) -> SocketAddr {
    match agent.address() {
        Address::Tcp(address) => *address,
        Address::Unix(_) => panic!("it listens on TCP"),
    }
}

/// An agent whose certificate won't do.
struct Case {
    name: &'static str,
    certificate: Certificate,
    trust: Value,
    reason: String,
}

fn wrong_ones() -> Vec<Case> {
    let (ours, other) = (Authority::new(), Authority::new());
    let ca = json!({ "tls_ca_pem": ours.pem() });
    let case = |name, certificate, trust: &Value, reason: &str| Case {
        name,
        certificate,
        trust: trust.clone(),
        reason: reason.to_owned(),
    };
    let pinned_away = ours.issue(HERE, GOOD);
    let shown = pinned_away.pin();
    let pin = json!({ "tls_pin_sha256": other.issue(HERE, GOOD).pin() });
    let not_the_pinned = format!("the certificate is not the pinned one; its SHA-256 is {shown}");
    vec![
        case("other-ca", other.issue(HERE, GOOD), &ca, NOT_TRUSTED),
        case(
            "other-name",
            ours.issue("node1.example.com", GOOD),
            &ca,
            "the certificate is for another host name",
        ),
        case(
            "expired",
            ours.issue(HERE, (2019, 2020)),
            &ca,
            "the certificate has expired",
        ),
        case(
            "too-early",
            ours.issue(HERE, (3999, 4000)),
            &ca,
            "the certificate is not valid yet; is the controller's clock right?",
        ),
        case("other-pin", pinned_away, &pin, &not_the_pinned),
    ]
}

#[test]
fn hostile_31_a_wrong_certificate_is_named_and_holds_nobody_up() {
    let good = Config::simulated("wg0", 0).start();
    let controller = Controller::start();
    let fast = controller.add("good", &url(&good), &json!({}));
    controller.await_status(&fast, "online");
    // Whoever got through would find an agent, which accepts them.
    let bad: Vec<_> = wrong_ones()
        .into_iter()
        .map(|case| {
            let secret = format!("{:-<48}", case.name);
            let agent = Config::simulated("wg1", 0).secrets(&[&secret]).start();
            let proxy = TlsProxy::start(&case.certificate, behind(&agent));
            let mut more = case.trust.clone();
            (more["secret"], more["wg_interface"]) = (json!(secret), json!("wg1"));
            let mut unsaved = more.clone();
            unsaved["agent_url"] = json!(proxy.url());
            let tested = controller.call("POST", "/nodes/test", &unsaved).expect(200);
            let said = text(&tested["reason"]);
            assert!(
                tested["ok"] == false && said.contains(&case.reason),
                "{}: {tested}",
                case.name
            );
            let node = controller.add(case.name, &proxy.url(), &more);
            let peer = json!({ "name": "for the bad", "node_id": node });
            let created = controller.create_peer(&peer).expect(201);
            assert_eq!(
                created["sync"]["state"], "pending",
                "{}: {created}",
                case.name
            );
            (case, agent, proxy, node)
        })
        .collect();
    for turn in 0..10 {
        let body = json!({ "name": format!("quick-{turn}"), "node_id": fast });
        let created = controller.create_peer(&body).expect(201);
        // Which is awaited for two seconds only.
        assert_eq!(created["sync"]["state"], "applied", "{created}");
    }
    for (case, _, proxy, node) in &bad {
        let node = controller.await_status(node, "error");
        let wanted = format!(
            "the agent's certificate is not to be trusted: {}",
            case.reason
        );
        assert_eq!(node["status_reason"], wanted, "{}", case.name);
        assert_eq!(proxy.requests(), 0, "{}: it was told something", case.name);
    }
    controller.await_status(&fast, "online");

    // Pinned, a certificate will do whatever name and dates it bears.
    for (case, agent, proxy, node) in &bad {
        let path = format!("/nodes/{node}");
        let pinned = json!({ "tls_pin_sha256": case.certificate.pin(), "tls_ca_pem": null });
        controller.call("PATCH", &path, &pinned).expect(200);
        controller.await_in_sync(node, PATIENCE);
        controller.await_status(node, "online");
        assert!(proxy.requests() > 0, "{}: not by this way", case.name);
        let dump = agent.client().dump("wg1");
        assert_eq!(
            dump["peers"].as_array().map(Vec::len),
            Some(1),
            "{}",
            case.name
        );
    }
}

#[test]
fn an_agent_behind_tls_is_managed_like_any_other() {
    let authority = Authority::new();
    let certificate = authority.issue(HERE, GOOD);
    let trusts = [
        json!({ "tls_ca_pem": authority.pem() }),
        json!({ "tls_pin_sha256": certificate.pin() }),
    ];
    for trust in trusts {
        let agent = Config::simulated("wg0", 0).start();
        let proxy = TlsProxy::start(&certificate, behind(&agent));
        let controller = Controller::start();
        let node = controller.add("a", &proxy.url(), &trust);
        controller.await_status(&node, "online");
        let peer = json!({ "name": "one", "node_id": node, "preshared_key": "generate" });
        let created = controller.create_peer(&peer).expect(201);
        controller.await_in_sync(&node, PATIENCE);
        let dump = agent.client().dump("wg0");
        assert_eq!(dump["peers"][0]["public_key"], created["public_key"]);
        let path = format!("/peers/{}", text(&created["id"]));
        controller.call("DELETE", &path, &Value::Null).expect(200);
        controller.await_in_sync(&node, PATIENCE);
        assert_eq!(agent.client().dump("wg0")["peers"], json!([]));
    }
}

#[test]
fn hostile_31_https_where_nobody_speaks_tls_is_named() {
    let agent = Config::simulated("wg0", 0).start();
    let controller = Controller::start();
    let plain = url(&agent).replace("http://", "https://");
    let pin = json!({ "tls_pin_sha256": "ab".repeat(32) });
    let node = controller.add("plain", &plain, &pin);
    let mut last = Value::Null;
    let named = poll(PATIENCE, || {
        last = controller.get(&format!("/nodes/{node}"));
        let said = last["status_reason"].as_str().unwrap_or_default();
        said.contains("does not speak TLS").then_some(())
    });
    assert!(named.is_some(), "{last}");
}
