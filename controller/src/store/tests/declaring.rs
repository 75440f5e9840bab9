//! Nodes and agents: what is unique, and who is named when it is not.

use wire_contract::{PublicKey, signing::Secret};

use super::{Fixture, NOW_S, settings};
use crate::store::{
    NodeStatus, StoreError,
    agents::{self, Slot},
    generation, meta, node_status, nodes,
};

fn names(error: StoreError, name: &str) -> bool {
    matches!(error, StoreError::Conflict { other, .. } if other.contains(name))
}

#[tokio::test]
async fn a_node_is_read_as_it_was_declared() {
    let fixture = Fixture::new();
    let id = fixture
        .node("node-1", &["10.8.0.0/24", "fd00:8::/64"])
        .await;
    let row = fixture
        .store
        .read(move |conn| nodes::get(conn, id))
        .await
        .expect("the node");
    assert_eq!(row.settings, settings("node-1", row.settings.agent_id));
    assert_eq!(row.agent_url, "http://node-1:8080");
    assert_eq!(row.state.status, NodeStatus::Offline);
    let mut changed = row.settings.clone();
    changed.mtu = None;
    changed.name = "renamed".into();
    changed.persistent_keepalive = Some(wire_contract::Keepalive::from_secs(25));
    let wanted = changed.clone();
    fixture
        .store
        .write(move |tx| nodes::update(tx, id, &changed, NOW_S + 1))
        .await
        .expect("a change");
    let row = fixture
        .store
        .read(move |conn| nodes::get(conn, id))
        .await
        .expect("the node");
    assert_eq!((row.settings, row.updated_at), (wanted, NOW_S + 1));
}

#[tokio::test]
async fn a_node_added_twice_names_the_other() {
    let fixture = Fixture::new();
    let first = fixture.node("node-1", &[]).await;
    let second = fixture.node("node-2", &[]).await;
    let key = PublicKey::from_bytes([7; 32]);
    let outcome = fixture.store.write(move |tx| {
        node_status::learn_public_key(tx, first, &key)?;
        let (one, other) = (nodes::get(tx, first)?, nodes::get(tx, second)?);
        let refused = |settings| nodes::create(tx, &settings, NOW_S).expect_err("taken");
        assert!(names(
            refused(settings("node-1", other.settings.agent_id)),
            "node-1"
        ));
        assert!(names(
            refused(settings("node-3", one.settings.agent_id)),
            "node-1"
        ));
        let mut same_key = other.settings.clone();
        same_key.public_key = Some(key);
        assert!(names(
            nodes::update(tx, second, &same_key, NOW_S).expect_err("taken"),
            "node-1"
        ));
        let learned = node_status::learn_public_key(tx, second, &key);
        assert!(names(learned.expect_err("taken"), "node-1"));
        // Another interface of the same agent is another node.
        let mut next = settings("node-3", one.settings.agent_id);
        next.wg_interface = "wg1".parse().expect("an interface name");
        nodes::create(tx, &next, NOW_S)
    });
    outcome.await.expect("a node");
}

#[tokio::test]
async fn one_secret_belongs_to_one_agent() {
    let fixture = Fixture::new();
    let outcome = fixture.store.write(|tx| {
        let (first, second) = (b"the first secret", b"the second secret");
        let a = agents::create(tx, "http://a", first, NOW_S)?;
        let taken = agents::create(tx, "http://b", first, NOW_S).expect_err("taken");
        assert!(names(taken, "http://a"));
        agents::drop_unused(
            tx,
            agents::find(tx, "http://b")?.expect("half of it, in this closure"),
        )?;
        let b = agents::create(tx, "http://b", second, NOW_S)?;
        let next = agents::set_secret(tx, a, Slot::Next, second, NOW_S).expect_err("taken");
        assert!(names(next, "http://b"));
        assert!(agents::has_secret(tx, tx.sealer(), a, first)?);
        assert!(!agents::has_secret(tx, tx.sealer(), b, first)?);
        Ok(())
    });
    outcome.await.expect("a write");
}

#[tokio::test]
async fn a_rotation_always_has_a_secret() {
    let fixture = Fixture::new();
    let outcome = fixture.store.write(|tx| {
        let id = agents::create(tx, "http://a", b"the old secret of a", NOW_S)?;
        let secret = |slot| agents::secret(tx, tx.sealer(), id, slot);
        let is = |text: &str| Some(Secret::new(text).expect("long enough"));
        assert!(agents::promote_next(tx, id).is_err());
        agents::set_secret(tx, id, Slot::Next, b"a secret that fails", NOW_S)?;
        agents::drop_next(tx, id)?;
        agents::set_secret(tx, id, Slot::Next, b"the new secret of a", NOW_S)?;
        assert!(secret(Slot::Current)? == is("the old secret of a"));
        assert!(secret(Slot::Next)? == is("the new secret of a"));
        agents::promote_next(tx, id)?;
        assert!(secret(Slot::Current)? == is("the new secret of a"));
        assert!(secret(Slot::Next)?.is_none());
        Ok(())
    });
    outcome.await.expect("a write");
}

#[tokio::test]
async fn a_node_with_peers_is_not_deleted() {
    let fixture = Fixture::new();
    let node = fixture.node("node-1", &["10.8.0.0/24"]).await;
    let peer = fixture.peer(node, "laptop").await.expect("a peer");
    let refused = fixture.store.write(move |tx| nodes::delete(tx, node)).await;
    assert!(
        matches!(refused, Err(StoreError::InUse { count: 1, .. })),
        "{refused:?}"
    );
    let gone = fixture.store.write(move |tx| {
        crate::store::peers::delete(tx, peer, NOW_S)?;
        nodes::delete(tx, node)?;
        assert!(
            agents::find(tx, "http://node-1:8080")?.is_none(),
            "its agent is unused"
        );
        Ok(nodes::list(tx)?.len())
    });
    assert_eq!(gone.await, Ok(0));
}

#[tokio::test]
async fn generations_only_grow() {
    let fixture = Fixture::new();
    let node = fixture.node("node-1", &[]).await;
    let outcome = fixture.store.write(move |tx| {
        assert_eq!(
            (generation::bump(tx, node)?, generation::bump(tx, node)?),
            (1, 2)
        );
        generation::record_observed(tx, node, 1)?;
        generation::record_observed(tx, node, 0)?;
        assert_eq!(generation::get(tx, node)?, (2, 1));
        generation::record_observed(tx, node, 99)?;
        generation::get(tx, node)
    });
    assert_eq!(outcome.await, Ok((2, 2)));
}

#[tokio::test]
async fn confirmation_can_be_asked_for_again() {
    let fixture = Fixture::new();
    let node = fixture.node("node-1", &[]).await;
    let outcome = fixture.store.write(move |tx| {
        meta::beat(tx, NOW_S)?;
        meta::set_restored(tx, NOW_S)?;
        assert_eq!(
            (meta::heartbeat_at(tx)?, meta::restored_at(tx)?),
            (Some(NOW_S), Some(NOW_S))
        );
        meta::clear_restored(tx)?;
        assert_eq!(meta::restored_at(tx)?, None);
        node_status::set_removal_confirmed(tx, node, true)?;
        assert!(nodes::get(tx, node)?.removal_confirmed);
        assert_eq!(node_status::withdraw_removals(tx)?, 1);
        assert!(!nodes::get(tx, node)?.removal_confirmed);
        node_status::hold_all_writes(tx)?;
        assert!(nodes::get(tx, node)?.writes_held);
        node_status::set_writes_held(tx, node, false)?;
        Ok(nodes::get(tx, node)?.writes_held)
    });
    assert_eq!(outcome.await, Ok(false));
}
