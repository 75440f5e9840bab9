//! Peers in places that stay as long as the peer does; lists pass over them from one end to the other.

use std::{collections::HashMap, sync::atomic::AtomicU32};

use super::{
    NodeId, PeerId,
    entry::{Facts, Read},
    label_sets::LabelSets,
};

/// All peers.
#[derive(Default)]
pub(super) struct Entries {
    places: Vec<Option<Entry>>,
    by_id: HashMap<PeerId, usize>,
    free: Vec<usize>,
    /// Few, and never forgotten: nodes come and go rarely.
    pub(super) nodes: Vec<NodeId>,
    node_numbers: HashMap<NodeId, usize>,
    pub(super) label_sets: LabelSets,
}

/// A peer.
pub(super) struct Entry {
    pub(super) id: PeerId,
    /// Position in [`Entries::nodes`].
    pub(super) node: usize,
    /// Number of its set of labels.
    pub(super) labels: usize,
    pub(super) facts: Facts,
    /// Where it was found in what was seen of its node.
    pub(super) place: AtomicU32,
}

impl Entries {
    /// Adds a peer, or has it as it is now.
    pub(super) fn put(&mut self, read: Read) {
        let entry = Entry {
            id: read.id,
            node: self.node_number(read.node),
            labels: self.label_sets.take(read.labels),
            facts: read.facts,
            place: AtomicU32::new(0),
        };
        let place = match self.by_id.get(&read.id) {
            Some(place) => *place,
            None => self.new_place(read.id),
        };
        if let Some(before) = self.places[place].replace(entry) {
            self.label_sets.give_back(before.labels);
        }
    }

    /// The peer is gone, if it ever was here.
    pub(super) fn remove(&mut self, id: PeerId) {
        let Some(place) = self.by_id.remove(&id) else {
            return;
        };
        if let Some(entry) = self.places[place].take() {
            self.label_sets.give_back(entry.labels);
        }
        self.free.push(place);
    }

    /// All of them, roughly oldest first.
    pub(super) fn all(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        self.places.iter().flatten()
    }

    fn new_place(&mut self, id: PeerId) -> usize {
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push(None);
            self.places.len() - 1
        });
        self.by_id.insert(id, place);
        place
    }

    fn node_number(&mut self, node: NodeId) -> usize {
        let next = self.nodes.len();
        let number = *self.node_numbers.entry(node).or_insert(next);
        if number == next {
            self.nodes.push(node);
        }
        number
    }
}
