//! What lists want of a dump: a few numbers of each peer, close together in memory.
//!
//! A list that is sorted by what is observed asks for every peer of the fleet. In a map of whole peers
//! each question misses the cache several times; in a row of numbers, asked in about the order it lies
//! in, it does not.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicU64, Ordering},
};

use wire_contract::PublicKey;

use super::ObservedPeer;

/// A peer at a glance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glance {
    key: PublicKey,
    /// A handshake within the online window.
    pub online: bool,
    /// Unix seconds; 0 is never.
    pub latest_handshake: i64,
    /// Over all resets.
    pub rx_bytes_total: u64,
    /// Over all resets.
    pub tx_bytes_total: u64,
}

/// All peers of a node at a glance, by key.
#[derive(Debug, Clone, Default)]
pub struct Glances {
    by_key: Vec<Glance>,
    version: u64,
}

/// The last version of any node's glances. Nothing at all is version 0.
static VERSION: AtomicU64 = AtomicU64::new(0);

impl Glances {
    pub(super) fn of(
        peers: &HashMap<PublicKey, ObservedPeer>,
        absent: &HashMap<PublicKey, ObservedPeer>,
    ) -> Self {
        let gone = absent.iter().filter(|(key, _)| !peers.contains_key(key));
        let mut all: Vec<_> = peers
            .iter()
            .chain(gone)
            .map(|(key, peer)| Glance {
                key: *key,
                online: peer.online,
                latest_handshake: peer.latest_handshake,
                rx_bytes_total: peer.rx_bytes_total,
                tx_bytes_total: peer.tx_bytes_total,
            })
            .collect();
        all.sort_unstable_by_key(|glance| glance.key);
        Self {
            by_key: all,
            version: VERSION.fetch_add(1, Ordering::Relaxed) + 1,
        }
    }

    /// No two dumps have the same.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// What was seen of a peer. `place` is where it was found the last time, in whatever dump: where it
    /// lies still there, nothing is searched.
    #[must_use]
    pub fn get(&self, key: &PublicKey, place: &mut u32) -> Option<&Glance> {
        let hint = self.by_key.get(*place as usize);
        if let Some(glance) = hint.filter(|glance| glance.key == *key) {
            return Some(glance);
        }
        let found = self.by_key.binary_search_by_key(key, |glance| glance.key);
        let found = found.ok()?;
        *place = u32::try_from(found).unwrap_or_default();
        self.by_key.get(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peers(numbers: &[u8]) -> HashMap<PublicKey, ObservedPeer> {
        let peer = |number: &u8| {
            let peer = ObservedPeer {
                rx_bytes_total: (*number).into(),
                ..ObservedPeer::default()
            };
            (PublicKey::from_bytes([*number; 32]), peer)
        };
        numbers.iter().map(peer).collect()
    }

    #[test]
    fn a_peer_is_found_whatever_the_hint() {
        let of = |there: &[u8], gone: &[u8]| Glances::of(&peers(there), &peers(gone));
        for glances in [
            of(&[3, 1, 9], &[7, 3]),
            of(&[1, 3, 7, 9], &[]),
            of(&[], &[9, 7, 3, 1]),
        ] {
            for hint in [0, 1, 2, 3, 4, u32::MAX] {
                for number in [1, 3, 7, 9] {
                    let mut place = hint;
                    let key = PublicKey::from_bytes([number; 32]);
                    let glance = glances.get(&key, &mut place);
                    let bytes = glance.map(|glance| glance.rx_bytes_total);
                    assert_eq!(bytes, Some(number.into()));
                    // Found again at once: the hint is right now.
                    assert_eq!(glances.by_key[place as usize].key, key);
                }
                let absent = PublicKey::from_bytes([5; 32]);
                assert_eq!(glances.get(&absent, &mut { hint }), None);
            }
        }
    }

    #[test]
    fn no_two_have_the_same_version() {
        let of = || Glances::of(&peers(&[1]), &HashMap::new()).version();
        let (one, two) = (of(), of());
        assert!(one != two && one != 0 && two != 0);
        assert_eq!(Glances::default().version(), 0);
    }
}
