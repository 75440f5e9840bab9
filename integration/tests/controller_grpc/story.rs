//! What can be done over REST can be done here, with the same outcome and the same refusals.

use serde_json::json;
use tonic::Code;
use wgfleet_integration::eventually;
use wgfleet_proto::v1::{
    CreateNodeRequest, CreatePeerRequest, DeleteNodeRequest, DeletePeerRequest, DeletePeers,
    GetNodeRequest, GetPeerConfigRequest, GetPeerRequest, ListNodesRequest, ListPeersRequest,
    NodeStatus, PlanNodeRequest, PresharedKeyChoice, SyncState, UpdateNodeRequest,
    UpdatePeerRequest, preshared_key_choice::Choice,
};

use crate::caller::{Offered, PLACES, SOON, refused, run};

fn peer(name: &str, node_id: &str) -> CreatePeerRequest {
    CreatePeerRequest {
        name: name.into(),
        node_id: node_id.into(),
        preshared_key: Some(PresharedKeyChoice {
            choice: Some(Choice::Generate(true)),
        }),
        ..CreatePeerRequest::default()
    }
}

#[test]
fn nodes_and_peers_are_made_listed_changed_and_deleted() {
    for place in PLACES {
        let offered = Offered::start(place);
        run(story(&offered));
    }
}

async fn story(offered: &Offered) {
    let mut caller = offered.admin().await;
    let made = caller.nodes.create(offered.node("first")).await;
    let node = made.expect("made").into_inner().node.expect("a node");
    let id = node.id.clone();
    let weight = UpdateNodeRequest {
        id: id.clone(),
        weight: Some(7),
        ..UpdateNodeRequest::default()
    };
    let changed = caller.nodes.update(weight).await.expect("changed");
    assert_eq!(changed.into_inner().node.map(|node| node.weight), Some(7));
    let get = GetNodeRequest { id: id.clone() };
    // Each look is a call, and a poll takes a while.
    let deadline = std::time::Instant::now() + SOON;
    loop {
        let node = caller.nodes.get(get.clone()).await.expect("there");
        let node = node.into_inner();
        if node.status() == NodeStatus::Online {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "{node:?}");
    }

    let mut ids = Vec::new();
    for number in 0..3 {
        let made = caller
            .peers
            .create(peer(&format!("peer {number}"), &id))
            .await;
        let made = made.expect("made").into_inner();
        assert!(
            made.preshared_key.is_some(),
            "a generated one is shown once"
        );
        let made = made.peer.expect("a peer");
        assert_eq!(made.allowed_ips, [format!("10.8.0.{}/32", number + 2)]);
        ids.push(made.id);
    }
    let listed = caller.peers.list(ListPeersRequest::default()).await;
    let listed = listed.expect("a list").into_inner();
    assert_eq!(listed.page.map(|page| page.total), Some(3));
    eventually(SOON, "the agent has all of them", || {
        (offered.shown().len() == 3).then_some(())
    });

    let renamed = UpdatePeerRequest {
        id: ids[0].clone(),
        name: Some("laptop".into()),
        persistent_keepalive: Some(25),
        ..UpdatePeerRequest::default()
    };
    let renamed = caller.peers.update(renamed).await.expect("changed");
    let renamed = renamed.into_inner().peer.expect("a peer");
    assert_eq!(
        (renamed.name.as_str(), renamed.persistent_keepalive),
        ("laptop", 25)
    );
    let config = GetPeerConfigRequest { id: ids[0].clone() };
    let config = caller
        .peers
        .get_config(config)
        .await
        .expect("a configuration");
    assert!(
        config
            .into_inner()
            .config
            .contains("PersistentKeepalive = 25")
    );
    // One and the same store.
    let rest = offered.controller.rest();
    assert_eq!(
        rest.read(&format!("/peers/{}", ids[0]))["name"],
        json!("laptop")
    );

    let gone = DeletePeerRequest {
        id: ids[2].clone(),
        ..DeletePeerRequest::default()
    };
    caller.peers.delete(gone).await.expect("deleted");
    eventually(SOON, "the agent has two of them", || {
        (offered.shown().len() == 2).then_some(())
    });
    let plan = caller.nodes.plan(PlanNodeRequest { id: id.clone() }).await;
    assert!(plan.expect("a plan").into_inner().in_sync);
    let got = caller
        .peers
        .get(GetPeerRequest { id: ids[1].clone() })
        .await;
    let sync = got.expect("there").into_inner().sync.expect("its state");
    assert_eq!(sync.state(), SyncState::Applied);

    let delete = |peers: DeletePeers| DeleteNodeRequest {
        id: id.clone(),
        peers: peers.into(),
        ..DeleteNodeRequest::default()
    };
    let refusal = refused(caller.nodes.delete(delete(DeletePeers::Refuse)).await);
    assert_eq!(refusal, (Code::FailedPrecondition, "node_has_peers".into()));
    let deleted = caller.nodes.delete(delete(DeletePeers::Delete)).await;
    assert_eq!(deleted.expect("deleted").into_inner().peer_count, 2);
    assert_eq!(offered.shown(), Vec::<String>::new());
    let listed = caller.nodes.list(ListNodesRequest::default()).await;
    assert!(listed.expect("a list").into_inner().items.is_empty());
}

/// The stable code of a refusal over REST, with its status.
fn over_rest(offered: &Offered, path: &str, body: &serde_json::Value) -> String {
    let answer = offered.controller.rest().post(path, body).json();
    answer["code"].as_str().expect("a code").to_owned()
}

#[test]
fn refusals_have_the_codes_of_the_rest_api() {
    for place in PLACES {
        let offered = Offered::start(place);
        run(refusals(&offered));
    }
}

async fn refusals(offered: &Offered) {
    let mut caller = offered.admin().await;
    let off = CreateNodeRequest {
        enabled: Some(false),
        ip_pool_cidr: "10.8.0.0/31".into(),
        ..offered.node("first")
    };
    let made = caller.nodes.create(off.clone()).await.expect("made");
    let id = made.into_inner().node.expect("a node").id;

    let again = refused(caller.nodes.create(off.clone()).await);
    assert_eq!(again, (Code::AlreadyExists, "name_taken".into()));
    let body = json!({ "name": "first", "agent_url": off.agent_url, "wg_interface": "wg0", "secret": off.secret });
    assert_eq!(over_rest(offered, "/nodes", &body), again.1);

    let bad = CreateNodeRequest {
        name: "bad".into(),
        ip_pool_cidr: "10.8.0.0/33".into(),
        ..off.clone()
    };
    let bad = refused(caller.nodes.create(bad).await);
    assert_eq!(bad.0, Code::InvalidArgument);
    let body = json!({ "name": "bad", "agent_url": "http://b.invalid", "wg_interface": "wg0", "ip_pool_cidr": "10.8.0.0/33" });
    assert_eq!(over_rest(offered, "/nodes", &body), bad.1);

    let foreign = "01900000-0000-7000-8000-000000000000";
    let missing = refused(
        caller
            .nodes
            .get(GetNodeRequest { id: foreign.into() })
            .await,
    );
    assert_eq!(missing, (Code::NotFound, "node_not_found".into()));
    let missing = refused(caller.peers.get(GetPeerRequest { id: "x".into() }).await);
    assert_eq!(missing, (Code::NotFound, "peer_not_found".into()));

    for name in ["one", "other", "third"] {
        let made = caller.peers.create(peer(name, &id)).await;
        if made.is_err() {
            let full = refused(made);
            assert_eq!(full, (Code::ResourceExhausted, "no_free_address".into()));
            let body = json!({ "name": name, "node_id": id });
            assert_eq!(over_rest(offered, "/peers", &body), full.1);
            return;
        }
    }
    panic!("a /31 has room for two");
}
