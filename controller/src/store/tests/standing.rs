//! Peers: where they stand, how they leave, how they move.

use wire_contract::{AllowedIp, PresharedKey, PublicKey};

use super::{Fixture, NOW_S, add_peer, cidr, peer_settings};
use crate::store::{
    NodeId, PeerId, StoreError, SyncState, WriteTx, allocations, counters, generation, moves,
    nodes,
    peer_nodes::{self, Placement},
    peers::{self, NewPeer},
    tombstones,
};

const KEY: PublicKey = PublicKey::from_bytes([1; 32]);
const OTHER_KEY: PublicKey = PublicKey::from_bytes([2; 32]);

fn place_at(
    tx: &WriteTx<'_>,
    node_id: NodeId,
    peer_id: PeerId,
    public_key: PublicKey,
    allowed_ips: &[AllowedIp],
) -> Result<(), StoreError> {
    let generation = generation::bump(tx, node_id)?;
    let psk_confirmed = true;
    let placement = Placement {
        node_id,
        public_key,
        peer_id,
        allowed_ips,
        psk_confirmed,
        generation,
    };
    peer_nodes::place(tx, &placement)
}

#[tokio::test]
async fn a_peer_is_read_as_it_was_declared_with_its_keys() {
    let fixture = Fixture::new();
    let node = fixture.node("node-1", &[]).await;
    let outcome = fixture.store.write(move |tx| {
        let id = PeerId::generate();
        let mut settings = peer_settings("laptop");
        settings.labels = [("team".to_owned(), "red".to_owned())].into();
        settings.expires_at = Some(NOW_S + 60);
        let preshared = PresharedKey::from_bytes([3; 32]);
        let peer = NewPeer {
            id,
            node_id: node,
            public_key: KEY,
            private_key: Some(&[4; 32]),
            preshared_key: Some(&preshared),
            settings: &settings,
        };
        peers::insert(tx, &peer, NOW_S)?;
        place_at(tx, node, id, KEY, &[cidr("10.8.0.2/32")])?;
        let row = peers::get(tx, id)?;
        assert_eq!(row.settings, settings);
        assert_eq!((row.sync_state, row.generation), (SyncState::Pending, 1));
        assert_eq!(row.allowed_ips, [cidr("10.8.0.2/32")]);
        assert_eq!(
            peers::private_key(tx, tx.sealer(), id)?.as_deref(),
            Some(&[4; 32])
        );
        let desired = peer_nodes::desired(tx, tx.sealer(), node)?;
        assert_eq!(desired[0].preshared_key.as_ref(), Some(&preshared));
        peers::set_preshared_key(tx, id, None, NOW_S)?;
        peers::preshared_key(tx, tx.sealer(), id)
    });
    assert_eq!(outcome.await, Ok(None));
}

#[tokio::test]
async fn a_key_and_an_allowed_ip_have_one_owner_on_a_node() {
    let fixture = Fixture::new();
    let node = fixture.node("node-1", &["10.8.0.0/24"]).await;
    let other = fixture.node("node-2", &["10.8.0.0/24"]).await;
    let add = |node, name: &'static str, key| {
        fixture.store.write(move |tx| add_peer(tx, node, name, key))
    };
    add(node, "laptop", KEY).await.expect("a peer");
    let taken = add(node, "phone", KEY).await;
    let owner = "the peer laptop".to_owned();
    let what = "public key on this node";
    assert_eq!(
        taken,
        Err(StoreError::Conflict {
            what,
            other: owner.clone()
        })
    );
    let second = add(node, "phone", OTHER_KEY).await.expect("another key");
    add(other, "phone", KEY).await.expect("another node");
    let taken = fixture.store.write(move |tx| {
        let wanted = [cidr("192.168.0.0/24"), cidr("10.8.0.0/32")];
        peer_nodes::set_allowed_ips(tx, node, &OTHER_KEY, &wanted)
    });
    assert_eq!(
        taken.await,
        Err(StoreError::Conflict {
            what: "allowed IP",
            other: format!("{owner}: 10.8.0.0/32")
        })
    );
    let row = fixture
        .store
        .read(move |conn| peers::get(conn, second))
        .await
        .expect("the peer");
    assert_eq!(
        row.allowed_ips,
        [cidr("10.8.0.1/32")],
        "nothing was changed"
    );
}

#[tokio::test]
async fn a_deleted_peer_leaves_a_tombstone_that_a_new_one_ends() {
    let fixture = Fixture::new();
    let node = fixture.node("node-1", &["10.8.0.0/24"]).await;
    let outcome = fixture.store.write(move |tx| {
        let count = || nodes::get(tx, node).map(|row| row.peer_count);
        let id = add_peer(tx, node, "laptop", KEY)?;
        assert_eq!(count()?, 1);
        generation::bump(tx, node)?;
        peers::delete(tx, id, NOW_S)?;
        assert_eq!(count()?, 0);
        tombstones::touch_signed(tx, node, &KEY, NOW_S + 5, NOW_S + 305)?;
        let left = tombstones::list(tx, node)?;
        assert_eq!((left.len(), left[0].last_signed_at), (1, NOW_S + 5));
        assert!(peer_nodes::desired(tx, tx.sealer(), node)?.is_empty());

        let again = add_peer(tx, node, "laptop", KEY)?;
        assert!(tombstones::list(tx, node)?.is_empty());
        assert_eq!(
            (count()?, peers::get(tx, again)?.allowed_ips),
            (1, vec![cidr("10.8.0.0/32")])
        );
        tombstones::drop_one(tx, node, &KEY)?;
        assert_eq!(
            peers::get(tx, again)?.id,
            again,
            "a declared key is no tombstone"
        );

        peers::forget(tx, again)?;
        assert!(tombstones::list(tx, node)?.is_empty());
        count()
    });
    assert_eq!(outcome.await, Ok(0));
}

#[tokio::test]
async fn an_old_answer_does_not_settle_a_new_change() {
    let fixture = Fixture::new();
    let node = fixture.node("node-1", &["10.8.0.0/24"]).await;
    let outcome = fixture.store.write(move |tx| {
        let id = add_peer(tx, node, "laptop", KEY)?;
        let changed = generation::bump(tx, node)?;
        peer_nodes::mark_pending(tx, node, id, changed)?;
        let applied = (SyncState::Applied, "");
        assert!(!peer_nodes::record_sync(
            tx,
            node,
            &KEY,
            changed - 1,
            applied
        )?);
        assert_eq!(peers::get(tx, id)?.sync_state, SyncState::Pending);
        assert!(peer_nodes::record_sync(
            tx,
            node,
            &KEY,
            changed,
            (SyncState::Failed, "why")
        )?);
        assert!(peer_nodes::record_sync(tx, node, &KEY, changed, applied)?);
        assert!(
            !peer_nodes::record_sync(tx, node, &KEY, changed, applied)?,
            "nothing to write"
        );
        Ok(peers::get(tx, id)?.sync_state)
    });
    assert_eq!(outcome.await, Ok(SyncState::Applied));
}

#[tokio::test]
async fn a_moving_peer_leaves_when_it_has_arrived() {
    let fixture = Fixture::new();
    let from = fixture.node("node-1", &["10.8.0.0/24"]).await;
    let over = fixture.node("node-2", &[]).await;
    let to = fixture.node("node-3", &[]).await;
    let outcome = fixture.store.write(move |tx| {
        let id = add_peer(tx, from, "laptop", KEY)?;
        for target in [over, to] {
            place_at(tx, target, id, KEY, &[cidr("10.9.0.2/32")])?;
            peers::set_node(tx, id, target, NOW_S)?;
            moves::leave_for(tx, id, target)?;
        }
        assert_eq!(peer_nodes::nodes_of(tx, id)?.len(), 3);
        assert_eq!(moves::finish(tx, to, NOW_S)?, [], "not seen there yet");
        let (generation, _) = generation::get(tx, to)?;
        peer_nodes::record_sync(tx, to, &KEY, generation, (SyncState::Applied, ""))?;
        let mut left = moves::finish(tx, to, NOW_S)?;
        left.sort_unstable();
        assert_eq!(left, [from, over]);
        assert_eq!(peer_nodes::nodes_of(tx, id)?, [to]);
        assert!(
            allocations::of_peer(tx, id)?.is_empty(),
            "the source's address is free again"
        );
        assert_eq!(generation::get(tx, from)?.0, 2);
        Ok(tombstones::list(tx, from)?.len())
    });
    assert_eq!(outcome.await, Ok(1));
}

#[tokio::test]
async fn a_new_key_replaces_the_old_one() {
    let fixture = Fixture::new();
    let node = fixture.node("node-1", &["10.8.0.0/24"]).await;
    let outcome = fixture.store.write(move |tx| {
        let id = add_peer(tx, node, "laptop", KEY)?;
        let addresses = peers::get(tx, id)?.allowed_ips;
        tombstones::bury(tx, node, &KEY, NOW_S)?;
        peers::set_key_pair(tx, id, &OTHER_KEY, None, NOW_S)?;
        place_at(tx, node, id, OTHER_KEY, &addresses)?;
        let row = peers::get(tx, id)?;
        assert_eq!((row.public_key, row.allowed_ips), (OTHER_KEY, addresses));
        assert_eq!(nodes::get(tx, node)?.peer_count, 1);
        Ok(tombstones::list(tx, node)?[0].public_key)
    });
    assert_eq!(outcome.await, Ok(KEY));
}

#[tokio::test]
async fn checkpoints_follow_their_key() {
    let fixture = Fixture::new();
    let node = fixture.node("node-1", &["10.8.0.0/24"]).await;
    let row = counters::CounterRow {
        public_key: KEY,
        rx_bytes_total: 10,
        tx_bytes_total: u64::MAX,
        rx_bytes: 1,
        tx_bytes: 2,
        boot_id: Some("boot".into()),
        ifindex: Some(7),
        endpoint: None,
        latest_handshake: NOW_S,
        observed_at: NOW_S,
    };
    let outcome = fixture.store.write(move |tx| {
        counters::put(tx, node, &row)?;
        assert!(
            counters::list(tx, node)?.is_empty(),
            "no such key on the node"
        );
        add_peer(tx, node, "laptop", KEY)?;
        counters::put(tx, node, &row)?;
        let read = counters::list(tx, node)?.remove(0);
        assert_eq!(
            read.tx_bytes_total,
            i64::MAX.unsigned_abs(),
            "never negative"
        );
        Ok((read.rx_bytes_total, read.ifindex))
    });
    assert_eq!(outcome.await, Ok((10, Some(7))));
}

#[tokio::test]
async fn a_request_without_an_answer_is_in_doubt_until_one_is_answered() {
    let fixture = Fixture::new();
    let node = fixture.node("node-1", &["10.8.0.0/24"]).await;
    let add = fixture
        .store
        .write(move |tx| add_peer(tx, node, "laptop", KEY));
    add.await.expect("a peer");
    let doubts = async || {
        let read = fixture
            .store
            .read(move |conn| tombstones::doubts(conn, node));
        read.await.expect("doubts")
    };
    let sign = |at_s| {
        move |tx: &crate::store::WriteTx<'_>| {
            tombstones::touch_signed(tx, node, &KEY, at_s, at_s + 300)
        }
    };
    fixture.store.write(sign(NOW_S)).await.expect("noted");
    fixture.store.write(sign(NOW_S + 9)).await.expect("noted");
    assert_eq!(doubts().await, [(KEY, NOW_S + 309)]);
    let answered = fixture
        .store
        .write(move |tx| tombstones::answered(tx, node, &KEY));
    answered.await.expect("noted");
    assert!(doubts().await.is_empty());
}
