//! Pools: the networks a node gives its peers addresses from.

use std::{
    collections::{BTreeMap, HashSet},
    net::IpAddr,
};

use rusqlite::Connection;
use wire_contract::AllowedIp;

use super::{
    NodeId, WriteTx,
    error::StoreError,
    ranges,
    value::{Json, Text},
};

/// A pool to have: the network, and what in it no peer is given (its network and broadcast
/// addresses, the node's own, reserved ones).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolSpec {
    /// The network.
    pub cidr: AllowedIp,
    /// May reach outside of it.
    pub skip: Vec<AllowedIp>,
}

/// A pool's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolRow {
    /// Its id.
    pub id: i64,
    /// Whose it is.
    pub node_id: NodeId,
    /// The network.
    pub cidr: AllowedIp,
    /// What in it no peer is given.
    pub skip: Vec<AllowedIp>,
}

/// Makes these the pools of a node, used in this order. Addresses in use stay with their peers.
///
/// # Errors
/// [`StoreError::Conflict`] when two of them overlap, [`StoreError::LeftOut`] when they leave out an
/// address in use.
pub fn set_pools(tx: &WriteTx<'_>, node: NodeId, specs: &[PoolSpec]) -> Result<(), StoreError> {
    refuse_overlap(specs)?;
    let mut old: BTreeMap<AllowedIp, i64> = list(tx, node)?
        .into_iter()
        .map(|pool| (pool.cidr, pool.id))
        .collect();
    let mut kept = Vec::with_capacity(specs.len());
    for (position, spec) in specs.iter().enumerate() {
        let id = match old.remove(&spec.cidr) {
            Some(id) => id,
            None => insert(tx, node, spec)?,
        };
        update(tx, id, position, spec)?;
        kept.push((id, spec));
    }
    for id in old.into_values() {
        hand_over(tx, id, &kept)?;
        tx.execute("DELETE FROM pools WHERE id = ?1", [id])?;
    }
    kept.iter()
        .try_for_each(|(id, spec)| rebuild_free(tx, *id, spec))
}

/// The pools of a node, in the order they are used.
///
/// # Errors
/// When they can't be read.
pub fn list(conn: &Connection, node: NodeId) -> Result<Vec<PoolRow>, StoreError> {
    let mut select =
        conn.prepare_cached("SELECT * FROM pools WHERE node_id = ?1 ORDER BY position")?;
    let rows = select.query_map([node], from_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// All pools with the name of their node: for warnings about overlap.
///
/// # Errors
/// When they can't be read.
pub fn list_all(conn: &Connection) -> Result<Vec<(String, PoolRow)>, StoreError> {
    let mut select = conn.prepare_cached(
        "SELECT p.*, n.name AS node_name FROM pools p JOIN nodes n ON n.id = p.node_id \
         ORDER BY n.name, p.position",
    )?;
    let rows = select.query_map([], |row| Ok((row.get("node_name")?, from_row(row)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Whether a pool has an address left, apart from what is in use without the store knowing by whom.
///
/// # Errors
/// When it can't be read.
pub fn has_room(
    conn: &Connection,
    pool: &PoolRow,
    in_use: &HashSet<IpAddr>,
) -> Result<bool, StoreError> {
    let is_ipv4 = pool.cidr.is_ipv4();
    let is_held = |number| in_use.contains(&ranges::to_address(number, is_ipv4));
    ranges::has_one(conn, pool.id, is_held)
}

fn refuse_overlap(specs: &[PoolSpec]) -> Result<(), StoreError> {
    for (index, spec) in specs.iter().enumerate() {
        let overlaps = |other: &&PoolSpec| {
            let (a, b) = (ranges::span(&spec.cidr), ranges::span(&other.cidr));
            spec.cidr.is_ipv4() == other.cidr.is_ipv4() && a.0 <= b.1 && b.0 <= a.1
        };
        if let Some(other) = specs[..index].iter().find(overlaps) {
            let other = format!("the pool {} of the same node", other.cidr);
            return Err(StoreError::Conflict {
                what: "pool",
                other,
            });
        }
    }
    Ok(())
}

fn insert(tx: &WriteTx<'_>, node: NodeId, spec: &PoolSpec) -> Result<i64, StoreError> {
    tx.execute(
        "INSERT INTO pools (node_id, position, cidr, family, skip) VALUES (?1, 0, ?2, ?3, '[]')",
        (
            node,
            Text(spec.cidr),
            if spec.cidr.is_ipv4() { 4 } else { 6 },
        ),
    )?;
    Ok(tx.last_insert_rowid())
}

fn update(tx: &WriteTx<'_>, pool: i64, position: usize, spec: &PoolSpec) -> Result<(), StoreError> {
    let position = i64::try_from(position).expect("few pools");
    tx.execute(
        "UPDATE pools SET position = ?2, skip = ?3 WHERE id = ?1",
        (pool, position, Json(&spec.skip)),
    )?;
    Ok(())
}

/// Moves the addresses in use of a pool that goes to the pool that now holds them.
fn hand_over(tx: &WriteTx<'_>, old: i64, kept: &[(i64, &PoolSpec)]) -> Result<(), StoreError> {
    let is_ipv4: bool =
        tx.query_row("SELECT family = 4 FROM pools WHERE id = ?1", [old], |row| {
            row.get(0)
        })?;
    for (address, peer) in used_by(tx, old)? {
        let holds = |(_, spec): &&(i64, &PoolSpec)| {
            let (first, last) = ranges::span(&spec.cidr);
            spec.cidr.is_ipv4() == is_ipv4 && first <= address && address <= last
        };
        let Some((new, _)) = kept.iter().find(holds) else {
            let address = ranges::to_address(address, is_ipv4).to_string();
            return Err(StoreError::LeftOut { address, peer });
        };
        tx.prepare_cached(
            "UPDATE allocations SET pool_id = ?3 WHERE pool_id = ?1 AND address = ?2",
        )?
        .execute((old, address.to_be_bytes(), new))?;
    }
    Ok(())
}

/// Free is what is neither skipped nor in use.
fn rebuild_free(tx: &WriteTx<'_>, pool: i64, spec: &PoolSpec) -> Result<(), StoreError> {
    let same_family = |skip: &&AllowedIp| skip.is_ipv4() == spec.cidr.is_ipv4();
    let mut taken: Vec<_> = spec
        .skip
        .iter()
        .filter(same_family)
        .map(ranges::span)
        .collect();
    taken.extend(
        used_by(tx, pool)?
            .into_iter()
            .map(|(address, _)| (address, address)),
    );
    ranges::replace(tx, pool, &ranges::without(ranges::span(&spec.cidr), taken))
}

fn used_by(conn: &Connection, pool: i64) -> Result<Vec<(u128, String)>, StoreError> {
    let mut select = conn.prepare_cached(
        "SELECT l.address, p.name FROM allocations l JOIN peers p ON p.id = l.peer_id \
         WHERE l.pool_id = ?1",
    )?;
    let rows = select.query_map([pool], |row| {
        Ok((u128::from_be_bytes(row.get(0)?), row.get(1)?))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn from_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<PoolRow> {
    Ok(PoolRow {
        id: row.get("id")?,
        node_id: row.get("node_id")?,
        cidr: row.get::<_, Text<_>>("cidr")?.0,
        skip: row.get::<_, Json<_>>("skip")?.0,
    })
}
