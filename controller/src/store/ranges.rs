//! Free space as ranges of 128-bit addresses, both ends included.

use std::net::{IpAddr, Ipv6Addr};

use rusqlite::{Connection, OptionalExtension};
use wire_contract::AllowedIp;

use super::{WriteTx, error::StoreError};

/// First and last.
type Range = (u128, u128);

/// An address as a number; IPv4 in the low 32 bits.
#[must_use]
pub fn to_number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_bits().into(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// The address of a number, in the family of its pool.
#[must_use]
pub fn to_address(number: u128, is_ipv4: bool) -> IpAddr {
    match u32::try_from(number) {
        Ok(v4) if is_ipv4 => IpAddr::V4(v4.into()),
        _ => IpAddr::V6(Ipv6Addr::from_bits(number)),
    }
}

/// First and last address of a network.
#[must_use]
pub fn span(network: &AllowedIp) -> (u128, u128) {
    let bits = if network.is_ipv4() { 32 } else { 128 };
    let host_bits = bits - u32::from(network.prefix_len());
    let first = to_number(network.network());
    let mask = u128::MAX.checked_shr(128 - host_bits).unwrap_or(0);
    (first, first | mask)
}

/// What is left of `whole` without `taken`, which need not be sorted or apart.
#[must_use]
pub fn without(whole: (u128, u128), mut taken: Vec<(u128, u128)>) -> Vec<(u128, u128)> {
    taken.sort_unstable();
    let mut free = Vec::new();
    let mut next = Some(whole.0);
    for (first, last) in taken {
        let Some(start) = next.filter(|start| *start <= whole.1) else {
            return free;
        };
        if last < start {
            continue;
        }
        if first > start {
            free.push((start, whole.1.min(first - 1)));
        }
        next = last.checked_add(1);
    }
    if let Some(start) = next.filter(|start| *start <= whole.1) {
        free.push((start, whole.1));
    }
    free
}

/// Replaces the free space of a pool.
pub(super) fn replace(
    tx: &WriteTx<'_>,
    pool: i64,
    free: &[(u128, u128)],
) -> Result<(), StoreError> {
    tx.execute("DELETE FROM free_ranges WHERE pool_id = ?1", [pool])?;
    free.iter().try_for_each(|range| insert(tx, pool, *range))
}

/// The lowest free address of a pool that is not held otherwise, which is free no more. Beyond what
/// is held it costs the same as ever: a range is walked only over such addresses.
pub(super) fn take_first(
    tx: &WriteTx<'_>,
    pool: i64,
    is_held: impl Fn(u128) -> bool,
) -> Result<Option<u128>, StoreError> {
    let Some((range, address)) = first_not_held(tx, pool, is_held)? else {
        return Ok(None);
    };
    split(tx, pool, range, address)?;
    Ok(Some(address))
}

/// Whether a pool has a free address that is not held otherwise.
pub(super) fn has_one(
    conn: &Connection,
    pool: i64,
    is_held: impl Fn(u128) -> bool,
) -> Result<bool, StoreError> {
    Ok(first_not_held(conn, pool, is_held)?.is_some())
}

fn first_not_held(
    conn: &Connection,
    pool: i64,
    is_held: impl Fn(u128) -> bool,
) -> Result<Option<(Range, u128)>, StoreError> {
    let sql = "SELECT first, last FROM free_ranges WHERE pool_id = ?1 ORDER BY first";
    let mut select = conn.prepare_cached(sql)?;
    for range in select.query_map([pool], range_from_row)? {
        let range = range?;
        if let Some(address) = (range.0..=range.1).find(|address| !is_held(*address)) {
            return Ok(Some((range, address)));
        }
    }
    Ok(None)
}

/// Takes one address. Whether it was free.
pub(super) fn take(tx: &WriteTx<'_>, pool: i64, address: u128) -> Result<bool, StoreError> {
    let range = at_or_below(tx, pool, address)?;
    let Some(range) = range.filter(|(_, last)| address <= *last) else {
        return Ok(false);
    };
    split(tx, pool, range, address)?;
    Ok(true)
}

/// Gives an address back, joined with the free space beside it.
pub(super) fn give_back(tx: &WriteTx<'_>, pool: i64, address: u128) -> Result<(), StoreError> {
    let mut joined = (address, address);
    if let Some(below) = at_or_below(tx, pool, address)?
        && below.1.checked_add(1) == Some(address)
    {
        remove(tx, pool, below.0)?;
        joined.0 = below.0;
    }
    if let Some(next) = address.checked_add(1)
        && let Some(above) = at_or_below(tx, pool, next)?
        && above.0 == next
    {
        remove(tx, pool, above.0)?;
        joined.1 = above.1;
    }
    insert(tx, pool, joined)
}

fn split(
    tx: &WriteTx<'_>,
    pool: i64,
    (first, last): (u128, u128),
    address: u128,
) -> Result<(), StoreError> {
    remove(tx, pool, first)?;
    if first < address {
        insert(tx, pool, (first, address - 1))?;
    }
    if address < last {
        insert(tx, pool, (address + 1, last))?;
    }
    Ok(())
}

fn at_or_below(
    conn: &Connection,
    pool: i64,
    address: u128,
) -> Result<Option<(u128, u128)>, StoreError> {
    let mut select = conn.prepare_cached(
        "SELECT first, last FROM free_ranges WHERE pool_id = ?1 AND first <= ?2 \
         ORDER BY first DESC LIMIT 1",
    )?;
    Ok(select
        .query_row((pool, address.to_be_bytes()), range_from_row)
        .optional()?)
}

fn insert(tx: &WriteTx<'_>, pool: i64, (first, last): (u128, u128)) -> Result<(), StoreError> {
    tx.prepare_cached("INSERT INTO free_ranges (pool_id, first, last) VALUES (?1, ?2, ?3)")?
        .execute((pool, first.to_be_bytes(), last.to_be_bytes()))?;
    Ok(())
}

fn remove(tx: &WriteTx<'_>, pool: i64, first: u128) -> Result<(), StoreError> {
    tx.prepare_cached("DELETE FROM free_ranges WHERE pool_id = ?1 AND first = ?2")?
        .execute((pool, first.to_be_bytes()))?;
    Ok(())
}

fn range_from_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<(u128, u128)> {
    Ok((
        u128::from_be_bytes(row.get(0)?),
        u128::from_be_bytes(row.get(1)?),
    ))
}
