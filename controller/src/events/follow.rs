//! Following events without a gap and without a repeat.

use std::{collections::VecDeque, sync::Arc};

use tokio::sync::broadcast::{Receiver, error::RecvError};

use super::{EventLog, PAGE};
use crate::store::{
    StoreError,
    events::{self, EventRow},
};

/// Whoever falls further behind what is told is cut off. More than a bulk change of ten thousand
/// peers makes of events until all are applied, so that nobody is for that alone.
const MAX_BEHIND: u64 = 32_768;

/// Why there is no next event.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum FollowError {
    /// What follows that event is not all kept any more, or it was never given.
    #[error("events after this one are not kept any more, or there never was one of this id")]
    TooOld,
    /// The reader does not keep up.
    #[error("too far behind")]
    TooSlow,
    /// Nothing is told any more.
    #[error("the controller stops")]
    Stopped,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Hands out one event after the other. Holds a page of them at most, however far behind it is.
pub struct Follower {
    log: EventLog,
    /// The last one that was handed out.
    last: i64,
    page: VecDeque<EventRow>,
    /// Absent while the store has events that memory has not.
    live: Option<Receiver<Arc<EventRow>>>,
}

impl EventLog {
    /// Follows from the event after `after` on; from now on without.
    ///
    /// # Errors
    /// [`FollowError::TooOld`], or when the store can't be read.
    pub async fn follow(&self, after: Option<i64>) -> Result<Follower, FollowError> {
        let begin = self.0.store.read(move |conn| match after {
            None => events::last_id(conn).map(Some),
            Some(after) => Ok(events::after(conn, after, 0)?.map(|_| after)),
        });
        Ok(Follower {
            log: self.clone(),
            last: begin.await?.ok_or(FollowError::TooOld)?,
            page: VecDeque::new(),
            live: None,
        })
    }
}

impl Follower {
    /// The id of the last event that was handed out, or of the one to begin after.
    #[must_use]
    pub const fn last_id(&self) -> i64 {
        self.last
    }

    /// The next event. May be dropped while it waits: nothing is lost by that.
    ///
    /// # Errors
    /// See [`FollowError`]; nothing follows after one.
    pub async fn next(&mut self) -> Result<Arc<EventRow>, FollowError> {
        loop {
            if let Some(row) = self.page.pop_front() {
                self.last = row.id;
                return Ok(Arc::new(row));
            }
            let Some(live) = &mut self.live else {
                self.read_page().await?;
                continue;
            };
            match live.recv().await {
                Ok(row) if row.id <= self.last => {}
                Ok(row) => {
                    self.last = row.id;
                    return Ok(row);
                }
                Err(RecvError::Lagged(behind)) if behind <= MAX_BEHIND => self.live = None,
                Err(RecvError::Lagged(_)) => return Err(FollowError::TooSlow),
                Err(RecvError::Closed) => return Err(FollowError::Stopped),
            }
        }
    }

    async fn read_page(&mut self) -> Result<(), FollowError> {
        // Before the store is read: what is committed after that is told.
        let live = self.log.0.told.subscribe();
        let page = self.log.page(self.last).await?.ok_or(FollowError::TooOld)?;
        if page.len() < PAGE {
            self.live = Some(live);
        }
        self.page = page.into();
        Ok(())
    }
}
