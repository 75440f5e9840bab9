//! Placement, addresses, keys, and who wins.

use std::collections::{BTreeSet, HashMap};

use wgfleet_proto::v1::SyncState;

use super::*;
use crate::store::audit;

#[tokio::test]
async fn fifty_peers_land_by_weight() {
    let fixture = Fixture::new().await;
    let light = fixture.node(ONLINE).await;
    let heavy = NodeSpec {
        name: "node-2",
        pools: &["10.9.0.0/24"],
        weight: 400,
        ..ONLINE
    };
    let heavy = fixture.node(heavy).await;
    let mut on: HashMap<String, u32> = HashMap::new();
    let mut addresses = BTreeSet::new();
    for number in 0..50 {
        let peer = fixture.create(named(&format!("peer {number}"))).await;
        let peer = peer.expect("a peer");
        *on.entry(peer.node_id).or_default() += 1;
        assert!(peer.allowed_ips.into_iter().all(|ip| addresses.insert(ip)));
    }
    assert_eq!(on[&light.to_string()], 10);
    assert_eq!(on[&heavy.to_string()], 40);
    assert_eq!(fixture.peer_count(heavy).await, 40);
    assert_eq!(fixture.generation(light).await, 10);
}

#[tokio::test]
async fn a_peer_gets_an_address_of_each_family_and_a_pair_of_keys() {
    let fixture = Fixture::new().await;
    fixture.node(ONLINE).await;
    let mut request = named("laptop");
    request.preshared_key = preshared(Choice::Generate(true));
    request.keep_private_key = Some(false);
    let answer = fixture.client.clone().create(signed(request)).await;
    let answer = answer.expect("a peer").into_inner();
    let peer = answer.peer.expect("a peer");
    assert_eq!(peer.allowed_ips, ["10.8.0.2/32", "fd00:8::2/128"]);
    assert_eq!(answer.placement, "node-1: 0 peers at weight 100");
    assert_eq!(answer.private_key.expect("once").len(), 44);
    assert_eq!(answer.preshared_key.expect("once").len(), 44);
    assert!(peer.has_preshared_key && peer.preshared_key_known && !peer.private_key_kept);
    assert!(!peer.public_key.contains('/'));
    let sync = peer.sync.expect("always");
    assert_eq!(sync.state(), SyncState::Pending);
    assert_eq!(sync.reason, "not yet seen on node-1");
    assert_eq!((peer.created_at, peer.enabled), (NOW_S, true));
}

#[tokio::test]
async fn a_given_node_may_be_offline_but_not_full() {
    let fixture = Fixture::new().await;
    let spec = NodeSpec {
        max_peers: 1,
        status: NodeStatus::Offline,
        ..ONLINE
    };
    let node = fixture.node(spec).await;
    let request = |name| CreatePeerRequest {
        node_id: node.to_string(),
        ..named(name)
    };
    let answer = fixture.client.clone().create(signed(request("a"))).await;
    let answer = answer.expect("a peer").into_inner();
    assert_eq!(answer.placement, "node-1: asked for");
    let sync = answer.peer.expect("a peer").sync.expect("always");
    let why = "node-1 is offline: the connection was refused";
    assert_eq!(
        (sync.state(), sync.reason.as_str()),
        (SyncState::Pending, why)
    );
    let full = refusal(fixture.create(request("b")).await);
    assert_eq!(
        (full.0, full.1.as_str()),
        (Code::ResourceExhausted, "node_full")
    );
    let Err(status) = fixture.create(named("c")).await else {
        panic!("no node fits");
    };
    assert_eq!(wgfleet_code(&status), Some("no_node_fits"));
    let why = "no node can take the peer: node-1 is offline: the connection was refused";
    assert_eq!(status.message(), why);
    let nowhere = CreatePeerRequest {
        node_id: NodeId::generate().to_string(),
        ..named("d")
    };
    assert_eq!(refusal(fixture.create(nowhere).await).1, "node_not_found");
}

#[tokio::test]
async fn the_selector_leaves_nodes_out() {
    let fixture = Fixture::new().await;
    fixture.node(ONLINE).await;
    let other = NodeSpec {
        name: "node-2",
        weight: 1,
        ..ONLINE
    };
    let other = fixture.node(other).await;
    let mut request = named("laptop");
    request.selector = [("name".to_owned(), "node-2".to_owned())].into();
    let peer = fixture.create(request.clone()).await.expect("a peer");
    assert_eq!(peer.node_id, other.to_string());
    request.selector = [("name".to_owned(), "node-3".to_owned())].into();
    assert_eq!(refusal(fixture.create(request).await).1, "no_node_fits");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_eight_gets_the_last_address() {
    let fixture = Fixture::new().await;
    let spec = NodeSpec {
        pools: &["10.8.0.0/30"],
        ..ONLINE
    };
    let node = fixture.node(spec).await;
    let create = |number: u32| {
        let mut request = named(&format!("peer {number}"));
        // Half of them ask for the node, half for the address, which is the same one.
        if number.is_multiple_of(2) {
            request.node_id = node.to_string();
            request.allowed_ips = vec!["10.8.0.2/32".into()];
        }
        fixture.create(request)
    };
    let outcomes = futures_util::future::join_all((0..8).map(create)).await;
    let (won, lost): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
    assert_eq!((won.len(), lost.len()), (1, 7));
    for outcome in lost {
        let (_, code, _) = refusal(outcome);
        assert!(
            ["no_node_fits", "address_taken"].contains(&code.as_str()),
            "{code}"
        );
    }
    assert_eq!(fixture.peer_count(node).await, 1);
    assert_eq!(fixture.generation(node).await, 1, "who lost left nothing");
}

#[tokio::test]
async fn keys_and_addresses_belong_to_one_peer_of_a_node() {
    let fixture = Fixture::new().await;
    let node = fixture.node(ONLINE).await;
    let first = CreatePeerRequest {
        allowed_ips: vec!["10.8.0.7".into(), "192.168.0.0/16".into()],
        ..named("first")
    };
    let first = fixture.create(first).await.expect("a peer");
    assert_eq!(first.allowed_ips, ["10.8.0.7/32", "192.168.0.0/16"]);
    let mut request = named("second");
    request.public_key.clone_from(&first.public_key);
    let taken = refusal(fixture.create(request.clone()).await);
    assert_eq!(
        taken,
        (
            Code::AlreadyExists,
            "public_key_taken".into(),
            "public_key".into()
        )
    );
    request.public_key.clear();
    for ip in ["10.8.0.7/32", "192.168.1.1/16"] {
        request.allowed_ips = vec![ip.into()];
        let Err(status) = fixture.create(request.clone()).await else {
            panic!("{ip} is taken");
        };
        assert_eq!(wgfleet_code(&status), Some("address_taken"), "{ip}");
        assert!(
            status.message().contains("the peer first"),
            "{}",
            status.message()
        );
    }
    request.allowed_ips = vec!["10.8.0.1/32".into()];
    assert_eq!(refusal(fixture.create(request).await).1, "address_refused");
    assert_eq!(fixture.peer_count(node).await, 1);
}

#[tokio::test]
async fn what_cannot_be_names_its_field() {
    let fixture = Fixture::new().await;
    fixture.node(ONLINE).await;
    type Spoil = fn(&mut CreatePeerRequest);
    let cases: [(&str, Spoil); 15] = [
        ("name", |r| r.name = "a\nb".into()),
        ("labels", |r| {
            drop(r.labels.insert("a b".into(), "v".into()));
        }),
        ("selector", |r| {
            drop(r.selector.insert("a".into(), String::new()));
        }),
        ("public_key", |r| r.public_key = "AAAA".into()),
        ("public_key", |r| {
            r.public_key = format!("{}=", "A".repeat(43));
        }),
        ("preshared_key", |r| {
            r.preshared_key = preshared(Choice::Key("x".into()));
        }),
        // No key that a node could have, and none on a node that is named.
        ("preshared_key", |r| {
            r.preshared_key = preshared(Choice::Keep(true));
        }),
        ("preshared_key", |r| {
            r.preshared_key = preshared(Choice::Keep(true));
            r.public_key = format!("{}B=", "A".repeat(42));
        }),
        ("allowed_ips", |r| r.allowed_ips = vec!["10.8.0.300".into()]),
        ("persistent_keepalive", |r| {
            r.persistent_keepalive = Some(65536);
        }),
        ("expires_at", |r| r.expires_at = Some(NOW_S)),
        ("dns", |r| r.dns = vec!["10.0.0.1\nPostUp = reboot".into()]),
        ("dns", |r| r.dns = vec!["10.0.0.256".into()]),
        ("mtu", |r| r.mtu = Some(70_000)),
        ("client_allowed_ips", |r| {
            r.client_allowed_ips = vec!["::/129".into()];
        }),
    ];
    for (field, spoil) in cases {
        let mut request = named("laptop");
        spoil(&mut request);
        let (code, _, named) = refusal(fixture.create(request).await);
        assert_eq!((code, named.as_str()), (Code::InvalidArgument, field));
    }
}

#[tokio::test]
async fn a_key_can_be_kept_only_where_there_is_a_peer() {
    let fixture = Fixture::new().await;
    let node = fixture.node(ONLINE).await;
    let mut request = named("laptop");
    request.node_id = node.to_string();
    request.public_key = format!("{}E=", "A".repeat(42));
    request.preshared_key = preshared(Choice::Keep(true));
    let (code, _, field) = refusal(fixture.create(request).await);
    assert_eq!(
        (code, field.as_str()),
        (Code::InvalidArgument, "preshared_key")
    );
    assert_eq!(fixture.peer_count(node).await, 0);
}

#[tokio::test]
async fn the_audit_says_who_and_holds_no_secret() {
    let fixture = Fixture::new().await;
    fixture.node(ONLINE).await;
    let mut request = named("laptop");
    let secret = "GGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGg=";
    request.preshared_key = preshared(Choice::Key(secret.into()));
    let peer = fixture.create(request).await.expect("a peer");
    let read = move |conn: &_| audit::list(conn, Some(&peer.id), None, 10);
    let rows = fixture.core.store.read(read).await.expect("rows");
    let [(_, entry)] = rows.as_slice() else {
        panic!("one row: {rows:?}");
    };
    assert_eq!(
        (entry.actor.as_str(), entry.action.as_str()),
        ("operator's token", "peer.create")
    );
    assert!(!format!("{entry:?}").contains(secret));
}

#[tokio::test]
async fn viewers_look_and_strangers_do_not() {
    let fixture = Fixture::new().await;
    fixture.token("viewer", Role::Viewer).await;
    let mut client = fixture.client.clone();
    let answer = client.create(signed_as("viewer", named("laptop"))).await;
    assert_eq!(refusal(answer).0, Code::PermissionDenied);
    let answer = client.create(Request::new(named("laptop"))).await;
    assert_eq!(refusal(answer).0, Code::Unauthenticated);
}
