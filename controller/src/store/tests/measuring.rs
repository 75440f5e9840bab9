//! Samples, checkpoints that fill them, and changes of status.

use wire_contract::PublicKey;

use super::{Fixture, NOW_S, add_peer};
use crate::{
    domain::{counters::Traffic, period::QuotaPeriod, quota::Quota},
    store::{
        NodeId, NodeStatus, PeerId, StoreError, WriteTx,
        counters::{self, CounterRow},
        node_status::{self, NodeState},
        quotas,
        samples::{self, NODE_RESOLUTIONS_S, PEER_RESOLUTIONS_S, Sample, Spans, aligned},
        status_changes,
    },
};

const KEY: PublicKey = PublicKey::from_bytes([7; 32]);
const FAR_S: i64 = i64::MAX;

fn traffic(rx_bytes: u64, tx_bytes: u64) -> Traffic {
    Traffic { rx_bytes, tx_bytes }
}

fn sample(at: i64, rx_bytes: u64, tx_bytes: u64) -> Sample {
    Sample {
        at,
        traffic: traffic(rx_bytes, tx_bytes),
        watched_s: 10,
        online_s: 5,
    }
}

fn seen(rx_bytes_total: u64, tx_bytes_total: u64, observed_at: i64) -> CounterRow {
    CounterRow {
        public_key: KEY,
        rx_bytes_total,
        tx_bytes_total,
        rx_bytes: 0,
        tx_bytes: 0,
        boot_id: None,
        ifindex: None,
        endpoint: Some("198.51.100.7:51820".into()),
        latest_handshake: observed_at,
        observed_at,
    }
}

fn sum(spans: &[Sample]) -> Traffic {
    let add = |sum: Traffic, span: &Sample| sum.saturating_add(span.traffic);
    spans.iter().fold(Traffic::default(), add)
}

fn of_peer(tx: &WriteTx<'_>, peer: PeerId, resolution_s: i64) -> Result<Vec<Sample>, StoreError> {
    samples::of_peer(tx, peer, resolution_s, NOW_S - 7200, NOW_S + 7200)
}

#[tokio::test]
async fn nodes_together_are_their_sum_and_a_gap_of_all_stays_one() {
    let fixture = Fixture::new();
    let first = fixture.node("node-1", &["10.8.0.0/24"]).await;
    let second = fixture.node("node-2", &["10.9.0.0/24"]).await;
    let outcome = fixture.store.write(move |tx| {
        for (node, at, rx_bytes) in [
            (first, 0, 1),
            (first, 50, 2),
            (second, 10, 4),
            // Nobody looked from 60 to 120.
            (second, 120, 8),
            (first, 130, i64::MAX.unsigned_abs()),
            // Beyond what is asked for.
            (first, 180, 16),
        ] {
            samples::add_node(tx, node, sample(at, rx_bytes, 1))?;
        }
        let spans = |from_s| Spans {
            resolution_s: 10,
            from_s,
            until_s: 180,
            step_s: 60,
        };
        let moved = |nodes: &[NodeId], from_s| -> Result<Vec<_>, StoreError> {
            let found = samples::of_nodes(tx, nodes.iter().copied(), &spans(from_s))?;
            let told = found.iter();
            Ok(told
                .map(|it| (it.at, it.traffic.rx_bytes, it.watched_s, it.online_s))
                .collect())
        };
        let most = i64::MAX.unsigned_abs();
        assert_eq!(
            moved(&[first, second], 0)?,
            [(0, 7, 30, 15), (120, most + 8, 20, 10)]
        );
        assert_eq!(moved(&[second], 0)?, [(0, 4, 10, 5), (120, 8, 10, 5)]);
        assert_eq!(moved(&[first], 60)?, [(120, most, 10, 5)]);
        assert_eq!(moved(&[], 0)?, []);
        Ok::<_, StoreError>(())
    });
    outcome.await.expect("measured");
}

#[tokio::test]
async fn every_resolution_adds_up_to_the_same() {
    let fixture = Fixture::new();
    let node = fixture.node("node-1", &["10.8.0.0/24"]).await;
    let outcome = fixture.store.write(move |tx| {
        for second in (0..7200).step_by(10) {
            samples::add_node(tx, node, sample(second, 3, 4))?;
        }
        samples::add_node(tx, node, sample(7190, 1, 1))?;
        for resolution_s in NODE_RESOLUTIONS_S {
            let spans = samples::of_node(tx, node, resolution_s, 0, FAR_S)?;
            let expected = (7200 / resolution_s).max(1);
            assert_eq!(i64::try_from(spans.len()), Ok(expected));
            assert_eq!(sum(&spans), traffic(720 * 3 + 1, 720 * 4 + 1));
            assert!(spans.iter().all(|span| span.at % resolution_s == 0));
        }
        let last = samples::of_node(tx, node, 10, 7190, 7200)?;
        assert_eq!((last[0].watched_s, last[0].online_s), (20, 10));
        // A node that is gone meanwhile.
        samples::add_node(tx, NodeId::generate(), sample(0, 1, 1))?;
        samples::mark_sampled(tx, NodeId::generate(), traffic(1, 1))
    });
    assert_eq!(outcome.await, Ok(()));
}

#[tokio::test]
async fn absurd_counters_stay_at_the_top() {
    let fixture = Fixture::new();
    let node = fixture.node("node-1", &["10.8.0.0/24"]).await;
    let outcome = fixture.store.write(move |tx| {
        for _ in 0..3 {
            samples::add_node(tx, node, sample(0, u64::MAX, 1))?;
            samples::add_peer(tx, PeerId::generate(), sample(0, u64::MAX, 1))?;
        }
        Ok(samples::of_node(tx, node, 10, 0, 10)?[0].traffic)
    });
    assert_eq!(outcome.await, Ok(traffic(i64::MAX.unsigned_abs(), 3)));
}

#[tokio::test]
async fn a_checkpoint_counts_what_came_since_the_last_one() {
    let fixture = Fixture::new();
    let node = fixture.node("node-1", &["10.8.0.0/24"]).await;
    let outcome = fixture.store.write(move |tx| {
        let peer = add_peer(tx, node, "laptop", KEY)?;
        quotas::set(tx, peer, Some(&Quota::new(1000, QuotaPeriod::None, NOW_S)))?;
        for (row, online_s) in [
            (seen(10, 20, NOW_S), 60),
            (seen(10, 20, NOW_S), 0),
            (seen(15, 20, NOW_S + 3600), 30),
            // An older one that comes late takes nothing away, and what it hid counts once.
            (seen(15, 20, NOW_S + 3601), 0),
        ] {
            counters::checkpoint(tx, node, &row, online_s)?;
        }
        for resolution_s in PEER_RESOLUTIONS_S {
            let spans = of_peer(tx, peer, resolution_s)?;
            assert_eq!((spans.len(), sum(&spans)), (2, traffic(15, 20)));
            assert_eq!(spans[0].at, aligned(NOW_S, resolution_s));
            assert_eq!((spans[0].online_s, spans[1].online_s), (60, 30));
        }
        let used = quotas::get(tx, peer)?.map(|quota| quota.used_bytes);
        assert_eq!(used, Some(35));
        // Gone from the last dump: what was known of it stays.
        let absent = CounterRow {
            endpoint: None,
            latest_handshake: 0,
            ..seen(16, 20, NOW_S)
        };
        counters::checkpoint(tx, node, &absent, 0)?;
        let kept = counters::list(tx, node)?.remove(0);
        assert!(kept.endpoint.is_some());
        assert_eq!(
            (kept.rx_bytes_total, kept.latest_handshake),
            (16, NOW_S + 3601)
        );
        Ok(())
    });
    assert_eq!(outcome.await, Ok(()));
}

#[tokio::test]
async fn what_a_key_moved_before_it_was_declared_is_not_the_peers() {
    let fixture = Fixture::new();
    let node = fixture.node("node-1", &["10.8.0.0/24"]).await;
    let outcome = fixture.store.write(move |tx| {
        counters::checkpoint(tx, node, &seen(900, 900, NOW_S), 60)?;
        assert!(counters::list(tx, node)?.is_empty(), "nobody declared it");
        let peer = add_peer(tx, node, "laptop", KEY)?;
        counters::begin(tx, node, &KEY, traffic(1000, 2000), traffic(1, 2), NOW_S)?;
        counters::checkpoint(tx, node, &seen(1007, 2000, NOW_S), 0)?;
        Ok(sum(&of_peer(tx, peer, 300)?))
    });
    assert_eq!(outcome.await, Ok(traffic(7, 0)));
}

#[tokio::test]
async fn forgetting_takes_a_little_at_a_time() {
    let fixture = Fixture::new();
    let node = fixture.node("node-1", &["10.8.0.0/24"]).await;
    let outcome = fixture.store.write(move |tx| {
        let peer = PeerId::generate();
        for index in 0..25 {
            samples::add_node(tx, node, sample(index * 10, 1, 1))?;
            samples::add_peer(tx, peer, sample(index * 300, 1, 1))?;
            samples::add_peer(tx, PeerId::generate(), sample(index * 300, 1, 1))?;
        }
        let nodes = [10, 10, 0].map(|_| samples::prune_node(tx, node, 10, 200, 10));
        assert_eq!(nodes, [Ok(10), Ok(10), Ok(0)]);
        assert_eq!(samples::of_node(tx, node, 10, 0, FAR_S)?.len(), 5);
        let peers = [15, 15, 10, 0].map(|_| samples::prune_peers(tx, 300, 6000, 15));
        assert_eq!(peers, [Ok(15), Ok(15), Ok(10), Ok(0)]);
        assert_eq!(samples::of_peer(tx, peer, 300, 0, 10_000)?.len(), 5);
        Ok(samples::of_peer(tx, peer, 3600, 0, 10_000)?.len())
    });
    assert_eq!(outcome.await, Ok(3), "other resolutions stay");
}

#[tokio::test]
async fn every_change_of_status_is_noted_once() {
    let fixture = Fixture::new();
    let node = fixture.node("node-1", &["10.8.0.0/24"]).await;
    let state = |status, at, reason: &str| NodeState {
        status,
        status_reason: reason.into(),
        status_since: at,
        last_seen: None,
        latency_ms: None,
        version: None,
        boot_id: None,
        ifindex: None,
        uptime_s: None,
    };
    let outcome = fixture.store.write(move |tx| {
        for (status, at, reason) in [
            (NodeStatus::Offline, 5, "still not polled"),
            (NodeStatus::Online, 10, ""),
            (NodeStatus::Online, 10, ""),
            (NodeStatus::Error, 20, "wrong secret"),
            (NodeStatus::Online, 30, ""),
        ] {
            node_status::record(tx, node, &state(status, at, reason))?;
        }
        let told = |from_s, until_s| {
            let changes = status_changes::of_node(tx, node, from_s, until_s, 100)?;
            Ok::<_, StoreError>(changes.iter().map(|c| (c.at, c.status)).collect::<Vec<_>>())
        };
        let all = [
            (10, NodeStatus::Online),
            (20, NodeStatus::Error),
            (30, NodeStatus::Online),
        ];
        assert_eq!(told(0, 100)?, all);
        assert_eq!(told(15, 25)?, all[..2], "after the one that was in force");
        assert_eq!(told(40, 50)?, all[2..]);
        status_changes::prune(tx, node, 1000)?;
        told(0, 100)
    });
    assert_eq!(outcome.await, Ok(vec![(30, NodeStatus::Online)]));
}

#[tokio::test]
async fn marks_are_moved_apart() {
    let fixture = Fixture::new();
    let node = fixture.node("node-1", &["10.8.0.0/24"]).await;
    let outcome = fixture.store.write(move |tx| {
        assert_eq!(samples::marks(tx, node)?, samples::Marks::default());
        samples::mark_sampled(tx, node, traffic(1, 2))?;
        samples::advance_checkpoint(tx, node, traffic(1, 1))?;
        samples::mark_sampled(tx, node, traffic(5, 6))?;
        samples::advance_checkpoint(tx, node, traffic(2, 3))?;
        samples::marks(tx, node)
    });
    let marks = outcome.await.expect("marks");
    assert_eq!(
        (marks.sampled, marks.checkpoint),
        (traffic(5, 6), traffic(3, 4))
    );
}
