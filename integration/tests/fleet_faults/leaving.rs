//! A node that is deleted with its peers, the controller killed in the middle of it.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use wgfleet_integration::{
    agent::{Agent, Config},
    eventually,
};

use super::runner::{Controller, PATIENCE, text, url};

const PEERS: usize = 5;
const OTHER: &str = "the-second-agent-has-this-secret-of-its-own-here";

struct Story {
    from: Agent,
    to: Agent,
    controller: Controller,
    leaving: String,
    staying: String,
    keys: BTreeSet<String>,
}

impl Story {
    /// Two nodes, peers on the one that will be deleted, and a death at `place` on the way.
    fn die_at(place: &str, peers: &str) -> Self {
        let from = Config::simulated("wg0", 0).start();
        let to = Config::simulated("wg1", 0).secrets(&[OTHER]).start();
        let mut controller = Controller::start();
        let leaving = controller.add("leaving", &url(&from), &json!({}));
        let more = json!({ "wg_interface": "wg1", "secret": OTHER, "ip_pool_cidr": "10.9.0.0/24" });
        let staying = controller.add("staying", &url(&to), &more);
        let keys = (0..PEERS).map(|at| {
            let body = json!({ "name": format!("p{at}"), "node_id": leaving });
            text(&controller.create_peer(&body).expect(201)["public_key"])
        });
        let keys = keys.collect();
        controller.await_in_sync(&leaving, PATIENCE);
        controller.kill();
        assert!(controller.try_run(Some(place)));
        controller.await_status(&staying, "online");
        let path = format!("/nodes/{leaving}?peers={peers}");
        let answer = controller.try_call("DELETE", &path, &Value::Null);
        assert!(answer.is_err(), "{place}: it lived: {answer:?}");
        assert!(!controller.ended().success());
        controller.run();
        Self {
            from,
            to,
            controller,
            leaving,
            staying,
            keys,
        }
    }

    /// Asks again until the node is gone.
    fn delete(&self, peers: &str) {
        let path = format!("/nodes/{}?peers={peers}", self.leaving);
        eventually(PATIENCE, "the node can be deleted", || {
            let answer = self.controller.call("DELETE", &path, &Value::Null);
            // What a killed move left under way may have to end first.
            assert!([200, 404, 409].contains(&answer.status), "{}", answer.body);
            (answer.status != 409).then_some(())
        });
        assert_eq!(self.controller.get("/nodes")["total"], 1);
    }
}

fn keys(agent: &Agent, interface: &str) -> BTreeSet<String> {
    let dump = agent.client().dump(interface);
    let peers = dump["peers"].as_array().expect("a list").iter();
    peers.map(|peer| text(&peer["public_key"])).collect()
}

#[test]
fn hostile_29_killed_while_peers_move_none_is_lost_or_doubled() {
    for place in [
        "nodes.peers_placed",
        "nodes.peers_moved",
        "nodes.before_delete",
        "nodes.deleted",
    ] {
        let story = Story::die_at(place, "move");
        let peers = story.controller.peers();
        assert_eq!(peers.len(), PEERS, "{place}: {peers:?}");
        if place != "nodes.deleted" {
            story.delete("move");
        }
        story.controller.await_in_sync(&story.staying, PATIENCE);
        assert_eq!(keys(&story.to, "wg1"), story.keys, "{place}");
        assert_eq!(keys(&story.from, "wg0"), BTreeSet::new(), "{place}");
        let peers = story.controller.peers();
        assert_eq!(peers.len(), PEERS, "{place}: {peers:?}");
        assert!(
            peers.iter().all(|peer| peer["node_id"] == story.staying),
            "{place}: {peers:?}"
        );
    }
}

#[test]
fn hostile_29_killed_while_peers_are_deleted_with_their_node() {
    for place in [
        "nodes.peers_deleted",
        "nodes.before_delete",
        "nodes.deleted",
    ] {
        let story = Story::die_at(place, "delete");
        assert_eq!(story.controller.get("/peers")["total"], 0, "{place}");
        if place != "nodes.deleted" {
            story.delete("delete");
        }
        assert_eq!(keys(&story.from, "wg0"), BTreeSet::new(), "{place}");
        assert_eq!(keys(&story.to, "wg1"), BTreeSet::new(), "{place}");
    }
}
