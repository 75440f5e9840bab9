//! Addresses a peer may use, in the one form the kernel keeps them.

use std::{fmt, net::IpAddr, str::FromStr};

/// An IPv4 or IPv6 network with its host bits cleared, as the kernel stores it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AllowedIp {
    network: IpAddr,
    prefix_len: u8,
}

/// Text that is no address with an optional prefix length.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAllowedIp {
    /// The part before the `/`.
    #[error("{0:?} is not an IPv4 or IPv6 address with an optional /prefix length")]
    Address(String),
    /// The part after the `/`.
    #[error("{text:?}: the prefix length must be a number from 0 to {max}")]
    PrefixLen {
        /// What was given, shortened.
        text: String,
        /// The family's longest prefix: 32 or 128.
        max: u8,
    },
}

impl AllowedIp {
    /// Clears the host bits. `None` when `prefix_len` is longer than the family's addresses.
    #[must_use]
    pub fn new(address: IpAddr, prefix_len: u8) -> Option<Self> {
        let network = match address {
            IpAddr::V4(v4) => {
                let mask = mask(u128::from(u32::MAX), 32, prefix_len)?;
                let mask = u32::try_from(mask).expect("a 32-bit mask");
                IpAddr::V4((v4.to_bits() & mask).into())
            }
            IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & mask(u128::MAX, 128, prefix_len)?).into()),
        };
        Some(Self {
            network,
            prefix_len,
        })
    }

    /// The network's first address.
    #[must_use]
    pub const fn network(&self) -> IpAddr {
        self.network
    }

    /// How many leading bits are fixed: 0 to 32 or 0 to 128.
    #[must_use]
    pub const fn prefix_len(&self) -> u8 {
        self.prefix_len
    }

    /// Whether it is an IPv4 network.
    #[must_use]
    pub const fn is_ipv4(&self) -> bool {
        self.network.is_ipv4()
    }

    /// Sorted, each network once: the form in which two lists are compared.
    #[must_use]
    pub fn normalized(mut list: Vec<Self>) -> Vec<Self> {
        list.sort_unstable();
        list.dedup();
        list
    }
}

fn mask(all: u128, bits: u8, prefix_len: u8) -> Option<u128> {
    let host_bits = bits.checked_sub(prefix_len)?;
    Some(all & u128::MAX.checked_shl(u32::from(host_bits)).unwrap_or(0))
}

impl fmt::Display for AllowedIp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.prefix_len)
    }
}

impl FromStr for AllowedIp {
    type Err = InvalidAllowedIp;

    /// `10.0.0.5` is the /32, `10.0.0.5/24` is `10.0.0.0/24`; IPv6 likewise.
    fn from_str(text: &str) -> Result<Self, InvalidAllowedIp> {
        let (address, prefix_len) = match text.split_once('/') {
            Some((address, prefix_len)) => (address, Some(prefix_len)),
            None => (text, None),
        };
        let address: IpAddr = address
            .parse()
            .map_err(|_| InvalidAllowedIp::Address(shortened(text)))?;
        let max = if address.is_ipv4() { 32 } else { 128 };
        let prefix_len = match prefix_len {
            None => Some(max),
            // `u8::from_str` would take "+8" too, and "024", of which nobody knows whether it is 20.
            Some(digits) if is_plain_number(digits) => digits.parse().ok(),
            Some(_) => None,
        };
        prefix_len
            .and_then(|prefix_len| Self::new(address, prefix_len))
            .ok_or_else(|| InvalidAllowedIp::PrefixLen {
                text: shortened(text),
                max,
            })
    }
}

fn is_plain_number(digits: &str) -> bool {
    digits.bytes().all(|b| b.is_ascii_digit()) && (digits.len() == 1 || !digits.starts_with('0'))
}

/// Enough of a bad value to recognise it in a message, however long it was.
fn shortened(text: &str) -> String {
    text.chars().take(64).collect()
}

crate::text::string_serde!(AllowedIp, "an address with an optional /prefix length");
