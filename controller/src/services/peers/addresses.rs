//! The addresses a peer has on a node: given ones, and ones from the node's pools.

use std::{collections::HashSet, net::IpAddr};

use tonic::Status;
use wire_contract::AllowedIp;

use crate::{
    domain::allocation::Family,
    services::status::invalid,
    store::{
        PeerId, StoreError, WriteTx, allocations, holders,
        nodes::NodeRow,
        pools::{self, PoolRow},
    },
};

/// A node that is to have a peer, as far as addresses go.
pub(super) struct Place<'a> {
    tx: &'a WriteTx<'a>,
    node: &'a NodeRow,
    pools: Vec<PoolRow>,
    peer: PeerId,
    /// With peers of the node that nobody declared: the kernel would not give both what one has.
    in_use: &'a HashSet<IpAddr>,
}

impl<'a> Place<'a> {
    /// Reads the node's pools.
    ///
    /// # Errors
    /// When they can't be read.
    pub(super) fn new(
        tx: &'a WriteTx<'a>,
        node: &'a NodeRow,
        peer: PeerId,
        in_use: &'a HashSet<IpAddr>,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            pools: pools::list(tx, node.id)?,
            tx,
            node,
            peer,
            in_use,
        })
    }

    /// Takes addresses for a peer that is new on the node: those it brings, or the next free one of
    /// each family.
    ///
    /// # Errors
    /// `address_taken`, `address_refused`, `no_free_address`, or that the node has no pool to take
    /// from.
    pub(super) fn take(&self, given: &[AllowedIp]) -> Result<Vec<AllowedIp>, Status> {
        self.replace(&[], given)
    }

    /// Gives back what the peer no longer lists on the node and takes what is new. An empty `wanted`
    /// means one address of each family, and keeps those it has.
    ///
    /// # Errors
    /// As [`Place::take`].
    pub(super) fn replace(
        &self,
        present: &[AllowedIp],
        wanted: &[AllowedIp],
    ) -> Result<Vec<AllowedIp>, Status> {
        if wanted.is_empty() {
            return self.one_of_each(present);
        }
        let gone = present.iter().filter(|cidr| !wanted.contains(cidr));
        for address in gone.filter_map(host) {
            if let Some(pool) = self.pool_of(address) {
                allocations::release_address(self.tx, pool, address, self.peer)?;
            }
        }
        for address in wanted.iter().filter_map(host) {
            self.take_exact(address)?;
        }
        Ok(wanted.to_vec())
    }

    /// What a peer has on the node it moves to. Its own addresses stay where they fit; those that
    /// came from the pools of its present node and do not fit are replaced by the next free ones.
    ///
    /// # Errors
    /// As [`Place::take`].
    pub(super) fn carry_over(&self, present: &[AllowedIp]) -> Result<Vec<AllowedIp>, Status> {
        let allocated = allocations::of_peer(self.tx, self.peer)?;
        let mut is_pooled = false;
        let mut kept = Vec::new();
        for cidr in present {
            let from_pool = host(cidr).is_some_and(|ip| allocated.iter().any(|a| a.address == ip));
            is_pooled |= from_pool;
            if self.stays(cidr, from_pool)? {
                kept.push(*cidr);
            }
        }
        if !is_pooled || self.pools.is_empty() {
            return Ok(kept);
        }
        self.fill_families(kept)
    }

    fn stays(&self, cidr: &AllowedIp, from_pool: bool) -> Result<bool, Status> {
        let Some(address) = host(cidr) else {
            return Ok(true);
        };
        if self.pool_of(address).is_none() {
            // Without pools there is nothing to replace it by.
            return Ok(!from_pool || self.pools.is_empty());
        }
        let owner = holders::of_allowed_ip(self.tx, self.node.id, cidr)?;
        let is_held =
            self.in_use.contains(&address) || owner.is_some_and(|owner| owner != self.peer);
        if from_pool && is_held {
            return Ok(false);
        }
        match self.take_exact(address) {
            Ok(()) => Ok(true),
            Err(StoreError::Conflict { .. } | StoreError::AddressRefused { .. }) if from_pool => {
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn one_of_each(&self, present: &[AllowedIp]) -> Result<Vec<AllowedIp>, Status> {
        if self.pools.is_empty() {
            let name = &self.node.settings.name;
            let why =
                format!("{name} has no address pool: say which addresses the peer shall have");
            return Err(invalid("allowed_ips", why));
        }
        let in_pools = |cidr: &&AllowedIp| self.is_pooled(cidr);
        self.fill_families(present.iter().filter(in_pools).copied().collect())
    }

    /// Adds an address of each family the node's pools have and the peer has none of.
    fn fill_families(&self, mut kept: Vec<AllowedIp>) -> Result<Vec<AllowedIp>, Status> {
        for family in Family::ALL {
            let is_v4 = family == Family::V4;
            let has_one = |cidr: &AllowedIp| cidr.is_ipv4() == is_v4 && self.is_pooled(cidr);
            let of_family = self.pools.iter().filter(|p| p.cidr.is_ipv4() == is_v4);
            let of_family: Vec<_> = of_family.cloned().collect();
            if !of_family.is_empty() && !kept.iter().any(has_one) {
                kept.push(self.take_next(&of_family)?);
            }
        }
        Ok(kept)
    }

    /// The next free address. One the peer holds already (it is on its way back) comes first; one
    /// that another peer was given by hand before there was a pool is noted as that peer's, and
    /// passed over.
    fn take_next(&self, pools: &[PoolRow]) -> Result<AllowedIp, StoreError> {
        let (tx, peer) = (self.tx, self.peer);
        let is_here = |held: &&allocations::Allocation| pools.iter().any(|p| p.id == held.pool_id);
        if let Some(held) = allocations::of_peer(tx, peer)?.iter().find(is_here) {
            return Ok(whole(held.address));
        }
        loop {
            let given = allocations::allocate_next_except(tx, pools, peer, self.in_use)?;
            let cidr = whole(given.address);
            match holders::of_allowed_ip(tx, self.node.id, &cidr)? {
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
    fn take_exact(&self, address: IpAddr) -> Result<(), StoreError> {
        let Some(pool) = self.pool_of(address) else {
            return Ok(());
        };
        let is_own =
            |held: &allocations::Allocation| held.pool_id == pool.id && held.address == address;
        if !allocations::of_peer(self.tx, self.peer)?.iter().any(is_own) {
            allocations::allocate_exact(self.tx, &self.pools, address, self.peer)?;
        }
        Ok(())
    }

    fn pool_of(&self, address: IpAddr) -> Option<&PoolRow> {
        allocations::find_pool(&self.pools, address)
    }

    fn is_pooled(&self, cidr: &AllowedIp) -> bool {
        host(cidr).is_some_and(|address| self.pool_of(address).is_some())
    }
}

/// The address, when it is a single one.
pub(super) fn host(cidr: &AllowedIp) -> Option<IpAddr> {
    let address = cidr.network();
    (cidr.prefix_len() == Family::of(address).bits()).then_some(address)
}

fn whole(address: IpAddr) -> AllowedIp {
    AllowedIp::new(address, Family::of(address).bits()).expect("a whole address")
}
