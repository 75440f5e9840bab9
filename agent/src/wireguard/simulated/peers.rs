//! The kernel's two tables, peers and allowed IPs, with its manners.
//!
//! As seen on Linux 6.1 and 6.12: a new peer goes to the end of the dump and stays at its place until
//! it is removed. So does a new allowed IP within its peer's list, and one that is given again,
//! to the same peer or to another, moves to the end: it has one owner, and nobody is told.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    time::Duration,
};

use wire_contract::{AllowedIp, Keepalive, PublicKey};

use super::traffic::Traffic;
use crate::wireguard::{
    AllowedIpsChange, DumpSink, PeerAction, PeerChange, PeerFacts, PeerSettings,
    fingerprint::{Fingerprint, Fingerprinter},
};

/// As many as the kernel takes.
const MAX_PEERS: usize = 1 << 20;

/// There is no room for another peer.
#[derive(Debug)]
pub(super) struct TooManyPeers;

/// The peers of one device.
pub(super) struct PeerTable {
    own_key: PublicKey,
    /// Grows with everything that is put at an end: places sort in the order they were taken.
    next_place: Place,
    peers: BTreeMap<Place, Peer>,
    places: HashMap<PublicKey, Place>,
    owners: HashMap<AllowedIp, Slot>,
}

type Place = u64;

/// Where an allowed IP is: whose it is, and its place in the owner's list.
#[derive(Clone, Copy)]
struct Slot {
    owner: Place,
    place: Place,
}

struct Peer {
    public_key: PublicKey,
    preshared_key: Option<Fingerprint>,
    endpoint: Option<SocketAddr>,
    persistent_keepalive: Keepalive,
    /// By place; a list this short is searched faster than a tree is walked.
    allowed_ips: Vec<(Place, AllowedIp)>,
    traffic: Traffic,
}

impl PeerTable {
    pub(super) fn new(own_key: PublicKey) -> Self {
        Self {
            own_key,
            next_place: 0,
            peers: BTreeMap::new(),
            places: HashMap::new(),
            owners: HashMap::new(),
        }
    }

    /// Does as told, or as much of it as the kernel would, without a word.
    pub(super) fn apply(
        &mut self,
        change: &PeerChange,
        fingerprinter: &Fingerprinter,
        now: Duration,
    ) -> Result<(), TooManyPeers> {
        match &change.action {
            PeerAction::Remove => self.remove(&change.public_key),
            PeerAction::Set(settings) => {
                let joins = || Traffic::of_joining(&change.public_key, now);
                self.set(&change.public_key, settings, fingerprinter, joins)?;
            }
        }
        Ok(())
    }

    fn remove(&mut self, key: &PublicKey) {
        let Some(place) = self.places.remove(key) else {
            return;
        };
        let peer = self.peers.remove(&place).expect("a peer at every place");
        for (_, allowed_ip) in peer.allowed_ips {
            self.owners.remove(&allowed_ip);
        }
    }

    /// Applies settings to a peer; if it is new, its traffic is what `traffic` says.
    pub(super) fn set(
        &mut self,
        key: &PublicKey,
        settings: &PeerSettings,
        fingerprinter: &Fingerprinter,
        traffic: impl FnOnce() -> Traffic,
    ) -> Result<(), TooManyPeers> {
        let place = match self.places.get(key) {
            Some(place) => *place,
            None if settings.update_only || *key == self.own_key => return Ok(()),
            None => self.add(*key, traffic())?,
        };
        let peer = self.peers.get_mut(&place).expect("a peer at every place");
        if let Some(preshared_key) = &settings.preshared_key {
            peer.preshared_key = fingerprinter.of(preshared_key);
        }
        peer.endpoint = settings.endpoint.or(peer.endpoint);
        let keepalive = settings.persistent_keepalive;
        peer.persistent_keepalive = keepalive.unwrap_or(peer.persistent_keepalive);
        self.set_allowed_ips(place, &settings.allowed_ips);
        Ok(())
    }

    fn add(&mut self, public_key: PublicKey, traffic: Traffic) -> Result<Place, TooManyPeers> {
        if self.peers.len() >= MAX_PEERS {
            return Err(TooManyPeers);
        }
        let place = self.take_place();
        let peer = Peer {
            public_key,
            preshared_key: None,
            endpoint: None,
            persistent_keepalive: Keepalive::OFF,
            allowed_ips: Vec::new(),
            traffic,
        };
        self.peers.insert(place, peer);
        self.places.insert(public_key, place);
        Ok(place)
    }

    fn take_place(&mut self) -> Place {
        self.next_place += 1;
        self.next_place
    }

    fn set_allowed_ips(&mut self, owner: Place, change: &AllowedIpsChange) {
        match change {
            AllowedIpsChange::Unchanged => {}
            AllowedIpsChange::Add(added) => self.give(owner, added),
            AllowedIpsChange::Replace { all, .. } => {
                let peer = self.peers.get_mut(&owner).expect("a peer at every place");
                for (_, allowed_ip) in peer.allowed_ips.drain(..) {
                    self.owners.remove(&allowed_ip);
                }
                self.give(owner, all);
            }
        }
    }

    fn give(&mut self, owner: Place, allowed_ips: &[AllowedIp]) {
        for allowed_ip in allowed_ips {
            let place = self.take_place();
            let before = self.owners.insert(*allowed_ip, Slot { owner, place });
            if let Some(before) = before {
                self.take(before);
            }
            let peer = self.peers.get_mut(&owner).expect("a peer at every place");
            peer.allowed_ips.push((place, *allowed_ip));
        }
    }

    fn take(&mut self, slot: Slot) {
        let loser = self.peers.get_mut(&slot.owner).expect("an owner there is");
        let found = loser
            .allowed_ips
            .binary_search_by_key(&slot.place, |(place, _)| *place);
        loser
            .allowed_ips
            .remove(found.expect("what it owns, in its list"));
    }

    /// Tells `sink` of every peer, in the kernel's order.
    pub(super) fn report(&self, now: Duration, sink: &mut dyn DumpSink) {
        for peer in self.peers.values() {
            sink.peer(&peer.facts(now));
            for (_, allowed_ip) in &peer.allowed_ips {
                sink.allowed_ip(*allowed_ip);
            }
        }
    }
}

impl Peer {
    fn facts(&self, now: Duration) -> PeerFacts {
        let seen = self.traffic.seen(now);
        PeerFacts {
            public_key: self.public_key,
            preshared_key: self.preshared_key,
            endpoint: self.endpoint.or(seen.map(|seen| seen.endpoint)),
            latest_handshake: seen.map_or(0, |seen| seen.latest_handshake),
            rx_bytes: seen.map_or(0, |seen| seen.rx_bytes),
            tx_bytes: seen.map_or(0, |seen| seen.tx_bytes),
            persistent_keepalive: self.persistent_keepalive,
        }
    }
}
