//! Checkpoints of what was observed of peers.

use rusqlite::Connection;
use wire_contract::PublicKey;

use super::{
    NodeId, WriteTx,
    error::StoreError,
    value::{Text, signed, unsigned},
};

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

/// Writes a checkpoint of one peer. Nothing happens when its key is not on the node any more.
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
         ifindex = excluded.ifindex, endpoint = excluded.endpoint, \
         latest_handshake = excluded.latest_handshake, observed_at = excluded.observed_at",
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
