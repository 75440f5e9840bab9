//! Addresses: the next free one at once, one owner each, none lost.

use std::{
    collections::{BTreeSet, HashSet},
    net::IpAddr,
    time::Instant,
};

use proptest::prelude::*;

use super::{Fixture, cidr, peer_settings, random, spec};
use crate::store::{
    NodeId, PeerId, Store, StoreError, WriteTx, allocations,
    peers::{self, NewPeer},
    pools, ranges,
};

/// A peer with no address yet.
fn bare_peer(tx: &WriteTx<'_>, node_id: NodeId) -> Result<PeerId, StoreError> {
    let id = PeerId::generate();
    let public_key = wire_contract::PublicKey::from_bytes(random());
    let settings = peer_settings(&id.to_string());
    let (private_key, preshared_key) = (None, None);
    let peer = NewPeer {
        id,
        node_id,
        public_key,
        private_key,
        preshared_key,
        settings: &settings,
    };
    peers::insert(tx, &peer, super::NOW_S)?;
    Ok(id)
}

async fn next(store: &Store, node: NodeId) -> Result<IpAddr, StoreError> {
    store
        .write(move |tx| {
            let peer = bare_peer(tx, node)?;
            Ok(allocations::allocate_next(tx, &pools::list(tx, node)?, peer)?.address)
        })
        .await
}

async fn exact(store: &Store, node: NodeId, address: &str) -> Result<PeerId, StoreError> {
    let address = address.parse().expect("an address");
    store
        .write(move |tx| {
            let peer = bare_peer(tx, node)?;
            allocations::allocate_exact(tx, &pools::list(tx, node)?, address, peer)?;
            Ok(peer)
        })
        .await
}

#[tokio::test]
async fn eight_at_once_exhaust_a_pool_without_a_double() {
    let fixture = Fixture::new();
    let node = fixture
        .node("node-1", &["10.8.0.0/25", "10.9.0.0/26"])
        .await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let store = fixture.store.clone();
        tasks.spawn(async move {
            let mut taken = Vec::new();
            loop {
                match next(&store, node).await {
                    Ok(address) => taken.push(address),
                    Err(error) => return (taken, error),
                }
            }
        });
    }
    let mut all = Vec::new();
    while let Some(task) = tasks.join_next().await {
        let (taken, error) = task.expect("no panic");
        let pools = "10.8.0.0/25, 10.9.0.0/26".into();
        assert_eq!(error, StoreError::NoFreeAddress { pools });
        all.extend(taken);
    }
    assert_eq!(all.len(), 128 + 64);
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
}

#[tokio::test]
async fn the_last_address_has_one_owner() {
    let fixture = Fixture::new();
    let node = fixture.node("node-1", &["10.8.0.4/32"]).await;
    let store = &fixture.store;
    let (one, other) = tokio::join!(
        exact(store, node, "10.8.0.4"),
        exact(store, node, "10.8.0.4")
    );
    let lost = if one.is_ok() { other } else { one };
    assert!(
        matches!(
            lost,
            Err(StoreError::Conflict {
                what: "address",
                ..
            })
        ),
        "{lost:?}"
    );
}

#[tokio::test]
async fn a_64_is_as_quick_as_a_24() {
    let fixture = Fixture::new();
    let begun = Instant::now();
    let node = fixture.node("node-1", &["fd00:8::/64"]).await;
    assert_eq!(
        next(&fixture.store, node).await,
        Ok("fd00:8::".parse().expect("an address"))
    );
    exact(&fixture.store, node, "fd00:8::ffff:ffff:ffff:ffff")
        .await
        .expect("the last one");
    assert!(begun.elapsed().as_secs() < 2, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn what_is_skipped_outside_or_taken_is_refused() {
    let fixture = Fixture::new();
    let node = fixture.node("node-1", &[]).await;
    let pool = spec("10.8.0.0/29", &["10.8.0.0/31", "10.8.0.7/32", "fd00::/8"]);
    fixture
        .store
        .write(move |tx| pools::set_pools(tx, node, &[pool]))
        .await
        .expect("a pool");
    assert_eq!(
        next(&fixture.store, node).await,
        Ok("10.8.0.2".parse().expect("an address"))
    );
    for address in ["10.8.0.1", "10.8.0.7", "10.8.0.8", "fd00::1"] {
        let refused = exact(&fixture.store, node, address).await;
        assert!(
            matches!(refused, Err(StoreError::AddressRefused { .. })),
            "{address}"
        );
    }
    let taken = exact(&fixture.store, node, "10.8.0.2").await;
    assert!(
        matches!(
            taken,
            Err(StoreError::Conflict {
                what: "address",
                ..
            })
        ),
        "{taken:?}"
    );
}

#[tokio::test]
async fn pools_change_around_what_is_in_use() {
    let fixture = Fixture::new();
    let node = fixture.node("node-1", &["10.8.0.0/25"]).await;
    let change = |specs: Vec<pools::PoolSpec>| {
        fixture
            .store
            .write(move |tx| pools::set_pools(tx, node, &specs))
    };
    let peer = exact(&fixture.store, node, "10.8.0.0")
        .await
        .expect("an address");

    let left_out = change(vec![spec("10.9.0.0/24", &[])]).await;
    assert!(
        matches!(&left_out, Err(StoreError::LeftOut { address, .. }) if address == "10.8.0.0"),
        "{left_out:?}"
    );
    let overlap = change(vec![spec("10.8.0.0/24", &[]), spec("10.8.0.64/26", &[])]).await;
    assert!(
        matches!(overlap, Err(StoreError::Conflict { what: "pool", .. })),
        "{overlap:?}"
    );

    // Grown, and the address in use reserved from now on: it stays, and is not for others later.
    change(vec![spec("10.8.0.0/24", &["10.8.0.0/32"])])
        .await
        .expect("a larger pool");
    assert_eq!(
        next(&fixture.store, node).await,
        Ok("10.8.0.1".parse().expect("an address"))
    );
    let released = fixture
        .store
        .write(move |tx| allocations::release(tx, peer, Some(node)));
    released.await.expect("released");
    let refused = exact(&fixture.store, node, "10.8.0.0").await;
    assert!(
        matches!(refused, Err(StoreError::AddressRefused { .. })),
        "{refused:?}"
    );
}

#[test]
fn spans_reach_from_the_first_to_the_last_address() {
    let all = (0, u128::MAX);
    assert_eq!(ranges::span(&cidr("::/0")), all);
    assert_eq!(ranges::span(&cidr("0.0.0.0/0")), (0, u128::from(u32::MAX)));
    assert_eq!(
        ranges::span(&cidr("10.0.0.4/32")),
        (0x0a00_0004, 0x0a00_0004)
    );
    assert_eq!(ranges::without(all, vec![all]), []);
    assert_eq!(
        ranges::without((3, 9), vec![(5, 5), (0, 3), (9, 20)]),
        [(4, 4), (6, 8)]
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Against a plain set: what is free is exactly what nobody has, in as few ranges as it takes.
    #[test]
    fn free_space_is_what_nobody_has(steps in prop::collection::vec((0_u8..16, any::<bool>()), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("one");
        runtime.block_on(async {
            let fixture = Fixture::new();
            let node = fixture.node("node-1", &["10.8.0.0/28"]).await;
            fixture.store.write(move |tx| {
                let pool = pools::list(tx, node)?.remove(0);
                let base = ranges::span(&pool.cidr).0;
                let mut free: BTreeSet<u128> = (base..base + 16).collect();
                for (offset, take) in steps {
                    let address = base + u128::from(offset);
                    if take {
                        assert_eq!(ranges::take(tx, pool.id, address)?, free.remove(&address));
                    } else if free.insert(address) {
                        ranges::give_back(tx, pool.id, address)?;
                    }
                    let mut select =
                        tx.prepare("SELECT first, last FROM free_ranges ORDER BY first")?;
                    let stored: Vec<(u128, u128)> = select
                        .query_map([], |row| {
                            Ok((u128::from_be_bytes(row.get(0)?), u128::from_be_bytes(row.get(1)?)))
                        })?
                        .collect::<Result<_, _>>()?;
                    let taken = (base..base + 16).filter(|a| !free.contains(a)).map(|a| (a, a));
                    assert_eq!(stored, ranges::without((base, base + 15), taken.collect()));
                }
                Ok(())
            }).await.expect("a write");
        });
    }
}

#[tokio::test]
async fn what_is_in_use_elsewhere_is_passed_over_and_stays_free() {
    let fixture = Fixture::new();
    let node = fixture.node("node-1", &["10.8.0.0/29"]).await;
    let in_use: std::collections::HashSet<IpAddr> = ["10.8.0.0", "10.8.0.1", "10.8.0.3"]
        .map(|address| address.parse().expect("an address"))
        .into();
    let mut given = Vec::new();
    for _ in 0..3 {
        let in_use = in_use.clone();
        let address = fixture.store.write(move |tx| {
            let (peer, pools) = (bare_peer(tx, node)?, pools::list(tx, node)?);
            Ok(
                allocations::allocate_next_except(tx, &pools, peer, &in_use)?
                    .address
                    .to_string(),
            )
        });
        given.push(address.await.expect("an address"));
    }
    assert_eq!(given, ["10.8.0.2", "10.8.0.4", "10.8.0.5"]);
    // It went away: now it is as free as any.
    let address = next(&fixture.store, node).await.expect("an address");
    assert_eq!(address.to_string(), "10.8.0.0");
}

#[tokio::test]
async fn a_pool_whose_last_addresses_are_held_by_nobody_known_has_no_room() {
    let fixture = Fixture::new();
    let node = fixture.node("node-1", &["10.8.0.0/30"]).await;
    let room = |held: &[&str]| {
        let held: HashSet<IpAddr> = held.iter().map(|text| text.parse().unwrap()).collect();
        let read = fixture.store.read(move |conn| {
            let pool = &pools::list(conn, node)?[0];
            pools::has_room(conn, pool, &held)
        });
        async { read.await.expect("the pool") }
    };
    assert!(room(&[]).await);
    assert!(room(&["10.8.0.0", "10.8.0.1", "10.8.0.2", "fd00::3"]).await);
    assert!(!room(&["10.8.0.0", "10.8.0.1", "10.8.0.2", "10.8.0.3"]).await);
}
