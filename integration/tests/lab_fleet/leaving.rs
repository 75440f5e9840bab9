//! A node is deleted: what becomes of its peers, in the kernels.

use serde_json::{Value, json};
use wgfleet_integration::lab_test;

use crate::fleet::{Fleet, WEIGHTS, limits, text, texts};

fn delete(fleet: &Fleet, at: usize, peers: &str) -> Value {
    let path = format!("/nodes/{}?peers={peers}", fleet.nodes[at]);
    let answer = fleet.rest.delete(&path);
    assert_eq!(answer.status, 200, "{answer:?}");
    let node = fleet.rest.get(&format!("/nodes/{}", fleet.nodes[at]));
    assert_eq!(node.status, 404, "{node:?}");
    answer.json()
}

lab_test! {
    fn a_deleted_node_has_its_peers_moved_deleted_or_forgotten() with (limits()) {
        let mut fleet = Fleet::new();
        for number in 0..4 {
            fleet.peer(&format!("first-{number}"), Some(0));
        }
        fleet.peer("second", Some(1));
        let before = fleet.hosts[0].shown();
        let refused = fleet.rest.delete(&format!("/nodes/{}", fleet.nodes[0]));
        assert_eq!((refused.status, &refused.json()["code"]), (409, &json!("node_has_peers")));
        assert!(text(&refused.json()["detail"]).contains("4 peers"), "{refused:?}");
        assert_eq!(fleet.hosts[0].shown(), before);

        assert_eq!(delete(&fleet, 0, "move")["peer_count"], 4);
        assert!(fleet.hosts[0].shown().is_empty());
        assert!(fleet.agrees(1));
        let arrived = fleet.hosts[1].shown();
        assert_eq!(arrived.len(), 5);
        for (key, (ips, preshared)) in &before {
            assert_eq!(&arrived[key].1, preshared, "the preshared key went with it");
            assert_ne!(&arrived[key].0, ips, "an address of another pool");
        }

        // Added again and deleted with its peers forgotten, its kernel is left as it is.
        let again = fleet.rest.create("/nodes", &fleet.hosts[0].node(WEIGHTS[0]));
        fleet.nodes[0] = text(&again["id"]);
        fleet.await_status(0, "online");
        let forgotten = [0, 1].map(|number| fleet.peer(&format!("forgotten-{number}"), Some(0)));
        let before = fleet.hosts[0].shown();
        assert_eq!(delete(&fleet, 0, "forget")["peer_count"], 2);
        assert_eq!(fleet.hosts[0].shown(), before);
        for peer in &forgotten {
            let path = format!("/peers/{}", text(&peer["id"]));
            assert_eq!(fleet.rest.get(&path).status, 404);
            assert_eq!(before[&text(&peer["public_key"])].0, texts(&peer["allowed_ips"]));
        }
        // Whoever adds it again finds them there, undeclared.
        let again = fleet.rest.create("/nodes", &fleet.hosts[0].node(WEIGHTS[0]));
        fleet.nodes[0] = text(&again["id"]);
        fleet.await_status(0, "online");
        let plan = fleet.rest.read(&format!("/nodes/{}/plan", fleet.nodes[0]));
        assert_eq!(plan["unmanaged"].as_array().map(Vec::len), Some(2), "{plan}");

        assert_eq!(delete(&fleet, 1, "delete")["peer_count"], 5);
        assert!(fleet.hosts[1].shown().is_empty());
        assert_eq!(fleet.rest.read("/peers")["total"], 0);
        assert_eq!(fleet.hosts[0].shown(), before);
    }
}
