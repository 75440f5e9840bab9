//! A fleet of two teams, and a token for one of them.

use serde_json::{Value, json};
use wgfleet_integration::controller;

use crate::common::{assert_refused, node, token};

fn text(value: &Value) -> &str {
    value.as_str().expect("text")
}

#[test]
fn a_scoped_token_sees_and_touches_its_own_nodes_only() {
    let controller = controller::Config::new().start();
    let admin = controller.rest();
    let blue = admin.create("/nodes", &node("blue-1", "blue", 1));
    let red = admin.create("/nodes", &node("red-1", "red", 2));
    let (blue, red) = (text(&blue["id"]), text(&red["id"]));
    let theirs = admin.create("/peers", &json!({"name": "theirs", "node_id": blue}));
    let scope = json!({"name": "red team", "role": "operator", "label_scope": {"team": "red"}});
    let (_, team) = token(&controller, &scope);

    let nodes = team.read("/nodes");
    assert_eq!(
        (nodes["total"].as_u64(), &nodes["items"][0]["name"]),
        (Some(1), &json!("red-1"))
    );
    assert_eq!(team.read("/peers")["total"], 0);
    let ours = team.create("/peers", &json!({"name": "ours", "node_id": red}));
    assert_eq!(ours["node_id"], red);
    assert_eq!(team.read("/peers")["total"], 1);
    assert_eq!(admin.read("/peers")["total"], 2);

    let path = format!("/peers/{}", text(&theirs["id"]));
    for answer in [
        team.get(&path),
        team.patch(&path, &json!({"name": "mine"})),
        team.patch(&path, &json!({"node_id": red})),
        team.delete(&path),
        team.get(&format!("{path}/config")),
    ] {
        assert_refused(&answer, 404, "peer_not_found");
    }
    let path = format!("/nodes/{blue}");
    for answer in [
        team.get(&path),
        team.patch(&path, &json!({"weight": 1})),
        team.delete(&format!("{path}?peers=forget")),
        team.get(&format!("{path}/plan")),
        team.post(&format!("{path}/sync"), &json!({})),
        team.post("/peers", &json!({"name": "out", "node_id": blue})),
        team.patch(
            &format!("/peers/{}", text(&ours["id"])),
            &json!({"node_id": blue}),
        ),
    ] {
        assert_refused(&answer, 404, "node_not_found");
    }
    assert_eq!(admin.read(&path)["weight"], 100);

    let outside = team.post("/nodes", &node("blue-2", "blue", 3));
    assert_refused(&outside, 403, "outside_scope");
    let left = team.patch(&format!("/nodes/{red}"), &json!({"labels": {}}));
    assert_refused(&left, 403, "outside_scope");
    team.create("/nodes", &node("red-2", "red", 4));
    for path in ["/tokens", "/audit"] {
        assert_refused(&team.get(path), 403, "forbidden");
    }
    assert_eq!(team.read("/whoami")["label_scope"], json!({"team": "red"}));
    assert!(!team.read("/nodes").to_string().contains("blue"));
}
