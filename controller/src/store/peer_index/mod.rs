//! All peers in memory, as far as lists filter and sort by it: a page of 100,000 peers in whatever
//! order, what is only observed included, and how many there are in all, is one pass over them.
//!
//! It follows the store by itself. On the writer's connection every change of a row it is made of
//! notes the peer ([`changes`]); after the commit, and before whoever waits for it is answered, these
//! peers are read again. What was acknowledged is in the next list.
//!
//! Read first: [`find`](PeerIndex::find) for a list, `entry` for what is held of a peer.

use std::sync::{PoisonError, RwLock};

use rusqlite::Connection;

use self::{entries::Entries, find::Search, seen::SeenPeers};
use super::{
    NodeId, PeerId, StoreError,
    page::Cursor,
    peer_list::{PeerQuery, SeenNode},
};

pub(super) mod changes;
mod entries;
mod entry;
mod find;
mod label_sets;
mod seen;
mod texts;

/// The index. Lists read it side by side; the writer alone changes it.
pub struct PeerIndex {
    entries: RwLock<Entries>,
    /// Locked after the entries.
    seen: RwLock<SeenPeers>,
}

/// What a list is made of; the rows themselves are read from the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The page, in order.
    pub ids: Vec<PeerId>,
    /// Of all pages together.
    pub total: u64,
    /// Where the next page begins; `None` when this is the last.
    pub next: Option<Cursor>,
}

impl PeerIndex {
    /// Reads all peers.
    ///
    /// # Errors
    /// When they can't be read.
    pub(super) fn load(conn: &Connection) -> Result<Self, StoreError> {
        let mut entries = Entries::default();
        for entry in entry::all(conn)? {
            entries.put(entry);
        }
        Ok(Self {
            entries: RwLock::new(entries),
            seen: RwLock::default(),
        })
    }

    /// Reads again what has changed. Called by the writer after each commit. When that fails the
    /// notes stay, and the next call reads these peers too.
    ///
    /// # Errors
    /// When the peers can't be read.
    pub(super) fn follow(&self, writer: &Connection) -> Result<(), StoreError> {
        let changed = changes::noted(writer)?;
        if changed.is_empty() {
            return Ok(());
        }
        let mut read = Vec::with_capacity(changed.len());
        for id in changed {
            read.push((id, entry::one(writer, id)?));
        }
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        for (id, entry) in read {
            match entry {
                Some(entry) => entries.put(entry),
                None => entries.remove(id),
            }
        }
        drop(entries);
        changes::forget(writer)
    }

    /// One page. `node` gives what was last seen of a node's peers; `None` leaves out all of them.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] of "cursor" when the cursor was made for another order.
    pub fn find<N: SeenNode>(
        &self,
        query: &PeerQuery,
        node: impl Fn(NodeId) -> Option<N>,
    ) -> Result<Found, StoreError> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        let search = Search::new(&entries, query, node);
        if !search.is_by_seen() {
            return search.page(&SeenPeers::default());
        }
        let seen = || self.seen.read().unwrap_or_else(PoisonError::into_inner);
        if !seen().is_of(&entries, &search.nodes) {
            let mut outdated = self.seen.write().unwrap_or_else(PoisonError::into_inner);
            outdated.update(&entries, &search.nodes);
        }
        search.page(&seen())
    }
}
