//! What was last seen of a node's peers: in memory, with a checkpoint now and then.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use tokio::{sync::Semaphore, time::Instant};
use wire_contract::{
    PublicKey,
    dto::{Device, DumpPeer},
};

use super::{
    Glances, ObservedNode, ObservedPeer,
    summary::{Gains, Summary},
    tally::Tally,
};
use crate::{
    domain::{
        counters::{Epoch, Totals, Traffic},
        presence::peer_online,
        spread::LONGEST_MS,
    },
    store::{
        NodeId, Store, StoreError,
        counters::{self, CounterRow},
        holders, samples,
    },
};

#[cfg(test)]
mod tests;

/// Peers in one write: few enough that the others who want to write hardly wait.
const CHUNK: usize = 500;

/// Totals of all peers of one node.
///
/// What was counted of the node is at any time what the mark of the checkpoint says, what its
/// declared peers have gained since their counters were written down, and what the tally has adrift.
/// So it is all known again after a kill, whenever that comes.
pub(super) struct Observation {
    entries: HashMap<PublicKey, Entry>,
    /// Keys that are the store's to count, as it was read last.
    declared: HashSet<PublicKey>,
    /// Peers that left with something that is not written down yet.
    leavers: Vec<PublicKey>,
    tally: Arc<Tally>,
    /// The mark as it was when `entries` were read from the store.
    checkpoint: Traffic,
    /// The last good dump of this worker.
    last: Option<Instant>,
}

#[derive(Default)]
struct Entry {
    totals: Totals,
    /// The total of the last checkpoint.
    saved: Traffic,
    /// Another total than that of the last checkpoint.
    changed: bool,
    /// Whether the store has it.
    stored: bool,
    /// Since the last checkpoint.
    online_ms: u64,
}

/// When a dump was read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) unix_ms: i64,
    /// To tell how long ago something was, whatever happened to the clock.
    pub(super) instant: Instant,
}

impl Moment {
    pub(super) const fn unix_s(self) -> i64 {
        self.unix_ms.div_euclid(1000)
    }
}

impl Observation {
    /// From the last checkpoint, with the peers as they were then.
    pub(super) async fn load(
        store: &Store,
        node: NodeId,
        tally: Arc<Tally>,
    ) -> Result<(Self, ObservedNode), StoreError> {
        let read = move |conn: &_| {
            let marks = samples::marks(conn, node)?;
            let declared = holders::keys(conn, node)?;
            Ok((counters::list(conn, node)?, declared, marks.checkpoint))
        };
        let (rows, declared, checkpoint) = store.read(read).await?;
        let mut peers = HashMap::new();
        // A declared peer that was never written down was put there by us: all it has moved is its
        // own, and not counted yet.
        let new = |key: &PublicKey| (*key, Entry::default());
        let mut entries: HashMap<_, _> = declared.iter().map(new).collect();
        for row in rows {
            peers.insert(row.public_key, observed_of(&row));
            entries.insert(row.public_key, Entry::of(&row));
        }
        let observation = Self {
            entries,
            declared,
            leavers: Vec::new(),
            tally,
            checkpoint,
            last: None,
        };
        let observed = ObservedNode {
            glances: Glances::of(&peers, &HashMap::new()),
            peers,
            ..ObservedNode::default()
        };
        Ok((observation, observed))
    }

    /// Takes in a dump.
    pub(super) fn observe(
        &mut self,
        dump: &[DumpPeer],
        device: Option<&Device>,
        now: Moment,
        window_s: u32,
    ) -> Arc<ObservedNode> {
        let epoch = device.map(|device| Epoch {
            boot_id: device.boot_id.clone(),
            ifindex: device.ifindex,
        });
        let now_s = now.unix_s();
        let elapsed = self.last.map(|last| now.instant.duration_since(last));
        let mut gains = Gains::new(elapsed);
        let mut adrift = Traffic::default();
        let mut peers = HashMap::with_capacity(dump.len());
        for peer in dump {
            let counters = Traffic {
                rx_bytes: peer.transfer_rx,
                tx_bytes: peer.transfer_tx,
            };
            let known = self.entries.contains_key(&peer.public_key);
            let entry = self.entries.entry(peer.public_key).or_default();
            let added = entry.totals.observe(epoch.as_ref(), counters);
            entry.changed |= added != Traffic::default();
            let seen = observed(peer, &entry.totals, now_s, window_s);
            if seen.online {
                entry.online_ms += gains.elapsed_ms().min(LONGEST_MS.unsigned_abs());
            }
            // What a peer nobody knew had moved before the first look is no traffic of now.
            let gained = if known || elapsed.is_some() {
                added
            } else {
                Traffic::default()
            };
            gains.add(peer.public_key, gained, seen.online);
            if !self.declared.contains(&peer.public_key) {
                adrift = adrift.saturating_add(gained);
                entry.saved = entry.totals.total;
            }
            peers.insert(peer.public_key, seen);
        }
        let mut absent = HashMap::new();
        for (key, entry) in &mut self.entries {
            if !peers.contains_key(key) {
                if entry.unsaved() != Traffic::default() && !self.leavers.contains(key) {
                    self.leavers.push(*key);
                }
                entry.totals.observe_absent();
                absent.insert(*key, gone(&entry.totals));
            }
        }
        self.count(&gains, now);
        self.tally.set_adrift(adrift);
        self.last = Some(now.instant);
        Arc::new(ObservedNode {
            glances: Glances::of(&peers, &absent),
            peers,
            absent,
            at_s: now_s,
            summary: Summary::from(gains),
        })
    }

    /// Hands on what the node has moved since the last dump. The first one shows all that was moved
    /// since the checkpoint the totals were read from: some of it was counted before, or, if the
    /// program ended in between, some was in the checkpoint and not yet counted.
    fn count(&self, gains: &Gains, now: Moment) {
        let mut gained = gains.traffic();
        if self.last.is_none() {
            let marked = self.checkpoint.saturating_add(self.tally.adrift());
            let reached = marked.saturating_add(gained);
            gained = reached.saturating_sub(self.tally.total());
            // Counters that began anew while nobody looked: what they had shown stays counted.
            self.tally
                .set_adrift(self.tally.total().saturating_sub(reached));
        }
        let elapsed_ms = i64::try_from(gains.elapsed_ms()).unwrap_or(i64::MAX);
        let from_ms = now.unix_ms.saturating_sub(elapsed_ms);
        self.tally.count(from_ms, now.unix_ms, gained);
    }

    /// What a peer has moved since the last checkpoint.
    pub(super) fn unsaved(&self, key: &PublicKey) -> u64 {
        self.entries
            .get(key)
            .map_or(0, |entry| entry.unsaved().sum())
    }

    /// Takes note of what is declared now, and forgets keys that are not declared any more and not on
    /// the interface either.
    pub(super) fn keep_only(&mut self, declared: HashSet<PublicKey>) {
        let mut adrift = Traffic::default();
        self.entries.retain(|key, entry| {
            if declared.contains(key) {
                return true;
            }
            adrift = adrift.saturating_add(entry.unsaved());
            entry.saved = entry.totals.total;
            entry.totals.last != Traffic::default()
        });
        self.tally.set_adrift(adrift);
        self.declared = declared;
    }

    /// Writes down peers that have left the interface with something that was not: after a restart
    /// nothing would tell of it.
    pub(super) async fn save_leavers(
        &mut self,
        store: &Store,
        node: NodeId,
        seen: &ObservedNode,
    ) -> Result<(), StoreError> {
        let leavers = self.leavers.clone();
        for keys in leavers.chunks(CHUNK) {
            self.save(store, node, seen, keys).await?;
        }
        self.leavers.clear();
        Ok(())
    }

    /// Writes what changed since the last time: a few peers at once, and one worker after the other
    /// (`turn`), so that nobody waits long for the store.
    pub(super) async fn checkpoint(
        &mut self,
        store: &Store,
        node: NodeId,
        seen: &ObservedNode,
        turn: &Semaphore,
    ) -> Result<(), StoreError> {
        let due = |entry: &Entry| entry.changed || entry.online_ms > 0 || !entry.stored;
        let due = self.entries.iter().filter(|(_, entry)| due(entry));
        let due: Vec<_> = due.map(|(key, _)| *key).collect();
        if due.is_empty() || seen.at_s == 0 {
            return Ok(());
        }
        for keys in due.chunks(CHUNK) {
            let _turn = turn.acquire().await.expect("never closed");
            self.save(store, node, seen, keys).await?;
        }
        Ok(())
    }

    /// Writes these peers as they are, and moves the mark on by what they gained.
    pub(super) async fn save(
        &mut self,
        store: &Store,
        node: NodeId,
        seen: &ObservedNode,
        keys: &[PublicKey],
    ) -> Result<(), StoreError> {
        let row = |key: &PublicKey| {
            let entry = self.entries.get(key)?;
            let online_s = u32::try_from(entry.online_ms / 1000).unwrap_or(u32::MAX);
            Some((row(*key, seen, &entry.totals), online_s))
        };
        let rows: Vec<_> = keys.iter().filter_map(row).collect();
        let written = rows.clone();
        let counted = store.write(move |tx| {
            let mut counted = Vec::with_capacity(rows.len());
            for (row, online_s) in &rows {
                counted.push(counters::checkpoint(tx, node, row, *online_s)?);
            }
            let add = |sum: Traffic, gained: &Traffic| sum.saturating_add(*gained);
            let more = counted.iter().flatten().fold(Traffic::default(), add);
            samples::advance_checkpoint(tx, node, more)?;
            Ok(counted)
        });
        for ((row, online_s), counted) in written.into_iter().zip(counted.await?) {
            if let Some(entry) = self.entries.get_mut(&row.public_key) {
                let total = total_of(&row);
                if counted.is_none() {
                    // Not the node's any more.
                    self.tally.set_adrift(total.saturating_sub(entry.saved));
                }
                entry.saved = total;
                entry.stored = true;
                entry.changed = entry.totals.total != entry.saved;
                entry.online_ms -= u64::from(online_s) * 1000;
            }
        }
        Ok(())
    }
}

impl Entry {
    /// What it has moved since the last checkpoint.
    const fn unsaved(&self) -> Traffic {
        self.totals.total.saturating_sub(self.saved)
    }

    fn of(row: &CounterRow) -> Self {
        let epoch = row.boot_id.clone().zip(row.ifindex);
        let totals = Totals {
            total: total_of(row),
            last: Traffic {
                rx_bytes: row.rx_bytes,
                tx_bytes: row.tx_bytes,
            },
            epoch: epoch.map(|(boot_id, ifindex)| Epoch { boot_id, ifindex }),
        };
        Self {
            totals,
            saved: total_of(row),
            stored: true,
            ..Self::default()
        }
    }
}

fn observed(peer: &DumpPeer, totals: &Totals, now_s: i64, window_s: u32) -> ObservedPeer {
    ObservedPeer {
        allowed_ips: peer.allowed_ips.clone(),
        endpoint: peer.endpoint,
        latest_handshake: peer.latest_handshake,
        online: peer_online(peer.latest_handshake, now_s, window_s),
        rx_bytes: peer.transfer_rx,
        tx_bytes: peer.transfer_tx,
        rx_bytes_total: totals.total.rx_bytes,
        tx_bytes_total: totals.total.tx_bytes,
    }
}

fn gone(totals: &Totals) -> ObservedPeer {
    ObservedPeer {
        rx_bytes_total: totals.total.rx_bytes,
        tx_bytes_total: totals.total.tx_bytes,
        ..ObservedPeer::default()
    }
}

fn row(key: PublicKey, seen: &ObservedNode, totals: &Totals) -> CounterRow {
    let peer = seen.peers.get(&key);
    let endpoint = peer.and_then(|peer| peer.endpoint);
    CounterRow {
        public_key: key,
        rx_bytes_total: totals.total.rx_bytes,
        tx_bytes_total: totals.total.tx_bytes,
        rx_bytes: totals.last.rx_bytes,
        tx_bytes: totals.last.tx_bytes,
        boot_id: totals.epoch.as_ref().map(|epoch| epoch.boot_id.clone()),
        ifindex: totals.epoch.as_ref().map(|epoch| epoch.ifindex),
        endpoint: endpoint.map(|endpoint| endpoint.to_string()),
        latest_handshake: peer.map_or(0, |peer| peer.latest_handshake),
        observed_at: seen.at_s,
    }
}

const fn total_of(row: &CounterRow) -> Traffic {
    Traffic {
        rx_bytes: row.rx_bytes_total,
        tx_bytes: row.tx_bytes_total,
    }
}

/// Online is what a poll says, never a memory.
fn observed_of(row: &CounterRow) -> ObservedPeer {
    ObservedPeer {
        allowed_ips: Vec::new(),
        endpoint: row.endpoint.as_deref().and_then(|text| text.parse().ok()),
        latest_handshake: row.latest_handshake,
        online: false,
        rx_bytes: row.rx_bytes,
        tx_bytes: row.tx_bytes,
        rx_bytes_total: row.rx_bytes_total,
        tx_bytes_total: row.tx_bytes_total,
    }
}
