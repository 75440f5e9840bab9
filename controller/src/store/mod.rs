//! What the controller knows: nodes, peers, addresses, and who changed them.
//!
//! [`Store::write`] hands a closure to the single writer; when it returns, the change is on disk.
//! [`Store::read`] runs a closure on one snapshot, beside others and beside the writer. Each table
//! has a module of small functions for use in such closures; a change is made of several of them:
//! peer, allocation, the node's next [`generation`] and an [`audit`] row in one closure are one
//! transaction.
//!
//! The store decides nothing and never reads a clock: callers pass Unix seconds. It never logs, and
//! no type that holds a secret has `Debug`.
//!
//! Read first: `migrations/` for the tables, [`peers`] for how a change looks.

use std::{path::PathBuf, sync::Arc, thread};

/// A snapshot to read from. Named here so that nothing outside the store names the database.
pub use rusqlite::Connection;
use tokio::sync::{
    Semaphore,
    mpsc::{self, error::TrySendError},
    oneshot, watch,
};

pub mod agents;
pub mod allocations;
pub mod audit;
pub mod backup;
pub mod counters;
pub mod described;
pub mod error;
pub mod events;
pub mod generation;
pub mod holders;
pub mod idempotency;
pub mod lapses;
pub mod master_key;
pub mod meta;
pub mod migrate;
pub mod moves;
pub mod node_status;
pub mod nodes;
pub mod open;
pub mod page;
pub mod peer_index;
pub mod peer_list;
pub mod peer_nodes;
pub mod peers;
pub mod pools;
pub mod quotas;
pub mod ranges;
pub mod restore;
pub mod samples;
pub mod seal;
pub mod status_changes;
pub mod tokens;
pub mod tombstones;
pub mod value;
pub mod webhooks;

mod named;
mod part;
mod readers;
mod wal;
mod writer;

#[cfg(test)]
pub(crate) mod tests;

pub use error::StoreError;
pub use master_key::MasterKeySource;
pub use open::StoreOptions;
pub use peer_index::PeerIndex;
pub use seal::Sealer;
pub use value::{
    AgentId, DeliveryOutcome, NodeId, NodeStatus, PeerId, Role, SyncState, TokenId, UnmanagedPeers,
    WebhookId,
};
pub use writer::WriteTx;

/// The store. Cheap to clone; all clones are the same.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    queue: mpsc::Sender<writer::Message>,
    readers: readers::Readers,
    sealer: Arc<Sealer>,
    last_event: watch::Receiver<i64>,
    peer_index: Arc<PeerIndex>,
    hold_paused_clock: bool,
    data_dir: PathBuf,
    /// One copy at a time is made and read.
    backups: Arc<Semaphore>,
}

impl Store {
    /// Opens the store, makes it when there is none, and starts its writer. Blocks.
    ///
    /// # Errors
    /// Everything that makes it unsafe to go on: see [`StoreError`]. Each says what to do.
    pub fn open(options: &StoreOptions, now_s: i64) -> Result<Self, StoreError> {
        let opened = open::open(options, now_s)?;
        let (queue, commands) = mpsc::channel(options.queue_depth.max(1));
        let sealer = Arc::new(opened.sealer);
        let (told, last_event) = watch::channel(events::last_id(&opened.writer)?);
        peer_index::changes::note(&opened.writer)?;
        let peer_index = Arc::new(PeerIndex::load(&opened.writer)?);
        let unavailable = |error: std::io::Error| StoreError::Unavailable(error.to_string());
        let owned = writer::Owned {
            conn: opened.writer,
            checkpointer: wal::Checkpointer::start(opened.checkpointer).map_err(unavailable)?,
            sealer: Arc::clone(&sealer),
            lock: opened.lock,
            on_commit: options.on_commit.clone(),
            last_event: told,
            peer_index: Arc::clone(&peer_index),
        };
        thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || writer::run(commands, owned))
            .map_err(unavailable)?;
        Ok(Self(Arc::new(Inner {
            queue,
            readers: readers::Readers::new(opened.readers),
            sealer,
            last_event,
            peer_index,
            hold_paused_clock: options.hold_paused_clock,
            data_dir: options.data_dir.clone(),
            backups: Arc::new(Semaphore::new(1)),
        })))
    }

    /// Makes one change. `Ok` means it is on disk; any error means nothing of it is.
    ///
    /// The change is made even if the caller stops waiting. Waits for room in the queue.
    ///
    /// # Errors
    /// What `work` says, or [`StoreError::Unavailable`] when it could not be committed.
    pub async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&WriteTx<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let command = writer::Message::Write(writer::command(work, reply));
        let sent = self.0.queue.send(command).await;
        sent.map_err(|_| StoreError::Closed)?;
        self.answer(answer).await
    }

    /// The same for callers who can come back: does not wait for room in the queue.
    ///
    /// # Errors
    /// As [`Store::write`], and [`StoreError::Overloaded`].
    pub async fn try_write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&WriteTx<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let command = writer::Message::Write(writer::command(work, reply));
        let sent = self.0.queue.try_send(command);
        sent.map_err(|error| match error {
            TrySendError::Full(_) => StoreError::Overloaded,
            TrySendError::Closed(_) => StoreError::Closed,
        })?;
        self.answer(answer).await
    }

    async fn answer<T: Send + 'static>(
        &self,
        answer: oneshot::Receiver<Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let answer = if self.0.hold_paused_clock {
            tokio::task::spawn_blocking(move || answer.blocking_recv())
                .await
                .map_err(|e| StoreError::Internal(e.to_string()))?
        } else {
            answer.await
        };
        answer.map_err(|_| StoreError::Closed)?
    }

    /// Looks something up, on one snapshot. Waits for a free connection.
    ///
    /// # Errors
    /// What `work` says.
    pub async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        self.0.readers.read(work).await
    }

    /// All peers, to find those of a list.
    #[must_use]
    pub fn peer_index(&self) -> Arc<PeerIndex> {
        Arc::clone(&self.0.peer_index)
    }

    /// The id of the last event on disk, told after each commit that appended any.
    #[must_use]
    pub fn last_event(&self) -> watch::Receiver<i64> {
        self.0.last_event.clone()
    }

    /// Opens secrets that were read.
    #[must_use]
    pub fn sealer(&self) -> Arc<Sealer> {
        Arc::clone(&self.0.sealer)
    }

    /// Finishes the writes that wait, empties the log into the file and stops. Later calls get
    /// [`StoreError::Closed`].
    pub async fn close(&self) {
        // First: the last connection to close tidies the log away, and only the writer's can.
        self.0.readers.close();
        let (closed, done) = oneshot::channel();
        if self
            .0
            .queue
            .send(writer::Message::Close(closed))
            .await
            .is_ok()
        {
            let _ = done.await;
        }
    }
}
