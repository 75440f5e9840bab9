//! A node's pools and reserved addresses, from text to what the store keeps.

use std::net::IpAddr;

use tonic::Status;
use wire_contract::AllowedIp;

use crate::{
    domain::allocation::{AddressRange, Pool, first_overlap, parse_pools, parse_reserved, skipped},
    services::status::invalid,
    store::{
        NodeId,
        pools::{PoolRow, PoolSpec},
        ranges::{to_address, to_number},
    },
};

const MAX_POOLS: usize = 64;
const MAX_RESERVED: usize = 256;

pub(super) fn parse(text: &str) -> Result<Vec<Pool>, Status> {
    let pools = parse_pools(text)?;
    if pools.len() > MAX_POOLS {
        return Err(invalid("ip_pool_cidr", "at most 64 networks"));
    }
    Ok(pools)
}

/// Ranges become networks here, which is what the store keeps.
pub(super) fn reserved(entries: &[String]) -> Result<Vec<AllowedIp>, Status> {
    if entries.len() > MAX_RESERVED {
        return Err(invalid("reserved_ips", "at most 256 entries"));
    }
    let ranges = parse_reserved(entries)?;
    let networks = ranges.iter().flat_map(cover).collect();
    Ok(AllowedIp::normalized(networks))
}

/// The pools with all that no peer is given: network and broadcast addresses, the node's own,
/// reserved ones.
pub(super) fn specs(pools: &[Pool], reserved: &[AllowedIp]) -> Vec<PoolSpec> {
    let reserved: Vec<_> = reserved
        .iter()
        .map(|cidr| AddressRange::of_network(*cidr))
        .collect();
    let skip = skipped(pools, &reserved, &[]);
    let spec = |pool: &Pool| {
        let whole = AddressRange::of_network(pool.network());
        let edges = whole.minus(&[pool.usable()]);
        let inside = skip.iter().filter(|range| range.overlaps(&whole));
        let skip = inside.chain(&edges).flat_map(cover).collect();
        PoolSpec {
            cidr: pool.network(),
            skip: AllowedIp::normalized(skip),
        }
    };
    pools.iter().map(spec).collect()
}

/// As operators write it.
pub(super) fn text(pools: &[PoolRow]) -> String {
    let cidrs: Vec<_> = pools.iter().map(|pool| pool.cidr.to_string()).collect();
    cidrs.join(", ")
}

/// As operators write it: an address alone without its prefix length.
pub(super) fn reserved_text(cidr: &AllowedIp) -> String {
    let bits = if cidr.is_ipv4() { 32 } else { 128 };
    if cidr.prefix_len() == bits {
        cidr.network().to_string()
    } else {
        cidr.to_string()
    }
}

/// One warning for each other node whose pools overlap: hosts behind NAT may, so it is no error.
pub(super) fn overlaps(node: NodeId, all: &[(String, PoolRow)]) -> Vec<String> {
    let of = |row: &PoolRow| Pool::new(row.cidr);
    let ours: Vec<_> = all
        .iter()
        .filter(|(_, row)| row.node_id == node)
        .map(|(_, row)| of(row))
        .collect();
    let mut warned: Vec<NodeId> = Vec::new();
    let mut warnings = Vec::new();
    for (name, row) in all.iter().filter(|(_, row)| row.node_id != node) {
        let their = [of(row)];
        if let Some((our, their)) = first_overlap(&ours, &their)
            && !warned.contains(&row.node_id)
        {
            warned.push(row.node_id);
            warnings.push(format!(
                "the pool {our} overlaps {their} of the node {name}"
            ));
        }
    }
    warnings
}

/// The fewest networks that make up a range.
fn cover(range: &AddressRange) -> Vec<AllowedIp> {
    let is_ipv4 = matches!(range.first(), IpAddr::V4(_));
    let bits: u8 = if is_ipv4 { 32 } else { 128 };
    let last = to_number(range.last());
    let mut next = Some(to_number(range.first()));
    let mut networks = Vec::new();
    while let Some(first) = next.filter(|first| *first <= last) {
        let host_bits = (0..=bits)
            .rev()
            .find(|host| first & ones(*host) == 0 && first | ones(*host) <= last)
            .unwrap_or(0);
        networks.extend(AllowedIp::new(to_address(first, is_ipv4), bits - host_bits));
        next = (first | ones(host_bits)).checked_add(1);
    }
    networks
}

fn ones(bits: u8) -> u128 {
    u128::MAX.checked_shr(128 - u32::from(bits)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(list: &[AllowedIp]) -> Vec<String> {
        list.iter().map(reserved_text).collect()
    }

    #[test]
    fn ranges_become_networks() {
        let entries = ["10.8.0.1-10.8.0.6".to_owned(), "fd00::/64".to_owned()];
        let expected = [
            "10.8.0.1",
            "10.8.0.2/31",
            "10.8.0.4/31",
            "10.8.0.6",
            "fd00::/64",
        ];
        assert_eq!(texts(&reserved(&entries).unwrap()), expected);
        for whole in ["0.0.0.0/0", "::/0"] {
            assert_eq!(texts(&reserved(&[whole.to_owned()]).unwrap()), [whole]);
        }
    }

    #[test]
    fn edges_and_the_first_host_are_skipped() {
        let pools = parse("10.8.0.0/24, fd00:8::/64, 10.9.0.0/31").unwrap();
        let specs = specs(
            &pools,
            &["10.8.0.9".parse().unwrap(), "192.0.2.1".parse().unwrap()],
        );
        let skips: Vec<_> = specs.iter().map(|spec| texts(&spec.skip)).collect();
        assert_eq!(skips[0], ["10.8.0.0", "10.8.0.1", "10.8.0.9", "10.8.0.255"]);
        assert_eq!(skips[1], ["fd00:8::", "fd00:8::1"]);
        assert!(skips[2].is_empty());
    }
}
