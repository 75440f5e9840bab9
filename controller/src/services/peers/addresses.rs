//! The addresses a peer has on a node: given ones, and ones from the node's pools.

use std::net::IpAddr;

use tonic::Status;
use wire_contract::AllowedIp;

use crate::{
    domain::allocation::Family,
    services::status::invalid,
    store::{
        NodeId, PeerId, StoreError, WriteTx, allocations, holders,
        nodes::NodeRow,
        pools::{self, PoolRow},
    },
};

/// Takes addresses for a peer that is new on the node: those it brings, or the next free one of each
/// family.
///
/// # Errors
/// `address_taken`, `address_refused`, `no_free_address`, or that the node has no pool to take from.
pub(super) fn take(
    tx: &WriteTx<'_>,
    node: &NodeRow,
    peer: PeerId,
    given: &[AllowedIp],
) -> Result<Vec<AllowedIp>, Status> {
    replace(tx, node, peer, &[], given)
}

/// Gives back what the peer no longer lists on the node and takes what is new. An empty `wanted`
/// means one address of each family, and keeps those it has.
///
/// # Errors
/// As [`take`].
pub(super) fn replace(
    tx: &WriteTx<'_>,
    node: &NodeRow,
    peer: PeerId,
    present: &[AllowedIp],
    wanted: &[AllowedIp],
) -> Result<Vec<AllowedIp>, Status> {
    let pools = pools::list(tx, node.id)?;
    if wanted.is_empty() {
        return one_of_each(tx, node, &pools, peer, present);
    }
    let gone = present.iter().filter(|cidr| !wanted.contains(cidr));
    for address in gone.filter_map(host) {
        if let Some(pool) = allocations::find_pool(&pools, address) {
            allocations::release_address(tx, pool, address, peer)?;
        }
    }
    for address in wanted.iter().filter_map(host) {
        take_exact(tx, &pools, address, peer)?;
    }
    Ok(wanted.to_vec())
}

/// What a peer has on the node it moves to. Its own addresses stay where they fit; those that came
/// from the pools of its present node and do not fit are replaced by the target's next free ones.
///
/// # Errors
/// As [`take`].
pub(super) fn carry_over(
    tx: &WriteTx<'_>,
    target: &NodeRow,
    peer: PeerId,
    present: &[AllowedIp],
) -> Result<Vec<AllowedIp>, Status> {
    let pools = pools::list(tx, target.id)?;
    let allocated = allocations::of_peer(tx, peer)?;
    let mut is_pooled = false;
    let mut kept = Vec::new();
    for cidr in present {
        let from_pool = host(cidr).is_some_and(|ip| allocated.iter().any(|a| a.address == ip));
        is_pooled |= from_pool;
        if stays(tx, target.id, &pools, peer, cidr, from_pool)? {
            kept.push(*cidr);
        }
    }
    if !is_pooled || pools.is_empty() {
        return Ok(kept);
    }
    fill_families(tx, target.id, &pools, peer, kept)
}

fn stays(
    tx: &WriteTx<'_>,
    target: NodeId,
    pools: &[PoolRow],
    peer: PeerId,
    cidr: &AllowedIp,
    from_pool: bool,
) -> Result<bool, Status> {
    let Some(address) = host(cidr) else {
        return Ok(true);
    };
    if allocations::find_pool(pools, address).is_none() {
        // Without pools there is nothing to replace it by.
        return Ok(!from_pool || pools.is_empty());
    }
    let owner = holders::of_allowed_ip(tx, target, cidr)?;
    if from_pool && owner.is_some_and(|owner| owner != peer) {
        return Ok(false);
    }
    match take_exact(tx, pools, address, peer) {
        Ok(()) => Ok(true),
        Err(StoreError::Conflict { .. } | StoreError::AddressRefused { .. }) if from_pool => {
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

fn one_of_each(
    tx: &WriteTx<'_>,
    node: &NodeRow,
    pools: &[PoolRow],
    peer: PeerId,
    present: &[AllowedIp],
) -> Result<Vec<AllowedIp>, Status> {
    if pools.is_empty() {
        let name = &node.settings.name;
        let why = format!("{name} has no address pool: say which addresses the peer shall have");
        return Err(invalid("allowed_ips", why));
    }
    let in_pools = |cidr: &&AllowedIp| {
        host(cidr).is_some_and(|address| allocations::find_pool(pools, address).is_some())
    };
    let kept = present.iter().filter(in_pools).copied().collect();
    fill_families(tx, node.id, pools, peer, kept)
}

/// Adds an address of each family the node's pools have and the peer has none of.
fn fill_families(
    tx: &WriteTx<'_>,
    node: NodeId,
    pools: &[PoolRow],
    peer: PeerId,
    mut kept: Vec<AllowedIp>,
) -> Result<Vec<AllowedIp>, Status> {
    for family in Family::ALL {
        let is_v4 = family == Family::V4;
        let has_one = |cidr: &AllowedIp| {
            let is_pooled = |ip| allocations::find_pool(pools, ip).is_some();
            cidr.is_ipv4() == is_v4 && host(cidr).is_some_and(is_pooled)
        };
        let of_family: Vec<_> = pools
            .iter()
            .filter(|pool| pool.cidr.is_ipv4() == is_v4)
            .cloned()
            .collect();
        if !of_family.is_empty() && !kept.iter().any(has_one) {
            kept.push(take_next(tx, node, &of_family, peer)?);
        }
    }
    Ok(kept)
}

/// The next free address. One the peer holds already (it is on its way back) comes first; one that
/// another peer was given by hand before there was a pool is noted as that peer's, and passed over.
fn take_next(
    tx: &WriteTx<'_>,
    node: NodeId,
    pools: &[PoolRow],
    peer: PeerId,
) -> Result<AllowedIp, StoreError> {
    let is_here = |held: &&allocations::Allocation| pools.iter().any(|p| p.id == held.pool_id);
    if let Some(held) = allocations::of_peer(tx, peer)?.iter().find(is_here) {
        return Ok(whole(held.address));
    }
    loop {
        let given = allocations::allocate_next(tx, pools, peer)?;
        let cidr = whole(given.address);
        match holders::of_allowed_ip(tx, node, &cidr)? {
            Some(owner) if owner != peer => {
                let pool = pools.iter().find(|pool| pool.id == given.pool_id);
                let pool = pool.expect("it came from one of them");
                allocations::release_address(tx, pool, given.address, peer)?;
                allocations::allocate_exact(tx, pools, given.address, owner)?;
            }
            _ => return Ok(cidr),
        }
    }
}

/// Takes an address of the pools unless the peer has it already. Others are nobody's to give.
fn take_exact(
    tx: &WriteTx<'_>,
    pools: &[PoolRow],
    address: IpAddr,
    peer: PeerId,
) -> Result<(), StoreError> {
    let Some(pool) = allocations::find_pool(pools, address) else {
        return Ok(());
    };
    let is_own =
        |held: &allocations::Allocation| held.pool_id == pool.id && held.address == address;
    if !allocations::of_peer(tx, peer)?.iter().any(is_own) {
        allocations::allocate_exact(tx, pools, address, peer)?;
    }
    Ok(())
}

/// The address, when it is a single one.
pub(super) fn host(cidr: &AllowedIp) -> Option<IpAddr> {
    let address = cidr.network();
    (cidr.prefix_len() == Family::of(address).bits()).then_some(address)
}

fn whole(address: IpAddr) -> AllowedIp {
    AllowedIp::new(address, Family::of(address).bits()).expect("a whole address")
}
