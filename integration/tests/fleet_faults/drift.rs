//! A store that knows less than its nodes.

use rusqlite::Connection;
use serde_json::{Value, json};
use wgfleet_integration::{
    agent::{Agent, Config},
    poll,
};

use super::{
    runner::{Controller, PATIENCE, text, url},
    server::{Reply, Server},
};

const HERE_ALREADY: usize = 25;

fn count(agent: &Agent) -> usize {
    let dump = agent.client().dump("wg0");
    dump["peers"].as_array().expect("a list").len()
}

fn plan(controller: &Controller, node: &str) -> Value {
    controller.get(&format!("/nodes/{node}/plan"))
}

/// Several polls pass.
fn polls_pass(controller: &Controller, node: &str, polls: usize) {
    let path = format!("/nodes/{node}");
    let mut seen = controller.get(&path)["last_seen"].clone();
    // Seen by whole seconds, and each of them has several polls.
    for _ in 0..polls.div_ceil(3) {
        let next = poll(PATIENCE, || {
            let now = controller.get(&path)["last_seen"].clone();
            (now != seen).then_some(now)
        });
        seen = next.expect("it is still polled");
    }
}

#[test]
fn hostile_34_an_empty_store_removes_nothing_before_an_operator_agrees() {
    let agent = Config::simulated("wg0", 25).start();
    let Some(address) = agent_address(&agent) else {
        panic!("the agent listens on TCP")
    };
    let server = Server::start(Some(address), |_| Reply::Forward);
    let mut controller = Controller::start();
    let remove = json!({ "unmanaged_peers": "remove" });
    let node = controller.add("old", &server.url(), &remove);
    controller.await_status(&node, "online");
    polls_pass(&controller, &node, 6);
    assert_eq!((count(&agent), server.writes()), (HERE_ALREADY, 0));
    let shown = plan(&controller, &node);
    assert_eq!(shown["in_sync"], false, "{shown}");
    assert_eq!(shown["needs_confirmation"], true, "{shown}");
    assert_eq!(
        shown["unmanaged"].as_array().expect("a list").len(),
        HERE_ALREADY
    );

    let sync = format!("/nodes/{node}/sync");
    let other = controller.call("POST", &sync, &json!({ "confirm": "another" }));
    assert_eq!(other.status, 409, "{}", other.body);
    controller.call("POST", &sync, &Value::Null);
    // A peer of ours does not open the door for the rest.
    let ours = json!({ "name": "ours", "node_id": node, "allowed_ips": ["10.8.0.99/32"] });
    controller.create_peer(&ours).expect(201);
    controller.kill();
    controller.run();
    polls_pass(&controller, &node, 6);
    assert_eq!(count(&agent), HERE_ALREADY + 1);

    let hash = text(&plan(&controller, &node)["hash"]);
    controller
        .call("POST", &sync, &json!({ "confirm": hash }))
        .expect(200);
    controller.await_in_sync(&node, PATIENCE);
    assert_eq!(count(&agent), 1);
}

#[test]
fn hostile_34_a_store_that_was_away_asks_again_before_it_removes() {
    let agent = Config::simulated("wg0", 3).start();
    let mut controller = Controller::start();
    let remove = json!({ "unmanaged_peers": "remove" });
    let node = controller.add("old", &url(&agent), &remove);
    controller.await_status(&node, "online");
    let hash = text(&plan(&controller, &node)["hash"]);
    let sync = format!("/nodes/{node}/sync");
    controller
        .call("POST", &sync, &json!({ "confirm": hash }))
        .expect(200);
    assert_eq!(count(&agent), 0);

    // Somebody adds a peer while the store is away for a week.
    controller.terminate();
    let store = Connection::open(controller.store_file()).expect("opened");
    let changed = store.execute(
        "UPDATE meta SET value = CAST(CAST(value AS INTEGER) - 604800 AS TEXT) WHERE key LIKE '%heartbeat%'",
        [],
    );
    assert_eq!(changed, Ok(1), "the store keeps its heartbeat elsewhere");
    drop(store);
    let key = "c29tZWJvZHkgZWxzZSdzIGtleSBpcyBpbiBoZXJlISE=";
    let added = agent.client().post_peer(
        "wg0",
        &json!({ "public_key": key, "allowed_ips": ["10.8.0.7/32"] }),
    );
    assert!(added.status < 300, "{added:?}");

    controller.run();
    polls_pass(&controller, &node, 6);
    assert_eq!(count(&agent), 1, "removed without being asked");
    let shown = plan(&controller, &node);
    assert_eq!(shown["unmanaged"][0]["public_key"], key, "{shown}");
    assert_eq!(shown["needs_confirmation"], true, "{shown}");
    let hash = text(&shown["hash"]);
    controller
        .call("POST", &sync, &json!({ "confirm": hash }))
        .expect(200);
    controller.await_in_sync(&node, PATIENCE);
    assert_eq!(count(&agent), 0);
}

fn agent_address(agent: &Agent) -> Option<std::net::SocketAddr> {
    match agent.address() {
        wgfleet_integration::client::Address::Tcp(address) => Some(*address),
        wgfleet_integration::client::Address::Unix(_) => None,
    }
}
