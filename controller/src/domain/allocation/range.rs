//! Inclusive address ranges of one family, as numbers.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use wire_contract::AllowedIp;

/// IPv4 or IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// IPv4
    V4,
    /// IPv6
    V6,
}

impl Family {
    /// Both.
    pub const ALL: [Self; 2] = [Self::V4, Self::V6];

    /// The family of `address`.
    #[must_use]
    pub const fn of(address: IpAddr) -> Self {
        if address.is_ipv4() {
            Self::V4
        } else {
            Self::V6
        }
    }

    /// Bits of an address: 32 or 128.
    #[must_use]
    pub const fn bits(self) -> u8 {
        match self {
            Self::V4 => 32,
            Self::V6 => 128,
        }
    }

    /// `None` when the number is too large for the family.
    pub(super) fn address(self, number: u128) -> Option<IpAddr> {
        match self {
            Self::V4 => u32::try_from(number)
                .ok()
                .map(|n| Ipv4Addr::from_bits(n).into()),
            Self::V6 => Some(Ipv6Addr::from_bits(number).into()),
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        })
    }
}

pub(super) fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_bits().into(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// Addresses of one family from a first to a last, both included; never empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AddressRange {
    family: Family,
    start: u128,
    end: u128,
}

impl AddressRange {
    /// `None` when the families differ or `last` comes before `first`.
    #[must_use]
    pub fn new(first: IpAddr, last: IpAddr) -> Option<Self> {
        let family = Family::of(first);
        (family == Family::of(last))
            .then(|| Self::from_numbers(family, number(first), number(last)))
            .flatten()
    }

    /// One address.
    #[must_use]
    pub fn single(address: IpAddr) -> Self {
        let number = number(address);
        Self {
            family: Family::of(address),
            start: number,
            end: number,
        }
    }

    /// Every address of a network.
    #[must_use]
    pub fn of_network(network: AllowedIp) -> Self {
        let family = Family::of(network.network());
        let start = number(network.network());
        let host_bits = u32::from(family.bits() - network.prefix_len());
        let hosts = u128::MAX.checked_shr(128 - host_bits).unwrap_or(0);
        Self {
            family,
            start,
            end: start | hosts,
        }
    }

    pub(super) fn from_numbers(family: Family, start: u128, end: u128) -> Option<Self> {
        (start <= end && family.address(end).is_some()).then_some(Self { family, start, end })
    }

    /// Reads what [`Self::start_bytes`] and [`Self::end_bytes`] wrote. `None` when that can't be.
    #[must_use]
    pub fn from_bytes(family: Family, start: [u8; 16], end: [u8; 16]) -> Option<Self> {
        Self::from_numbers(family, u128::from_be_bytes(start), u128::from_be_bytes(end))
    }

    /// The first address as a big-endian number, of one width for both families: byte strings order
    /// as the addresses do.
    #[must_use]
    pub const fn start_bytes(&self) -> [u8; 16] {
        self.start.to_be_bytes()
    }

    /// The last address, likewise.
    #[must_use]
    pub const fn end_bytes(&self) -> [u8; 16] {
        self.end.to_be_bytes()
    }

    /// Which family.
    #[must_use]
    pub const fn family(&self) -> Family {
        self.family
    }

    pub(super) const fn start(&self) -> u128 {
        self.start
    }

    pub(super) const fn end(&self) -> u128 {
        self.end
    }

    /// The lowest address.
    ///
    /// # Panics
    /// Never: the family was checked when the range was made.
    #[must_use]
    pub fn first(&self) -> IpAddr {
        self.family
            .address(self.start)
            .expect("a range lies within its family")
    }

    /// The highest address.
    ///
    /// # Panics
    /// Never: the family was checked when the range was made.
    #[must_use]
    pub fn last(&self) -> IpAddr {
        self.family
            .address(self.end)
            .expect("a range lies within its family")
    }

    /// How many addresses; the one range of 2^128 counts one less.
    #[must_use]
    pub const fn count(&self) -> u128 {
        (self.end - self.start).saturating_add(1)
    }

    /// Whether `address` is one of them.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        Family::of(address) == self.family && (self.start..=self.end).contains(&number(address))
    }

    /// Whether an address is in both.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.family == other.family && self.start <= other.end && other.start <= self.end
    }

    /// What is left below and above `address` when it is taken out; `None` when it is not in here.
    #[must_use]
    pub fn split(&self, address: IpAddr) -> Option<(Option<Self>, Option<Self>)> {
        self.contains(address)
            .then(|| self.without(&Self::single(address)))
    }

    /// What is left below and above `hole`, which overlaps this range.
    fn without(&self, hole: &Self) -> (Option<Self>, Option<Self>) {
        let below = hole.start.checked_sub(1);
        let above = hole.end.checked_add(1);
        (
            below.and_then(|end| Self::from_numbers(self.family, self.start, end)),
            above.and_then(|start| Self::from_numbers(self.family, start, self.end)),
        )
    }

    /// What is left when all of `holes` are taken out, in ascending order.
    #[must_use]
    pub fn minus(&self, holes: &[Self]) -> Vec<Self> {
        let mut holes: Vec<Self> = holes.iter().filter(|h| h.overlaps(self)).copied().collect();
        holes.sort_unstable();
        let mut left = Vec::new();
        let mut rest = Some(*self);
        for hole in holes {
            let Some(range) = rest.filter(|range| range.overlaps(&hole)) else {
                continue;
            };
            let (below, above) = range.without(&hole);
            left.extend(below);
            rest = above;
        }
        left.extend(rest);
        left
    }

    /// `address` as a range, grown by the free range that ends right before it and the one that
    /// starts right after it. A neighbour that does not touch it is left out.
    #[must_use]
    pub fn merge(before: Option<Self>, address: IpAddr, after: Option<Self>) -> Self {
        let mut merged = Self::single(address);
        let touches = |end: u128, start: u128| end.checked_add(1) == Some(start);
        if let Some(before) = before.filter(|b| b.family == merged.family)
            && touches(before.end, merged.start)
        {
            merged.start = before.start;
        }
        if let Some(after) = after.filter(|a| a.family == merged.family)
            && touches(merged.end, after.start)
        {
            merged.end = after.end;
        }
        merged
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first(), self.last())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(first: &str, last: &str) -> AddressRange {
        AddressRange::new(first.parse().unwrap(), last.parse().unwrap()).unwrap()
    }

    fn network(text: &str) -> AddressRange {
        AddressRange::of_network(text.parse().unwrap())
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn networks_of_every_size() {
        assert_eq!(network("10.0.0.0/30"), range("10.0.0.0", "10.0.0.3"));
        assert_eq!(network("0.0.0.0/0"), range("0.0.0.0", "255.255.255.255"));
        assert_eq!(network("10.0.0.1/32"), range("10.0.0.1", "10.0.0.1"));
        assert_eq!(network("::/0").end_bytes(), [255; 16]);
        assert_eq!(network("::/0").count(), u128::MAX);
        assert_eq!(network("fd00::/64").count(), 1 << 64);
        assert_eq!(network("fd00::1/128").count(), 1);
    }

    #[test]
    fn bytes_come_back_and_order_as_addresses() {
        let low = network("10.0.0.0/24");
        let back = AddressRange::from_bytes(Family::V4, low.start_bytes(), low.end_bytes());
        assert_eq!(back, Some(low));
        assert!(low.start_bytes() < network("192.0.2.0/24").start_bytes());
        assert_eq!(
            AddressRange::from_bytes(Family::V4, [0; 16], [255; 16]),
            None
        );
        assert_eq!(AddressRange::from_bytes(Family::V6, [1; 16], [0; 16]), None);
    }

    #[test]
    fn split_and_merge_are_inverse_also_at_the_ends_of_the_world() {
        let cases = [
            (network("::/0"), "::"),
            (network("::/0"), "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            (network("0.0.0.0/0"), "255.255.255.255"),
            (network("10.0.0.0/24"), "10.0.0.77"),
            (network("10.0.0.0/32"), "10.0.0.0"),
        ];
        for (whole, address) in cases {
            let (below, above) = whole.split(ip(address)).unwrap();
            assert!(
                below
                    .iter()
                    .chain(&above)
                    .all(|part| !part.contains(ip(address)))
            );
            assert_eq!(AddressRange::merge(below, ip(address), above), whole);
        }
        assert_eq!(network("10.0.0.0/24").split(ip("10.0.1.0")), None);
    }

    #[test]
    fn merge_leaves_out_what_does_not_touch() {
        let far = range("10.0.0.0", "10.0.0.3");
        let merged = AddressRange::merge(Some(far), ip("10.0.0.5"), None);
        assert_eq!(merged, AddressRange::single(ip("10.0.0.5")));
        let other_family = range("::a00:0", "::a00:4");
        let merged = AddressRange::merge(Some(other_family), ip("10.0.0.5"), None);
        assert_eq!(merged, AddressRange::single(ip("10.0.0.5")));
    }

    #[test]
    fn minus_takes_overlapping_holes() {
        let left = range("10.0.0.0", "10.0.0.9").minus(&[
            range("10.0.0.5", "10.0.0.6"),
            range("10.0.0.2", "10.0.0.5"),
            range("10.0.0.9", "10.0.0.20"),
            range("::1", "::2"),
        ]);
        assert_eq!(
            left,
            [range("10.0.0.0", "10.0.0.1"), range("10.0.0.7", "10.0.0.8")]
        );
        assert_eq!(network("10.0.0.0/24").minus(&[network("10.0.0.0/8")]), []);
    }
}
