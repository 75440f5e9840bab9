//! One page: a single pass over all peers that keeps the first so many of those that match.

use std::{cmp::Reverse, collections::BinaryHeap, sync::atomic::AtomicU32};

use memchr::memmem::Finder;
use wire_contract::PublicKey;

use super::{
    Found, NodeId, PeerId,
    entries::{Entries, Entry},
    entry::SEPARATOR,
};
use crate::store::{
    StoreError,
    page::{Cursor, SortKey},
    peer_list::{Admission, PeerQuery, PeerSort, Seen},
};

/// A query made ready for these entries.
pub(super) struct Search<'e, N> {
    entries: &'e Entries,
    query: &'e PeerQuery,
    /// By node: what was seen of it, if its peers are let through.
    nodes: Vec<Option<N>>,
    /// By set of labels, whether it has those that are wanted.
    labels: Vec<bool>,
    text: Option<Finder<'e>>,
}

impl<'e, N: Fn(&PublicKey, &AtomicU32) -> Seen> Search<'e, N> {
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
            text: text.map(|text| Finder::new(&text).into_owned()),
        }
    }

    /// The page that was asked for.
    pub(super) fn page(&self) -> Result<Found, StoreError> {
        use PeerSort::{
            CreatedAt, CreatedAtDesc, LatestHandshakeDesc, Name, NameDesc, RxBytesTotalDesc,
            TxBytesTotalDesc,
        };
        let name = |entry: &'e Entry, _: &Seen| (entry.facts.name(), entry.id);
        let created = |entry: &Entry, _: &Seen| (entry.facts.created_at, entry.id);
        match self.query.sort {
            Name => self.by(self.after_text()?.as_ref(), name, of_text),
            NameDesc => self.by(
                self.after_text()?.map(Reverse).as_ref(),
                |entry, seen| Reverse(name(entry, seen)),
                |Reverse(rank)| of_text(rank),
            ),
            CreatedAt => self.by(self.after_number()?.as_ref(), created, of_number),
            CreatedAtDesc => self.by_number_desc(created),
            LatestHandshakeDesc => self.by_number_desc(|e, seen| (seen.latest_handshake, e.id)),
            RxBytesTotalDesc => self.by_number_desc(|e, seen| (seen.rx_bytes_total, e.id)),
            TxBytesTotalDesc => self.by_number_desc(|e, seen| (seen.tx_bytes_total, e.id)),
        }
    }

    fn by_number_desc(
        &self,
        rank: impl Fn(&'e Entry, &Seen) -> (i64, PeerId),
    ) -> Result<Found, StoreError> {
        self.by(
            self.after_number()?.map(Reverse).as_ref(),
            |entry, seen| Reverse(rank(entry, seen)),
            |Reverse(rank)| of_number(rank),
        )
    }

    /// The page by rank, which no two peers share.
    fn by<R: Ord>(
        &self,
        after: Option<&R>,
        rank: impl Fn(&'e Entry, &Seen) -> R,
        cursor: impl Fn(R) -> Cursor,
    ) -> Result<Found, StoreError> {
        let limit = self.query.limit as usize;
        // One more than asked for tells whether there is a next page. The last rank is on top.
        let mut first: BinaryHeap<R> = BinaryHeap::with_capacity(limit.min(1000) + 2);
        let mut total = 0;
        let mut visit = |entry: &'e Entry| {
            let Some(seen) = self.let_through(entry) else {
                return;
            };
            total += 1;
            let rank = rank(entry, &seen);
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

    /// What was seen of a peer that matches; nothing when nobody asks for it.
    #[inline]
    fn let_through(&self, entry: &Entry) -> Option<Seen> {
        let node = self.nodes[entry.node].as_ref()?;
        let (filter, facts) = (&self.query.filter, &entry.facts);
        let matches = self.labels[entry.labels]
            && filter.sync.is_none_or(|wanted| facts.sync == wanted)
            && filter.enabled.is_none_or(|wanted| facts.enabled == wanted)
            && filter
                .expires_before
                .is_none_or(|before| facts.expires_at.is_some_and(|at| at < before))
            && filter.admission.is_none_or(|(wanted, now_s)| {
                Admission::when(facts.expires_at, facts.enabled, facts.held, now_s) == wanted
            })
            && self
                .text
                .as_ref()
                .is_none_or(|text| text.find(facts.searched()).is_some());
        if !matches {
            return None;
        }
        if self.query.online.is_none() && !self.query.sort.is_observed() {
            return Some(Seen::default());
        }
        let seen = node(&facts.public_key, &entry.place);
        let online = self.query.online.is_none_or(|wanted| seen.online == wanted);
        online.then_some(seen)
    }

    fn after_text(&self) -> Result<Option<(&'e str, PeerId)>, StoreError> {
        let after = self.query.after.as_ref();
        after
            .map(|cursor| match &cursor.key {
                SortKey::Text(text) => Ok((text.as_str(), cursor.id)),
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

fn of_text((name, id): (&str, PeerId)) -> Cursor {
    Cursor {
        key: SortKey::Text(name.to_owned()),
        id,
    }
}

const fn of_number((number, id): (i64, PeerId)) -> Cursor {
    Cursor {
        key: SortKey::Integer(number),
        id,
    }
}
