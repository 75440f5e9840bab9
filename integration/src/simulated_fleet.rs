//! A controller over agents that simulate WireGuard: a fleet of any size on one machine.

use std::{path::Path, time::Duration};

use crate::{
    agent::{self, Agent},
    client::Address,
    controller::{self, Controller, Rest},
    eventually,
};
use serde_json::{Value, json};

/// From one poll of a node to the next.
pub const POLL: Duration = Duration::from_secs(1);
/// Peers of one bulk request, at most.
pub const BULK: u32 = 10_000;
/// For a bulk request.
pub const PATIENCE: Duration = Duration::from_secs(120);
/// Clients that create peers at the same time.
pub const CREATORS: usize = 16;

/// A controller and agents of one node each.
pub struct Fleet {
    /// In the order of `nodes`.
    pub agents: Vec<Agent>,
    /// Their ids.
    pub nodes: Vec<String>,
    /// Over all of them.
    pub controller: Controller,
}

impl Fleet {
    /// Starts a controller and `nodes` agents, polled every [`POLL`].
    ///
    /// # Panics
    /// When one does not start; so does all that follows when something does not answer.
    #[must_use]
    pub fn new(nodes: u32) -> Self {
        Self::polled(nodes, POLL)
    }

    /// The same with another time from one poll to the next.
    ///
    /// # Panics
    /// As [`Fleet::new`].
    #[must_use]
    pub fn polled(nodes: u32, every: Duration) -> Self {
        let interval = format!("{}ms", every.as_millis());
        let controller = controller::Config::new()
            .poll_interval(&interval)
            // Everything is asked with one token, as fast as it goes.
            .arguments(&["--token-rate", "0"])
            .start();
        let rest = controller.rest();
        let mut fleet = Self {
            agents: Vec::new(),
            nodes: Vec::new(),
            controller,
        };
        for number in 0..nodes {
            let secret = format!("the secret of the simulated agent {number}");
            let agent = agent::Config::simulated("wg0", 0)
                .secrets(&[&secret])
                .unix_socket()
                // Each answer is a line: that is how writes are counted.
                .variable("WGFLEET_LOG", "wgfleet_agent=debug")
                .start();
            let node = rest.create("/nodes", &node(number, agent.address(), &secret));
            fleet
                .nodes
                .push(node["id"].as_str().expect("an id").to_owned());
            fleet.agents.push(agent);
        }
        fleet
    }

    /// Creates peers one by one, node after node.
    pub fn create(&self, peers: u32) {
        let nodes = u32::try_from(self.nodes.len()).expect("few nodes");
        std::thread::scope(|scope| {
            for creator in 0..CREATORS {
                let rest = self.controller.rest();
                scope.spawn(move || {
                    for number in (0..peers).skip(creator).step_by(CREATORS) {
                        let node = &self.nodes[(number % nodes) as usize];
                        let name = format!("peer {number}");
                        rest.create("/peers", &json!({"name": name, "node_id": node}));
                    }
                });
            }
        });
    }

    /// Creates peers `first` to `count` of the fleet in requests of [`BULK`]: each fiftieth of them is in
    /// the team of that number.
    pub fn fill(&self, first: u32, count: u32) {
        let rest = self.controller.rest().patient(PATIENCE);
        for at in (first..count).step_by(BULK as usize) {
            bulk_create(&rest, at, BULK.min(count - at));
        }
    }

    /// Waits until every peer is applied.
    pub fn settled(&self) {
        let rest = self.controller.rest();
        let left =
            |state: &str| rest.read(&format!("/peers?limit=1&sync={state}"))["total"].clone();
        eventually(Duration::from_secs(120), "every peer is applied", || {
            (left("pending") == 0 && left("failed") == 0).then_some(())
        });
    }

    /// POST, PUT and DELETE that agents have answered.
    #[must_use]
    pub fn writes(&self) -> usize {
        self.agents
            .iter()
            .map(|agent| agent.log().lines().filter(|l| is_write(l)).count())
            .sum()
    }
}

/// One request that creates `count` peers, numbered from `first` on.
///
/// # Panics
/// When one is refused.
pub fn bulk_create(rest: &Rest, first: u32, count: u32) {
    let peer = |number: u32| {
        json!({
            "name": format!("peer {number:06}"), "preshared_key": "generate",
            "labels": {"team": format!("team-{}", number % 50)},
        })
    };
    let peers: Vec<_> = (first..first + count).map(peer).collect();
    let answer = rest.post("/peers/bulk/create", &json!({ "peers": peers }));
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["failed"], 0);
}

fn is_write(line: &str) -> bool {
    line.contains("answered")
        && ["method=POST", "method=PUT", "method=DELETE"]
            .iter()
            .any(|method| line.contains(method))
}

fn node(number: u32, address: &Address, secret: &str) -> Value {
    let url = match address {
        Address::Tcp(address) => format!("http://{address}"),
        Address::Unix(path) => format!("unix://{}", Path::new(path).display()),
    };
    json!({
        "name": format!("node-{number:03}"), "agent_url": url, "wg_interface": "wg0",
        "secret": secret, "ip_pool_cidr": format!("10.{number}.0.0/16"),
    })
}
