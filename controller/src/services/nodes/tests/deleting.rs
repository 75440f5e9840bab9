//! Deleting nodes that have peers.

use super::*;

#[tokio::test]
async fn a_node_with_peers_stays() {
    let (world, agent) = (World::new().await, Agent::start(SECRET, None).await);
    let node = world.node("node-1", &agent, "10.8.0.0/24").await;
    world.peer(&node.id, 1).await;
    world.peer(&node.id, 2).await;
    let outcome = world.delete(&node.id, v1::DeletePeers::Unspecified).await;
    let status = assert_refused(outcome, Code::FailedPrecondition, "node_has_peers");
    assert!(status.message().contains("2 peers"));
}

#[tokio::test]
async fn forgotten_peers_stay_in_the_kernel() {
    let (world, agent) = (World::new().await, Agent::start(SECRET, None).await);
    let node = world.node("node-1", &agent, "10.8.0.0/24").await;
    world.peer(&node.id, 1).await;
    let deleted = world
        .delete(&node.id, v1::DeletePeers::Forget)
        .await
        .unwrap();
    assert_eq!((deleted.peer_count, agent.keys().len()), (1, 1));
    assert_refused(world.get(&node.id).await, Code::NotFound, "node_not_found");
    assert_eq!(world.audited(&node.id).await[0].action, "node.delete");
    world.node("node-1", &agent, "10.8.0.0/24").await;
}

#[tokio::test]
async fn deleted_peers_leave_the_kernel_first() {
    let (world, agent) = (World::new().await, Agent::start(SECRET, None).await);
    let node = world.node("node-1", &agent, "10.8.0.0/24").await;
    world.peer(&node.id, 1).await;
    world.peer(&node.id, 2).await;
    assert_eq!(agent.keys().len(), 2);
    let deleted = world
        .delete(&node.id, v1::DeletePeers::Delete)
        .await
        .unwrap();
    assert_eq!((deleted.peer_count, agent.keys().len()), (2, 0));
    assert_refused(world.get(&node.id).await, Code::NotFound, "node_not_found");
}

#[tokio::test]
async fn an_unreachable_node_keeps_its_peers() {
    let (world, agent) = (World::new().await, Agent::start(SECRET, None).await);
    let node = world.node("node-1", &agent, "10.8.0.0/24").await;
    world.peer(&node.id, 1).await;
    agent.host.lock().unwrap().secrets.clear();
    let outcome = world.delete(&node.id, v1::DeletePeers::Delete).await;
    let status = assert_refused(outcome, Code::FailedPrecondition, "node_unreachable");
    assert!(status.message().contains("forget"));
    assert_eq!(world.get(&node.id).await.unwrap().peer_count, 1);
}

#[tokio::test]
async fn moved_peers_arrive_before_they_leave() {
    let world = World::new().await;
    let (old, new) = (
        Agent::start(SECRET, None).await,
        Agent::start(OTHER_SECRET, None).await,
    );
    let source = world.node("node-1", &old, "10.8.0.0/24").await;
    let target = world.node("node-2", &new, "10.9.0.0/24").await;
    let peer = world.peer(&source.id, 1).await;
    let deleted = world
        .delete(&source.id, v1::DeletePeers::Move)
        .await
        .unwrap();
    assert_eq!(
        (deleted.peer_count, old.keys().len(), new.keys().len()),
        (1, 0, 1)
    );
    assert_refused(
        world.get(&source.id).await,
        Code::NotFound,
        "node_not_found",
    );
    let row = world
        .core
        .look(move |conn| Ok(peers::get(conn, peer)?))
        .await
        .unwrap();
    assert_eq!(row.node_id.to_string(), target.id);
    assert_eq!(row.allowed_ips[0].to_string(), "10.9.0.2/32");
}

#[tokio::test]
async fn all_peers_move_or_none() {
    let world = World::new().await;
    let (old, new) = (
        Agent::start(SECRET, None).await,
        Agent::start(OTHER_SECRET, None).await,
    );
    let source = world.node("node-1", &old, "10.8.0.0/24").await;
    let target = world.node("node-2", &new, "10.9.0.0/32").await;
    world.peer(&source.id, 1).await;
    world.peer(&source.id, 2).await;
    let outcome = world.delete(&source.id, v1::DeletePeers::Move).await;
    let status = assert_refused(outcome, Code::ResourceExhausted, "no_node_fits");
    assert!(status.message().contains("node-2 has no free IPv4 address"));
    assert_eq!(world.get(&target.id).await.unwrap().peer_count, 0);
    assert_eq!(world.get(&source.id).await.unwrap().peer_count, 2);
}
