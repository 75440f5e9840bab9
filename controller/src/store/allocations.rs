//! Addresses in use. One of a pool belongs to one peer, by constraint.

use std::{collections::HashSet, net::IpAddr};

use rusqlite::{Connection, OptionalExtension, Row};

use super::{PeerId, WriteTx, error::StoreError, pools::PoolRow, ranges};

/// An address that was given to a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allocation {
    /// The pool it is from.
    pub pool_id: i64,
    /// The address.
    pub address: IpAddr,
}

/// Gives the peer the lowest free address of the first pool that has one. The pools are one
/// family's, in order. O(log n), however large they are.
///
/// # Errors
/// [`StoreError::NoFreeAddress`] that names the pools.
pub fn allocate_next(
    tx: &WriteTx<'_>,
    pools: &[PoolRow],
    peer: PeerId,
) -> Result<Allocation, StoreError> {
    allocate_next_except(tx, pools, peer, &HashSet::new())
}

/// Like [`allocate_next`], and passes over what is in use without the store knowing by whom.
///
/// # Errors
/// As [`allocate_next`].
pub fn allocate_next_except(
    tx: &WriteTx<'_>,
    pools: &[PoolRow],
    peer: PeerId,
    in_use: &HashSet<IpAddr>,
) -> Result<Allocation, StoreError> {
    for pool in pools {
        let is_ipv4 = pool.cidr.is_ipv4();
        let is_held = |number| in_use.contains(&ranges::to_address(number, is_ipv4));
        if let Some(number) = ranges::take_first(tx, pool.id, is_held)? {
            insert(tx, pool.id, number, peer)?;
            let address = ranges::to_address(number, is_ipv4);
            return Ok(Allocation {
                pool_id: pool.id,
                address,
            });
        }
    }
    let names: Vec<_> = pools.iter().map(|pool| pool.cidr.to_string()).collect();
    Err(StoreError::NoFreeAddress {
        pools: names.join(", "),
    })
}

/// Gives the peer this address, from whichever of the pools holds it.
///
/// # Errors
/// [`StoreError::Conflict`] that names the peer that has it, [`StoreError::AddressRefused`] when no
/// pool holds it or it is skipped.
pub fn allocate_exact(
    tx: &WriteTx<'_>,
    pools: &[PoolRow],
    address: IpAddr,
    peer: PeerId,
) -> Result<Allocation, StoreError> {
    let refused = |why| StoreError::AddressRefused {
        address: address.to_string(),
        why,
    };
    let number = ranges::to_number(address);
    let pool = find_pool(pools, address).ok_or_else(|| refused("it is in no pool of the node"))?;
    if ranges::take(tx, pool.id, number)? {
        insert(tx, pool.id, number, peer)?;
        return Ok(Allocation {
            pool_id: pool.id,
            address,
        });
    }
    match owner(tx, pool.id, number)? {
        Some(name) => Err(StoreError::Conflict {
            what: "address",
            other: format!("the peer {name}: {address}"),
        }),
        None => Err(refused("it is reserved")),
    }
}

/// The pool that holds an address.
#[must_use]
pub fn find_pool(pools: &[PoolRow], address: IpAddr) -> Option<&PoolRow> {
    let number = ranges::to_number(address);
    pools.iter().find(|pool| {
        let (first, last) = ranges::span(&pool.cidr);
        pool.cidr.is_ipv4() == address.is_ipv4() && first <= number && number <= last
    })
}

/// Gives a peer's addresses back: those of one pool's node, or all when `node` is `None`.
///
/// # Errors
/// When they can't be written.
pub fn release(
    tx: &WriteTx<'_>,
    peer: PeerId,
    node: Option<super::NodeId>,
) -> Result<(), StoreError> {
    let held = {
        let mut select = tx.prepare_cached(
            "SELECT l.pool_id, l.address, p.* FROM allocations l JOIN pools p ON p.id = l.pool_id \
             WHERE l.peer_id = ?1 AND (?2 IS NULL OR p.node_id = ?2)",
        )?;
        let rows = select.query_map((peer, node), |row| {
            Ok((
                row.get(0)?,
                u128::from_be_bytes(row.get(1)?),
                skip_from_row(row)?,
            ))
        })?;
        rows.collect::<Result<Vec<(i64, u128, Vec<_>)>, _>>()?
    };
    for (pool, number, skip) in held {
        release_one(tx, pool, number, &skip)?;
    }
    Ok(())
}

/// Gives one of a peer's addresses back. Nothing happens when it does not have it.
///
/// # Errors
/// When it can't be written.
pub fn release_address(
    tx: &WriteTx<'_>,
    pool: &PoolRow,
    address: IpAddr,
    peer: PeerId,
) -> Result<(), StoreError> {
    let number = ranges::to_number(address);
    let mut select = tx.prepare_cached(
        "SELECT 1 FROM allocations WHERE pool_id = ?1 AND address = ?2 AND peer_id = ?3",
    )?;
    if select.exists((pool.id, number.to_be_bytes(), peer))? {
        let skip: Vec<_> = skipped(&pool.skip, pool.cidr.is_ipv4());
        release_one(tx, pool.id, number, &skip)?;
    }
    Ok(())
}

/// What a peer has.
///
/// # Errors
/// When it can't be read.
pub fn of_peer(conn: &Connection, peer: PeerId) -> Result<Vec<Allocation>, StoreError> {
    let mut select = conn.prepare_cached(
        "SELECT l.pool_id, l.address, p.family = 4 FROM allocations l \
         JOIN pools p ON p.id = l.pool_id WHERE l.peer_id = ?1 ORDER BY p.family, l.address",
    )?;
    let rows = select.query_map([peer], |row| {
        let number = u128::from_be_bytes(row.get(1)?);
        Ok(Allocation {
            pool_id: row.get(0)?,
            address: ranges::to_address(number, row.get(2)?),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn release_one(
    tx: &WriteTx<'_>,
    pool: i64,
    number: u128,
    skip: &[(u128, u128)],
) -> Result<(), StoreError> {
    tx.prepare_cached("DELETE FROM allocations WHERE pool_id = ?1 AND address = ?2")?
        .execute((pool, number.to_be_bytes()))?;
    // It may have been reserved while it was in use; then it is not for others either.
    if skip
        .iter()
        .any(|(first, last)| (*first..=*last).contains(&number))
    {
        return Ok(());
    }
    ranges::give_back(tx, pool, number)
}

fn skip_from_row(row: &Row<'_>) -> rusqlite::Result<Vec<(u128, u128)>> {
    let skip: Vec<wire_contract::AllowedIp> = row.get::<_, super::value::Json<_>>("skip")?.0;
    Ok(skipped(&skip, row.get::<_, i64>("family")? == 4))
}

fn skipped(skip: &[wire_contract::AllowedIp], is_ipv4: bool) -> Vec<(u128, u128)> {
    skip.iter()
        .filter(|cidr| cidr.is_ipv4() == is_ipv4)
        .map(ranges::span)
        .collect()
}

fn insert(tx: &WriteTx<'_>, pool: i64, number: u128, peer: PeerId) -> Result<(), StoreError> {
    tx.prepare_cached("INSERT INTO allocations (pool_id, address, peer_id) VALUES (?1, ?2, ?3)")?
        .execute((pool, number.to_be_bytes(), peer))?;
    Ok(())
}

fn owner(conn: &Connection, pool: i64, number: u128) -> Result<Option<String>, StoreError> {
    let mut select = conn.prepare_cached(
        "SELECT p.name FROM allocations l JOIN peers p ON p.id = l.peer_id \
         WHERE l.pool_id = ?1 AND l.address = ?2",
    )?;
    Ok(select
        .query_row((pool, number.to_be_bytes()), |row| row.get(0))
        .optional()?)
}
