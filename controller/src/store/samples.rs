//! What was measured over time: nodes in spans of 10 s, peers in spans of 5 min, and both rolled up:
//! nodes to 5 min, 1 h and a day, peers to 1 h.
//!
//! A measurement is added to every resolution at once, in the transaction that moves the mark of
//! what was measured ([`mark_sampled`], [`counters::checkpoint`](super::counters::checkpoint)).
//! So a span is never counted twice, whatever happens between two transactions, and there is no
//! rolling up that could be missed. What is left to do later is forgetting.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Row};

use super::{
    NodeId, PeerId, WriteTx,
    error::StoreError,
    value::{signed, unsigned},
};
use crate::domain::counters::Traffic;

/// Spans of nodes, seconds.
pub const NODE_RESOLUTIONS_S: [i64; 4] = [10, 300, 3600, 86_400];
/// Spans of peers, seconds.
pub const PEER_RESOLUTIONS_S: [i64; 2] = [300, 3600];

/// One span.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sample {
    /// Its first second, Unix.
    pub at: i64,
    /// What was moved in it.
    pub traffic: Traffic,
    /// Seconds somebody looked; of peers the whole span.
    pub watched_s: u32,
    /// Seconds it was online.
    pub online_s: u32,
}

impl Sample {
    /// Together with another of the same time.
    fn add(&mut self, other: Self) {
        self.traffic = self.traffic.saturating_add(other.traffic);
        self.watched_s = self.watched_s.saturating_add(other.watched_s);
        self.online_s = self.online_s.saturating_add(other.online_s);
    }
}

/// What a node is to have more in the span that `at` lies in. Nothing happens when it is gone.
///
/// # Errors
/// When it can't be written.
pub fn add_node(tx: &WriteTx<'_>, node: NodeId, gained: Sample) -> Result<(), StoreError> {
    // Not `rx_bytes + excluded.rx_bytes`: an agent that tells absurd counters must not make the sum
    // overflow, which a strict table refuses.
    let mut insert = tx.prepare_cached(
        "INSERT INTO node_samples (node_id, resolution_s, at, rx_bytes, tx_bytes, watched_s, \
         online_s) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7 \
         WHERE EXISTS (SELECT 1 FROM nodes WHERE id = ?1) \
         ON CONFLICT (node_id, resolution_s, at) DO UPDATE SET \
         rx_bytes = min(rx_bytes, 9223372036854775807 - excluded.rx_bytes) + excluded.rx_bytes, \
         tx_bytes = min(tx_bytes, 9223372036854775807 - excluded.tx_bytes) + excluded.tx_bytes, \
         watched_s = watched_s + excluded.watched_s, online_s = online_s + excluded.online_s",
    )?;
    for resolution_s in NODE_RESOLUTIONS_S {
        insert.execute((
            node,
            resolution_s,
            aligned(gained.at, resolution_s),
            signed(gained.traffic.rx_bytes),
            signed(gained.traffic.tx_bytes),
            gained.watched_s,
            gained.online_s,
        ))?;
    }
    Ok(())
}

/// What a peer is to have more in the span that `at` lies in.
///
/// # Errors
/// When it can't be written.
pub fn add_peer(tx: &WriteTx<'_>, peer: PeerId, gained: Sample) -> Result<(), StoreError> {
    let mut insert = tx.prepare_cached(
        "INSERT INTO peer_samples (resolution_s, at, peer_id, rx_bytes, tx_bytes, online_s) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (resolution_s, at, peer_id) DO UPDATE SET \
         rx_bytes = min(rx_bytes, 9223372036854775807 - excluded.rx_bytes) + excluded.rx_bytes, \
         tx_bytes = min(tx_bytes, 9223372036854775807 - excluded.tx_bytes) + excluded.tx_bytes, \
         online_s = online_s + excluded.online_s",
    )?;
    for resolution_s in PEER_RESOLUTIONS_S {
        insert.execute((
            resolution_s,
            aligned(gained.at, resolution_s),
            peer.as_uuid().as_bytes(),
            signed(gained.traffic.rx_bytes),
            signed(gained.traffic.tx_bytes),
            gained.online_s,
        ))?;
    }
    Ok(())
}

/// The spans of a node that begin in `[from_s, until_s)`, oldest first.
///
/// # Errors
/// When they can't be read.
pub fn of_node(
    conn: &Connection,
    node: NodeId,
    resolution_s: i64,
    from_s: i64,
    until_s: i64,
) -> Result<Vec<Sample>, StoreError> {
    let mut select = conn.prepare_cached(
        "SELECT at, rx_bytes, tx_bytes, watched_s, online_s FROM node_samples \
         WHERE node_id = ?1 AND resolution_s = ?2 AND at >= ?3 AND at < ?4 ORDER BY at",
    )?;
    let rows = select.query_map((node, resolution_s, from_s, until_s), from_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Which stored spans of many are put together, and to spans of which length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spans {
    /// Length of the stored ones, seconds.
    pub resolution_s: i64,
    /// They begin here or later; a multiple of the step.
    pub from_s: i64,
    /// They begin before this.
    pub until_s: i64,
    /// Length of what they are put together to: a multiple of the resolution.
    pub step_s: i64,
}

/// What these nodes moved together, oldest first. A span that none of them was looked at in is not there.
///
/// # Errors
/// When they can't be read.
pub fn of_nodes(
    conn: &Connection,
    nodes: impl IntoIterator<Item = NodeId>,
    spans: &Spans,
) -> Result<Vec<Sample>, StoreError> {
    let mut select = conn.prepare_cached(
        "SELECT at, rx_bytes, tx_bytes, watched_s, online_s FROM node_samples \
         WHERE node_id = ?1 AND resolution_s = ?2 AND at >= ?3 AND at < ?4 ORDER BY at",
    )?;
    let mut together: BTreeMap<i64, Sample> = BTreeMap::new();
    for node in nodes {
        let mut rows = select.query((node, spans.resolution_s, spans.from_s, spans.until_s))?;
        // Most rows go where the one before went: they are sought in the map once for each span.
        let mut sum = Sample::default();
        while let Some(row) = rows.next()? {
            let span = from_row(row)?;
            let at = aligned(span.at, spans.step_s);
            if sum.at != at {
                add_to(&mut together, sum);
                sum = Sample {
                    at,
                    ..Sample::default()
                };
            }
            sum.add(span);
        }
        add_to(&mut together, sum);
    }
    Ok(together.into_values().collect())
}

fn add_to(together: &mut BTreeMap<i64, Sample>, sum: Sample) {
    if sum.watched_s > 0 || sum.traffic != Traffic::default() {
        let first = Sample {
            at: sum.at,
            ..Sample::default()
        };
        together.entry(sum.at).or_insert(first).add(sum);
    }
}

/// The spans of a peer that begin in `[from_s, until_s)`, oldest first.
///
/// # Errors
/// When they can't be read.
pub fn of_peer(
    conn: &Connection,
    peer: PeerId,
    resolution_s: i64,
    from_s: i64,
    until_s: i64,
) -> Result<Vec<Sample>, StoreError> {
    let mut select = conn.prepare_cached(
        "SELECT at, rx_bytes, tx_bytes, resolution_s, online_s FROM peer_samples \
         WHERE resolution_s = ?1 AND at = ?2 AND peer_id = ?3",
    )?;
    let id = peer.as_uuid().as_bytes();
    let mut samples = Vec::new();
    let mut at = aligned(from_s, resolution_s);
    while at < until_s {
        let found = select
            .query_row((resolution_s, at, id), from_row)
            .optional()?;
        samples.extend(found.filter(|sample| sample.at >= from_s));
        at += resolution_s;
    }
    Ok(samples)
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Sample> {
    Ok(Sample {
        at: row.get(0)?,
        traffic: Traffic {
            rx_bytes: unsigned(row, 1)?,
            tx_bytes: unsigned(row, 2)?,
        },
        watched_s: row.get(3)?,
        online_s: row.get(4)?,
    })
}

/// Forgets up to `limit` of a node's spans that began before `before_s`. How many.
///
/// # Errors
/// When they can't be deleted.
pub fn prune_node(
    tx: &WriteTx<'_>,
    node: NodeId,
    resolution_s: i64,
    before_s: i64,
    limit: u32,
) -> Result<usize, StoreError> {
    let mut select = tx.prepare_cached(
        "SELECT at FROM node_samples WHERE node_id = ?1 AND resolution_s = ?2 AND at < ?3 \
         ORDER BY at LIMIT 1 OFFSET ?4",
    )?;
    let first_kept: Option<i64> = select
        .query_row((node, resolution_s, before_s, limit), |row| row.get(0))
        .optional()?;
    let sql = "DELETE FROM node_samples WHERE node_id = ?1 AND resolution_s = ?2 AND at < ?3";
    let before_s = first_kept.unwrap_or(before_s);
    Ok(tx
        .prepare_cached(sql)?
        .execute((node, resolution_s, before_s))?)
}

/// Forgets up to `limit` spans of peers that began before `before_s`. How many.
///
/// # Errors
/// When they can't be deleted.
pub fn prune_peers(
    tx: &WriteTx<'_>,
    resolution_s: i64,
    before_s: i64,
    limit: u32,
) -> Result<usize, StoreError> {
    let mut select = tx.prepare_cached(
        "SELECT at, peer_id FROM peer_samples WHERE resolution_s = ?1 AND at < ?2 \
         ORDER BY at, peer_id LIMIT 1 OFFSET ?3",
    )?;
    let first_kept: Option<(i64, Vec<u8>)> = select
        .query_row((resolution_s, before_s, limit), |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    let (at, peer) = first_kept.unwrap_or((before_s, Vec::new()));
    let sql = "DELETE FROM peer_samples WHERE resolution_s = ?1 AND (at, peer_id) < (?2, ?3)";
    Ok(tx.prepare_cached(sql)?.execute((resolution_s, at, peer))?)
}

/// How far a node's traffic was measured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Marks {
    /// What its samples add up to.
    pub sampled: Traffic,
    /// What of it the counters of its peers, as they are written down, account for, and what those of
    /// none will ever show: with what the counters gain from there on it is all there was.
    pub checkpoint: Traffic,
}

/// How far a node's traffic was measured; nothing for a new one.
///
/// # Errors
/// When it can't be read.
pub fn marks(conn: &Connection, node: NodeId) -> Result<Marks, StoreError> {
    let mut select = conn.prepare_cached(
        "SELECT rx_bytes_sampled, tx_bytes_sampled, rx_bytes_checkpoint, tx_bytes_checkpoint \
         FROM node_traffic WHERE node_id = ?1",
    )?;
    let row = select.query_row([node], |row| {
        let traffic = |at| {
            Ok::<_, rusqlite::Error>(Traffic {
                rx_bytes: unsigned(row, at)?,
                tx_bytes: unsigned(row, at + 1)?,
            })
        };
        Ok(Marks {
            sampled: traffic(0)?,
            checkpoint: traffic(2)?,
        })
    });
    Ok(row.optional()?.unwrap_or_default())
}

/// Notes what a node's samples add up to, in the transaction that adds to them. Nothing happens when
/// the node is gone.
///
/// # Errors
/// When it can't be written.
pub fn mark_sampled(tx: &WriteTx<'_>, node: NodeId, sampled: Traffic) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT INTO node_traffic (node_id, rx_bytes_sampled, tx_bytes_sampled) \
         SELECT ?1, ?2, ?3 WHERE EXISTS (SELECT 1 FROM nodes WHERE id = ?1) \
         ON CONFLICT (node_id) DO UPDATE SET rx_bytes_sampled = excluded.rx_bytes_sampled, \
         tx_bytes_sampled = excluded.tx_bytes_sampled",
    )?
    .execute((node, signed(sampled.rx_bytes), signed(sampled.tx_bytes)))?;
    Ok(())
}

/// Moves the mark of the checkpoint on, in the transaction that writes the counters that account for
/// `more`, or the samples with what no counters will. Nothing happens when the node is gone.
///
/// # Errors
/// When it can't be written.
pub fn advance_checkpoint(tx: &WriteTx<'_>, node: NodeId, more: Traffic) -> Result<(), StoreError> {
    if more == Traffic::default() {
        return Ok(());
    }
    tx.prepare_cached(
        "INSERT INTO node_traffic (node_id, rx_bytes_checkpoint, tx_bytes_checkpoint) \
         SELECT ?1, ?2, ?3 WHERE EXISTS (SELECT 1 FROM nodes WHERE id = ?1) \
         ON CONFLICT (node_id) DO UPDATE SET \
         rx_bytes_checkpoint = min(rx_bytes_checkpoint, \
         9223372036854775807 - excluded.rx_bytes_checkpoint) + excluded.rx_bytes_checkpoint, \
         tx_bytes_checkpoint = min(tx_bytes_checkpoint, \
         9223372036854775807 - excluded.tx_bytes_checkpoint) + excluded.tx_bytes_checkpoint",
    )?
    .execute((node, signed(more.rx_bytes), signed(more.tx_bytes)))?;
    Ok(())
}

/// The first second of the span that `at_s` lies in.
#[must_use]
pub const fn aligned(at_s: i64, resolution_s: i64) -> i64 {
    at_s - at_s.rem_euclid(resolution_s)
}
