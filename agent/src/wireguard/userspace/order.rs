//! The order of peers, which daemons do not keep: wireguard-go reports them shuffled each time.
//!
//! As with the kernel, a peer keeps its place until it is removed, and a new one goes to the end.
//! Peers that others added are found all at once; among themselves they go by key.

use std::collections::HashMap;

use wire_contract::PublicKey;

use super::answer::Peer;
use crate::wireguard::{PeerAction, PeerChange};

/// The places of an interface's peers. They grow from one to the next and are given once.
#[derive(Debug, Default)]
pub(super) struct Order {
    places: HashMap<PublicKey, u64>,
    next: u64,
}

impl Order {
    /// Peers that are about to be added or removed.
    pub(super) fn expect(&mut self, changes: &[PeerChange]) {
        for change in changes {
            match &change.action {
                PeerAction::Remove => {
                    self.places.remove(&change.public_key);
                }
                PeerAction::Set(settings) if settings.update_only => {}
                PeerAction::Set(_) => {
                    self.place(change.public_key);
                }
            }
        }
    }

    /// Puts all there are in order, and forgets those that are not there.
    pub(super) fn arrange(&mut self, peers: &mut [Peer]) {
        peers.sort_unstable_by_key(|peer| {
            let place = self.places.get(&peer.facts.public_key).copied();
            (place.unwrap_or(u64::MAX), peer.facts.public_key)
        });
        let places = peers.iter().map(|peer| {
            let key = peer.facts.public_key;
            (key, self.place(key))
        });
        self.places = places.collect();
    }

    fn place(&mut self, key: PublicKey) -> u64 {
        *self.places.entry(key).or_insert_with(|| {
            self.next += 1;
            self.next
        })
    }
}
