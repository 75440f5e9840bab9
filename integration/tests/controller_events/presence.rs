//! Who came and who went is told once, also over a crash.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};
use wgfleet_integration::{
    agent,
    client::Address,
    controller::{self, Controller},
    eventually,
};

use crate::{
    fleet::{SOON, address, text},
    reader::{Event, Reader, Seen},
};

const SECRET: &str = "the secret of a simulated agent";
const PEERS: u32 = 24;

#[test]
fn peers_come_and_go_once() {
    let mut agent = agent::Config::simulated("wg0", PEERS)
        .secrets(&[SECRET])
        .start();
    let mut controller = controller::Config::new().poll_interval("200ms").start();
    let Address::Tcp(at) = agent.address().clone() else {
        panic!("it listens on TCP");
    };
    let seen = Arc::new(Mutex::new(Seen::default()));
    let reader = Reader::start(address(&controller), &controller.rest(), "?after=0", &seen);
    let node = json!({
        "name": "node", "agent_url": format!("http://{at}"), "wg_interface": "wg0",
        "secret": SECRET, "unmanaged_peers": "adopt",
    });
    controller.rest().create("/nodes", &node);
    let online = await_agreement(&controller, &seen, |online| !online.is_empty());
    assert!(online.len() <= PEERS as usize);

    controller.kill();
    drop(reader);
    controller.restart();
    let _reader = Reader::start(address(&controller), &controller.rest(), "", &seen);
    await_agreement(&controller, &seen, |online| !online.is_empty());

    // Whoever is taken off the node is gone from it.
    let path = format!("/peers/{}", online.first().expect("one at least"));
    let gone = controller
        .rest()
        .post(&format!("{path}/disable"), &json!({}));
    assert_eq!(gone.status, 200);
    let first = online.first().expect("one at least").clone();
    await_agreement(&controller, &seen, |online| !online.contains(&first));
    agent.kill();
}

/// Waits until events tell of the same peers as the list, and checks what led there.
fn await_agreement(
    controller: &Controller,
    seen: &Mutex<Seen>,
    is_expected: impl Fn(&BTreeSet<String>) -> bool,
) -> BTreeSet<String> {
    let rest = controller.rest();
    eventually(SOON, "events and list agree", || {
        let listed = rest.read("/peers?online=true&limit=1000");
        let listed = listed["items"].as_array().expect("a list").iter();
        let listed: BTreeSet<String> = listed.map(|peer: &Value| text(&peer["id"])).collect();
        let told = told(&seen.lock().expect("not poisoned").events);
        (told == listed && is_expected(&told)).then_some(told)
    })
}

/// Who is online by the events. Nobody comes, or goes, twice in a row.
fn told(events: &[Event]) -> BTreeSet<String> {
    let mut online: BTreeMap<String, bool> = BTreeMap::new();
    for event in events {
        let is_online = match event.kind.as_str() {
            "peer.online" => true,
            "peer.offline" => false,
            _ => continue,
        };
        let before = online.insert(text(&event.data["peer_id"]), is_online);
        assert_eq!(before.unwrap_or(false), !is_online, "{event:?}");
        assert_eq!(event.data["online"], json!(is_online));
    }
    let present = online.into_iter().filter(|(_, is_online)| *is_online);
    present.map(|(id, _)| id).collect()
}
