//! What was seen of each peer, by its place, for lists that filter or sort by it.
//!
//! Asking the dumps of all nodes for every peer of the fleet misses the cache again and again. So it is
//! asked once for each dump and change of a node's peers, and lists read numbers that lie together. A
//! list brings what it finds outdated up to date itself: it never sees less than what it was given.

use super::entries::{Entries, Entry};
use crate::store::peer_list::{Seen, SeenNode};

/// Numbers of all peers.
#[derive(Default)]
pub(super) struct SeenPeers {
    by_place: Vec<Numbers>,
    /// By position of the node: what its peers' numbers were made of.
    made_of: Vec<Option<MadeOf>>,
}

#[derive(Clone, Copy, Default)]
struct Numbers {
    seen: Seen,
    /// Where it was found in its node's dump.
    place: u32,
}

/// The changes of a node's peers, and the version of its dump.
type MadeOf = (u64, u64);

impl SeenPeers {
    /// What was seen of the peer in this place.
    pub(super) fn get(&self, place: usize) -> &Seen {
        &self.by_place[place].seen
    }

    /// Whether this is what these nodes show; those that are `None` are not looked at.
    pub(super) fn is_of<N: SeenNode>(&self, entries: &Entries, nodes: &[Option<N>]) -> bool {
        self.by_place.len() == entries.places()
            && (0..nodes.len()).all(|number| !self.is_outdated(entries, nodes, number))
    }

    /// Takes in what these nodes show, as far as it is something else than before.
    pub(super) fn update<N: SeenNode>(&mut self, entries: &Entries, nodes: &[Option<N>]) {
        self.by_place
            .resize_with(entries.places(), Numbers::default);
        self.made_of.resize(nodes.len(), None);
        let outdated = (0..nodes.len()).map(|number| self.is_outdated(entries, nodes, number));
        let outdated: Vec<bool> = outdated.collect();
        let of_outdated = |(_, entry): &(usize, &Entry)| outdated[entry.node as usize];
        for (place, entry) in entries.all().filter(of_outdated) {
            if let Some(node) = &nodes[entry.node as usize] {
                let numbers = &mut self.by_place[place];
                numbers.seen = node.seen(entries.public_key(place), &mut numbers.place);
            }
        }
        for (number, node) in nodes.iter().enumerate() {
            if let Some(node) = node {
                self.made_of[number] = Some((entries.changes[number], node.version()));
            }
        }
    }

    fn is_outdated<N: SeenNode>(
        &self,
        entries: &Entries,
        nodes: &[Option<N>],
        number: usize,
    ) -> bool {
        let present = |node: &N| (entries.changes[number], node.version());
        let present = nodes[number].as_ref().map(present);
        present.is_some_and(|present| {
            let made_of = self.made_of.get(number).copied().flatten();
            made_of != Some(present)
        })
    }
}
