//! What is forgotten when the clock is not what it was.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use super::*;
use crate::store::{
    samples::Sample,
    tests::{Fixture, NOW_S},
};

const HOUR_S: u64 = 3600;
const DAY_S: u64 = 24 * HOUR_S;
/// Kept for 14 days.
const RESOLUTION_S: i64 = 300;

struct World {
    fixture: Fixture,
    node: NodeId,
    pruner: Pruner,
    /// Seconds the clock is ahead of the time that has passed.
    ahead_s: Arc<AtomicU64>,
}

impl World {
    /// With one span of a node that is a minute old.
    async fn new() -> Self {
        let fixture = Fixture::new();
        let node = fixture.node("node-1", &["10.8.0.0/24"]).await;
        let add = fixture.store.write(move |tx| {
            let span = Sample {
                at: NOW_S - 60,
                watched_s: 10,
                ..Sample::default()
            };
            samples::add_node(tx, node, span)
        });
        add.await.expect("a span");
        let ahead_s = Arc::new(AtomicU64::new(0));
        let (began, ahead) = (Instant::now(), Arc::clone(&ahead_s));
        let clock = WallClock::new(move || {
            let now_s = NOW_S.unsigned_abs() + ahead.load(Ordering::Relaxed);
            Duration::from_secs(now_s) + began.elapsed()
        });
        Self {
            pruner: Pruner::new(fixture.store.clone(), clock),
            fixture,
            node,
            ahead_s,
        }
    }

    /// Some time passes, and the pruner does its round. Whether the span is still there.
    async fn after(&mut self, seconds: u64) -> bool {
        tokio::time::advance(Duration::from_secs(seconds)).await;
        self.pruner.round(&CancellationToken::new()).await;
        let node = self.node;
        let read = self
            .fixture
            .store
            .read(move |conn| samples::of_node(conn, node, RESOLUTION_S, 0, i64::MAX));
        !read.await.expect("spans").is_empty()
    }

    fn set_ahead(&self, seconds: u64) {
        self.ahead_s.store(seconds, Ordering::Relaxed);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_old_goes_when_its_time_has_come() {
    let mut world = World::new().await;
    for _ in 0..13 {
        assert!(world.after(DAY_S).await);
    }
    assert!(!world.after(DAY_S + HOUR_S).await);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_ahead_and_returns_costs_nothing() {
    let mut world = World::new().await;
    assert!(world.after(60).await);
    world.set_ahead(400 * DAY_S);
    for _ in 0..23 {
        assert!(world.after(HOUR_S).await, "not believed for a day");
    }
    world.set_ahead(0);
    for _ in 0..3 {
        assert!(world.after(HOUR_S).await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_stays_ahead_is_believed_after_a_day() {
    let mut world = World::new().await;
    assert!(world.after(60).await);
    world.set_ahead(30 * DAY_S);
    assert!(world.after(60).await);
    assert!(world.after(DAY_S - 1).await);
    assert!(!world.after(1).await);
}

#[tokio::test(start_paused = true)]
async fn small_steps_and_steps_back_are_believed() {
    let mut world = World::new().await;
    world.set_ahead(HOUR_S);
    assert!(world.after(60).await);
    world.set_ahead(0);
    assert!(world.after(13 * DAY_S).await);
    assert!(!world.after(DAY_S).await, "no doubt was left behind");
}
