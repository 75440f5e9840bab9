//! What is counted over restarts and kills, on a real store.

use super::*;
use crate::store::tests::{Fixture, NOW_S, add_peer};

const A: PublicKey = PublicKey::from_bytes([1; 32]);
const B: PublicKey = PublicKey::from_bytes([2; 32]);
/// Nobody declared it.
const STRANGER: PublicKey = PublicKey::from_bytes([9; 32]);

struct World {
    fixture: Fixture,
    node: NodeId,
    declared: HashSet<PublicKey>,
}

impl World {
    async fn new(declared: &[PublicKey]) -> Self {
        let fixture = Fixture::new();
        let node = fixture.node("node-1", &["10.8.0.0/24"]).await;
        let keys = declared.to_vec();
        let add = fixture.store.write(move |tx| {
            keys.iter()
                .try_for_each(|key| add_peer(tx, node, &key.to_string(), *key).map(drop))
        });
        add.await.expect("peers");
        Self {
            fixture,
            node,
            declared: declared.iter().copied().collect(),
        }
    }

    /// A controller that starts on what the one before left.
    async fn start(&self) -> Run<'_> {
        let node = self.node;
        let marks = self
            .fixture
            .store
            .read(move |conn| samples::marks(conn, node));
        let tally = Arc::new(Tally::new(marks.await.expect("marks").sampled));
        let loaded = Observation::load(&self.fixture.store, node, Arc::clone(&tally)).await;
        let (mut observation, _) = loaded.expect("loaded");
        observation.keep_only(self.declared.clone());
        Run {
            world: self,
            tally,
            observation,
            seen: Arc::default(),
            instant: Instant::now(),
        }
    }

    /// What the history has.
    async fn sampled(&self) -> u64 {
        let node = self.node;
        let marks = self
            .fixture
            .store
            .read(move |conn| samples::marks(conn, node));
        marks.await.expect("marks").sampled.rx_bytes
    }
}

struct Run<'a> {
    world: &'a World,
    tally: Arc<Tally>,
    observation: Observation,
    seen: Arc<ObservedNode>,
    instant: Instant,
}

impl Run<'_> {
    /// A poll that finds these peers, and what each has received.
    async fn see(&mut self, peers: &[(PublicKey, u64)]) {
        let dump: Vec<_> = peers.iter().map(|(key, rx)| peer(*key, *rx)).collect();
        self.instant += std::time::Duration::from_secs(1);
        let now = Moment {
            unix_ms: NOW_S * 1000,
            instant: self.instant,
        };
        self.seen = self.observation.observe(&dump, None, now, 180);
        let (store, node) = (&self.world.fixture.store, self.world.node);
        let saved = self.observation.save_leavers(store, node, &self.seen);
        saved.await.expect("written");
        self.observation.keep_only(self.world.declared.clone());
    }

    async fn sample(&self) {
        let (node, gained) = (self.world.node, self.tally.take());
        let write = self.world.fixture.store.write(move |tx| {
            samples::mark_sampled(tx, node, gained.total)?;
            samples::advance_checkpoint(tx, node, gained.adrift)
        });
        write.await.expect("written");
    }

    async fn checkpoint(&mut self) {
        let (store, node) = (&self.world.fixture.store, self.world.node);
        let turn = Semaphore::new(1);
        let done = self.observation.checkpoint(store, node, &self.seen, &turn);
        done.await.expect("written");
    }
}

fn peer(public_key: PublicKey, transfer_rx: u64) -> DumpPeer {
    DumpPeer {
        public_key,
        endpoint: None,
        allowed_ips: Vec::new(),
        latest_handshake: 0,
        transfer_rx,
        transfer_tx: 0,
        persistent_keepalive: wire_contract::Keepalive::default(),
    }
}

#[tokio::test]
async fn a_peer_without_a_checkpoint_is_no_stranger_after_a_kill() {
    let world = World::new(&[A]).await;
    let mut run = world.start().await;
    run.see(&[(A, 0)]).await;
    run.see(&[(A, 100)]).await;
    run.sample().await;
    drop(run);
    let mut run = world.start().await;
    run.see(&[(A, 250)]).await;
    run.sample().await;
    assert_eq!(world.sampled().await, 250);
}

#[tokio::test]
async fn what_a_peer_moved_before_it_left_is_not_taken_from_others() {
    let world = World::new(&[A, B]).await;
    let mut run = world.start().await;
    run.see(&[(A, 0), (B, 0)]).await;
    run.checkpoint().await;
    run.see(&[(A, 100), (B, 100)]).await;
    run.sample().await;
    run.see(&[(A, 100)]).await;
    run.sample().await;
    drop(run);
    let mut run = world.start().await;
    run.see(&[(A, 300)]).await;
    run.sample().await;
    assert_eq!(world.sampled().await, 400);
}

#[tokio::test]
async fn what_strangers_moved_is_not_taken_from_others() {
    let world = World::new(&[A]).await;
    let mut run = world.start().await;
    run.see(&[(A, 0), (STRANGER, 1_000)]).await;
    run.checkpoint().await;
    run.see(&[(A, 10), (STRANGER, 5_000)]).await;
    run.sample().await;
    assert_eq!(world.sampled().await, 4_010, "from the first look on");
    drop(run);
    let mut run = world.start().await;
    run.see(&[(A, 20), (STRANGER, 5_000)]).await;
    run.sample().await;
    assert_eq!(world.sampled().await, 4_020);
}

#[tokio::test]
async fn every_byte_counts_once_whenever_it_is_killed() {
    let world = World::new(&[A, B]).await;
    let mut run = world.start().await;
    let (mut counters, mut state) = ([0, 0], 1_u64);
    for _ in 0..400 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let dice = state >> 33;
        counters[usize::from(dice % 2 == 0)] += dice % 1_000;
        match dice % 7 {
            0..3 => run.see(&[(A, counters[0]), (B, counters[1])]).await,
            3..5 => run.sample().await,
            5 => run.checkpoint().await,
            _ => run = world.start().await,
        }
    }
    run.see(&[(A, counters[0]), (B, counters[1])]).await;
    run.sample().await;
    assert_eq!(world.sampled().await, counters.iter().sum::<u64>());
}
