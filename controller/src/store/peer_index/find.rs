//! One page: a single pass over all peers that keeps the first so many of those that match.

use std::{
    cmp::{Ordering, Reverse},
    collections::BinaryHeap,
};

use memchr::memmem::Finder;

use super::{
    Found, NodeId, PeerId,
    entries::{Entries, Entry, Start, start_of},
    seen::SeenPeers,
    texts::SEPARATOR,
};
use crate::store::{
    StoreError,
    page::{Cursor, SortKey},
    peer_list::{Admission, PeerQuery, PeerSort, Seen, SeenNode},
};

/// A query made ready for these entries.
pub(super) struct Search<'e, N> {
    entries: &'e Entries,
    query: &'e PeerQuery,
    /// By position: what was seen of a node, if its peers are let through.
    pub(super) nodes: Vec<Option<N>>,
    /// By set of labels, whether it has those that are wanted.
    labels: Vec<bool>,
    /// By place, whether a peer has the text that is searched, if one is.
    having: Option<Vec<bool>>,
}

impl<'e, N: SeenNode> Search<'e, N> {
    pub(super) fn new(
        entries: &'e Entries,
        query: &'e PeerQuery,
        node: impl Fn(NodeId) -> Option<N>,
    ) -> Self {
        let filter = &query.filter;

        // No part of a text has a line break, so neither has anything that matches.
        let text = filter.q.as_ref().map(|q| q.to_ascii_lowercase());
        let nowhere = text.as_ref().is_some_and(|q| q.contains(SEPARATOR));
        let wanted = |id: NodeId| !nowhere && filter.node_id.is_none_or(|wanted| wanted == id);
        let nodes = entries.nodes.iter();
        let nodes = nodes.map(|id| node(*id).filter(|_| wanted(*id)));
        Self {
            entries,
            query,
            nodes: nodes.collect(),
            labels: entries.label_sets.having(&filter.label),
            having: text.map(|text| entries.having(&Finder::new(&text))),
        }
    }

    /// Whether the page goes by what was seen of peers.
    pub(super) const fn is_by_seen(&self) -> bool {
        self.query.online.is_some() || self.query.sort.is_observed()
    }

    /// The page that was asked for. `seen` is up to date when the page goes by it.
    pub(super) fn page(&self, seen: &SeenPeers) -> Result<Found, StoreError> {
        use PeerSort::{
            CreatedAt, CreatedAtDesc, LatestHandshakeDesc, Name, NameDesc, RxBytesTotalDesc,
            TxBytesTotalDesc,
        };
        let name = |place: usize, entry: &'e Entry| ByName {
            start: entry.start,
            name: NameOf::Place(self.entries, place),
            id: entry.id,
        };
        let created = |_, entry: &Entry| (entry.facts.created_at, entry.id);
        match self.query.sort {
            Name => self.by(seen, self.after_text()?.as_ref(), name, of_text),
            NameDesc => self.by(
                seen,
                self.after_text()?.map(Reverse).as_ref(),
                |place, entry| Reverse(name(place, entry)),
                |Reverse(rank)| of_text(rank),
            ),
            CreatedAt => self.by(seen, self.after_number()?.as_ref(), created, of_number),
            CreatedAtDesc => self.by_number_desc(seen, created),
            LatestHandshakeDesc => self.by_seen_desc(seen, |seen| seen.latest_handshake),
            RxBytesTotalDesc => self.by_seen_desc(seen, |seen| seen.rx_bytes_total),
            TxBytesTotalDesc => self.by_seen_desc(seen, |seen| seen.tx_bytes_total),
        }
    }

    fn by_seen_desc(
        &self,
        seen: &SeenPeers,
        number: impl Fn(&Seen) -> i64,
    ) -> Result<Found, StoreError> {
        self.by_number_desc(seen, |place, entry| (number(seen.get(place)), entry.id))
    }

    fn by_number_desc(
        &self,
        seen: &SeenPeers,
        rank: impl Fn(usize, &'e Entry) -> (i64, PeerId),
    ) -> Result<Found, StoreError> {
        self.by(
            seen,
            self.after_number()?.map(Reverse).as_ref(),
            |place, entry| Reverse(rank(place, entry)),
            |Reverse(rank)| of_number(rank),
        )
    }

    /// The page by rank, which no two peers share.
    fn by<R: Ord>(
        &self,
        seen: &SeenPeers,
        after: Option<&R>,
        rank: impl Fn(usize, &'e Entry) -> R,
        cursor: impl Fn(R) -> Cursor,
    ) -> Result<Found, StoreError> {
        let limit = self.query.limit as usize;
        // One more than asked for tells whether there is a next page. The last rank is on top.
        let mut first: BinaryHeap<R> = BinaryHeap::with_capacity(limit.min(1000) + 2);
        let mut total = 0;
        let mut visit = |(place, entry): (usize, &'e Entry)| {
            if !self.lets_through(seen, place, entry) {
                return;
            }
            total += 1;
            let rank = rank(place, entry);
            if after.is_some_and(|after| rank <= *after) {
                return;
            }
            if first.len() <= limit {
                first.push(rank);
            } else if let Some(mut last) = first.peek_mut()
                && rank < *last
            {
                *last = rank;
            }
        };
        // From the end where most of a list most likely begins: what comes first is then not pushed out
        // again by everything that follows. Names go with age more often than against it.
        if self.query.sort.is_descending() {
            self.entries.all().rev().for_each(&mut visit);
        } else {
            self.entries.all().for_each(&mut visit);
        }
        let mut page: Vec<Cursor> = first.into_sorted_vec().into_iter().map(cursor).collect();
        let more = page.len() > limit;
        page.truncate(limit);
        Ok(Found {
            ids: page.iter().map(|cursor| cursor.id).collect(),
            total,
            next: page.pop().filter(|_| more),
        })
    }

    /// Whether a peer matches.
    #[inline]
    fn lets_through(&self, seen: &SeenPeers, place: usize, entry: &Entry) -> bool {
        let (filter, facts) = (&self.query.filter, &entry.facts);
        let online = |wanted| seen.get(place).online == wanted;
        self.nodes[entry.node as usize].is_some()
            && self.labels[entry.labels as usize]
            && filter.sync.is_none_or(|wanted| facts.sync == wanted)
            && filter.enabled.is_none_or(|wanted| facts.enabled == wanted)
            && filter
                .expires_before
                .is_none_or(|before| facts.expires_at.is_some_and(|at| at < before))
            && filter.admission.is_none_or(|(wanted, now_s)| {
                Admission::when(facts.expires_at, facts.enabled, facts.held, now_s) == wanted
            })
            && self.query.online.is_none_or(online)
            && self.having.as_ref().is_none_or(|having| having[place])
    }

    fn after_text(&self) -> Result<Option<ByName<'e>>, StoreError> {
        let after = self.query.after.as_ref();
        after
            .map(|cursor| match &cursor.key {
                SortKey::Text(text) => Ok(ByName {
                    start: start_of(text),
                    name: NameOf::Text(text),
                    id: cursor.id,
                }),
                SortKey::Integer(_) => Err(of_another_order()),
            })
            .transpose()
    }

    fn after_number(&self) -> Result<Option<(i64, PeerId)>, StoreError> {
        let after = self.query.after.as_ref();
        after
            .map(|cursor| match cursor.key {
                SortKey::Integer(number) => Ok((number, cursor.id)),
                SortKey::Text(_) => Err(of_another_order()),
            })
            .transpose()
    }
}

const fn of_another_order() -> StoreError {
    StoreError::NotFound { what: "cursor" }
}

/// A peer's rank by name. The name itself is only looked up where its start does not tell.
#[derive(Clone, Copy)]
struct ByName<'e> {
    start: Start,
    name: NameOf<'e>,
    id: PeerId,
}

#[derive(Clone, Copy)]
enum NameOf<'e> {
    Place(&'e Entries, usize),
    Text(&'e str),
}

impl<'e> ByName<'e> {
    fn name(&self) -> &'e str {
        match self.name {
            NameOf::Place(entries, place) => entries.name(place),
            NameOf::Text(text) => text,
        }
    }
}

impl Ord for ByName<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let names = || self.name().cmp(other.name());
        let starts = self.start.cmp(&other.start);
        starts.then_with(names).then(self.id.cmp(&other.id))
    }
}

impl PartialOrd for ByName<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for ByName<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for ByName<'_> {}

fn of_text(rank: ByName<'_>) -> Cursor {
    Cursor {
        key: SortKey::Text(rank.name().to_owned()),
        id: rank.id,
    }
}

const fn of_number((number, id): (i64, PeerId)) -> Cursor {
    Cursor {
        key: SortKey::Integer(number),
        id,
    }
}
