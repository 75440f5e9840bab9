//! When nodes came and went. The schema writes them down: every change of `nodes.status` is one.

use rusqlite::{Connection, Row};

use super::{NodeId, NodeStatus, WriteTx, error::StoreError};

/// A node's status became another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusChange {
    /// When, Unix seconds.
    pub at: i64,
    /// What it became.
    pub status: NodeStatus,
    /// Why; empty when there was nothing to say.
    pub reason: String,
}

/// The changes of a node in `[from_s, until_s)`, oldest first, up to the `limit` latest of them,
/// and before them the one that was in force at `from_s`.
///
/// # Errors
/// When they can't be read.
pub fn of_node(
    conn: &Connection,
    node: NodeId,
    from_s: i64,
    until_s: i64,
    limit: u32,
) -> Result<Vec<StatusChange>, StoreError> {
    let mut select = conn.prepare_cached(
        "SELECT at, status, reason FROM node_status_changes \
         WHERE node_id = ?1 AND at >= ?2 AND at < ?3 ORDER BY at DESC, id DESC LIMIT ?4",
    )?;
    let rows = select.query_map((node, from_s, until_s, limit), from_row)?;
    let mut changes = rows.collect::<Result<Vec<_>, _>>()?;
    let mut select = conn.prepare_cached(
        "SELECT at, status, reason FROM node_status_changes \
         WHERE node_id = ?1 AND at < ?2 ORDER BY at DESC, id DESC LIMIT 1",
    )?;
    let before = select.query_map((node, from_s), from_row)?;
    changes.extend(before.collect::<Result<Vec<_>, _>>()?);
    changes.reverse();
    Ok(changes)
}

/// Forgets changes before `before_s`, all but a node's last. How many.
///
/// # Errors
/// When they can't be deleted.
pub fn prune(tx: &WriteTx<'_>, node: NodeId, before_s: i64) -> Result<usize, StoreError> {
    let sql = "DELETE FROM node_status_changes WHERE node_id = ?1 AND at < ?2 AND id <> \
               (SELECT max(id) FROM node_status_changes WHERE node_id = ?1)";
    Ok(tx.prepare_cached(sql)?.execute((node, before_s))?)
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<StatusChange> {
    Ok(StatusChange {
        at: row.get(0)?,
        status: row.get(1)?,
        reason: row.get(2)?,
    })
}
