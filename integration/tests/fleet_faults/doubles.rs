//! The same thing wanted twice.

use std::thread;

use serde_json::{Value, json};
use tempfile::TempDir;
use wgfleet_integration::agent::{Agent, Config, SECRET};

use super::runner::{Answer, Controller, node_body, text, url};

const OTHER: &str = "another-secret-than-the-one-all-agents-have-here";

/// Both at once; gives who got it, and the other's answer.
fn race(controller: &Controller, bodies: [Value; 2]) -> (Value, Answer) {
    let answers = thread::scope(|scope| {
        let calls = bodies.map(|body| scope.spawn(move || controller.create_peer(&body)));
        calls.map(|call| call.join().expect("no panic"))
    });
    let [one, other] = answers;
    match (one.status, other.status) {
        (201, _) => (one.body, other),
        (_, 201) => (other.body, one),
        _ => panic!("neither got it: {one:?} {other:?}"),
    }
}

#[test]
fn hostile_36_one_address_wanted_twice_at_once_goes_to_one() {
    let controller = Controller::start();
    let more = json!({ "enabled": false, "ip_pool_cidr": "10.8.0.0/24, fd00:8::/64" });
    let node = controller.add("a", "http://a.invalid", &more);
    for host in 10..30 {
        let wanted = format!("10.8.0.{host}/32");
        let body = |name: &str| json!({ "name": name, "node_id": node, "allowed_ips": [wanted] });
        let (got, refused) = race(&controller, [body("one"), body("other")]);
        assert_eq!(got["allowed_ips"], json!([wanted]));
        let winner = format!("the peer {}", text(&got["name"]));
        refused.refused(409, "address_taken", &winner);
    }
    assert_eq!(controller.get("/peers")["total"], 20);
}

#[test]
fn hostile_36_the_last_address_wanted_twice_at_once_goes_to_one() {
    let controller = Controller::start();
    for turn in 0..10 {
        let more = json!({ "enabled": false, "ip_pool_cidr": format!("10.9.{turn}.0/31"),
            "secret": format!("{turn:-<48}") });
        let node = controller.add(
            &format!("n{turn}"),
            &format!("http://n{turn}.invalid"),
            &more,
        );
        let body = |name: &str| json!({ "name": name, "node_id": node });
        controller.create_peer(&body("first")).expect(201);
        let (_, refused) = race(&controller, [body("one"), body("other")]);
        refused.refused(409, "no_free_address", &format!("10.9.{turn}.0/31"));
    }
    assert_eq!(controller.get("/peers")["total"], 20);
}

/// One interface, reached in two ways and with either of two secrets.
fn agent_with_two_urls() -> (Agent, TempDir) {
    let directory = TempDir::with_prefix("wgfleet-other-").expect("a directory");
    let other = other_url(&directory).replace("unix://", "unix:");
    let config = Config::simulated("wg0", 0).secrets(&[SECRET, OTHER]);
    (config.arguments(&["--listen", &other]).start(), directory)
}

fn other_url(directory: &TempDir) -> String {
    format!("unix://{}", directory.path().join("agent.sock").display())
}

#[test]
fn hostile_37_a_node_added_twice_is_refused_and_the_other_named() {
    let (agent, directory) = agent_with_two_urls();
    let second = other_url(&directory);
    let controller = Controller::start();
    let first = controller.add("first", &url(&agent), &json!({}));
    controller.await_status(&first, "online");
    let refused = |changes: Value, code: &str| {
        let mut body = node_body("second", &second);
        body["secret"] = OTHER.into();
        for (field, value) in changes.as_object().expect("an object") {
            body[field] = value.clone();
        }
        controller.create_node(&body).refused(409, code, "first");
    };
    refused(json!({ "name": "first" }), "name_taken");
    refused(
        json!({ "agent_url": url(&agent), "secret": SECRET }),
        "interface_taken",
    );
    let slash = format!("{}/", url(&agent));
    refused(
        json!({ "agent_url": slash, "secret": SECRET }),
        "interface_taken",
    );
    refused(
        json!({ "agent_url": url(&agent), "secret": OTHER }),
        "interface_taken",
    );
    refused(json!({}), "public_key_taken");
    refused(
        json!({ "agent_url": "http://b.invalid", "secret": SECRET }),
        "secret_taken",
    );
    let body = json!({ "agent_url": url(&agent), "wg_interface": "wg1", "secret": OTHER });
    refused(body, "secret_differs");
    assert_eq!(controller.get("/nodes")["total"], 1);
}

#[test]
fn hostile_37_a_key_learnt_later_is_refused_as_well() {
    let (agent, directory) = agent_with_two_urls();
    let second = other_url(&directory);
    let controller = Controller::start();
    let first = controller.add("first", &url(&agent), &json!({}));
    controller.await_status(&first, "online");
    let later = json!({ "secret": OTHER, "enabled": false });
    let later = controller.add("second", &second, &later);
    controller.call("POST", &format!("/nodes/{later}/enable"), &Value::Null);
    let node = controller.await_status(&later, "error");
    let reason = node["status_reason"].as_str().unwrap_or_default();
    assert!(reason.contains("the node first"), "{node}");
}

#[test]
fn hostile_37_a_malformed_pool_is_refused() {
    let controller = Controller::start();
    let pools = [
        "10.8.0.0/33",
        "10.8.0.0",
        "10.8.0.256/24",
        "10.8.0.0/24 10.9.0.0/24",
        "fd00::/129",
        "x",
        "10.8.0.0/24,,",
        "10.8.0.0/24, 10.8.0.128/25",
        "10.8.0.0/24, 10.8.0.0/24",
        "10.8.0.0/-1",
        "10.8.0.0/+24",
    ];
    for pool in pools {
        let mut body = node_body("a", "http://a.invalid");
        (body["enabled"], body["ip_pool_cidr"]) = (false.into(), pool.into());
        let answer = controller.create_node(&body);
        assert_eq!(answer.status, 400, "{pool}: {}", answer.body);
        assert_eq!(
            answer.body["field"], "ip_pool_cidr",
            "{pool}: {}",
            answer.body
        );
    }
}

#[test]
fn hostile_37_pools_keep_what_is_in_use_and_may_overlap() {
    let controller = Controller::start();
    let off = json!({ "enabled": false });
    let node = controller.add("a", "http://a.invalid", &off);
    let body = json!({ "name": "laptop", "node_id": node, "allowed_ips": ["10.8.0.200/32"] });
    controller.create_peer(&body).expect(201);
    let path = format!("/nodes/{node}");
    let smaller = json!({ "ip_pool_cidr": "10.8.0.0/25" });
    let answer = controller.call("PATCH", &path, &smaller);
    let detail = text(&answer.body["detail"]);
    assert!(detail.contains("10.8.0.200"), "{detail}");
    answer.refused(409, "pool_leaves_out_addresses", "laptop");
    assert_eq!(controller.get(&path)["ip_pool_cidr"], "10.8.0.0/24");
    let wider = json!({ "ip_pool_cidr": "10.8.0.0/23" });
    controller.call("PATCH", &path, &wider).expect(200);

    let mut body = node_body("b", "http://b.invalid");
    (body["enabled"], body["secret"]) = (false.into(), OTHER.into());
    let created = controller.create_node(&body).expect(201);
    let warnings = created["warnings"].to_string();
    assert!(
        warnings.contains("overlaps 10.8.0.0/23 of the node a"),
        "{warnings}"
    );
}
