//! Peers that expire, use up their quota and come back.

use wire_contract::PublicKey;

use super::{Fixture, NOW_S, add_peer, listing::MadeUp};
use crate::{
    domain::{period::QuotaPeriod, quota::Quota},
    store::{
        NodeId, PeerId, StoreError, SyncState, WriteTx, audit, lapses, nodes,
        peer_list::{self, Admission, PeerFilter, PeerQuery},
        peer_nodes,
        peers::{self, PeerSettings},
        quotas,
    },
};

const DAY_S: i64 = 86_400;

fn change(
    tx: &WriteTx<'_>,
    peer: PeerId,
    change: impl FnOnce(&mut PeerSettings),
) -> Result<(), StoreError> {
    let mut settings = peers::get(tx, peer)?.settings;
    change(&mut settings);
    peers::update_settings(tx, peer, &settings, NOW_S)
}

fn peer(tx: &WriteTx<'_>, node: NodeId, number: u8) -> Result<PeerId, StoreError> {
    let name = format!("peer-{number}");
    add_peer(tx, node, &name, PublicKey::from_bytes([number; 32]))
}

fn settled(tx: &WriteTx<'_>, node: NodeId, number: u8) -> Result<(), StoreError> {
    let key = PublicKey::from_bytes([number; 32]);
    peer_nodes::record_sync(tx, node, &key, 1_000, (SyncState::Applied, "")).map(drop)
}

#[tokio::test]
async fn an_expiry_is_told_once_and_a_later_one_again() {
    let fixture = Fixture::new();
    let node = fixture.node("node-1", &["10.8.0.0/24"]).await;
    let outcome = fixture.store.write(move |tx| {
        let id = peer(tx, node, 1)?;
        settled(tx, node, 1)?;
        change(tx, id, |settings| settings.expires_at = Some(NOW_S + 10))?;
        assert_eq!(lapses::expired(tx, NOW_S + 9, 10)?, []);
        assert_eq!(lapses::expire(tx, id, NOW_S + 9)?, None, "not yet");
        assert_eq!(lapses::expired(tx, NOW_S + 10, 10)?, [id]);
        let generation = nodes::get(tx, node)?.desired_generation;
        assert_eq!(lapses::expire(tx, id, NOW_S + 10)?, Some(vec![node]));
        assert_eq!(nodes::get(tx, node)?.desired_generation, generation + 1);
        let row = peers::get(tx, id)?;
        assert_eq!(
            row.sync_state,
            SyncState::Pending,
            "it has to leave its node"
        );
        assert!(row.settings.enabled);
        assert_eq!(Admission::of(&row, NOW_S + 10), Admission::Expired);
        assert_eq!(lapses::expired(tx, NOW_S + 99, 10)?, []);
        assert_eq!(lapses::expire(tx, id, NOW_S + 99)?, None);
        let entries = audit::list(tx, Some(&id.to_string()), None, 10)?;
        assert_eq!(entries[0].1.action, "peer.expire");
        change(tx, id, |settings| settings.expires_at = Some(NOW_S + 20))?;
        assert_eq!(
            Admission::of(&peers::get(tx, id)?, NOW_S + 10),
            Admission::Active
        );
        assert_eq!(lapses::expired(tx, NOW_S + 20, 10)?, [id]);
        assert!(lapses::expire(tx, PeerId::generate(), NOW_S)?.is_none());
        lapses::expire(tx, id, NOW_S + 20)
    });
    assert_eq!(outcome.await, Ok(Some(vec![node])));
}

#[tokio::test]
async fn a_used_up_quota_holds_its_peer_until_the_next_period() {
    let fixture = Fixture::new();
    let node = fixture.node("node-1", &["10.8.0.0/24"]).await;
    let outcome = fixture.store.write(move |tx| {
        let id = peer(tx, node, 1)?;
        let quota = Quota::new(100, QuotaPeriod::Day, NOW_S);
        quotas::set(tx, id, Some(&quota))?;
        quotas::charge(tx, id, 99, NOW_S)?;
        assert_eq!(quotas::used_up(tx, 10)?, []);
        assert_eq!(
            lapses::hold(tx, id, NOW_S)?,
            None,
            "there is something left"
        );
        quotas::charge(tx, id, 1, NOW_S)?;
        assert_eq!(quotas::used_up(tx, 10)?, [id]);
        assert_eq!(lapses::hold(tx, id, NOW_S)?, Some(vec![node]));
        assert_eq!(lapses::hold(tx, id, NOW_S)?, None);
        assert_eq!(quotas::used_up(tx, 10)?, []);
        let row = peers::get(tx, id)?;
        assert!(!row.settings.enabled);
        assert!(
            row.settings
                .disabled_reason
                .starts_with("quota of 100 B used up; back on ")
        );
        assert_eq!(Admission::of(&row, NOW_S), Admission::QuotaUsedUp);
        let back_s = quota.resets_at_s().expect("a next day");
        assert_eq!(quotas::reset(tx, back_s - 1, 10)?, []);
        assert_eq!(lapses::release(tx, id, back_s - 1)?, None);
        // What the kernel still counted before the peer was off it, seen on the next day.
        quotas::charge(tx, id, 50, back_s)?;
        assert_eq!(quotas::reset(tx, back_s, 10)?, [id]);
        assert_eq!(lapses::release(tx, id, back_s)?, Some(vec![node]));
        let row = peers::get(tx, id)?;
        assert!(row.settings.enabled && row.settings.disabled_reason.is_empty());
        assert_eq!(
            row.quota.map(|quota| (quota.used_bytes, quota.held)),
            Some((0, false))
        );
        assert_eq!(quotas::reset(tx, back_s, 10)?, []);
        lapses::release(tx, id, back_s + DAY_S)
    });
    assert_eq!(outcome.await, Ok(None));
}

#[tokio::test]
async fn who_is_disabled_by_hand_is_not_held_and_does_not_come_back() {
    let fixture = Fixture::new();
    let node = fixture.node("node-1", &["10.8.0.0/24"]).await;
    let outcome = fixture.store.write(move |tx| {
        let id = peer(tx, node, 1)?;
        let quota = Quota::new(1, QuotaPeriod::Day, NOW_S).charged(5, NOW_S);
        quotas::set(tx, id, Some(&quota))?;
        change(tx, id, |settings| settings.enabled = false)?;
        assert_eq!(quotas::used_up(tx, 10)?, []);
        assert_eq!(lapses::hold(tx, id, NOW_S)?, None);
        assert_eq!(quotas::reset(tx, NOW_S + 9 * DAY_S, 10)?, []);
        assert_eq!(lapses::release(tx, id, NOW_S + 9 * DAY_S)?, None);
        // The use of a period that is over holds nobody.
        change(tx, id, |settings| settings.enabled = true)?;
        assert_eq!(quotas::used_up(tx, 10)?, [id]);
        assert_eq!(lapses::hold(tx, id, NOW_S + DAY_S)?, None);
        quotas::used_up(tx, 10)
    });
    assert_eq!(outcome.await, Ok(Vec::new()));
}

#[tokio::test]
async fn lists_are_filtered_by_what_is_shown() {
    let fixture = Fixture::new();
    let node = fixture.node("node-1", &["10.8.0.0/24"]).await;
    let outcome = fixture.store.write(move |tx| {
        for number in 0..16_u8 {
            let id = peer(tx, node, number)?;
            let (off, expires, held) = (number & 1 > 0, number & 2 > 0, number & 4 > 0);
            change(tx, id, |settings| {
                settings.enabled = !off && !held;
                let ahead = if number & 8 > 0 { 5 } else { -5 };
                settings.expires_at = expires.then_some(NOW_S + ahead);
            })?;
            let quota = Quota {
                held,
                ..Quota::new(9, QuotaPeriod::Week, NOW_S)
            };
            quotas::set(tx, id, Some(&quota).filter(|_| held || off))?;
        }
        Ok(())
    });
    assert_eq!(outcome.await, Ok(()));
    let mut found = 0;
    for admission in [
        Admission::Active,
        Admission::Disabled,
        Admission::Expired,
        Admission::QuotaUsedUp,
    ] {
        let query = PeerQuery {
            filter: PeerFilter {
                admission: Some((admission, NOW_S)),
                ..PeerFilter::default()
            },
            limit: 100,
            ..PeerQuery::default()
        };
        let index = fixture.store.peer_index();
        let page = index.find(&query, |_| Some(MadeUp));
        let ids = page.expect("a page").ids;
        let rows = fixture.store.read(move |conn| peer_list::rows(conn, &ids));
        let rows = rows.await.expect("the peers");
        assert!(!rows.is_empty(), "{admission:?}");
        for row in &rows {
            assert_eq!(
                Admission::of(row, NOW_S),
                admission,
                "{}",
                row.settings.name
            );
        }
        found += rows.len();
    }
    assert_eq!(found, 16);
}
