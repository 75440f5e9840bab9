//! Peers in places that stay as long as the peer does; lists pass over them from one end to the other.
//!
//! What most lists look at lies together, some 70 bytes of each peer; key and texts, which few of them
//! need of every peer, lie apart.

use std::collections::HashMap;

use memchr::memmem::Finder;
use wire_contract::PublicKey;

use super::{
    NodeId, PeerId,
    entry::{Facts, Read},
    label_sets::LabelSets,
    texts::{Span, Texts},
};

/// All peers.
#[derive(Default)]
pub(super) struct Entries {
    places: Vec<Option<Entry>>,
    /// By place.
    rests: Vec<Rest>,
    by_id: HashMap<PeerId, usize>,
    free: Vec<usize>,
    searched: Texts,
    /// Few, and never forgotten: nodes come and go rarely.
    pub(super) nodes: Vec<NodeId>,
    /// By position in `nodes`: how often one of its peers has come, changed or gone.
    pub(super) changes: Vec<u64>,
    node_numbers: HashMap<NodeId, u32>,
    pub(super) label_sets: LabelSets,
}

/// A peer.
#[derive(Clone, Copy)]
pub(super) struct Entry {
    pub(super) id: PeerId,
    /// Of its name.
    pub(super) start: Start,
    /// Position in [`Entries::nodes`].
    pub(super) node: u32,
    /// Number of its set of labels.
    pub(super) labels: u32,
    pub(super) facts: Facts,
}

/// The beginning of a name, filled up with zeros. Two that differ tell the order of the names.
pub(super) type Start = [u8; 16];

/// The beginning of a name.
pub(super) fn start_of(name: &str) -> Start {
    let mut start = Start::default();
    let len = name.len().min(start.len());
    start[..len].copy_from_slice(&name.as_bytes()[..len]);
    start
}

/// What else is held of a peer.
struct Rest {
    public_key: PublicKey,
    name: Box<str>,
    searched: Span,
}

impl Entries {
    /// Adds a peer, or has it as it is now.
    pub(super) fn put(&mut self, read: Read) {
        let known = self.by_id.get(&read.id).copied();
        let free = || self.free.pop();
        let place = known.or_else(free).unwrap_or(self.places.len());
        if place < self.places.len() {
            self.vacate(place);
        }
        self.by_id.insert(read.id, place);
        let rest = Rest {
            public_key: read.public_key,
            name: read.name.as_str().into(),
            searched: self.searched.add(place, &read.searched()),
        };
        let entry = Entry {
            id: read.id,
            start: start_of(&read.name),
            node: self.node_number(read.node),
            labels: self.label_sets.take(read.labels),
            facts: read.facts,
        };
        self.changes[entry.node as usize] += 1;
        if place < self.places.len() {
            self.places[place] = Some(entry);
            self.rests[place] = rest;
        } else {
            self.places.push(Some(entry));
            self.rests.push(rest);
        }
        self.tidy();
    }

    /// The peer is gone, if it ever was here.
    pub(super) fn remove(&mut self, id: PeerId) {
        if let Some(place) = self.by_id.remove(&id) {
            self.vacate(place);
            self.free.push(place);
            self.tidy();
        }
    }

    /// All of them with their places, roughly oldest first.
    pub(super) fn all(&self) -> impl DoubleEndedIterator<Item = (usize, &Entry)> {
        let places = self.places.iter().enumerate();
        places.filter_map(|(place, entry)| Some((place, entry.as_ref()?)))
    }

    /// How many places there are, those of nobody included.
    pub(super) const fn places(&self) -> usize {
        self.places.len()
    }

    pub(super) fn public_key(&self, place: usize) -> &PublicKey {
        &self.rests[place].public_key
    }

    pub(super) fn name(&self, place: usize) -> &str {
        &self.rests[place].name
    }

    /// By place, whether a peer's name, public key or one of its addresses has the needle, which is in
    /// lower case as far as that is ASCII.
    pub(super) fn having(&self, needle: &Finder<'_>) -> Vec<bool> {
        let mut having = vec![false; self.places.len()];
        self.searched.having(needle, |place, start| {
            having[place] |= self.rests[place].searched.begins_at(start);
        });
        having
    }

    fn vacate(&mut self, place: usize) {
        if let Some(before) = self.places[place].take() {
            self.label_sets.give_back(before.labels);
            self.changes[before.node as usize] += 1;
            self.searched.take_back(self.rests[place].searched);
        }
    }

    fn tidy(&mut self) {
        if self.searched.is_sparse() {
            let Self { places, rests, .. } = self;
            let all = places.iter().zip(rests).enumerate();
            let used = all.filter(|(_, (peer, _))| peer.is_some());
            let spans = used.map(|(place, (_, rest))| (place, &mut rest.searched));
            self.searched.move_together(spans);
        }
    }

    fn node_number(&mut self, node: NodeId) -> u32 {
        let next = u32::try_from(self.nodes.len()).expect("nodes are few");
        let number = *self.node_numbers.entry(node).or_insert(next);
        if number == next {
            self.nodes.push(node);
            self.changes.push(0);
        }
        number
    }
}
