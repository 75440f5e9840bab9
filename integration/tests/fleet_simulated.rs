//! The built controller and two built agents on simulated interfaces, over TCP: the story of
//! `lab_fleet` without a kernel, with the agents' own dumps as judge.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::TcpListener,
    time::Duration,
};

use serde_json::{Value, json};
use wgfleet_integration::{
    agent::{self, Agent},
    client::Address,
    controller::{self, Controller, Rest},
    eventually,
};

/// Named apart, so that one taken for the other would show.
const INTERFACES: [&str; 2] = ["wg0", "wg1"];
const SECRETS: [&str; 2] = [
    "the secret of the first simulated agent",
    "the secret of the second simulated agent",
];
const WEIGHTS: [u32; 2] = [100, 300];
/// Of the nodes' pools.
const PREFIXES: [[&str; 2]; 2] = [["10.8.1.", "fd00:8:1::"], ["10.8.2.", "fd00:8:2::"]];
const TWO_POLLS: Duration = Duration::from_millis(2 * 500 + 2_000);
const SOON: Duration = Duration::from_secs(20);

struct Fleet {
    agents: [Agent; 2],
    nodes: [String; 2],
    rest: Rest,
    _controller: Controller,
}

impl Fleet {
    fn new() -> Self {
        let agents = [0, 1].map(|at| {
            agent::Config::simulated(INTERFACES[at], 0)
                .secrets(&[SECRETS[at]])
                .listen(own_address(at))
                .start()
        });
        let controller = controller::Config::new().poll_interval("500ms").start();
        let rest = controller.rest();
        let nodes = [0, 1].map(|at| {
            let node = json!({
                "name": format!("node-{at}"), "agent_url": url(&agents[at]), "wg_interface": INTERFACES[at],
                "secret": SECRETS[at], "weight": WEIGHTS[at],
                "ip_pool_cidr": format!("{}0/24, {}/64", PREFIXES[at][0], PREFIXES[at][1]),
            });
            text(&rest.create("/nodes", &node)["id"])
        });
        let fleet = Self {
            agents,
            nodes,
            rest,
            _controller: controller,
        };
        fleet.await_status(0, "online");
        fleet.await_status(1, "online");
        fleet
    }

    fn peer(&self, name: &str, at: Option<usize>) -> Value {
        let mut peer = json!({"name": name, "preshared_key": "generate"});
        if let Some(at) = at {
            peer["node_id"] = json!(self.nodes[at]);
        }
        self.rest.create("/peers", &peer)
    }

    fn await_status(&self, at: usize, status: &str) -> Value {
        let path = format!("/nodes/{}", self.nodes[at]);
        eventually(SOON, &format!("node {at} {status}"), || {
            let node = self.rest.read(&path);
            (node["status"] == status).then_some(node)
        })
    }

    /// Allowed IPs by key, as the controller has them.
    fn declared(&self, at: usize) -> BTreeMap<String, BTreeSet<String>> {
        let path = format!("/peers?limit=1000&node_id={}", self.nodes[at]);
        by_key(&self.rest.read(&path)["items"])
    }

    /// Allowed IPs by key, as the agent shows them.
    fn shown(&self, at: usize) -> BTreeMap<String, BTreeSet<String>> {
        by_key(&self.agents[at].client().dump(INTERFACES[at])["peers"])
    }
}

/// An address of 127.0.0.0/8 that no other program uses, with a port that stays free while the agent
/// is down.
fn own_address(at: usize) -> String {
    let [_, _, high, low] = std::process::id().to_be_bytes();
    let taken = TcpListener::bind((format!("127.{}.{high}.{low}", 101 + at), 0));
    let address = taken.and_then(|listener| listener.local_addr());
    address.expect("all of 127.0.0.0/8 is here").to_string()
}

fn url(agent: &Agent) -> String {
    match agent.address() {
        Address::Tcp(address) => format!("http://{address}"),
        Address::Unix(path) => format!("unix://{}", path.display()),
    }
}

fn by_key(peers: &Value) -> BTreeMap<String, BTreeSet<String>> {
    let peers = peers.as_array().expect("a list").iter();
    peers
        .map(|peer| {
            let allowed_ips = peer["allowed_ips"].as_array().expect("a list");
            (
                text(&peer["public_key"]),
                allowed_ips.iter().map(text).collect(),
            )
        })
        .collect()
}

fn text(value: &Value) -> String {
    let text = value.as_str();
    text.unwrap_or_else(|| panic!("a text: {value}")).to_owned()
}

#[test]
fn peers_land_by_weight_and_outlast_an_agent_that_is_away() {
    let mut fleet = Fleet::new();
    for number in 0..50 {
        let peer = fleet.peer(&format!("peer-{number}"), None);
        assert_eq!(peer["sync"]["state"], "applied", "{peer}");
    }
    let counts = [0, 1].map(|at| fleet.declared(at).len());
    assert!(counts == [12, 38] || counts == [13, 37], "{counts:?}");
    for at in [0, 1] {
        assert_eq!(fleet.shown(at), fleet.declared(at));
        let is_pooled = |ip: &String| PREFIXES[at].iter().any(|prefix| ip.starts_with(prefix));
        assert!(fleet.declared(at).values().flatten().all(is_pooled));
    }

    let gone = fleet.peer("gone", Some(1));
    fleet.agents[1].kill();
    let node = fleet.await_status(1, "offline");
    assert!(text(&node["status_reason"]).contains("refused"), "{node}");
    let late = fleet.peer("late", Some(1));
    assert_eq!(late["sync"]["state"], "pending", "{late}");
    assert!(text(&late["sync"]["reason"]).contains("offline"), "{late}");
    let gone_path = format!("/peers/{}", text(&gone["id"]));
    assert_eq!(fleet.rest.delete(&gone_path).status, 200);

    // It comes back without a single peer, as after a crash of its host.
    fleet.agents[1].restart();
    eventually(TWO_POLLS, "the agent as declared", || {
        (fleet.shown(1) == fleet.declared(1)).then_some(())
    });
    let shown = fleet.shown(1);
    assert!(shown.contains_key(&text(&late["public_key"])));
    assert!(!shown.contains_key(&text(&gone["public_key"])));
    fleet.await_status(1, "online");
}

#[test]
fn what_others_change_is_mended_and_what_is_theirs_stays() {
    let fleet = Fleet::new();
    let [removed, changed] = [0, 1].map(|n| fleet.peer(&format!("peer-{n}"), Some(0)));
    let before = fleet.shown(0);
    let other = fleet.agents[0].client();
    assert_eq!(
        other
            .delete_peer(INTERFACES[0], &text(&removed["public_key"]))
            .status,
        200
    );
    let elsewhere = json!({"allowed_ips": ["10.66.0.0/16"]});
    let answer = other.put_peer(INTERFACES[0], &text(&changed["public_key"]), &elsewhere);
    assert_eq!(answer.status, 200, "{answer:?}");
    eventually(TWO_POLLS, "both as they were", || {
        (fleet.shown(0) == before).then_some(())
    });

    let key = wgfleet_integration::wg::numbered_key(1);
    let theirs = json!({"public_key": key, "allowed_ips": ["10.8.1.4/32"]});
    assert_eq!(other.post_peer(INTERFACES[0], &theirs).status, 200);
    let plan = fleet.rest.read(&format!("/nodes/{}/plan", fleet.nodes[0]));
    assert_eq!(plan["in_sync"], true, "{plan}");
    assert_eq!(
        plan["unmanaged"],
        json!([{"public_key": key, "allowed_ips": ["10.8.1.4/32"], "persistent_keepalive": 0}])
    );
    let next = fleet.peer("next", Some(0));
    assert_eq!(next["sync"]["state"], "applied", "{next}");
    assert_eq!(
        next["allowed_ips"],
        json!(["10.8.1.5/32", "fd00:8:1::4/128"])
    );
    assert!(fleet.shown(0).contains_key(&key));
}
