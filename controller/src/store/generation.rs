//! Generations: how far a node's declared state has come, and how far the node has.

use rusqlite::Connection;

use super::{
    NodeId, WriteTx,
    error::{StoreError, changed, found},
    value::{signed, unsigned},
};

/// The node's next generation, for the change that is made in the same transaction.
///
/// # Errors
/// [`StoreError::NotFound`] when there is no such node.
pub fn bump(tx: &WriteTx<'_>, node: NodeId) -> Result<u64, StoreError> {
    let mut update = tx.prepare_cached(
        "UPDATE nodes SET desired_generation = desired_generation + 1 WHERE id = ?1 \
         RETURNING desired_generation",
    )?;
    found(update.query_row([node], |row| unsigned(row, 0)), "node")
}

/// Notes that the node was seen as it was declared at `generation`. Never goes back.
///
/// # Errors
/// [`StoreError::NotFound`] when there is no such node.
pub fn record_observed(tx: &WriteTx<'_>, node: NodeId, generation: u64) -> Result<(), StoreError> {
    let mut update = tx.prepare_cached(
        "UPDATE nodes SET observed_generation = \
         max(observed_generation, min(?2, desired_generation)) WHERE id = ?1",
    )?;
    changed(update.execute((node, signed(generation)))?, "node")
}

/// The desired and the observed generation.
///
/// # Errors
/// [`StoreError::NotFound`] when there is no such node.
pub fn get(conn: &Connection, node: NodeId) -> Result<(u64, u64), StoreError> {
    let mut select = conn.prepare_cached(
        "SELECT desired_generation, observed_generation FROM nodes WHERE id = ?1",
    )?;
    found(
        select.query_row([node], |row| Ok((unsigned(row, 0)?, unsigned(row, 1)?))),
        "node",
    )
}
