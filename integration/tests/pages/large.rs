//! Every page over a fleet that is too large to be looked at.

use std::{env, time::Duration};

use serde_json::json;
use wgfleet_integration::{browser, client::Address, simulated_fleet::Fleet};

/// Nodes and peers. `make test-long` asks for more.
const SIZE: (u32, u32) = (10, 2_000);
const LONG_SIZE: (u32, u32) = (100, 100_000);
/// Programs of the debug profile could not follow many peers more often.
const POLL: Duration = Duration::from_secs(10);
const WITHIN: Duration = Duration::from_secs(240);

#[test]
fn large() {
    let is_long = env::var_os("WGFLEET_ROUNDS").is_some();
    let (nodes, peers) = if is_long { LONG_SIZE } else { SIZE };
    let fleet = Fleet::polled(nodes, POLL);
    fleet.fill(0, peers);
    fleet.settled();

    let Address::Tcp(address) = fleet.controller.address() else {
        panic!("it listens on TCP");
    };
    let token = std::fs::read_to_string(fleet.controller.data_dir().join("admin-token"));
    let told = json!({
        "origin": format!("http://{address}"),
        "tokens": {"admin": token.expect("the first token").trim()},
        "node_count": nodes,
        "peer_count": peers,
    });
    browser::play("large", &told, WITHIN, |_| {
        Err("nothing can be done to it".to_owned())
    });
}
