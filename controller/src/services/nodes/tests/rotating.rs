//! Moving to another secret.

use super::*;

async fn rotate(
    world: &World,
    id: &str,
    secret: Option<&str>,
) -> Result<v1::RotateNodeSecretResponse, Status> {
    let request = world.ask(v1::RotateNodeSecretRequest {
        id: id.into(),
        secret: secret.map(Into::into),
    });
    let answer = world.client().rotate_secret(request).await;
    answer.map(tonic::Response::into_inner)
}

#[tokio::test]
async fn the_old_secret_goes_when_the_new_one_is_proven() {
    let (world, agent) = (World::new().await, Agent::start(SECRET, None).await);
    let id = world.node("node-1", &agent, "").await.id;
    let early = rotate(&world, &id, Some(OTHER_SECRET)).await.unwrap();
    assert!(
        !early.completed && early.reason.contains("wrong secret"),
        "{early:?}"
    );
    assert_eq!(
        world.get(&id).await.unwrap().status(),
        v1::NodeStatus::Online
    );

    agent.host.lock().unwrap().secrets.push(OTHER_SECRET.into());
    let done = rotate(&world, &id, Some(OTHER_SECRET)).await.unwrap();
    assert!(done.completed && done.secret.is_none(), "{done:?}");
    assert_eq!(done.node_ids.join(" "), id);
    agent.host.lock().unwrap().secrets.remove(0);
    let test = world.ask(v1::TestNodeRequest {
        target: Some(v1::test_node_request::Target::Id(id.clone())),
    });
    assert!(world.client().test(test).await.unwrap().into_inner().ok);
    assert!(
        rotate(&world, &id, Some(OTHER_SECRET))
            .await
            .unwrap()
            .completed
    );
    let audited = format!("{:?}", world.audited(&id).await);
    assert!(audited.contains("node.rotate_secret") && !audited.contains(OTHER_SECRET));
}

#[tokio::test]
async fn a_drawn_secret_is_shown_once_and_waits() {
    let (world, agent) = (World::new().await, Agent::start(SECRET, None).await);
    let id = world.node("node-1", &agent, "").await.id;
    let drawn = rotate(&world, &id, None).await.unwrap();
    let secret = drawn.secret.unwrap();
    assert!(!drawn.completed && secret.len() == 43);
    agent.host.lock().unwrap().secrets = vec![secret.clone()];
    let done = rotate(&world, &id, Some(&secret)).await.unwrap();
    assert!(done.completed && done.secret.is_none(), "{done:?}");
}

#[tokio::test]
async fn another_agents_secret_is_refused() {
    let world = World::new().await;
    let (one, two) = (
        Agent::start(SECRET, None).await,
        Agent::start(OTHER_SECRET, None).await,
    );
    let id = world.node("node-1", &one, "").await.id;
    world.node("node-2", &two, "").await;
    let outcome = rotate(&world, &id, Some(OTHER_SECRET)).await;
    let status = assert_refused(outcome, Code::AlreadyExists, "secret_taken");
    assert!(status.message().contains("node-2"));
    assert_invalid(rotate(&world, &id, Some("short")).await, "secret");
}
