//! What was last seen of a node's peers: in memory, with a checkpoint now and then.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use wire_contract::{
    PublicKey,
    dto::{Device, DumpPeer},
};

use super::{ObservedNode, ObservedPeer};
use crate::{
    domain::{
        counters::{Epoch, Totals, Traffic},
        presence::peer_online,
    },
    store::{NodeId, Store, StoreError, counters, counters::CounterRow},
};

/// Totals of all peers of one node.
#[derive(Default)]
pub(super) struct Observation {
    totals: HashMap<PublicKey, Totals>,
    /// Changed since the last checkpoint.
    changed: bool,
}

impl Observation {
    /// From the last checkpoint, with the peers as they were then.
    pub(super) async fn load(
        store: &Store,
        node: NodeId,
    ) -> Result<(Self, ObservedNode), StoreError> {
        let rows = store.read(move |conn| counters::list(conn, node)).await?;
        let mut peers = HashMap::new();
        let mut totals = HashMap::new();
        for row in rows {
            peers.insert(row.public_key, observed_of(&row));
            totals.insert(row.public_key, totals_of(&row));
        }
        Ok((
            Self {
                totals,
                changed: false,
            },
            ObservedNode {
                peers,
                absent: HashMap::new(),
                at_s: 0,
            },
        ))
    }

    /// Takes in a dump.
    pub(super) fn observe(
        &mut self,
        dump: &[DumpPeer],
        device: Option<&Device>,
        now_s: i64,
        window_s: u32,
    ) -> Arc<ObservedNode> {
        let epoch = device.map(|device| Epoch {
            boot_id: device.boot_id.clone(),
            ifindex: device.ifindex,
        });
        let mut peers = HashMap::with_capacity(dump.len());
        for peer in dump {
            let now = Traffic {
                rx_bytes: peer.transfer_rx,
                tx_bytes: peer.transfer_tx,
            };
            let totals = self.totals.entry(peer.public_key).or_default();
            let added = totals.observe(epoch.as_ref(), now);
            self.changed |= added != Traffic::default();
            peers.insert(peer.public_key, observed(peer, totals, now_s, window_s));
        }
        let mut absent = HashMap::new();
        for (key, totals) in &mut self.totals {
            if !peers.contains_key(key) {
                totals.observe_absent();
                absent.insert(*key, gone(totals));
            }
        }
        Arc::new(ObservedNode {
            peers,
            absent,
            at_s: now_s,
        })
    }

    /// Forgets keys that are not declared any more and not on the interface either.
    pub(super) fn keep_only(&mut self, declared: &HashSet<PublicKey>) {
        let here = |totals: &Totals| totals.last != Traffic::default();
        self.totals
            .retain(|key, totals| declared.contains(key) || here(totals));
    }

    /// Writes what changed since the last time.
    pub(super) async fn checkpoint(
        &mut self,
        store: &Store,
        node: NodeId,
        seen: &ObservedNode,
    ) -> Result<(), StoreError> {
        if !std::mem::take(&mut self.changed) {
            return Ok(());
        }
        let rows: Vec<_> = seen
            .peers
            .iter()
            .filter_map(|(key, peer)| Some(row(*key, peer, self.totals.get(key)?, seen.at_s)))
            .collect();
        let written = store
            .write(move |tx| rows.iter().try_for_each(|row| counters::put(tx, node, row)))
            .await;
        self.changed |= written.is_err();
        written
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

fn row(key: PublicKey, peer: &ObservedPeer, totals: &Totals, at_s: i64) -> CounterRow {
    CounterRow {
        public_key: key,
        rx_bytes_total: totals.total.rx_bytes,
        tx_bytes_total: totals.total.tx_bytes,
        rx_bytes: totals.last.rx_bytes,
        tx_bytes: totals.last.tx_bytes,
        boot_id: totals.epoch.as_ref().map(|epoch| epoch.boot_id.clone()),
        ifindex: totals.epoch.as_ref().map(|epoch| epoch.ifindex),
        endpoint: peer.endpoint.map(|endpoint| endpoint.to_string()),
        latest_handshake: peer.latest_handshake,
        observed_at: at_s,
    }
}

fn totals_of(row: &CounterRow) -> Totals {
    let epoch = row.boot_id.clone().zip(row.ifindex);
    Totals {
        total: Traffic {
            rx_bytes: row.rx_bytes_total,
            tx_bytes: row.tx_bytes_total,
        },
        last: Traffic {
            rx_bytes: row.rx_bytes,
            tx_bytes: row.tx_bytes,
        },
        epoch: epoch.map(|(boot_id, ifindex)| Epoch { boot_id, ifindex }),
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
