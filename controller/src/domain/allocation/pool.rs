//! One CIDR of a node's pool, and the text a pool is written in.

use std::{fmt, net::IpAddr};

use wire_contract::AllowedIp;

use super::{AddressRange, Family};

/// A network that addresses are given out from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pool(AllowedIp);

impl Pool {
    /// The pool of all of `network`.
    #[must_use]
    pub const fn new(network: AllowedIp) -> Self {
        Self(network)
    }

    /// The network.
    #[must_use]
    pub const fn network(&self) -> AllowedIp {
        self.0
    }

    /// Its family.
    #[must_use]
    pub const fn family(&self) -> Family {
        Family::of(self.0.network())
    }

    /// Whether even the first and last address can be given out: /31, /32, /127, /128.
    #[must_use]
    pub const fn uses_every_address(&self) -> bool {
        self.0.prefix_len() + 1 >= self.family().bits()
    }

    /// What can be given out: all but the network address and, in IPv4, the broadcast address. (In
    /// IPv6 the first address is every router's, and there is no broadcast.)
    ///
    /// # Panics
    /// Never: a network that does not use every address has at least four.
    #[must_use]
    pub fn usable(&self) -> AddressRange {
        let all = AddressRange::of_network(self.0);
        if self.uses_every_address() {
            return all;
        }
        let broadcast = u128::from(self.family() == Family::V4);
        AddressRange::from_numbers(self.family(), all.start() + 1, all.end() - broadcast)
            .expect("four addresses or more")
    }

    /// Whether the network has `address` in it, usable or not.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        AddressRange::of_network(self.0).contains(address)
    }

    /// Whether the two networks share an address.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        AddressRange::of_network(self.0).overlaps(&AddressRange::of_network(other.0))
    }
}

impl fmt::Display for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A pool text that can't be used; names the bad part.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPool {
    /// Two commas in a row, or one at an end.
    #[error("ip_pool_cidr: there is an empty part between the commas")]
    EmptyPart,
    /// Not a CIDR.
    #[error("ip_pool_cidr: {0}")]
    NotACidr(#[from] wire_contract::allowed_ip::InvalidAllowedIp),
    /// An address alone is more likely a slip than a pool of one.
    #[error("ip_pool_cidr: {0} has no prefix length; write {0}/24, or whatever it is")]
    NoPrefixLen(IpAddr),
    /// Two parts share addresses.
    #[error("ip_pool_cidr: {second} overlaps {first}")]
    Overlap {
        /// The one named first.
        first: Pool,
        /// The one that overlaps it.
        second: Pool,
    },
}

/// Reads CIDRs separated by commas, IPv4 and IPv6 in any order; host bits are masked off. Text with
/// nothing in it is no pool at all.
///
/// # Errors
/// See [`InvalidPool`].
pub fn parse_pools(text: &str) -> Result<Vec<Pool>, InvalidPool> {
    let mut pools: Vec<Pool> = Vec::new();
    if text.trim().is_empty() {
        return Ok(pools);
    }
    for part in text.split(',').map(str::trim) {
        let second = parse_pool(part)?;
        if let Some(first) = pools.iter().copied().find(|pool| pool.overlaps(&second)) {
            return Err(InvalidPool::Overlap { first, second });
        }
        pools.push(second);
    }
    Ok(pools)
}

fn parse_pool(part: &str) -> Result<Pool, InvalidPool> {
    if part.is_empty() {
        return Err(InvalidPool::EmptyPart);
    }
    let network: AllowedIp = part.parse()?;
    if !part.contains('/') {
        return Err(InvalidPool::NoPrefixLen(network.network()));
    }
    Ok(Pool(network))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        parse_pools(text).unwrap_err().to_string()
    }

    #[test]
    fn families_mix_and_host_bits_go() {
        let pools = parse_pools(" 10.8.0.1/24,fd00:8::5/64 , 10.9.0.0/24").unwrap();
        let texts: Vec<String> = pools.iter().map(Pool::to_string).collect();
        assert_eq!(texts, ["10.8.0.0/24", "fd00:8::/64", "10.9.0.0/24"]);
        assert_eq!(parse_pools("  "), Ok(vec![]));
    }

    #[test]
    fn the_bad_part_is_named() {
        assert!(error("10.8.0.0/24, 10.0.0.256/24").contains("10.0.0.256/24"));
        assert!(error("10.8.0.0/33").contains("10.8.0.0/33"));
        assert!(error("fd00::/129").contains("fd00::/129"));
        assert!(error("10.8.0.0").contains("10.8.0.0 has no prefix length"));
        assert!(error("10.8.0.0/24,").contains("empty part"));
        assert!(error("10.8.0.0/24, 10.8.0.0/24").contains("10.8.0.0/24 overlaps 10.8.0.0/24"));
        assert!(error("fd00::/48, fd00:0:0:1::/64").contains("fd00:0:0:1::/64 overlaps fd00::/48"));
    }

    #[test]
    fn what_is_usable_depends_on_family_and_size() {
        let usable = |text: &str| parse_pools(text).unwrap()[0].usable().to_string();
        assert_eq!(usable("10.0.0.0/30"), "10.0.0.1-10.0.0.2");
        assert_eq!(usable("10.0.0.0/31"), "10.0.0.0-10.0.0.1");
        assert_eq!(usable("10.0.0.0/32"), "10.0.0.0-10.0.0.0");
        assert_eq!(usable("0.0.0.0/0"), "0.0.0.1-255.255.255.254");
        assert_eq!(usable("fd00::/126"), "fd00::1-fd00::3");
        assert_eq!(usable("fd00::/127"), "fd00::-fd00::1");
        assert_eq!(usable("fd00::/128"), "fd00::-fd00::");
        assert_eq!(
            usable("::/0"),
            "::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
        );
    }
}
