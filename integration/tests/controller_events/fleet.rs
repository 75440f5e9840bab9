//! A controller with two simulated agents.

use std::{io, net::SocketAddr, time::Duration};

use serde_json::{Value, json};
use wgfleet_integration::{
    agent::{self, Agent},
    client::{Address, Client, Response},
    controller::{self, Controller},
    eventually,
};

pub(crate) const SOON: Duration = Duration::from_secs(60);
const SECRETS: [&str; 2] = [
    "the secret of the first simulated agent",
    "the secret of the second simulated agent",
];

pub(crate) struct Fleet {
    pub(crate) controller: Controller,
    pub(crate) nodes: [String; 2],
    _agents: [Agent; 2],
}

impl Fleet {
    pub(crate) fn new() -> Self {
        let agents = SECRETS.map(|secret| {
            agent::Config::simulated("wg0", 0)
                .secrets(&[secret])
                .start()
        });
        let controller = controller::Config::new().poll_interval("300ms").start();
        let rest = controller.rest();
        let nodes = [0, 1].map(|at| {
            let Address::Tcp(address) = agents[at].address().clone() else {
                panic!("it listens on TCP");
            };
            let node = json!({
                "name": format!("node-{at}"), "agent_url": format!("http://{address}"),
                "wg_interface": "wg0", "secret": SECRETS[at],
                "ip_pool_cidr": format!("10.{}.0.0/16", 80 + at),
            });
            text(&rest.create("/nodes", &node)["id"])
        });
        Self {
            controller,
            nodes,
            _agents: agents,
        }
    }

    /// Where it listens now.
    pub(crate) fn address(&self) -> SocketAddr {
        address(&self.controller)
    }

    /// A call that may find nobody.
    pub(crate) fn caller(
        &self,
    ) -> impl Fn(&str, &str, Option<&Value>) -> io::Result<Response> + use<> {
        let (rest, address) = (self.controller.rest(), self.address());
        let client = Client::new(Address::Tcp(address), "").timeout(Duration::from_secs(20));
        move |method, path, body| client.send_wire(&rest.wire(method, path, body))
    }

    /// All peers are on their nodes, and there is no more to tell.
    pub(crate) fn settle(&self) {
        let rest = self.controller.rest();
        eventually(SOON, "all peers applied", || {
            let pending = rest.read("/peers?sync=pending&limit=1");
            (pending["total"] == 0).then_some(())
        });
    }
}

pub(crate) fn text(value: &Value) -> String {
    let text = value.as_str();
    text.unwrap_or_else(|| panic!("a text: {value}")).to_owned()
}

/// Where the controller listens now.
pub(crate) fn address(controller: &Controller) -> SocketAddr {
    let log = controller.log();
    let (_, rest) = log.rsplit_once("listening on http://").expect("it listens");
    let line = rest.lines().next().expect("a line");
    line.trim().parse().expect("an address")
}
