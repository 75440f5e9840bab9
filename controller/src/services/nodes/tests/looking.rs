//! Lists, tests, plans, workers and events.

use futures_util::StreamExt as _;
use v1::{
    dispatch_service_client::DispatchServiceClient, dispatch_service_server::DispatchServiceServer,
    event::Kind, event_service_server::EventService, test_node_request::Target,
};

use super::*;
use crate::{
    services::{
        auth::TokensChanged, dispatch_service::Workers, event_service::Events as EventsService,
    },
    store::tokens,
};

async fn list(
    world: &World,
    request: v1::ListNodesRequest,
) -> Result<(Vec<String>, v1::PageInfo), Status> {
    let answer = world.client().list(world.ask(request)).await?.into_inner();
    let names = answer.items.into_iter().map(|node| node.name).collect();
    Ok((names, answer.page.unwrap()))
}

#[tokio::test]
async fn lists_are_filtered_and_paged() {
    let world = World::new().await;
    for number in [3, 1, 2] {
        let url = format!("http://127.0.0.1:{number}");
        let mut request = node(
            &format!("node-{number}"),
            &url,
            &format!("{SECRET}{number}"),
        );
        request.enabled = Some(number == 2);
        let parity = if number == 2 { "even" } else { "odd" };
        request.labels.insert("parity".into(), parity.into());
        world.create(request).await.unwrap();
    }
    let mut request = v1::ListNodesRequest {
        page: Some(v1::PageRequest {
            page_size: 2,
            cursor: String::new(),
        }),
        ..Default::default()
    };
    let (names, page) = list(&world, request.clone()).await.unwrap();
    assert_eq!((names.join(" ").as_str(), page.total), ("node-1 node-2", 3));
    request.page.as_mut().unwrap().cursor = page.next_cursor;
    let (names, page) = list(&world, request.clone()).await.unwrap();
    assert_eq!(
        (names.join(" ").as_str(), page.next_cursor.as_str()),
        ("node-3", "")
    );
    request.page.as_mut().unwrap().cursor = "%".into();
    assert_invalid(list(&world, request.clone()).await, "cursor");
    request.page = Some(v1::PageRequest {
        page_size: 1001,
        cursor: String::new(),
    });
    assert_invalid(list(&world, request).await, "page_size");

    let by = |q: &str, label: &[(&str, &str)], status: v1::NodeStatus| v1::ListNodesRequest {
        q: q.into(),
        label: label
            .iter()
            .map(|(k, v)| ((*k).into(), (*v).into()))
            .collect(),
        status: status.into(),
        page: None,
    };
    let any = v1::NodeStatus::Unspecified;
    let filters = [
        (by("NODE-3", &[], any), "node-3"),
        (by(":1", &[], any), "node-1"),
        (by("", &[("parity", "odd")], any), "node-1 node-3"),
        (by("", &[], v1::NodeStatus::Disabled), "node-1 node-3"),
    ];
    for (filter, expected) in filters {
        assert_eq!(list(&world, filter).await.unwrap().0.join(" "), expected);
    }
}

#[tokio::test]
async fn a_failed_test_is_an_answer() {
    let (world, agent) = (World::new().await, Agent::start(SECRET, None).await);
    let unsaved = |secret: &str| {
        Target::Unsaved(v1::UnsavedNode {
            agent_url: agent.url.clone(),
            wg_interface: "wg0".into(),
            secret: secret.into(),
            ..Default::default()
        })
    };
    let test = async |target| {
        let request = world.ask(v1::TestNodeRequest {
            target: Some(target),
        });
        world
            .client()
            .test(request)
            .await
            .map(tonic::Response::into_inner)
    };
    let good = test(unsaved(SECRET)).await.unwrap();
    assert!(
        good.ok && good.reachable && good.secret_accepted && good.interface_found,
        "{good:?}"
    );
    assert!(good.wrong_signature_refused && good.latency_ms.is_some());
    let wrong = test(unsaved(OTHER_SECRET)).await.unwrap();
    assert!(!wrong.ok && wrong.reachable && !wrong.secret_accepted);
    assert_eq!(
        wrong.reason,
        "the agent refused the signature: wrong secret"
    );
    assert_invalid(test(unsaved("short")).await, "secret");
    let node = world.node("node-1", &agent, "").await;
    assert!(test(Target::Id(node.id)).await.unwrap().ok);
    let outcome = test(Target::Id("x".into())).await;
    assert_refused(outcome, Code::NotFound, "node_not_found");
}

#[tokio::test]
async fn a_plan_shows_what_differs_and_sync_mends_it() {
    let (world, agent) = (World::new().await, Agent::start(SECRET, None).await);
    let node = world.node("node-1", &agent, "10.8.0.0/24").await;
    world.peer(&node.id, 1).await;
    let id = node.id.clone();
    let plan = async || {
        let request = world.ask(v1::PlanNodeRequest { id: id.clone() });
        world.client().plan(request).await.unwrap().into_inner()
    };
    assert!(plan().await.in_sync);
    let stray = PublicKey::from_bytes([9; 32]).to_string();
    let shown = serde_json::json!({"public_key": stray, "allowed_ips": ["10.66.0.1/32"]});
    agent
        .host
        .lock()
        .unwrap()
        .peers
        .insert(stray.clone(), shown);
    let with_stray = plan().await;
    assert!(with_stray.in_sync && !with_stray.needs_confirmation);
    assert_eq!(with_stray.unmanaged[0].public_key, stray);

    let remove = v1::UpdateNodeRequest {
        id: node.id.clone(),
        unmanaged_peers: v1::UnmanagedPeers::Remove.into(),
        ..Default::default()
    };
    world.update(remove).await.unwrap();
    let held = plan().await;
    assert!(held.needs_confirmation && !held.confirmation_reason.is_empty());
    assert_eq!(held.changes[0].action(), v1::ChangeAction::Remove);
    assert!(!held.changes[0].reason.is_empty());
    let sync = async |confirm: &str| {
        let request = world.ask(v1::SyncNodeRequest {
            id: id.clone(),
            confirm: Some(confirm.into()),
        });
        world.client().sync(request).await
    };
    assert_refused(
        sync("0".repeat(64).as_str()).await,
        Code::FailedPrecondition,
        "plan_changed",
    );
    assert_eq!(agent.keys().len(), 2);
    let answer = sync(&held.hash).await.unwrap().into_inner();
    assert_eq!(answer.sync.unwrap().state(), v1::SyncState::Applied);
    assert_eq!(agent.keys().len(), 1);
    assert_eq!(world.audited(&node.id).await[0].action, "node.confirm");
}

#[tokio::test]
async fn workers_are_shown() {
    let (world, agent) = (World::new().await, Agent::start(SECRET, None).await);
    let node = world.node("node-1", &agent, "").await;
    let service = DispatchServiceServer::new(Workers::new(world.core.clone()));
    let mut client = DispatchServiceClient::new(service);
    let request = world.ask(v1::ListWorkersRequest {});
    let all = client
        .list_workers(request)
        .await
        .unwrap()
        .into_inner()
        .items;
    assert_eq!((all.len(), all[0].node_name.as_str()), (1, "node-1"));
    let request = world.ask(v1::GetWorkerRequest { node_id: node.id });
    let one = client.get_worker(request).await.unwrap().into_inner();
    assert_eq!((one.queue_depth, one.oldest_pending_s), (0, 0));
    assert!(one.last_poll_at.is_some());
}

type Events = <EventsService as EventService>::WatchStream;

/// The next event that tells anything.
async fn told(events: &mut Events) -> v1::Event {
    loop {
        let next = tokio::time::timeout(Duration::from_secs(20), events.next());
        let event = next.await.expect("an event in time").unwrap().unwrap();
        if event.kind.is_some() {
            return event;
        }
    }
}

#[tokio::test]
async fn events_tell_of_one_node() {
    let (world, agent) = (World::new().await, Agent::start(SECRET, None).await);
    let service = EventsService::new(world.core.clone());
    let watch = |node_id: &str, after_id: &str, kinds: &[&str]| {
        world.ask(v1::WatchRequest {
            node_id: node_id.into(),
            after_id: after_id.into(),
            kinds: kinds.iter().map(ToString::to_string).collect(),
            ..Default::default()
        })
    };
    let mut all = service
        .watch(watch("", "", &[]))
        .await
        .unwrap()
        .into_inner();
    let first = all.next().await.unwrap().unwrap();
    assert_eq!((first.id.as_str(), first.kind), ("0", None));
    let node = world.node("node-1", &agent, "").await;
    let created = told(&mut all).await;
    assert_eq!(
        (created.id.as_str(), created.name.as_str()),
        ("1", "node.created")
    );
    let Some(Kind::NodeCreated(it)) = created.kind else {
        panic!("{created:?}");
    };
    assert_eq!(it.node.unwrap().id, node.id);
    let online = told(&mut all).await;
    assert_eq!(
        (online.id.as_str(), online.name.as_str()),
        ("2", "node.status")
    );

    let other = service
        .watch(watch(&NodeId::generate().to_string(), "0", &[]))
        .await;
    let mut other = other.unwrap().into_inner();
    let mut gone = service
        .watch(watch(&node.id, "0", &["node.deleted"]))
        .await
        .unwrap()
        .into_inner();
    world
        .delete(&node.id, v1::DeletePeers::Refuse)
        .await
        .unwrap();
    let event = told(&mut gone).await;
    assert!(matches!(event.kind, Some(Kind::NodeDeleted(it)) if it.node_id == node.id));
    assert!(other.next().await.unwrap().unwrap().kind.is_none());
    let never = tokio::time::timeout(Duration::from_millis(50), other.next()).await;
    assert!(never.is_err(), "nothing of another node");

    let refused = |request| async { service.watch(request).await.map(drop) };
    let too_old = refused(watch("", "999", &[])).await;
    assert_refused(too_old, Code::OutOfRange, "event_too_old");
    for no_id in ["-1", "x", "99999999999999999999"] {
        let no_id = refused(watch("", no_id, &[])).await;
        assert_refused(no_id, Code::InvalidArgument, "invalid_field");
    }
    let unknown = refused(watch("", "", &["node.gone"])).await;
    assert_refused(unknown, Code::InvalidArgument, "invalid_field");
}

#[tokio::test]
async fn a_stream_ends_when_its_token_is_revoked() {
    let world = World::new().await;
    let service = EventsService::new(world.core.clone());
    let request = world.ask(v1::WatchRequest::default());
    let mut stream = service.watch(request).await.unwrap().into_inner();
    assert!(stream.next().await.unwrap().is_ok());
    let changed = TokensChanged(world.core.access.clone());
    let revoke = world.core.store.write(|tx| {
        let token = tokens::list(tx)?.remove(0);
        tokens::revoke(tx, token.id, 2)?;
        Ok(changed)
    });
    drop(revoke.await.unwrap());
    let end = tokio::time::timeout(Duration::from_secs(20), stream.next());
    let end = end.await.expect("it ends in time").unwrap();
    assert_refused(end, Code::Unauthenticated, "unauthenticated");
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn there_are_only_so_many_readers() {
    let world = World::new().await;
    let service = EventsService::new(world.core.clone());
    let mut places = Vec::new();
    while let Some(place) = world.core.events.admit() {
        places.push(place);
    }
    let refused = service.watch(world.ask(v1::WatchRequest::default())).await;
    assert_refused(refused.map(drop), Code::Unavailable, "too_many_streams");
    places.pop();
    let request = world.ask(v1::WatchRequest::default());
    assert!(service.watch(request).await.is_ok());
}
