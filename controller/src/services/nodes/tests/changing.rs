//! Changing nodes.

use super::*;

fn patch(id: &str) -> v1::UpdateNodeRequest {
    v1::UpdateNodeRequest {
        id: id.into(),
        ..Default::default()
    }
}

#[tokio::test]
async fn only_what_is_given_changes() {
    let (world, agent) = (World::new().await, Agent::start(SECRET, None).await);
    let before = world.node("node-1", &agent, "10.8.0.0/24").await;
    let mut change = patch(&before.id);
    change.weight = Some(7);
    change.persistent_keepalive = Some(25);
    change.endpoint = Some("vpn.example.com:51820".into());
    let after = world.update(change).await.unwrap();
    assert_eq!((after.weight, after.persistent_keepalive), (7, Some(25)));
    assert_eq!(after.ip_pool_cidr, before.ip_pool_cidr);
    assert_eq!(after.desired_generation, before.desired_generation);
    let audited = world.audited(&before.id).await;
    let (old, new) = (audited[0].before.clone(), audited[0].after.clone());
    assert_eq!(old.unwrap()["weight"], 100);
    assert_eq!(new.unwrap().as_object().unwrap().len(), 3);
    let mut clear = patch(&before.id);
    (clear.endpoint, clear.persistent_keepalive) = (Some(String::new()), Some(0));
    let cleared = world.update(clear).await.unwrap();
    assert_eq!(
        (cleared.endpoint.as_str(), cleared.persistent_keepalive),
        ("", None)
    );
}

#[tokio::test]
async fn a_pool_keeps_the_addresses_in_use() {
    let (world, agent) = (World::new().await, Agent::start(SECRET, None).await);
    let node = world.node("node-1", &agent, "10.8.0.0/24").await;
    world.peer(&node.id, 9).await;
    let mut narrow = patch(&node.id);
    narrow.ip_pool_cidr = Some("10.9.0.0/24".into());
    narrow.weight = Some(7);
    let outcome = world.update(narrow).await;
    let status = assert_refused(
        outcome,
        Code::FailedPrecondition,
        "pool_leaves_out_addresses",
    );
    assert!(status.message().contains("10.8.0.2") && status.message().contains("peer-9"));
    assert_eq!(
        world.get(&node.id).await.unwrap().weight,
        100,
        "nothing was changed"
    );
    let mut wider = patch(&node.id);
    wider.ip_pool_cidr = Some("10.8.0.0/16, 10.9.0.0/24".into());
    let node = world.update(wider).await.unwrap();
    assert_eq!(node.ip_pool_cidr, "10.8.0.0/16, 10.9.0.0/24");
}

#[tokio::test]
async fn an_agent_may_move() {
    let (world, agent) = (World::new().await, Agent::start(SECRET, None).await);
    let url = nobody().await;
    let created = world.create(node("node-1", &url, SECRET)).await.unwrap();
    let node = created.node.unwrap();
    assert_ne!(node.status(), v1::NodeStatus::Online);
    let mut moved = patch(&node.id);
    moved.agent_url = Some(agent.url.clone());
    let node = world.update(moved).await.unwrap();
    assert_eq!(node.agent_url, agent.url);
    assert_eq!(
        node.status(),
        v1::NodeStatus::Online,
        "the secret came along"
    );
    assert_eq!(node.desired_generation, 1);
}

#[tokio::test]
async fn a_shared_agent_does_not_move_by_one_node() {
    let (world, agent) = (World::new().await, Agent::start(SECRET, None).await);
    let node_1 = world.node("node-1", &agent, "").await;
    let mut second = node("node-2", &agent.url, SECRET);
    second.wg_interface = "wg1".into();
    world.create(second).await.unwrap();
    let mut moved = patch(&node_1.id);
    moved.agent_url = Some(nobody().await);
    let outcome = world.update(moved).await;
    let status = assert_refused(outcome, Code::FailedPrecondition, "agent_shared");
    assert!(status.message().contains("node-2"));
}

#[tokio::test]
async fn disabled_and_enabled_again() {
    let (world, agent) = (World::new().await, Agent::start(SECRET, None).await);
    let id = world.node("node-1", &agent, "").await.id;
    let disable = world.ask(v1::DisableNodeRequest {
        id: id.clone(),
        ..Default::default()
    });
    let node = world.client().disable(disable).await.unwrap().into_inner();
    assert!(!node.enabled);
    assert_eq!(node.status(), v1::NodeStatus::Disabled);
    assert_eq!((node.rx_bytes_per_s, node.tx_bytes_per_s), (None, None));
    let sync = v1::SyncNodeRequest {
        id: id.clone(),
        confirm: None,
    };
    let outcome = world.client().sync(world.ask(sync)).await;
    assert_refused(outcome, Code::FailedPrecondition, "node_disabled");
    let enable = world.ask(v1::EnableNodeRequest {
        id,
        ..Default::default()
    });
    let node = world.client().enable(enable).await.unwrap().into_inner();
    assert_eq!(node.status(), v1::NodeStatus::Online);
    assert!(node.rx_bytes_per_s.is_some() && node.tx_bytes_per_s.is_some());
}

#[tokio::test]
async fn a_foreign_id_is_nobody() {
    let world = World::new().await;
    for id in ["", "x", "0192d1b0-0000-7000-8000-000000000000"] {
        let outcome = world.update(patch(id)).await;
        assert_refused(outcome, Code::NotFound, "node_not_found");
        assert_refused(world.get(id).await, Code::NotFound, "node_not_found");
        let outcome = world.delete(id, v1::DeletePeers::Forget).await;
        assert_refused(outcome, Code::NotFound, "node_not_found");
    }
}
