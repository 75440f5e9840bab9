//! A dump, kept.

use wgfleet_agent::wireguard::{DeviceFacts, DumpSink, PeerFacts};
use wire_contract::{AllowedIp, PublicKey};

/// Everything one dump said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The device; `None` before a dump.
    pub device: Option<DeviceFacts>,
    /// Its peers, in the order they came.
    pub peers: Vec<PeerSnapshot>,
}

/// One peer of a [`Snapshot`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerSnapshot {
    /// The peer.
    pub facts: PeerFacts,
    /// Its networks, in the order they came.
    pub allowed_ips: Vec<AllowedIp>,
}

impl Snapshot {
    /// The device.
    ///
    /// # Panics
    /// When the dump did not report one.
    #[must_use]
    pub fn device(&self) -> &DeviceFacts {
        self.device.as_ref().expect("a dump reports its device")
    }

    /// The peer of that key.
    ///
    /// # Panics
    /// When it is not there exactly once.
    #[must_use]
    pub fn peer(&self, key: &PublicKey) -> &PeerSnapshot {
        let mut found = self
            .peers
            .iter()
            .filter(|peer| peer.facts.public_key == *key);
        let peer = found.next().unwrap_or_else(|| panic!("no peer {key}"));
        assert!(found.next().is_none(), "peer {key} is there twice");
        peer
    }

    /// The peers' keys, in the order they came.
    #[must_use]
    pub fn keys(&self) -> Vec<PublicKey> {
        self.peers
            .iter()
            .map(|peer| peer.facts.public_key)
            .collect()
    }
}

impl PeerSnapshot {
    /// The networks as text, in the order they came.
    #[must_use]
    pub fn networks(&self) -> Vec<String> {
        self.allowed_ips.iter().map(ToString::to_string).collect()
    }
}

impl DumpSink for Snapshot {
    fn device(&mut self, device: &DeviceFacts) {
        self.device = Some(*device);
        self.peers.clear();
    }

    fn peer(&mut self, peer: &PeerFacts) {
        assert!(self.device.is_some(), "the device comes first");
        self.peers.push(PeerSnapshot {
            facts: *peer,
            allowed_ips: Vec::new(),
        });
    }

    fn allowed_ip(&mut self, allowed_ip: AllowedIp) {
        let peer = self
            .peers
            .last_mut()
            .expect("a peer comes before its networks");
        peer.allowed_ips.push(allowed_ip);
    }
}
