//! Who holds what on a node: keys and addresses.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension};
use wire_contract::{AllowedIp, PublicKey};

use super::{NodeId, PeerId, error::StoreError, value::Text};

/// Every key the store knows on a node, tombstones included.
///
/// # Errors
/// When they can't be read.
pub fn keys(conn: &Connection, node: NodeId) -> Result<HashSet<PublicKey>, StoreError> {
    let mut select = conn.prepare_cached("SELECT public_key FROM peer_nodes WHERE node_id = ?1")?;
    let rows = select.query_map([node], |row| row.get::<_, Text<_>>(0).map(|text| text.0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The peer that has exactly this allowed IP on a node.
///
/// # Errors
/// When it can't be read.
pub fn of_allowed_ip(
    conn: &Connection,
    node: NodeId,
    cidr: &AllowedIp,
) -> Result<Option<PeerId>, StoreError> {
    let mut select = conn.prepare_cached(
        "SELECT pn.peer_id FROM allowed_ip_owners o \
         JOIN peer_nodes pn ON pn.node_id = o.node_id AND pn.public_key = o.public_key \
         WHERE o.node_id = ?1 AND o.cidr = ?2 AND pn.peer_id IS NOT NULL",
    )?;
    let owner = select.query_row((node, Text(cidr)), |row| row.get(0));
    Ok(owner.optional()?)
}

/// A peer that holds a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The peer.
    pub peer_id: PeerId,
    /// Its name.
    pub name: String,
}

/// The peer that has a key on a node; `None` when nobody declared it.
///
/// # Errors
/// When it can't be read.
pub fn of_key(
    conn: &Connection,
    node: NodeId,
    key: &PublicKey,
) -> Result<Option<Holder>, StoreError> {
    let mut select = conn.prepare_cached(
        "SELECT p.id, p.name FROM peer_nodes pn JOIN peers p ON p.id = pn.peer_id \
         WHERE pn.node_id = ?1 AND pn.public_key = ?2",
    )?;
    let holder = select.query_row((node, Text(key)), |row| {
        Ok(Holder {
            peer_id: row.get(0)?,
            name: row.get(1)?,
        })
    });
    Ok(holder.optional()?)
}
