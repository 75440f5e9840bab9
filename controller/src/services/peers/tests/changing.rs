//! Patches, moves, new keys, deletion.

use wgfleet_proto::v1::{
    DeletePeerRequest, DisablePeerRequest, EnablePeerRequest, GetPeerRequest, StringList, SyncState,
};

use super::*;
use crate::store::{audit, peer_nodes, tombstones};

const KEY: &str = "GGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGg=";

#[tokio::test]
async fn the_node_is_told_only_what_concerns_it() {
    let fixture = Fixture::new().await;
    let node = fixture.node(ONLINE).await;
    let peer = fixture.create(named("laptop")).await.expect("a peer");
    let mut request = patch(&peer);
    request.name = Some("notebook".into());
    request.mtu = Some(1280);
    let (peer, needs_config) = fixture.update(request.clone()).await.expect("a change");
    assert_eq!(
        (peer.name.as_str(), peer.mtu, needs_config),
        ("notebook", Some(1280), false)
    );
    assert_eq!(fixture.generation(node).await, 1);
    request.mtu = Some(0);
    request.persistent_keepalive = Some(25);
    let (peer, _) = fixture.update(request.clone()).await.expect("a change");
    assert_eq!((peer.mtu, peer.persistent_keepalive), (None, 25));
    assert_eq!(fixture.generation(node).await, 2);
    fixture.update(request).await.expect("the same again");
    assert_eq!(fixture.generation(node).await, 2);
}

#[tokio::test]
async fn addresses_are_taken_and_given_back() {
    let fixture = Fixture::new().await;
    fixture.node(ONLINE).await;
    let peer = fixture.create(named("first")).await.expect("a peer");
    let mut request = patch(&peer);
    let list = |values: &[&str]| {
        let values = values.iter().map(ToString::to_string).collect();
        Some(StringList { values })
    };
    request.allowed_ips = list(&["10.8.0.9/32"]);
    let (peer, needs_config) = fixture.update(request.clone()).await.expect("a change");
    assert_eq!(
        (peer.allowed_ips, needs_config),
        (vec!["10.8.0.9/32".to_owned()], true)
    );
    let second = fixture.create(named("second")).await.expect("a peer");
    assert_eq!(second.allowed_ips, ["10.8.0.2/32", "fd00:8::2/128"]);
    request.allowed_ips = list(&["10.8.0.2/32"]);
    assert_eq!(
        refusal(fixture.update(request.clone()).await).1,
        "address_taken"
    );
    request.allowed_ips = list(&[]);
    let (peer, _) = fixture.update(request).await.expect("a change");
    assert_eq!(peer.allowed_ips, ["10.8.0.9/32", "fd00:8::3/128"]);
}

#[tokio::test]
async fn a_moved_peer_takes_an_address_there_and_stays_until_it_was_seen() {
    let fixture = Fixture::new().await;
    let source = fixture.node(ONLINE).await;
    let spec = NodeSpec {
        name: "node-2",
        pools: &["10.9.0.0/24"],
        weight: 0,
        ..ONLINE
    };
    let target = fixture.node(spec).await;
    let request = CreatePeerRequest {
        allowed_ips: ["10.8.0.2", "fd00:8::2", "192.168.0.0/24"]
            .map(Into::into)
            .into(),
        ..named("laptop")
    };
    let peer = fixture.create(request).await.expect("a peer");
    let mut there = patch(&peer);
    there.node_id = Some(target.to_string());
    let (moved, needs_config) = fixture.update(there).await.expect("a move");
    assert_eq!((moved.node_id, needs_config), (target.to_string(), true));
    assert_eq!(moved.allowed_ips, ["192.168.0.0/24", "10.9.0.2/32"]);
    let id = peer.id.parse().expect("an id");
    let read = move |conn: &_| peer_nodes::nodes_of(conn, id);
    assert_eq!(fixture.core.store.read(read).await.expect("nodes").len(), 2);
    let mut rekeyed = patch(&peer);
    rekeyed.public_key = Some(KEY.into());
    assert_eq!(refusal(fixture.update(rekeyed).await).1, "peer_moving");
    let mut back = patch(&peer);
    back.node_id = Some(source.to_string());
    let (back, _) = fixture.update(back).await.expect("a move back");
    let expected = ["192.168.0.0/24", "10.8.0.2/32", "fd00:8::2/128"];
    assert_eq!(back.allowed_ips, expected, "what it still held there");
}

#[tokio::test]
async fn an_address_that_fits_the_target_moves_along() {
    let fixture = Fixture::new().await;
    fixture.node(ONLINE).await;
    let peer = fixture.create(named("laptop")).await.expect("a peer");
    let twin = NodeSpec {
        name: "node-2",
        ..ONLINE
    };
    let twin = fixture.node(twin).await;
    let mut request = patch(&peer);
    request.node_id = Some(twin.to_string());
    let (moved, needs_config) = fixture.update(request).await.expect("a move");
    assert_eq!(moved.allowed_ips, peer.allowed_ips);
    assert!(needs_config, "the node is another one");
}

#[tokio::test]
async fn a_new_key_leaves_a_tombstone_for_the_old_one() {
    let fixture = Fixture::new().await;
    let node = fixture.node(ONLINE).await;
    let peer = fixture.create(named("laptop")).await.expect("a peer");
    let mut request = patch(&peer);
    request.public_key = Some(KEY.into());
    let (rekeyed, needs_config) = fixture.update(request).await.expect("a change");
    assert_eq!(rekeyed.public_key, KEY);
    assert_eq!(rekeyed.allowed_ips, peer.allowed_ips);
    assert!(needs_config && !rekeyed.private_key_kept);
    let read = move |conn: &_| tombstones::list(conn, node);
    let left = fixture.core.store.read(read).await.expect("tombstones");
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].public_key.to_string(), peer.public_key);
    assert_eq!(fixture.peer_count(node).await, 1);
}

#[tokio::test]
async fn a_disabled_peer_keeps_its_address() {
    let fixture = Fixture::new().await;
    let node = fixture.node(ONLINE).await;
    let peer = fixture.create(named("laptop")).await.expect("a peer");
    let (mut client, id) = (fixture.client.clone(), peer.id.clone());
    let off = client
        .disable(signed(DisablePeerRequest {
            id: id.clone(),
            ..Default::default()
        }))
        .await;
    let off = off.expect("disabled").into_inner();
    assert!(!off.enabled);
    assert_eq!(off.allowed_ips, peer.allowed_ips);
    assert_eq!(fixture.generation(node).await, 2);
    let on = client
        .enable(signed(EnablePeerRequest {
            id,
            ..Default::default()
        }))
        .await;
    assert!(on.expect("enabled").into_inner().enabled);
}

#[tokio::test]
async fn a_deleted_peer_is_gone_at_once_and_its_address_free() {
    let fixture = Fixture::new().await;
    let node = fixture.node(ONLINE).await;
    let peer = fixture.create(named("laptop")).await.expect("a peer");
    let mut client = fixture.client.clone();
    let request = DeletePeerRequest {
        id: peer.id.clone(),
        ..Default::default()
    };
    let gone = client.delete(signed(request.clone())).await;
    let sync = gone.expect("deleted").into_inner().sync.expect("always");
    assert_eq!(sync.state(), SyncState::Pending);
    assert_eq!(
        refusal(client.delete(signed(request)).await).1,
        "peer_not_found"
    );
    let get = GetPeerRequest { id: peer.id };
    assert_eq!(refusal(client.get(signed(get)).await).1, "peer_not_found");
    assert_eq!(fixture.peer_count(node).await, 0);
    let next = fixture.create(named("next")).await.expect("a peer");
    assert_eq!(next.allowed_ips, peer.allowed_ips);
}

#[tokio::test]
async fn a_new_preshared_key_is_for_the_node_and_the_client() {
    let fixture = Fixture::new().await;
    let node = fixture.node(ONLINE).await;
    let peer = fixture.create(named("laptop")).await.expect("a peer");
    let mut request = patch(&peer);
    request.preshared_key = preshared(Choice::Key(KEY.into()));
    let (keyed, needs_config) = fixture.update(request.clone()).await.expect("a change");
    assert!(keyed.has_preshared_key && needs_config);
    assert_eq!(fixture.generation(node).await, 2);
    let (_, needs_config) = fixture
        .update(request.clone())
        .await
        .expect("the same again");
    assert!(!needs_config);
    request.preshared_key = preshared(Choice::Keep(true));
    let refused = fixture.update(request).await.expect_err("it is there");
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert_eq!(fixture.generation(node).await, 2);
    let read = move |conn: &_| audit::list(conn, Some(&peer.id), None, 10);
    let rows = fixture.core.store.read(read).await.expect("rows");
    assert_eq!(rows.len(), 2);
    let told = format!("{rows:?}");
    assert!(told.contains("replaced") && !told.contains(KEY));
}

#[tokio::test]
async fn an_address_given_before_there_was_a_pool_is_passed_over() {
    let fixture = Fixture::new().await;
    let bare = NodeSpec {
        pools: &[],
        ..ONLINE
    };
    let node = fixture.node(bare).await;
    let mut request = named("first");
    request.node_id = node.to_string();
    let none = refusal(fixture.create(request.clone()).await);
    assert_eq!(
        (none.0, none.2.as_str()),
        (Code::InvalidArgument, "allowed_ips")
    );
    request.allowed_ips = vec!["10.8.0.2/32".into()];
    fixture.create(request).await.expect("a peer");
    let write =
        move |tx: &crate::store::WriteTx<'_>| pools::set_pools(tx, node, &[pool("10.8.0.0/24")]);
    fixture.core.store.write(write).await.expect("a pool");
    let next = fixture.create(named("next")).await.expect("a peer");
    assert_eq!(next.allowed_ips, ["10.8.0.3/32"]);
}
