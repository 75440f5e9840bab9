//! A controller with a few nodes, and something of everything that has an id.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use wgfleet_integration::{
    agent::{self, Agent},
    client::Address,
    controller::{self, Controller},
};

const NODES: u8 = 3;
const PEERS: u8 = 12;

pub(crate) struct Fleet {
    pub(crate) controller: Controller,
    /// By the first part of the path: `nodes`, `peers`, `tokens`, `webhooks`.
    pub(crate) ids: BTreeMap<&'static str, Vec<String>>,
    _agents: Vec<Agent>,
}

impl Fleet {
    pub(crate) fn start() -> Self {
        // How often somebody may ask is tested elsewhere.
        let controller = controller::Config::new()
            .poll_interval("500ms")
            .arguments(&["--token-rate", "0", "--auth-failure-rate", "0"])
            .start();
        let mut fleet = Self {
            controller,
            ids: BTreeMap::new(),
            _agents: Vec::new(),
        };
        for number in 0..NODES {
            fleet.add_node(number);
        }
        for number in 0..PEERS {
            fleet.add("peers", &json!({"name": format!("peer {number}")}));
        }
        for number in 0..4 {
            fleet.add(
                "tokens",
                &json!({"name": format!("token {number}"), "role": "viewer"}),
            );
            // Port 9 discards, where it is served at all.
            let url = "http://127.0.0.1:9/hook";
            fleet.add(
                "webhooks",
                &json!({"name": format!("hook {number}"), "url": url}),
            );
        }
        fleet
    }

    fn add_node(&mut self, number: u8) {
        let secret = format!("the secret of simulated agent {number}");
        let agent = agent::Config::simulated("wg0", 3)
            .secrets(&[&secret])
            .start();
        let Address::Tcp(address) = agent.address() else {
            panic!("it listens on TCP");
        };
        let node = json!({
            "name": format!("node-{number}"), "agent_url": format!("http://{address}"),
            "wg_interface": "wg0", "secret": secret, "ip_pool_cidr": format!("10.8.{number}.0/24"),
            "labels": {"region": "eu"},
        });
        self._agents.push(agent);
        self.add("nodes", &node);
    }

    fn add(&mut self, kind: &'static str, body: &Value) {
        let made = self.controller.rest().create(&format!("/{kind}"), body);
        let id = made["id"].as_str().expect("an id").to_owned();
        self.ids.entry(kind).or_default().push(id);
    }

    /// The id of something that is what the path is about.
    pub(crate) fn id_for(&self, path: &str) -> &str {
        let kind = path.split('/').nth(1).unwrap_or_default();
        &self.ids[kind][0]
    }
}
