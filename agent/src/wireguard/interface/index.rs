//! What an interface held at its last dump, and what was written to it since.
//!
//! Answers the three questions the kernel does not: is this peer there, with which settings, and who
//! owns this allowed IP. A handful of flat tables, whatever the number of peers; rebuilt in place by
//! every dump.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};
use wire_contract::{AllowedIp, Keepalive, PublicKey};

use crate::wireguard::{
    AllowedIpsChange, DeviceFacts, DumpSink, PeerAction, PeerChange, PeerFacts,
    fingerprint::{Fingerprint, Fingerprinter},
};

/// Position of a peer in [`PeerIndex::peers`].
type Slot = u32;

/// The settings of one peer, allowed IPs apart.
#[derive(Debug, Clone, Copy)]
pub struct IndexedPeer {
    public_key: PublicKey,
    /// Unrecognisable; `None` when it has none.
    pub preshared_key: Option<Fingerprint>,
    /// Seconds; 0 is off.
    pub persistent_keepalive: Keepalive,
    /// Where its list begins in `allowed_ips`, and how long it is.
    first: u32,
    count: u32,
}

#[derive(Debug, Clone, Copy)]
struct Owned {
    allowed_ip: AllowedIp,
    owner: Slot,
}

/// Peers by key, and allowed IPs by owner.
pub struct PeerIndex {
    device: Option<DeviceFacts>,
    peers: Vec<IndexedPeer>,
    by_key: HashTable<Slot>,
    /// Lists back to back. A list that changes is written anew at the end; the next dump tidies up.
    allowed_ips: Vec<Owned>,
    by_allowed_ip: HashTable<u32>,
    hasher: DefaultHashBuilder,
    fingerprinter: Fingerprinter,
}

impl PeerIndex {
    /// Empty; preshared keys are compared under `fingerprinter`, the one the device reports with.
    #[must_use]
    pub fn new(fingerprinter: Fingerprinter) -> Self {
        Self {
            device: None,
            peers: Vec::new(),
            by_key: HashTable::new(),
            allowed_ips: Vec::new(),
            by_allowed_ip: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            fingerprinter,
        }
    }

    /// What the last dump said of the device.
    #[must_use]
    pub fn device_facts(&self) -> Option<&DeviceFacts> {
        self.device.as_ref()
    }

    /// How many peers there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// The peer with this key.
    #[must_use]
    pub fn peer(&self, key: &PublicKey) -> Option<&IndexedPeer> {
        self.slot(key).map(|slot| &self.peers[slot as usize])
    }

    /// The allowed IPs of `peer`, in the order the device keeps them.
    pub fn allowed_ips(&self, peer: &IndexedPeer) -> impl Iterator<Item = AllowedIp> + '_ {
        let owner = self.slot(&peer.public_key);
        let list = &self.allowed_ips[peer.first as usize..(peer.first + peer.count) as usize];
        // One that has moved to another peer since is still listed here, under its former owner.
        list.iter()
            .map(|owned| owned.allowed_ip)
            .filter(move |ip| self.find_allowed_ip(ip).map(|o| o.owner) == owner)
    }

    /// Who owns an allowed IP.
    #[must_use]
    pub fn owner(&self, allowed_ip: &AllowedIp) -> Option<PublicKey> {
        self.find_allowed_ip(allowed_ip)
            .map(|owned| self.peers[owned.owner as usize].public_key)
    }

    /// The fingerprint this index knows a preshared key by; `None` for none.
    #[must_use]
    pub fn fingerprint(&self, key: Option<&wire_contract::PresharedKey>) -> Option<Fingerprint> {
        key.and_then(|key| self.fingerprinter.of(key))
    }

    /// Does to the index what the device does with `change`.
    pub fn apply(&mut self, change: &PeerChange) {
        match &change.action {
            PeerAction::Remove => self.remove(&change.public_key),
            PeerAction::Set(settings) => {
                let Some(slot) = self
                    .slot(&change.public_key)
                    .or_else(|| (!settings.update_only).then(|| self.insert(change.public_key)))
                else {
                    return;
                };
                let fingerprint = settings
                    .preshared_key
                    .as_ref()
                    .map(|key| self.fingerprinter.of(key));
                let peer = &mut self.peers[slot as usize];
                if let Some(fingerprint) = fingerprint {
                    peer.preshared_key = fingerprint;
                }
                if let Some(keepalive) = settings.persistent_keepalive {
                    peer.persistent_keepalive = keepalive;
                }
                match &settings.allowed_ips {
                    AllowedIpsChange::Unchanged => {}
                    AllowedIpsChange::Add(added) => {
                        let peer = self.peers[slot as usize];
                        let mut list: Vec<_> = self.allowed_ips(&peer).collect();
                        list.extend(added);
                        self.set_list(slot, &list);
                    }
                    AllowedIpsChange::Replace { all, .. } => self.set_list(slot, all),
                }
            }
        }
    }

    fn slot(&self, key: &PublicKey) -> Option<Slot> {
        let hash = self.hasher.hash_one(key);
        let peers = &self.peers;
        self.by_key
            .find(hash, |slot| peers[*slot as usize].public_key == *key)
            .copied()
    }

    fn find_allowed_ip(&self, allowed_ip: &AllowedIp) -> Option<&Owned> {
        let hash = self.hasher.hash_one(allowed_ip);
        let all = &self.allowed_ips;
        let at = self
            .by_allowed_ip
            .find(hash, |at| all[*at as usize].allowed_ip == *allowed_ip)?;
        Some(&all[*at as usize])
    }

    fn insert(&mut self, public_key: PublicKey) -> Slot {
        let slot = position(self.peers.len());
        self.peers.push(IndexedPeer {
            public_key,
            preshared_key: None,
            persistent_keepalive: Keepalive::OFF,
            first: position(self.allowed_ips.len()),
            count: 0,
        });
        let (hasher, peers) = (&self.hasher, &self.peers);
        self.by_key
            .insert_unique(hasher.hash_one(public_key), slot, |slot| {
                hasher.hash_one(peers[*slot as usize].public_key)
            });
        slot
    }

    fn remove(&mut self, key: &PublicKey) {
        let Some(slot) = self.slot(key) else { return };
        self.set_list(slot, &[]);
        let (hash, peers) = (self.hasher.hash_one(key), &self.peers);
        if let Ok(entry) = self
            .by_key
            .find_entry(hash, |slot| peers[*slot as usize].public_key == *key)
        {
            entry.remove();
        }
    }

    fn set_list(&mut self, slot: Slot, list: &[AllowedIp]) {
        let peer = self.peers[slot as usize];
        for allowed_ip in self.allowed_ips(&peer).collect::<Vec<_>>() {
            self.disown(&allowed_ip);
        }
        self.peers[slot as usize].first = position(self.allowed_ips.len());
        self.peers[slot as usize].count = 0;
        for allowed_ip in list {
            self.own(slot, *allowed_ip);
        }
    }

    /// Appends to the list of the peer whose list was begun last.
    fn own(&mut self, slot: Slot, allowed_ip: AllowedIp) {
        self.disown(&allowed_ip);
        let at = position(self.allowed_ips.len());
        self.allowed_ips.push(Owned {
            allowed_ip,
            owner: slot,
        });
        self.peers[slot as usize].count += 1;
        let (hasher, all) = (&self.hasher, &self.allowed_ips);
        self.by_allowed_ip
            .insert_unique(hasher.hash_one(allowed_ip), at, |at| {
                hasher.hash_one(all[*at as usize].allowed_ip)
            });
    }

    fn disown(&mut self, allowed_ip: &AllowedIp) {
        let (hash, all) = (self.hasher.hash_one(allowed_ip), &self.allowed_ips);
        if let Ok(entry) = self
            .by_allowed_ip
            .find_entry(hash, |at| all[*at as usize].allowed_ip == *allowed_ip)
        {
            entry.remove();
        }
    }
}

/// A device holds 2^20 peers at most; their lists fit 32 bits by far.
fn position(len: usize) -> u32 {
    u32::try_from(len).expect("fewer than 2^32 entries")
}

impl DumpSink for PeerIndex {
    fn device(&mut self, device: &DeviceFacts) {
        self.device = Some(*device);
        self.peers.clear();
        self.by_key.clear();
        self.allowed_ips.clear();
        self.by_allowed_ip.clear();
    }

    fn peer(&mut self, peer: &PeerFacts) {
        let slot = self.insert(peer.public_key);
        let indexed = &mut self.peers[slot as usize];
        indexed.preshared_key = peer.preshared_key;
        indexed.persistent_keepalive = peer.persistent_keepalive;
    }

    fn allowed_ip(&mut self, allowed_ip: AllowedIp) {
        if let Some(last) = self.peers.len().checked_sub(1) {
            self.own(position(last), allowed_ip);
        }
    }
}
