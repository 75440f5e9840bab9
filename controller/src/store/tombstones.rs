//! Keys that were deleted: they must leave their node and not come back.
//!
//! A tombstone goes when a dump no longer shows the key and the last request signed for it is too
//! old to be accepted: until then a delayed one may still land, and must be undone.

use rusqlite::Connection;
use wire_contract::PublicKey;

use super::{
    NodeId, PeerId, SyncState, WriteTx,
    error::{StoreError, changed},
    peer_nodes::{count, release_owned},
    value::Text,
};

/// A key that must not be on a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tombstone {
    /// The key.
    pub public_key: PublicKey,
    /// Unix seconds.
    pub deleted_at: i64,
    /// When a request for this key was last signed, Unix seconds.
    pub last_signed_at: i64,
    /// Whether it is still to be seen off the node.
    pub sync_state: SyncState,
}

/// The keys that must not be on a node.
///
/// # Errors
/// When they can't be read.
pub fn list(conn: &Connection, node: NodeId) -> Result<Vec<Tombstone>, StoreError> {
    let mut select = conn
        .prepare_cached("SELECT * FROM peer_nodes WHERE node_id = ?1 AND deleted_at IS NOT NULL")?;
    let rows = select.query_map([node], |row| {
        let deleted_at = row.get("deleted_at")?;
        Ok(Tombstone {
            public_key: row.get::<_, Text<_>>("public_key")?.0,
            deleted_at,
            last_signed_at: row
                .get::<_, Option<_>>("last_signed_at")?
                .unwrap_or(deleted_at),
            sync_state: row.get("sync_state")?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Notes that a request for this key is being signed: a copy of it may arrive until
/// `arrives_until_s`. [`answered`] ends the doubt about it.
///
/// # Errors
/// When it can't be written.
pub fn touch_signed(
    tx: &WriteTx<'_>,
    node: NodeId,
    key: &PublicKey,
    now_s: i64,
    arrives_until_s: i64,
) -> Result<(), StoreError> {
    tx.prepare_cached(
        "UPDATE peer_nodes SET last_signed_at = ?3, doubt_until = ?4 \
         WHERE node_id = ?1 AND public_key = ?2",
    )?
    .execute((node, Text(key), now_s, arrives_until_s))?;
    Ok(())
}

/// Every request for this key was answered: nothing of it is under way.
///
/// # Errors
/// When it can't be written.
pub fn answered(tx: &WriteTx<'_>, node: NodeId, key: &PublicKey) -> Result<(), StoreError> {
    tx.prepare_cached(
        "UPDATE peer_nodes SET doubt_until = NULL \
         WHERE node_id = ?1 AND public_key = ?2 AND doubt_until IS NOT NULL",
    )?
    .execute((node, Text(key)))?;
    Ok(())
}

/// Keys with a request that was never answered, and until when it may arrive, Unix seconds.
///
/// # Errors
/// When they can't be read.
pub fn doubts(conn: &Connection, node: NodeId) -> Result<Vec<(PublicKey, i64)>, StoreError> {
    let mut select = conn.prepare_cached(
        "SELECT public_key, doubt_until FROM peer_nodes \
         WHERE node_id = ?1 AND doubt_until IS NOT NULL",
    )?;
    let rows = select.query_map([node], |row| Ok((row.get::<_, Text<_>>(0)?.0, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Ends a tombstone, unless the key was declared again meanwhile.
///
/// # Errors
/// When it can't be written.
pub fn drop_one(tx: &WriteTx<'_>, node: NodeId, key: &PublicKey) -> Result<(), StoreError> {
    tx.prepare_cached(
        "DELETE FROM peer_nodes WHERE node_id = ?1 AND public_key = ?2 AND deleted_at IS NOT NULL",
    )?
    .execute((node, Text(key)))?;
    Ok(())
}

/// Turns one key of a node into a tombstone.
///
/// # Errors
/// [`StoreError::NotFound`] when it is not there, or one already.
pub fn bury(tx: &WriteTx<'_>, node: NodeId, key: &PublicKey, now_s: i64) -> Result<(), StoreError> {
    release_owned(tx, node, key)?;
    let rows = tx
        .prepare_cached(
            "UPDATE peer_nodes SET peer_id = NULL, deleted_at = ?3, \
             last_signed_at = max(coalesce(last_signed_at, 0), ?3), moving_to = NULL, \
             allowed_ips = '[]', sync_state = 'pending', sync_reason = '', \
             generation = (SELECT desired_generation FROM nodes WHERE id = ?1) \
             WHERE node_id = ?1 AND public_key = ?2 AND deleted_at IS NULL",
        )?
        .execute((node, Text(key), now_s))?;
    changed(rows, "peer")?;
    count(tx, node, -1)
}

pub(super) fn bury_all(tx: &WriteTx<'_>, peer: PeerId, now_s: i64) -> Result<(), StoreError> {
    places_of(tx, peer)?
        .iter()
        .try_for_each(|(node, key)| bury(tx, *node, key, now_s))
}

pub(super) fn forget_all(tx: &WriteTx<'_>, peer: PeerId) -> Result<(), StoreError> {
    for (node, key) in places_of(tx, peer)? {
        tx.execute(
            "DELETE FROM peer_nodes WHERE node_id = ?1 AND public_key = ?2",
            (node, Text(key)),
        )?;
        count(tx, node, -1)?;
    }
    Ok(())
}

fn places_of(conn: &Connection, peer: PeerId) -> Result<Vec<(NodeId, PublicKey)>, StoreError> {
    let mut select =
        conn.prepare_cached("SELECT node_id, public_key FROM peer_nodes WHERE peer_id = ?1")?;
    let rows = select.query_map([peer], |row| Ok((row.get(0)?, row.get::<_, Text<_>>(1)?.0)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
