//! An agent, an interface or the controller is away for a while.

use serde_json::json;
use wgfleet_integration::{eventually, lab_test, wg};

use crate::fleet::{Fleet, SOON, TWO_POLLS, WG0, limits, text};

lab_test! {
    fn what_changes_while_an_agent_is_away_is_there_when_it_returns() with (limits()) {
        let mut fleet = Fleet::new();
        for number in 0..8 {
            fleet.peer(&format!("peer-{number}"), Some(1));
        }
        let gone = fleet.peer("gone", Some(1));
        fleet.hosts[1].agent.kill();
        let node = fleet.await_status(1, "offline");
        assert!(text(&node["status_reason"]).contains("refused"), "{node}");

        let late = fleet.peer("late", Some(1));
        assert_eq!(late["sync"]["state"], "pending", "{late}");
        assert!(text(&late["sync"]["reason"]).contains("offline"), "{late}");
        // A node that is away takes none by itself.
        assert_eq!(fleet.peer("placed", None)["node_id"], json!(fleet.nodes[0]));
        let deleted = fleet.rest.delete(&format!("/peers/{}", text(&gone["id"])));
        assert_eq!((deleted.status, deleted.json()["sync"]["state"].clone()), (200, json!("pending")));
        assert_eq!(fleet.rest.get(&format!("/peers/{}", text(&gone["id"]))).status, 404);
        let shown = fleet.hosts[1].shown();
        assert!(shown.contains_key(&text(&gone["public_key"])));
        assert!(!shown.contains_key(&text(&late["public_key"])));

        fleet.hosts[1].agent.restart();
        eventually(TWO_POLLS, "the kernel as declared", || fleet.agrees(1).then_some(()));
        let late = format!("/peers/{}", text(&late["id"]));
        eventually(TWO_POLLS, "the late peer applied", || {
            (fleet.rest.read(&late)["sync"]["state"] == "applied").then_some(())
        });
        let shown = fleet.hosts[1].shown();
        assert!(!shown.contains_key(&text(&gone["public_key"])));
        assert_eq!(shown.len(), 9);
        fleet.await_status(1, "online");
    }
}

lab_test! {
    fn hostile_25_an_interface_that_comes_back_has_its_peers() with (limits()) {
        let fleet = Fleet::new();
        for number in 0..8 {
            fleet.peer(&format!("peer-{number}"), Some(0));
        }
        let before = fleet.hosts[0].shown();
        assert_eq!(before.len(), 8);
        fleet.hosts[0].inside(|| wg::delete_interface(WG0));
        let node = fleet.await_status(0, "error");
        assert!(text(&node["status_reason"]).contains(WG0), "{node}");
        fleet.hosts[0].add_interface();
        eventually(TWO_POLLS, "the same peers with the same keys", || {
            (fleet.hosts[0].shown() == before).then_some(())
        });
        fleet.await_status(0, "online");
    }
}

lab_test! {
    fn a_controller_that_was_killed_goes_on_where_it_was() with (limits()) {
        let mut fleet = Fleet::new();
        let kept = fleet.peer("kept", Some(0));
        let before = fleet.hosts[0].shown();
        fleet.controller.kill();
        fleet.hosts[0].inside(|| wg::remove_peer(WG0, kept["public_key"].as_str().expect("a key")));
        fleet.controller.restart();
        fleet.rest = fleet.controller.rest();
        eventually(SOON, "mended after the restart", || (fleet.hosts[0].shown() == before).then_some(()));
        fleet.peer("new", Some(0));
        assert!(fleet.agrees(0));
        assert!(fleet.controller.terminate().success());
    }
}
