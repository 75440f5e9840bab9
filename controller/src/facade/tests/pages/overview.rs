//! The overview: what is wrong, and what happened last.

use wgfleet_proto::v1::{self, NodeStatus, event::Kind};

use super::{super::ID, Browser, Fake};

/// A fleet with so many nodes in each trouble, and as many failed peers as of these have some.
fn troubled(error: u32, offline: u32, refusing: u32) -> v1::OverviewResponse {
    let of = |status: NodeStatus, count: u32, failed: u32| {
        (0..count).map(move |n| v1::TroubledNode {
            node_id: format!("{status:?}-{n}"),
            name: format!("{status:?} {n}"),
            status: status.into(),
            reason: "1 peer failed: it is taken".into(),
            pending: 0,
            failed,
        })
    };
    let nodes = of(NodeStatus::Error, error, 0)
        .chain(of(NodeStatus::Offline, offline, 0))
        .chain(of(NodeStatus::Online, refusing, 1));
    v1::OverviewResponse {
        nodes_error: error,
        nodes_offline: offline,
        nodes_online: refusing,
        peers: 100,
        peers_failed: refusing.into(),
        troubled_nodes_total: error + offline + refusing,
        troubled_nodes: nodes.collect(),
        ..Default::default()
    }
}

async fn shown(overview: v1::OverviewResponse) -> String {
    let mut fake = Fake::new();
    fake.overview = Some(overview);
    let mut browser = Browser::signed_in(&fake).await;
    browser.get("/").await.text().to_owned()
}

#[tokio::test]
async fn the_overview_says_what_is_wrong() {
    let mut browser = Browser::signed_in(&Fake::new()).await;
    let got = browser.get("/").await;
    for shown in [
        "1 error",
        "node-1",
        "Wrong secret.",
        "peer expired",
        "2026-03-01T12:00:00Z",
        "data-live=\"nodes peers\"",
        "data-plot=\"/overview/throughput\"",
        "aria-current=\"page\"",
    ] {
        assert!(got.text().contains(shown), "{shown}: {}", got.text());
    }
    for part in ["/overview/now", "/overview/happened"] {
        let part = browser.get(part).await;
        assert!(
            part.text().trim_start().starts_with("<div id="),
            "{}",
            part.text()
        );
        assert!(!part.text().contains("<html"));
    }
}

#[tokio::test]
async fn the_ten_worst_nodes_are_shown_and_the_others_are_led_to() {
    let text = shown(troubled(3, 12, 4)).await;
    assert_eq!(text.matches("<tr id=\"troubled-").count(), 10);
    let more = "And 9 more nodes: <a href=\"/nodes?status=offline\">5 offline</a>, \
                <a href=\"/peers?sync=failed\">4 with peers that wait or failed</a>.";
    assert!(text.contains(more), "{text}");
    // The service answers one of them.
    let more = "And 3 more: <a href=\"/peers?sync=failed\">all peers that failed</a>.";
    assert!(text.contains(more), "{text}");
    assert!(text.contains("1 peer failed: it is taken."), "{text}");

    let text = shown(troubled(1, 8, 1)).await;
    assert_eq!(text.matches("<tr id=\"troubled-").count(), 10);
    assert!(!text.contains("more nodes"), "{text}");
    assert!(!text.contains("all peers that failed"), "{text}");
}

#[tokio::test]
async fn what_is_on_its_way_is_no_trouble_and_is_told() {
    let pending = v1::OverviewResponse {
        nodes_online: 1,
        peers_pending: 2,
        ..Default::default()
    };
    let text = shown(pending).await;
    assert!(text.contains("Peers are on their way"), "{text}");
    let text = shown(v1::OverviewResponse {
        nodes_online: 1,
        ..Default::default()
    });
    assert!(text.await.contains("Nothing is pending or failing."));
}

fn event(name: &str, kind: Kind) -> v1::Event {
    v1::Event {
        occurred_at: 1_772_366_400,
        name: name.into(),
        kind: Some(kind),
        ..Default::default()
    }
}

#[tokio::test]
async fn what_happened_to_many_is_one_line() {
    let added = (0..37).map(|n| {
        let peer = v1::Peer {
            id: format!("peer-{n}"),
            node_id: ID.into(),
            ..Default::default()
        };
        event(
            "peer.created",
            Kind::PeerCreated(v1::PeerCreated { peer: Some(peer) }),
        )
    });
    let applied = (0..37).map(|n| {
        let sync = v1::Sync {
            state: v1::SyncState::Applied.into(),
            ..Default::default()
        };
        event(
            "peer.sync",
            Kind::PeerSync(v1::PeerSyncChanged {
                peer_id: format!("peer-{n}"),
                node_id: ID.into(),
                sync: Some(sync),
            }),
        )
    });
    let online = (0..3).map(|_| {
        event(
            "peer.online",
            Kind::PeerOnline(v1::PeerOnlineChanged {
                peer_id: ID.into(),
                node_id: ID.into(),
                ..Default::default()
            }),
        )
    });
    let overview = v1::OverviewResponse {
        recent_events: online.chain(applied).chain(added).collect(),
        ..Default::default()
    };
    let text = shown(overview).await;
    let (_, events) = text.split_once("<ol class=\"events\">").expect("events");
    let (events, _) = events.split_once("</ol>").expect("their end");
    assert_eq!(events.matches("<li>").count(), 3, "{events}");
    let node = format!("<a href=\"/nodes/{ID}\">node-1</a>: ");
    for told in [
        format!("{node}37 peers added</span>"),
        format!("{node}37 peers are <span class=\"chip good\">applied</span></span>"),
        format!("<a href=\"/peers/{ID}\">laptop</a>: peer came online, 3 times</span>"),
    ] {
        assert!(events.contains(&told), "{told}: {events}");
    }
}

#[tokio::test]
async fn events_are_read_only_where_they_are_shown() {
    let fake = Fake::new();
    let mut browser = Browser::signed_in(&fake).await;
    for (part, asked) in [("/overview/now", 0), ("/overview/happened", 500)] {
        browser.get(part).await;
        let expected = format!("OverviewRequest {{ recent_events: Some({asked}) }}");
        assert_eq!(fake.last_of("OverviewRequest"), expected, "{part}");
    }
}
