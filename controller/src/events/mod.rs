//! What happened, in order, and told to whoever follows it.
//!
//! [`record`] writes an event in the transaction of what it tells of, so there is never one without
//! the other. After the commit the [`EventLog`]'s task reads it back from the store and tells all
//! who follow; whoever comes later, or comes back, reads the store first. A [`Follower`] hands out
//! every event after the one it began with, in order and once.
//!
//! Read first: [`record()`] and its kinds, then [`follow`](Follower::next).

mod follow;
mod peer;
mod record;
mod retention;

#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast};
use tokio_util::sync::CancellationToken;

pub use self::{
    follow::{FollowError, Follower},
    peer::shown_peer,
    record::{KINDS, message, record},
};
use crate::{
    agent_client::WallClock,
    store::{Store, StoreError, events::EventRow},
};

/// Events that are kept in memory for all who follow together. Whoever is further behind reads
/// the store.
const IN_MEMORY: usize = 1024;
/// Events read from the store at a time.
const PAGE: usize = 256;
/// Readers at a time: each costs a connection and a share of every event.
const MAX_READERS: usize = 256;
/// Pause after the store could not be read.
const READ_AGAIN: Duration = Duration::from_secs(1);

/// All events. Cheap to clone; all clones are the same.
#[derive(Clone)]
pub struct EventLog(Arc<Inner>);

struct Inner {
    store: Store,
    clock: WallClock,
    told: broadcast::Sender<Arc<EventRow>>,
    /// Where telling begins.
    from: i64,
    readers: Arc<Semaphore>,
    stop: CancellationToken,
}

impl EventLog {
    /// The events of `store`, told from now on while [`EventLog::run`] runs.
    #[must_use]
    pub fn new(store: Store, clock: WallClock, stop: CancellationToken) -> Self {
        let from = *store.last_event().borrow();
        Self(Arc::new(Inner {
            store,
            clock,
            told: broadcast::channel(IN_MEMORY).0,
            from,
            readers: Arc::new(Semaphore::new(MAX_READERS)),
            stop,
        }))
    }

    /// Tells of events as they are committed and forgets old ones, until told to stop.
    pub async fn run(self) {
        tokio::select! {
            () = self.0.stop.cancelled() => {}
            () = self.tell() => {}
            () = retention::keep(&self.0.store, &self.0.clock) => {}
        }
    }

    /// Resolves when all who follow must end.
    pub async fn stopped(&self) {
        self.0.stop.cancelled().await;
    }

    /// A place among the readers; `None` when there are too many.
    #[must_use]
    pub fn admit(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0.readers).try_acquire_owned().ok()
    }

    async fn tell(&self) {
        let mut last_event = self.0.store.last_event();
        let mut told = self.0.from;
        loop {
            match self.page(told).await {
                Ok(Some(rows)) => {
                    let is_all = rows.len() < PAGE;
                    for row in rows {
                        told = row.id;
                        // An error says that nobody follows.
                        let _ = self.0.told.send(Arc::new(row));
                    }
                    if !is_all {
                        continue;
                    }
                }
                // Ids that were skipped on purpose: whoever needed what was there learns it from
                // the store.
                Ok(None) => match self.before_first().await {
                    Ok(first) => {
                        told = first;
                        continue;
                    }
                    Err(error) => self.pause(&error).await,
                },
                Err(error) => self.pause(&error).await,
            }
            if last_event.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }

    async fn pause(&self, error: &StoreError) {
        if !matches!(error, StoreError::Closed) {
            tracing::warn!(%error, "events can't be read");
        }
        tokio::time::sleep(READ_AGAIN).await;
    }

    /// Events after `after`, a page at most; `None` when it can't be gone on from there.
    pub(crate) async fn page(&self, after: i64) -> Result<Option<Vec<EventRow>>, StoreError> {
        self.0
            .store
            .read(move |conn| crate::store::events::after(conn, after, PAGE))
            .await
    }

    /// The id before the oldest event that is kept.
    pub(crate) async fn before_first(&self) -> Result<i64, StoreError> {
        use crate::store::events::{first_id, last_id};
        let read = self.0.store.read(|conn| match first_id(conn)? {
            Some(first) => Ok(first - 1),
            None => last_id(conn),
        });
        read.await
    }
}
