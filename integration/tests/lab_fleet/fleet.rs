//! Two hosts, the agents on them, and a controller that knows both.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde_json::{Value, json};
use wgfleet_integration::{
    agent::{self, Agent},
    client::Address,
    controller::{self, Controller, Rest},
    eventually, lab, netns, wg,
};

pub(crate) const WG0: &str = "wg0";
/// Two polls, and what a kernel on a loaded machine takes beside.
pub(crate) const TWO_POLLS: Duration = Duration::from_millis(2 * 500 + 2_000);
/// For what needs several polls or a handshake.
pub(crate) const SOON: Duration = Duration::from_secs(20);
/// Where the node of the first host is reached by clients.
pub(crate) const ENDPOINT: &str = "192.0.2.1:51820";

/// A test boots a kernel and starts three programs.
pub(crate) fn limits() -> lab::Limits {
    lab::Limits {
        time: Duration::from_secs(240),
        ..lab::Limits::default()
    }
}

/// A host: a namespace with `wg0` and an agent.
pub(crate) struct Host {
    pub(crate) namespace: &'static str,
    pub(crate) agent: Agent,
    /// Of the node's pools: `10.8.1.` and `fd00:8:1::`.
    pub(crate) prefixes: [String; 2],
    pub(crate) private_key: String,
    pub(crate) secret: String,
}

impl Host {
    fn new(number: u32) -> Self {
        let namespace = ["n1", "n2"][number as usize - 1];
        netns::add(namespace);
        let private_key = wg::genkey();
        let secret = format!("the secret of the host number {number}, long enough");
        let agent = agent::Config::kernel().secrets(&[&secret]);
        let host = Self {
            namespace,
            prefixes: [format!("10.8.{number}."), format!("fd00:8:{number}::")],
            private_key,
            secret,
            agent: agent.in_namespace(namespace).unix_socket().start(),
        };
        host.add_interface();
        host
    }

    /// Makes `wg0` as a host's boot would: with its key, its port and its addresses.
    pub(crate) fn add_interface(&self) {
        let [v4, v6] = &self.prefixes;
        self.inside(|| {
            wg::add_interface(WG0);
            let key_and_port = [
                "set",
                WG0,
                "listen-port",
                "51820",
                "private-key",
                "/dev/stdin",
            ];
            wg::wg(&key_and_port, &self.private_key);
            wg::ip(&["address", "add", &format!("{v4}1/24"), "dev", WG0]);
            wg::ip(&["address", "add", &format!("{v6}1/64"), "dev", WG0]);
        });
    }

    pub(crate) fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        netns::inside(self.namespace, work)
    }

    /// What `wg` shows: allowed IPs, sorted, and preshared key, by public key.
    pub(crate) fn shown(&self) -> BTreeMap<String, (BTreeSet<String>, Option<String>)> {
        let peers = self.inside(|| wg::show(WG0)).peers.into_iter();
        peers
            .map(|peer| {
                let allowed_ips = peer.allowed_ips.into_iter().collect();
                (peer.public_key, (allowed_ips, peer.preshared_key))
            })
            .collect()
    }

    /// The fields of a node that say where its agent is.
    pub(crate) fn connection(&self, secret: &str) -> Value {
        let Address::Unix(path) = self.agent.address() else {
            panic!("it was told to listen on a socket");
        };
        let agent_url = format!("unix://{}", path.display());
        json!({"agent_url": agent_url, "wg_interface": WG0, "secret": secret})
    }

    pub(crate) fn right_connection(&self) -> Value {
        self.connection(&self.secret)
    }

    /// The body that makes its node.
    pub(crate) fn node(&self, weight: u32) -> Value {
        let [v4, v6] = &self.prefixes;
        let mut node = self.right_connection();
        node["name"] = json!(format!("node-{}", self.namespace));
        node["weight"] = json!(weight);
        node["endpoint"] = json!(ENDPOINT);
        node["ip_pool_cidr"] = json!(format!("{v4}0/24, {v6}/64"));
        node["client_allowed_ips"] = json!([format!("{v4}0/24"), format!("{v6}/64")]);
        node
    }
}

/// Weights of the two nodes.
pub(crate) const WEIGHTS: [u32; 2] = [100, 300];

pub(crate) struct Fleet {
    pub(crate) hosts: [Host; 2],
    /// Ids of the hosts' nodes.
    pub(crate) nodes: [String; 2],
    pub(crate) rest: Rest,
    pub(crate) controller: Controller,
}

impl Fleet {
    /// Both nodes are known and online, and have no peers.
    pub(crate) fn new() -> Self {
        let hosts = [1, 2].map(Host::new);
        let controller = controller::Config::new().poll_interval("500ms").start();
        let rest = controller.rest();
        let nodes = [0, 1].map(|at| {
            let node = rest.create("/nodes", &hosts[at].node(WEIGHTS[at]));
            node["id"].as_str().expect("an id").to_owned()
        });
        let fleet = Self {
            hosts,
            nodes,
            rest,
            controller,
        };
        for at in [0, 1] {
            fleet.await_status(at, "online");
        }
        fleet
    }

    /// Makes a peer on a node, or on one the controller picks, with a generated preshared key.
    pub(crate) fn peer(&self, name: &str, at: Option<usize>) -> Value {
        let mut peer = json!({"name": name, "preshared_key": "generate"});
        if let Some(at) = at {
            peer["node_id"] = json!(self.nodes[at]);
        }
        self.rest.create("/peers", &peer)
    }

    /// The node, once it has that status.
    pub(crate) fn await_status(&self, at: usize, status: &str) -> Value {
        let path = format!("/nodes/{}", self.nodes[at]);
        eventually(SOON, &format!("node {at} {status}"), || {
            let node = self.rest.read(&path);
            (node["status"] == status).then_some(node)
        })
    }

    /// Several polls of a node pass.
    pub(crate) fn polls_pass(&self, at: usize) {
        let path = format!("/nodes/{}", self.nodes[at]);
        // It is told in whole seconds, and each has two polls.
        for _ in 0..3 {
            let seen = self.rest.read(&path)["last_seen"].clone();
            eventually(SOON, "the node is still polled", || {
                (self.rest.read(&path)["last_seen"] != seen).then_some(())
            });
        }
    }

    /// Allowed IPs, sorted, by public key, of the peers the controller has on a node.
    pub(crate) fn declared(&self, at: usize) -> BTreeMap<String, BTreeSet<String>> {
        let page = self
            .rest
            .read(&format!("/peers?limit=1000&node_id={}", self.nodes[at]));
        let peers = page["items"].as_array().expect("a list");
        peers
            .iter()
            .map(|peer| (text(&peer["public_key"]), texts(&peer["allowed_ips"])))
            .collect()
    }

    /// `wg` shows exactly what the controller has, now.
    pub(crate) fn agrees(&self, at: usize) -> bool {
        let shown = self.hosts[at].shown().into_iter();
        let shown: BTreeMap<_, _> = shown.map(|(key, (ips, _))| (key, ips)).collect();
        shown == self.declared(at)
    }
}

pub(crate) fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("a text: {value}"))
        .to_owned()
}

pub(crate) fn texts(value: &Value) -> BTreeSet<String> {
    value.as_array().expect("a list").iter().map(text).collect()
}
