//! Peers that change nodes: added on the target, seen there, then taken off the source.

use rusqlite::Connection;
use wire_contract::PublicKey;

use super::{
    NodeId, PeerId, WriteTx, allocations, error::StoreError, generation, tombstones, value::Text,
};

/// The peer leaves every other node once it was seen on `target`.
///
/// # Errors
/// When it can't be written.
pub fn leave_for(tx: &WriteTx<'_>, peer: PeerId, target: NodeId) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE peer_nodes SET moving_to = ?2 WHERE peer_id = ?1 AND node_id <> ?2",
        (peer, target),
    )?;
    Ok(())
}

/// Takes peers that were seen on `target` off the nodes they came from: tombstones there, addresses
/// given back, generations bumped. Those nodes, to be woken.
///
/// # Errors
/// When it can't be written.
pub fn finish(tx: &WriteTx<'_>, target: NodeId, now_s: i64) -> Result<Vec<NodeId>, StoreError> {
    let mut left = Vec::new();
    for (source, key, peer) in arrived(tx, target)? {
        if !left.contains(&source) {
            generation::bump(tx, source)?;
            left.push(source);
        }
        tombstones::bury(tx, source, &key, now_s)?;
        allocations::release(tx, peer, Some(source))?;
    }
    Ok(left)
}

fn arrived(
    conn: &Connection,
    target: NodeId,
) -> Result<Vec<(NodeId, PublicKey, PeerId)>, StoreError> {
    let mut select = conn.prepare_cached(
        "SELECT o.node_id, o.public_key, o.peer_id FROM peer_nodes o \
         JOIN peer_nodes t ON t.node_id = o.moving_to AND t.peer_id = o.peer_id \
         WHERE o.moving_to = ?1 AND t.sync_state = 'applied'",
    )?;
    let rows = select.query_map([target], |row| {
        Ok((row.get(0)?, row.get::<_, Text<_>>(1)?.0, row.get(2)?))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
