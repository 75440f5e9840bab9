//! Every page over a fleet that is too large to be looked at.

use std::{
    env,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use wgfleet_integration::{
    browser,
    client::Address,
    eventually,
    simulated_fleet::{BULK, Fleet, PATIENCE},
};

/// Nodes and peers. `make test-long` asks for more.
const SIZE: (u32, u32) = (100, 5_000);
const LONG_SIZE: (u32, u32) = (100, 100_000);
/// Nodes that have an agent. The others are disabled, and so cost nothing but their place in the store:
/// what a hundred agents cost is measured, not tested.
const MOVING: u32 = 3;
const POLL: Duration = Duration::from_secs(2);
const WITHIN: Duration = Duration::from_secs(240);
const LONG_WITHIN: Duration = Duration::from_secs(900);

#[test]
fn large() {
    let is_long = env::var_os("WGFLEET_ROUNDS").is_some();
    let ((nodes, peers), within) = if is_long {
        (LONG_SIZE, LONG_WITHIN)
    } else {
        (SIZE, WITHIN)
    };
    let started = Instant::now();
    let fleet = Fleet::polled(MOVING, POLL);
    let all = with_disabled_nodes(&fleet, nodes);
    fill(&fleet, &all, peers);
    let moving = peers / nodes * MOVING;
    eventually(PATIENCE, "what can be applied is", || {
        let rest = fleet.controller.rest().patient(PATIENCE);
        (rest.read("/peers?limit=1&sync=applied")["total"] == moving).then_some(())
    });
    println!(
        "{nodes} nodes with {peers} peers after {:?}",
        started.elapsed()
    );

    let Address::Tcp(address) = fleet.controller.address() else {
        panic!("it listens on TCP");
    };
    let token = std::fs::read_to_string(fleet.controller.data_dir().join("admin-token"));
    let told = json!({
        "origin": format!("http://{address}"),
        "tokens": {"admin": token.expect("the first token").trim()},
    });
    browser::play("large", &told, within, |_| {
        Err("nothing can be done to it".to_owned())
    });
}

/// The ids of all nodes, once there are so many.
fn with_disabled_nodes(fleet: &Fleet, nodes: u32) -> Vec<String> {
    let rest = fleet.controller.rest();
    let disabled = (MOVING..nodes).map(|number| {
        let node = json!({
            "name": format!("node-{number:03}"), "agent_url": format!("http://192.0.2.{number}:51821"),
            "wg_interface": "wg0", "secret": format!("the secret of the disabled agent {number}"),
            "ip_pool_cidr": format!("10.{number}.0.0/16"), "enabled": false,
        });
        let made = rest.create("/nodes", &node);
        made["id"].as_str().expect("an id").to_owned()
    });
    fleet.nodes.iter().cloned().chain(disabled).collect()
}

/// As many peers for each node.
fn fill(fleet: &Fleet, nodes: &[String], peers: u32) {
    let rest = fleet.controller.rest().patient(PATIENCE);
    let peer = |number: u32| -> Value {
        json!({
            "name": format!("peer {number:06}"), "node_id": nodes[number as usize % nodes.len()],
            "labels": {"team": format!("team-{}", number % 50)},
        })
    };
    for first in (0..peers).step_by(BULK as usize) {
        let many: Vec<_> = (first..peers.min(first + BULK)).map(peer).collect();
        let answer = rest.post("/peers/bulk/create", &json!({ "peers": many }));
        assert_eq!((answer.status, &answer.json()["failed"]), (200, &json!(0)));
    }
}
