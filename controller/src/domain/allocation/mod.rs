//! Addresses from pools, without ever listing a pool.
//!
//! What is free is kept as a few inclusive ranges, so the next free address of an IPv6 /64 costs the
//! same as that of a /24. The store keeps those ranges as rows and uses [`AddressRange::split`] and
//! [`AddressRange::merge`] on the row or two it touches; [`FreeRanges`] is the same in memory.
//!
//! The lowest free address is given out first.

mod free;
mod pool;
mod range;
mod reserved;

use std::net::IpAddr;

pub use free::FreeRanges;
pub use pool::{InvalidPool, Pool, parse_pools};
pub use range::{AddressRange, Family};
pub use reserved::{InvalidReserved, parse_reserved};

/// What must not be given out from a node's pools besides the network and broadcast addresses, which
/// [`Pool::usable`] leaves out already: `reserved`, and the node's own addresses.
///
/// Where the own addresses are unknown (no address in `own` lies in any pool of that family), the
/// first host of each of the family's pools is left out instead: that is what nodes are given by
/// habit. Not so in a pool that uses every address, which is too small for habits.
#[must_use]
pub fn skipped(pools: &[Pool], reserved: &[AddressRange], own: &[IpAddr]) -> Vec<AddressRange> {
    let own_in_pools = own
        .iter()
        .copied()
        .filter(|own| pools.iter().any(|p| p.contains(*own)));
    let own_in_pools: Vec<IpAddr> = own_in_pools.collect();
    let is_known = |family| own_in_pools.iter().any(|own| Family::of(*own) == family);
    let habitual = pools
        .iter()
        .filter(|pool| !is_known(pool.family()) && !pool.uses_every_address())
        .map(|pool| AddressRange::single(pool.usable().first()));
    let own = own_in_pools.iter().copied().map(AddressRange::single);
    reserved
        .iter()
        .copied()
        .chain(own)
        .chain(habitual)
        .collect()
}

/// Whether a peer could have `address` from one of `pools`: a peer that moves keeps an address that
/// fits its new node.
#[must_use]
pub fn fits(pools: &[Pool], address: IpAddr) -> bool {
    pools.iter().any(|pool| pool.usable().contains(address))
}

/// A pool change that would strand addresses in use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the new pool leaves out {count} addresses in use, among them {example}")]
pub struct AddressesLeftOut {
    /// The first of them.
    pub example: IpAddr,
    /// How many there are.
    pub count: usize,
}

/// Checks that every address in use lies in one of the new pools.
///
/// # Errors
/// [`AddressesLeftOut`] names one that does not.
pub fn check_pool_change(
    new_pools: &[Pool],
    used: impl IntoIterator<Item = IpAddr>,
) -> Result<(), AddressesLeftOut> {
    let mut left_out = used
        .into_iter()
        .filter(|address| !new_pools.iter().any(|pool| pool.contains(*address)));
    match left_out.next() {
        None => Ok(()),
        Some(example) => Err(AddressesLeftOut {
            example,
            count: 1 + left_out.count(),
        }),
    }
}

/// The first pool of `ours` that overlaps one of `theirs`, with the one it overlaps. Between nodes
/// this is worth a warning and no more: hosts behind NAT use the same networks.
#[must_use]
pub fn first_overlap<'a>(ours: &'a [Pool], theirs: &'a [Pool]) -> Option<(&'a Pool, &'a Pool)> {
    ours.iter().find_map(|our| {
        theirs
            .iter()
            .find(|their| our.overlaps(their))
            .map(|t| (our, t))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pools(text: &str) -> Vec<Pool> {
        parse_pools(text).unwrap()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn next(pools: &[Pool], own: &[IpAddr]) -> Vec<Option<IpAddr>> {
        let skipped = skipped(pools, &[], own);
        pools
            .iter()
            .map(|pool| FreeRanges::new(pool, &skipped).take_next())
            .collect()
    }

    #[test]
    fn the_nodes_own_address_is_skipped_or_else_the_first_host() {
        let dual = pools("10.8.0.0/24, fd00:8::/64");
        assert_eq!(
            next(&dual, &[]),
            [Some(ip("10.8.0.2")), Some(ip("fd00:8::2"))]
        );
        assert_eq!(
            next(&dual, &[ip("192.0.2.1")]),
            [Some(ip("10.8.0.2")), Some(ip("fd00:8::2"))]
        );
        let own = [ip("10.8.0.254"), ip("fd00:8::1")];
        assert_eq!(
            next(&dual, &own),
            [Some(ip("10.8.0.1")), Some(ip("fd00:8::2"))]
        );
        let extended = pools("10.8.0.0/24, 10.9.0.0/24");
        let known = [ip("10.8.0.1")];
        assert_eq!(
            next(&extended, &known),
            [Some(ip("10.8.0.2")), Some(ip("10.9.0.1"))]
        );
        assert_eq!(next(&pools("10.8.0.4/31"), &[]), [Some(ip("10.8.0.4"))]);
        assert_eq!(
            next(&pools("10.8.0.4/31"), &[ip("10.8.0.4")]),
            [Some(ip("10.8.0.5"))]
        );
    }

    #[test]
    fn a_smaller_pool_names_what_it_would_strand() {
        let used = [ip("10.8.0.5"), ip("10.8.1.7"), ip("10.8.1.8")];
        assert_eq!(check_pool_change(&pools("10.8.0.0/16"), used), Ok(()));
        let error = check_pool_change(&pools("10.8.0.0/24"), used).unwrap_err();
        assert_eq!(
            error,
            AddressesLeftOut {
                example: ip("10.8.1.7"),
                count: 2
            }
        );
    }

    #[test]
    fn an_address_fits_where_it_could_be_given_out() {
        let pools = pools("10.8.0.0/24, fd00:8::/64");
        assert!(fits(&pools, ip("10.8.0.77")) && fits(&pools, ip("fd00:8::77")));
        assert!(!fits(&pools, ip("10.8.0.255")) && !fits(&pools, ip("10.9.0.1")));
    }

    #[test]
    fn overlap_between_nodes_is_found() {
        let (ours, theirs) = (
            pools("10.8.0.0/24, fd00::/64"),
            pools("10.9.0.0/24, fd00::/48"),
        );
        let (our, their) = first_overlap(&ours, &theirs).unwrap();
        assert_eq!(
            (our.to_string(), their.to_string()),
            ("fd00::/64".into(), "fd00::/48".into())
        );
        assert_eq!(first_overlap(&ours, &pools("10.9.0.0/24")), None);
    }
}
