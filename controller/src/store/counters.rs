//! Checkpoints of what was observed of peers.

use rusqlite::{Connection, OptionalExtension};
use wire_contract::PublicKey;

use super::{
    NodeId, PeerId, WriteTx,
    error::StoreError,
    quotas,
    samples::{self, Sample},
    value::{Text, signed, unsigned},
};
use crate::domain::counters::Traffic;

/// What was last observed of one peer on one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CounterRow {
    /// Its key.
    pub public_key: PublicKey,
    /// Bytes received over all epochs.
    pub rx_bytes_total: u64,
    /// Bytes sent over all epochs.
    pub tx_bytes_total: u64,
    /// Bytes received, as the kernel counted last.
    pub rx_bytes: u64,
    /// Bytes sent, as the kernel counted last.
    pub tx_bytes: u64,
    /// The host's boot the kernel's counts belong to, when known.
    pub boot_id: Option<String>,
    /// The interface they belong to, when known.
    pub ifindex: Option<u32>,
    /// `ip:port`.
    pub endpoint: Option<String>,
    /// Unix seconds; 0 is never.
    pub latest_handshake: i64,
    /// Unix seconds.
    pub observed_at: i64,
}

/// Writes a checkpoint of one peer, and what it has gained since the last one into its history and
/// its quota, in the span and period of `row.observed_at`. `online_s` is how long it was online
/// meanwhile. What it has gained; `None`, and nothing happens, when its key is not on the node any
/// more.
///
/// The totals of the last checkpoint are the mark: what was counted up to them is never counted
/// again.
///
/// # Errors
/// When it can't be written.
pub fn checkpoint(
    tx: &WriteTx<'_>,
    node: NodeId,
    row: &CounterRow,
    online_s: u32,
) -> Result<Option<Traffic>, StoreError> {
    let mut select = tx.prepare_cached(
        "SELECT pn.peer_id, coalesce(c.rx_bytes_total, 0), coalesce(c.tx_bytes_total, 0) \
         FROM peer_nodes pn LEFT JOIN peer_counters c \
         ON c.node_id = pn.node_id AND c.public_key = pn.public_key \
         WHERE pn.node_id = ?1 AND pn.public_key = ?2",
    )?;
    let before = select.query_row((node, Text(row.public_key)), |row| {
        let counted = Traffic {
            rx_bytes: unsigned(row, 1)?,
            tx_bytes: unsigned(row, 2)?,
        };
        Ok((row.get::<_, Option<PeerId>>(0)?, counted))
    });
    let Some((peer, counted)) = before.optional()? else {
        return Ok(None);
    };
    let total = Traffic {
        rx_bytes: row.rx_bytes_total,
        tx_bytes: row.tx_bytes_total,
    };
    let traffic = total.saturating_sub(counted);
    put(tx, node, row)?;
    let Some(peer) = peer else {
        return Ok(Some(traffic));
    };
    if traffic.sum() > 0 {
        quotas::charge(tx, peer, traffic.sum(), row.observed_at)?;
    }
    if traffic.sum() > 0 || online_s > 0 {
        let gained = Sample {
            at: row.observed_at,
            traffic,
            watched_s: 0,
            online_s,
        };
        samples::add_peer(tx, peer, gained)?;
    }
    Ok(Some(traffic))
}

/// Notes what a key has moved on a node before it was declared: none of it is the peer's. `counters`
/// is how the kernel counts now. Nothing happens when the key is not on the node.
///
/// # Errors
/// When it can't be written.
pub fn begin(
    tx: &WriteTx<'_>,
    node: NodeId,
    key: &PublicKey,
    total: Traffic,
    counters: Traffic,
    now_s: i64,
) -> Result<(), StoreError> {
    let row = CounterRow {
        public_key: *key,
        rx_bytes_total: total.rx_bytes,
        tx_bytes_total: total.tx_bytes,
        rx_bytes: counters.rx_bytes,
        tx_bytes: counters.tx_bytes,
        boot_id: None,
        ifindex: None,
        endpoint: None,
        latest_handshake: 0,
        observed_at: now_s,
    };
    put(tx, node, &row)
}

/// Writes a checkpoint of one peer. An endpoint and a handshake that were known stay so. Nothing
/// happens when its key is not on the node any more.
///
/// # Errors
/// When it can't be written.
pub fn put(tx: &WriteTx<'_>, node: NodeId, row: &CounterRow) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT INTO peer_counters (node_id, public_key, rx_bytes_total, tx_bytes_total, rx_bytes, \
         tx_bytes, boot_id, ifindex, endpoint, latest_handshake, observed_at) \
         SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11 WHERE EXISTS \
         (SELECT 1 FROM peer_nodes WHERE node_id = ?1 AND public_key = ?2) \
         ON CONFLICT (node_id, public_key) DO UPDATE SET \
         rx_bytes_total = excluded.rx_bytes_total, tx_bytes_total = excluded.tx_bytes_total, \
         rx_bytes = excluded.rx_bytes, tx_bytes = excluded.tx_bytes, boot_id = excluded.boot_id, \
         ifindex = excluded.ifindex, endpoint = coalesce(excluded.endpoint, endpoint), \
         latest_handshake = max(latest_handshake, excluded.latest_handshake), observed_at = excluded.observed_at",
    )?
    .execute((
        node,
        Text(row.public_key),
        signed(row.rx_bytes_total),
        signed(row.tx_bytes_total),
        signed(row.rx_bytes),
        signed(row.tx_bytes),
        &row.boot_id,
        row.ifindex,
        &row.endpoint,
        row.latest_handshake,
        row.observed_at,
    ))?;
    Ok(())
}

/// All checkpoints of a node, to begin with after a restart.
///
/// # Errors
/// When they can't be read.
pub fn list(conn: &Connection, node: NodeId) -> Result<Vec<CounterRow>, StoreError> {
    let mut select = conn.prepare_cached("SELECT * FROM peer_counters WHERE node_id = ?1")?;
    let rows = select.query_map([node], |row| {
        Ok(CounterRow {
            public_key: row.get::<_, Text<_>>("public_key")?.0,
            rx_bytes_total: unsigned(row, "rx_bytes_total")?,
            tx_bytes_total: unsigned(row, "tx_bytes_total")?,
            rx_bytes: unsigned(row, "rx_bytes")?,
            tx_bytes: unsigned(row, "tx_bytes")?,
            boot_id: row.get("boot_id")?,
            ifindex: row.get("ifindex")?,
            endpoint: row.get("endpoint")?,
            latest_handshake: row.get("latest_handshake")?,
            observed_at: row.get("observed_at")?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
