//! The log of events over a real store.

use std::{sync::Arc, time::Duration};

use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use wgfleet_proto::v1::{NodeDeleted, event::Kind};

use super::{EventLog, FollowError, Follower, message, record};
use crate::{
    agent_client::WallClock,
    store::{NodeId, Store, StoreError, StoreOptions, events},
};

const NOW_S: i64 = 1_790_000_000;

struct World {
    store: Store,
    log: EventLog,
    stop: CancellationToken,
    dir: TempDir,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&StoreOptions::new(dir.path()), NOW_S).unwrap();
        Self::on(store, dir)
    }

    fn on(store: Store, dir: TempDir) -> Self {
        let stop = CancellationToken::new();
        let clock = WallClock::new(|| Duration::from_secs(NOW_S.unsigned_abs()));
        let log = EventLog::new(store.clone(), clock, stop.clone());
        tokio::spawn(log.clone().run());
        Self {
            store,
            log,
            stop,
            dir,
        }
    }

    async fn restarted(self) -> Self {
        self.stop.cancel();
        self.store.close().await;
        let store = Store::open(&StoreOptions::new(self.dir.path()), NOW_S).unwrap();
        Self::on(store, self.dir)
    }

    /// Appends `count` events in one transaction.
    async fn append(&self, count: usize) {
        let write = self.store.write(move |tx| {
            for _ in 0..count {
                let node_id = NodeId::generate().to_string();
                record(
                    tx,
                    NOW_S,
                    Kind::NodeDeleted(NodeDeleted {
                        node_id,
                        ..NodeDeleted::default()
                    }),
                )?;
            }
            Ok(())
        });
        write.await.unwrap();
    }

    async fn take(follower: &mut Follower, count: usize) -> Vec<i64> {
        let mut ids = Vec::new();
        while ids.len() < count {
            let next = tokio::time::timeout(Duration::from_secs(20), follower.next());
            ids.push(next.await.expect("an event in time").unwrap().id);
        }
        ids
    }
}

#[tokio::test]
async fn a_follower_reads_what_was_and_then_what_comes() {
    let world = World::new();
    world.append(700).await;
    let mut all = world.log.follow(Some(0)).await.unwrap();
    let mut new = world.log.follow(None).await.unwrap();
    assert_eq!(
        World::take(&mut all, 700).await,
        (1..=700).collect::<Vec<_>>()
    );
    world.append(3).await;
    assert_eq!(World::take(&mut all, 3).await, [701, 702, 703]);
    assert_eq!(World::take(&mut new, 3).await, [701, 702, 703]);
    assert_eq!(new.last_id(), 703);
}

#[tokio::test]
async fn nothing_is_missed_while_others_write() {
    let world = Arc::new(World::new());
    let mut followers = Vec::new();
    let writing = {
        let world = Arc::clone(&world);
        tokio::spawn(async move {
            for _ in 0..300 {
                world.append(5).await;
            }
        })
    };
    for _ in 0..8 {
        let world = Arc::clone(&world);
        followers.push(tokio::spawn(async move {
            let mut follower = world.log.follow(Some(0)).await.unwrap();
            World::take(&mut follower, 1500).await
        }));
    }
    writing.await.unwrap();
    for follower in followers {
        assert_eq!(follower.await.unwrap(), (1..=1500).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn whoever_falls_a_little_behind_catches_up_and_whoever_sleeps_is_cut_off() {
    let world = World::new();
    let (mut behind, mut asleep) = (
        world.log.follow(Some(0)).await.unwrap(),
        world.log.follow(Some(0)).await.unwrap(),
    );
    world.append(1).await;
    World::take(&mut behind, 1).await;
    World::take(&mut asleep, 1).await;
    world.append(5000).await;
    let mut last = world.log.follow(Some(5000)).await.unwrap();
    World::take(&mut last, 1).await;
    let expected: Vec<_> = (2..=5001).collect();
    assert_eq!(World::take(&mut behind, 5000).await, expected);
    let mut told = world.log.0.told.subscribe();
    for _ in 0..8 {
        world.append(5000).await;
    }
    let last = 5001 + 40_000;
    while !told.recv().await.is_ok_and(|row| row.id == last) {}
    assert_eq!(asleep.next().await.map(drop), Err(FollowError::TooSlow));
}

#[tokio::test]
async fn ids_outlive_a_restart_and_a_rollback() {
    let world = World::new();
    world.append(2).await;
    let refused: Result<(), _> = world
        .store
        .write(|tx| {
            let node_id = String::new();
            record(
                tx,
                NOW_S,
                Kind::NodeDeleted(NodeDeleted {
                    node_id,
                    ..NodeDeleted::default()
                }),
            )?;
            Err(StoreError::Internal("taken back".into()))
        })
        .await;
    assert!(refused.is_err());
    let world = world.restarted().await;
    let mut follower = world.log.follow(Some(1)).await.unwrap();
    world.append(1).await;
    assert_eq!(World::take(&mut follower, 2).await, [2, 3]);
}

#[tokio::test]
async fn an_id_that_is_gone_or_never_was_is_refused() {
    let world = World::new();
    world.append(20).await;
    let refused = |after| {
        let log = world.log.clone();
        async move { log.follow(Some(after)).await.map(drop).err() }
    };
    assert_eq!(refused(20).await, None);
    assert_eq!(refused(21).await, Some(FollowError::TooOld));
    assert_eq!(refused(-1).await, Some(FollowError::TooOld));
    let prune = |max_rows| {
        world
            .store
            .write(move |tx| events::prune(tx, 0, max_rows, 8))
    };
    assert_eq!(prune(15).await, Ok(5));
    assert_eq!(refused(5).await, None, "everything after it is there");
    assert_eq!(refused(4).await, Some(FollowError::TooOld));
    assert_eq!(prune(0).await, Ok(8), "no more than a step");
    assert_eq!(prune(0).await, Ok(7));
    assert_eq!(refused(20).await, None);
    assert_eq!(refused(19).await, Some(FollowError::TooOld));
    let old = world.store.write(|tx| events::prune(tx, NOW_S + 1, 10, 8));
    assert_eq!(old.await, Ok(0));
}

#[tokio::test]
async fn after_a_restore_old_ids_are_unknown_for_good() {
    let world = World::new();
    world.append(5).await;
    let mut follower = world.log.follow(None).await.unwrap();
    world.store.write(events::start_anew).await.unwrap();
    world.append(1).await;
    let next = tokio::time::timeout(Duration::from_secs(20), follower.next()).await;
    assert_eq!(next.unwrap().map(drop), Err(FollowError::TooOld));
    for id in [3, 5, 6, 1_000_000_000] {
        let refused = world.log.follow(Some(id)).await.map(drop);
        assert_eq!(refused, Err(FollowError::TooOld), "{id}");
    }
    let mut now = world.log.follow(Some(1_000_000_005)).await.unwrap();
    assert_eq!(World::take(&mut now, 1).await, [1_000_000_006]);
    world.append(1).await;
    assert_eq!(World::take(&mut now, 1).await, [1_000_000_007]);
}

#[tokio::test]
async fn what_is_written_is_what_is_told() {
    let world = World::new();
    let node = NodeId::generate();
    let kind = Kind::NodeDeleted(NodeDeleted {
        node_id: node.to_string(),
        ..NodeDeleted::default()
    });
    let written = kind.clone();
    let write = world.store.write(move |tx| record(tx, NOW_S, written));
    assert_eq!(write.await, Ok(1));
    let mut follower = world.log.follow(Some(0)).await.unwrap();
    let row = follower.next().await.unwrap();
    assert_eq!(
        (row.kind.as_str(), row.node_id),
        ("node.deleted", Some(node))
    );
    let event = message(&row).unwrap();
    assert_eq!((event.id.as_str(), event.occurred_at), ("1", NOW_S));
    assert_eq!(event.kind, Some(kind));
}
