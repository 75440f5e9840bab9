//! What is on a simulated interface when it is made: all of it follows from the host's seed and the
//! interface's name.

use std::{
    net::{Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use ring::digest;
use wire_contract::{AllowedIp, InterfaceName, Keepalive, PresharedKey, PublicKey, key::KEY_BYTES};

use super::{peers::PeerTable, traffic::Traffic};
use crate::wireguard::{AllowedIpsChange, PeerSettings, fingerprint::Fingerprinter};

/// Each interface has a /15 of 10.0.0.0/8, as many addresses as the largest demonstration needs.
const NETWORK_BITS: u32 = 17;
/// Every so many peers, one stands for a site with a network of its own behind it.
const PEERS_PER_SITE: usize = 64;
/// There are so many /24 in 172.16.0.0/12.
const MAX_SITES: usize = 1 << 12;

/// Tells simulated hosts apart, whose interfaces bear the same names.
pub type HostSeed = [u8; 16];

/// What follows from a host's seed and an interface's name.
pub(super) struct Plan {
    seed: HostSeed,
    name: InterfaceName,
    digest: [u8; KEY_BYTES],
}

impl Plan {
    pub(super) fn of(seed: HostSeed, name: &InterfaceName) -> Self {
        let digest = hashed(&[b"device", &seed, name.as_str().as_bytes()]);
        Self {
            seed,
            name: name.clone(),
            digest,
        }
    }

    /// The device's own key.
    pub(super) fn public_key(&self) -> PublicKey {
        PublicKey::from_bytes(self.digest)
    }

    /// A port of the dynamic range.
    pub(super) fn listen_port(&self) -> u16 {
        49_152 | u16::from_le_bytes([self.digest[0], self.digest[1]])
    }

    /// The interface's addresses, each the first of its network.
    pub(super) fn addresses(&self) -> Vec<String> {
        let v4 = Ipv4Addr::from_bits(self.v4_network() + 1);
        let v6 = Ipv6Addr::from_bits(self.v6_network() + 1);
        vec![format!("{v4}/{}", 32 - NETWORK_BITS), format!("{v6}/64")]
    }

    /// The interface's peers as the simulation begins.
    pub(super) fn populated(
        &self,
        count: usize,
        fingerprinter: &Fingerprinter,
        now: Duration,
    ) -> PeerTable {
        let mut table = PeerTable::new(self.public_key());
        for number in 0..count {
            let key = PublicKey::from_bytes(self.hashed(b"peer", number));
            let traffic = || Traffic::of_settled(&key, now);
            let settings = self.settings(number);
            let set = table.set(&key, &settings, fingerprinter, traffic);
            set.expect("no more peers than a device takes");
        }
        table
    }

    fn settings(&self, number: usize) -> PeerSettings {
        let preshared_key = number.is_multiple_of(3);
        let behind_nat = number.is_multiple_of(2);
        PeerSettings {
            update_only: false,
            preshared_key: preshared_key
                .then(|| PresharedKey::from_bytes(self.hashed(b"preshared key", number))),
            endpoint: None,
            persistent_keepalive: behind_nat.then(|| Keepalive::from_secs(25)),
            allowed_ips: AllowedIpsChange::Add(self.allowed_ips(number)),
        }
    }

    fn allowed_ips(&self, number: usize) -> Vec<AllowedIp> {
        // The first two addresses are the network's and the interface's own.
        let host = u32::try_from(number + 2).expect("no more peers than a device takes");
        let v4 = Ipv4Addr::from_bits(self.v4_network().wrapping_add(host));
        let v6 = Ipv6Addr::from_bits(self.v6_network() + u128::from(host));
        let mut list = vec![
            AllowedIp::new(v4.into(), 32),
            AllowedIp::new(v6.into(), 128),
        ];
        let site = number / PEERS_PER_SITE;
        if number.is_multiple_of(PEERS_PER_SITE) && site < MAX_SITES {
            let site = u32::try_from(site).expect("12 bits");
            let network = Ipv4Addr::new(172, 16, 0, 0).to_bits() | site << 8;
            list.push(AllowedIp::new(Ipv4Addr::from_bits(network).into(), 24));
        }
        list.into_iter().flatten().collect()
    }

    fn v4_network(&self) -> u32 {
        let subnet = u32::from(self.digest[2] & 0x7f);
        Ipv4Addr::new(10, 0, 0, 0).to_bits() | subnet << NETWORK_BITS
    }

    /// A /64 of the unique local addresses.
    fn v6_network(&self) -> u128 {
        let mut octets = [0; 16];
        octets[0] = 0xfd;
        octets[1..8].copy_from_slice(&self.digest[3..10]);
        u128::from_be_bytes(octets)
    }

    fn hashed(&self, what: &[u8], number: usize) -> [u8; KEY_BYTES] {
        let name = self.name.as_str().as_bytes();
        hashed(&[what, &self.seed, name, &number.to_le_bytes()])
    }
}

/// 32 bytes that look like a key: as in all public keys, the highest bit is 0.
fn hashed(parts: &[&[u8]]) -> [u8; KEY_BYTES] {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(part);
        context.update(b"\0");
    }
    let mut bytes = [0; KEY_BYTES];
    bytes.copy_from_slice(context.finish().as_ref());
    bytes[KEY_BYTES - 1] &= 0x7f;
    bytes
}
