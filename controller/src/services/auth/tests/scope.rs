//! What a token with a label scope sees of a fleet of two teams.

use futures_util::StreamExt as _;
use v1::{
    CreateNodeRequest, ListNodesRequest, ListPeersRequest, UpdateNodeRequest, UpdatePeerRequest,
    WatchRequest, event::Kind, event_service_client::EventServiceClient,
    history_service_client::HistoryServiceClient,
};

use super::*;
use crate::{
    domain::counters::Traffic,
    events,
    store::samples::{self, Sample},
};

struct Teams {
    world: World,
    red: [NodeId; 2],
    blue: NodeId,
}

impl Teams {
    /// `red` is an operator for the nodes of the red team; `all` is one for everything.
    async fn new() -> Self {
        let world = World::new().await;
        world.token("all", Role::Operator, &[]).await;
        world.token("red", Role::Operator, &[("team", "red")]).await;
        let blue = world.node("blue-1", "blue", 1).await;
        let red = [
            world.node("red-1", "red", 2).await,
            world.node("red-2", "red", 3).await,
        ];
        Self { world, red, blue }
    }

    async fn create_node(&self, node: CreateNodeRequest) -> Result<(), Status> {
        let answer = self.world.nodes().create(by("red", node)).await;
        answer.map(drop)
    }

    async fn update_node(&self, patch: UpdateNodeRequest) -> Result<(), Status> {
        let answer = self.world.nodes().update(by("red", patch)).await;
        answer.map(drop)
    }

    async fn move_peer(&self, token: &str, peer: &v1::Peer, to: NodeId) -> Result<(), Status> {
        let patch = UpdatePeerRequest {
            id: peer.id.clone(),
            node_id: Some(to.to_string()),
            ..Default::default()
        };
        let answer = self.world.peers().update(by(token, patch)).await;
        answer.map(drop)
    }
}

#[track_caller]
fn assert_code(outcome: Result<(), Status>, stable: &str) {
    let status = outcome.expect_err(stable);
    assert_eq!(wgfleet_code(&status), Some(stable), "{status:?}");
}

#[tokio::test]
async fn lists_and_totals_end_at_the_scope() {
    let teams = Teams::new().await;
    let world = &teams.world;
    for (name, node) in [("a", teams.blue), ("b", teams.red[0]), ("c", teams.red[1])] {
        world.peer("all", name, Some(node)).await.expect("made");
    }
    for (token, nodes, peers) in [
        ("all", "blue-1 red-1 red-2", "a b c"),
        ("red", "red-1 red-2", "b c"),
    ] {
        let request = by(token, ListNodesRequest::default());
        let list = world
            .nodes()
            .list(request)
            .await
            .expect("a list")
            .into_inner();
        let names: Vec<_> = list.items.into_iter().map(|it| it.name).collect();
        assert_eq!(names.join(" "), nodes);
        assert_eq!(list.page.expect("a page").total, names.len() as u64);
        for sort in [v1::PeerSort::Name, v1::PeerSort::RxBytesTotalDesc] {
            let request = ListPeersRequest {
                sort: sort.into(),
                ..Default::default()
            };
            let list = world.peers().list(by(token, request)).await;
            let list = list.expect("a list").into_inner();
            let mut names: Vec<_> = list.items.into_iter().map(|it| it.name).collect();
            names.sort_unstable();
            assert_eq!(names.join(" "), peers);
            assert_eq!(list.page.expect("a page").total, names.len() as u64);
        }
        let request = by(token, v1::ListWorkersRequest::default());
        let workers = world.workers().list_workers(request).await.expect("a list");
        let names: Vec<_> = workers
            .into_inner()
            .items
            .into_iter()
            .map(|it| it.node_name)
            .collect();
        assert_eq!(names.join(" "), nodes);
    }
    let request = ListPeersRequest {
        node_id: teams.blue.to_string(),
        ..Default::default()
    };
    let list = world
        .peers()
        .list(by("red", request))
        .await
        .expect("a list");
    let list = list.into_inner();
    assert_eq!((list.items.len(), list.page.expect("a page").total), (0, 0));
}

#[tokio::test]
async fn peers_are_placed_and_moved_within_the_scope() {
    let teams = Teams::new().await;
    let world = &teams.world;
    for number in 0..4 {
        let peer = world.peer("red", &format!("peer {number}"), None).await;
        let node = peer.expect("placed").node_id;
        assert!(teams.red.iter().any(|red| red.to_string() == node));
    }
    let outcome = world.peer("red", "out", Some(teams.blue)).await.map(drop);
    assert_code(outcome, "node_not_found");
    let mut elsewhere = v1::CreatePeerRequest {
        name: "out".into(),
        ..Default::default()
    };
    elsewhere.selector = labels(&[("team", "blue")]);
    let outcome = world.peers().create(by("red", elsewhere)).await.map(drop);
    let status = outcome.expect_err("no node of theirs is blue");
    assert_eq!(wgfleet_code(&status), Some("no_node_fits"));
    assert!(!status.message().contains("blue-1"), "{status:?}");

    let ours = world
        .peer("red", "ours", Some(teams.red[0]))
        .await
        .expect("made");
    assert_code(
        teams.move_peer("red", &ours, teams.blue).await,
        "node_not_found",
    );
    teams
        .move_peer("red", &ours, teams.red[1])
        .await
        .expect("moved");
    let theirs = world
        .peer("all", "theirs", Some(teams.blue))
        .await
        .expect("made");
    assert_code(
        teams.move_peer("red", &theirs, teams.red[0]).await,
        "peer_not_found",
    );
    teams
        .move_peer("all", &theirs, teams.red[0])
        .await
        .expect("moved");
    let request = by("red", v1::GetPeerRequest { id: theirs.id });
    world.peers().get(request).await.expect("theirs to see now");
}

#[tokio::test]
async fn nodes_are_made_and_left_within_the_scope() {
    let teams = Teams::new().await;
    let new = CreateNodeRequest {
        name: "red-3".into(),
        agent_url: "http://127.0.0.1:9".into(),
        wg_interface: "wg0".into(),
        secret: Some("an example of a shared secret 32".into()),
        enabled: Some(false),
        ..Default::default()
    };
    assert_code(teams.create_node(new.clone()).await, "outside_scope");
    let mut ours = new;
    ours.labels = labels(&[("team", "red")]);
    teams.create_node(ours.clone()).await.expect("within");

    let id = teams.red[0].to_string();
    let relabelled = |pairs| UpdateNodeRequest {
        id: id.clone(),
        labels: Some(v1::Labels {
            values: labels(pairs),
        }),
        ..Default::default()
    };
    let blue = relabelled(&[("team", "blue")]);
    assert_code(teams.update_node(blue).await, "outside_scope");
    assert_code(teams.update_node(relabelled(&[])).await, "outside_scope");
    let kept = relabelled(&[("team", "red"), ("tier", "2")]);
    teams.update_node(kept).await.expect("within");

    // An agent that only others use takes more than to know where it is.
    let foreign = "http://blue-1.invalid:8080";
    let moved = UpdateNodeRequest {
        id,
        agent_url: Some(foreign.into()),
        ..Default::default()
    };
    assert_code(teams.update_node(moved).await, "secret_differs");
    let mut theirs = ours;
    theirs.name = "red-4".into();
    theirs.agent_url = foreign.into();
    theirs.wg_interface = "wg7".into();
    let status = teams
        .create_node(theirs.clone())
        .await
        .expect_err("refused");
    assert!(!status.message().contains("blue-1 "), "{status:?}");
    assert_eq!(wgfleet_code(&status), Some("secret_differs"));
    theirs.secret = None;
    assert_code(teams.create_node(theirs.clone()).await, "secret_differs");
    theirs.secret = Some("the long secret of the agent of blue-1".into());
    teams
        .create_node(theirs)
        .await
        .expect("they know its secret");
    let request = v1::RotateNodeSecretRequest {
        id: teams.red[1].to_string(),
        ..Default::default()
    };
    let own = teams.world.nodes().rotate_secret(by("red", request)).await;
    own.expect("an agent of their own");
}

#[tokio::test]
async fn a_secret_that_others_share_is_not_theirs_to_change() {
    let teams = Teams::new().await;
    let shared = CreateNodeRequest {
        name: "red-3".into(),
        agent_url: "http://blue-1.invalid:8080".into(),
        wg_interface: "wg7".into(),
        enabled: Some(false),
        labels: labels(&[("team", "red")]),
        ..Default::default()
    };
    let made = teams
        .world
        .nodes()
        .create(by("all", shared))
        .await
        .expect("made");
    let id = made.into_inner().node.expect("a node").id;
    let request = v1::RotateNodeSecretRequest {
        id,
        ..Default::default()
    };
    let outcome = teams.world.nodes().rotate_secret(by("red", request)).await;
    assert_refused(outcome, Code::FailedPrecondition, "agent_shared");
}

#[tokio::test]
async fn events_of_others_are_not_heard() {
    let teams = Teams::new().await;
    let world = &teams.world;
    let mut client = EventServiceClient::new(world.routes.clone());
    let stream = client.watch(by("red", WatchRequest::default())).await;
    let mut stream = stream.expect("a stream").into_inner();
    world
        .peer("all", "theirs", Some(teams.blue))
        .await
        .expect("made");
    let ours = world
        .peer("all", "ours", Some(teams.red[0]))
        .await
        .expect("made");
    let event = heard(&mut stream).await;
    let Some(Kind::PeerCreated(created)) = event.kind else {
        panic!("the first they hear of is {event:?}");
    };
    assert_eq!(created.peer.expect("a peer").id, ours.id);
}

/// The next event that is one, and not word of how far the stream is.
async fn heard(stream: &mut tonic::Streaming<v1::Event>) -> v1::Event {
    loop {
        let event = stream.next().await.expect("an event").expect("no error");
        if event.kind.is_some() {
            return event;
        }
    }
}

#[tokio::test]
async fn who_comes_back_is_told_of_nodes_that_were_theirs() {
    let teams = Teams::new().await;
    let world = &teams.world;
    for (node, name) in [(teams.blue, "theirs"), (teams.red[1], "ours")] {
        let peer = world.peer("all", name, Some(node)).await.expect("made");
        let delete = v1::DeletePeerRequest {
            id: peer.id,
            ..Default::default()
        };
        world.peers().delete(by("all", delete)).await.expect("gone");
        let delete = v1::DeleteNodeRequest {
            id: node.to_string(),
            peers: v1::DeletePeers::Forget.into(),
            ..Default::default()
        };
        world.nodes().delete(by("all", delete)).await.expect("gone");
    }
    let last = world
        .peer("all", "last", Some(teams.red[0]))
        .await
        .expect("made");
    let mut client = EventServiceClient::new(world.routes.clone());
    let since = WatchRequest {
        after_id: "0".into(),
        ..Default::default()
    };
    let stream = client.watch(by("red", since)).await;
    let mut stream = stream.expect("a stream").into_inner();
    let red = teams.red[1].to_string();
    loop {
        match heard(&mut stream).await.kind.expect("a kind") {
            Kind::PeerCreated(it) => {
                let peer = it.peer.expect("a peer");
                if peer.id == last.id {
                    panic!("the node that went was not told of");
                }
                assert_eq!(peer.node_id, red);
            }
            Kind::PeerDeleted(it) => assert_eq!(it.node_id, red),
            Kind::NodeDeleted(it) => {
                assert_eq!(it.node_id, red);
                break;
            }
            other => panic!("{other:?} is not theirs to hear"),
        }
    }
}

#[tokio::test]
async fn the_overview_ends_at_the_scope() {
    let teams = Teams::new().await;
    let world = &teams.world;
    for (node, name) in [(teams.blue, "theirs"), (teams.red[0], "ours")] {
        world.peer("all", name, Some(node)).await.expect("made");
    }
    let mut client = HistoryServiceClient::new(world.routes.clone());
    for (token, nodes, peers) in [("all", 3, 2), ("red", 2, 1)] {
        let seen = client
            .overview(by(token, v1::OverviewRequest::default()))
            .await;
        let seen = seen.expect("an overview").into_inner();
        let all_nodes =
            seen.nodes_online + seen.nodes_offline + seen.nodes_error + seen.nodes_disabled;
        assert_eq!((all_nodes, seen.peers), (nodes, peers), "{token}");
        let by_state = seen.peers_applied + seen.peers_pending + seen.peers_failed;
        assert_eq!(by_state, peers, "{token}");
        assert!(token == "all" || !format!("{seen:?}").contains("blue"));
        let id = |event: &v1::Event| event.id.parse::<u64>().expect("a number");
        let told: Vec<_> = seen.recent_events.iter().map(id).collect();
        assert!(told.is_sorted_by(|a, b| a > b), "newest first: {told:?}");
        let created = seen
            .recent_events
            .iter()
            .filter(|event| event.name == "peer.created");
        assert_eq!(
            created.count(),
            usize::try_from(peers).expect("few"),
            "{token}"
        );
        let theirs = format!("{:?}", seen.recent_events).contains(&teams.blue.to_string());
        assert_eq!(theirs, token == "all", "{token}");
    }
}

#[tokio::test]
async fn what_others_do_hides_no_recent_event() {
    let teams = Teams::new().await;
    let world = &teams.world;
    let ours = world.peer("all", "ours", Some(teams.red[0])).await;
    let ours = ours.expect("made").id;
    // More than are gone through at once.
    let blue = teams.blue;
    let busy = world.core.store.write(move |tx| {
        for at in 0..1200 {
            let gone = v1::PeerDeleted {
                node_id: blue.to_string(),
                ..Default::default()
            };
            events::record(tx, at, Kind::PeerDeleted(gone))?;
        }
        Ok(())
    });
    busy.await.expect("many events");
    let mut client = HistoryServiceClient::new(world.routes.clone());
    let asked = v1::OverviewRequest {
        recent_events: Some(3),
    };
    let seen = client.overview(by("red", asked)).await;
    let told = seen.expect("an overview").into_inner().recent_events;
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].name, "peer.created");
    assert!(format!("{told:?}").contains(&ours), "{told:?}");
}

#[tokio::test]
async fn the_history_of_all_nodes_ends_at_the_scope() {
    let teams = Teams::new().await;
    let world = &teams.world;
    let at = world.core.now_s();
    for (node, rx_bytes) in [(teams.blue, 1), (teams.red[0], 2), (teams.red[1], 4)] {
        let moved = world.core.store.write(move |tx| {
            let gained = Sample {
                at,
                traffic: Traffic {
                    rx_bytes,
                    tx_bytes: 0,
                },
                watched_s: 10,
                online_s: 10,
            };
            samples::add_node(tx, node, gained)
        });
        moved.await.expect("measured");
    }
    let mut client = HistoryServiceClient::new(world.routes.clone());
    for (token, rx_bytes) in [("all", 7), ("red", 6)] {
        let asked = v1::FleetHistoryRequest { range: None };
        let history = client.fleet_history(by(token, asked)).await;
        let points = history.expect("a history").into_inner().points;
        let told: Vec<_> = points.iter().map(|point| point.rx_bytes).collect();
        assert_eq!(told, [rx_bytes], "{token}");
        assert_eq!(points[0].online_permille, 1000);
    }
}
