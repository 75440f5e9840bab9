//! Many nodes that agree, and one that lost everything.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::json;
use tempfile::TempDir;
use wgfleet_integration::{
    agent::{Agent, Config},
    client::Address,
    eventually,
};

use super::{
    runner::{Controller, PATIENCE, url},
    server::{Reply, Server},
};

const NODES: usize = 20;
const PEERS: usize = 20;
const WIPED: usize = 2000;

#[test]
fn a_fleet_in_sync_gets_no_writes() {
    let polls = std::sync::Arc::new(std::sync::Mutex::new(vec![0_usize; NODES]));
    let fleet: Vec<(Agent, Server, String)> = (0..NODES)
        .map(|at| {
            let secret = format!("{at:-<48}");
            let agent = Config::simulated(&format!("wg{at}"), 0)
                .secrets(&[&secret])
                .start();
            let Address::Tcp(address) = agent.address().clone() else {
                panic!("it listens on TCP")
            };
            let polls = std::sync::Arc::clone(&polls);
            let server = Server::start(Some(address), move |asked| {
                if asked.target.ends_with("/dump") {
                    polls.lock().expect("no panic")[at] += 1;
                }
                Reply::Forward
            });
            (agent, server, secret)
        })
        .collect();
    let controller = Controller::start();
    thread::scope(|scope| {
        for (at, (_, server, secret)) in fleet.iter().enumerate() {
            let controller = &controller;
            scope.spawn(move || {
                let more = json!({
                    "secret": secret, "wg_interface": format!("wg{at}"),
                    "ip_pool_cidr": format!("10.20.{at}.0/24, fd00:{at}::/64"),
                });
                let node = controller.add(&format!("node-{at}"), &server.url(), &more);
                for peer in 0..PEERS {
                    let body = json!({
                        "name": format!("p-{at}-{peer}"), "node_id": node,
                        "preshared_key": "generate", "persistent_keepalive": 25,
                    });
                    controller.create_peer(&body).expect(201);
                }
                controller.await_in_sync(&node, PATIENCE);
            });
        }
    });
    let written = || {
        fleet
            .iter()
            .map(|(_, server, _)| server.writes())
            .sum::<usize>()
    };
    let (writes, before) = (written(), polls.lock().expect("no panic").clone());
    assert_eq!(writes, NODES * PEERS, "each peer is written once");
    eventually(PATIENCE, "ten polls of every node", || {
        let now = polls.lock().expect("no panic");
        now.iter()
            .zip(&before)
            .all(|(now, before)| *now >= before + 10)
            .then_some(())
    });
    assert_eq!(written(), writes, "a node that agrees was written to");
}

#[test]
fn a_wiped_node_gets_everything_back() {
    let place = TempDir::with_prefix("wgfleet-wiped-").expect("a directory");
    let socket = format!("unix:{}", place.path().join("agent.sock").display());
    let full = Config::simulated("wg0", u32::try_from(WIPED).expect("few"))
        .listen(&socket)
        .start();
    let controller = Controller::start();
    let more = json!({ "unmanaged_peers": "adopt" });
    let node = controller.add("wiped", &url(&full), &more);
    let before = keys(&full);
    eventually(PATIENCE, "all peers are adopted", || {
        (controller.get("/peers?limit=1")["total"] == WIPED).then_some(())
    });
    controller.await_in_sync(&node, PATIENCE);
    drop(full);

    // Another agent in its place, with nothing on its interface and nothing remembered.
    let started = Instant::now();
    let empty = Config::simulated("wg0", 0).listen(&socket).start();
    eventually(PATIENCE, "everything is back", || {
        (keys(&empty) == before).then_some(())
    });
    controller.await_in_sync(&node, PATIENCE);
    let took = started.elapsed();
    println!("{WIPED} peers were back in sync after {took:?}");
    assert!(took < Duration::from_secs(30), "it took {took:?}");
}

fn keys(agent: &Agent) -> Vec<String> {
    let dump = agent.client().dump("wg0");
    let peers = dump["peers"].as_array().expect("a list").iter();
    let mut keys: Vec<_> = peers
        .map(|peer| super::runner::text(&peer["public_key"]))
        .collect();
    keys.sort_unstable();
    keys
}
