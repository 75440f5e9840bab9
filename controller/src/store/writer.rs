//! The single writer: one thread that owns the writing connection.
//!
//! Commands that wait together go into one transaction and are acknowledged after its commit, so
//! that one sync of the disk serves them all. Each has a savepoint of its own: one that fails takes
//! back what it did and nothing else.

use std::{
    cell::Cell,
    fs::File,
    ops::Deref,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot, watch};

use super::{error::StoreError, peer_index::PeerIndex, seal::Sealer, wal::Checkpointer};
use crate::failpoint;

/// Most commands in one transaction: bounds how long the first of them waits for the last.
const MAX_GROUP: usize = 256;

/// The writing side of the store, for the time of one command.
///
/// Functions that change something take this; those that only read take the [`Connection`] it
/// derefs to. There is no other way to get one, so nothing is written outside the writer.
pub struct WriteTx<'a> {
    conn: &'a Connection,
    sealer: &'a Sealer,
    last_event: &'a Cell<Option<i64>>,
}

impl<'a> WriteTx<'a> {
    /// For a file that has no writer yet: a copy on its way to become the store. Nobody waits for its
    /// events.
    pub(super) const fn of_no_writer(
        conn: &'a Connection,
        sealer: &'a Sealer,
        last_event: &'a Cell<Option<i64>>,
    ) -> Self {
        Self {
            conn,
            sealer,
            last_event,
        }
    }

    /// Seals and opens secrets.
    #[must_use]
    pub const fn sealer(&self) -> &'a Sealer {
        self.sealer
    }

    /// Makes a part of the change that may fail by itself: then what it wrote is taken back, and
    /// what came before stays.
    ///
    /// # Errors
    /// When the part can't be begun or ended; what `work` says is inside.
    pub fn part<T, E>(
        &self,
        work: impl FnOnce() -> Result<T, E>,
    ) -> Result<Result<T, E>, StoreError> {
        let run = |sql: &str| self.conn.prepare_cached(sql)?.execute([]).map(drop);
        run("SAVEPOINT part")?;
        let outcome = work();
        // On a full disk SQLite may have taken back the whole transaction by itself.
        if self.conn.is_autocommit() {
            return Err(StoreError::Unavailable(
                "the transaction was taken back".into(),
            ));
        }
        if outcome.is_err() {
            run("ROLLBACK TO part")?;
        }
        run("RELEASE part")?;
        Ok(outcome)
    }

    /// Those who wait for events are woken after the commit.
    pub(super) fn event_appended(&self, id: i64) {
        self.last_event.set(Some(id));
    }
}

impl Deref for WriteTx<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.conn
    }
}

/// A command and the one who waits for it.
pub(super) trait Command: Send {
    /// Runs inside the command's savepoint. Whether its changes stay.
    fn run(&mut self, tx: &WriteTx<'_>) -> bool;
    /// Answers: with the command's own outcome, or with why the group was not committed.
    fn acknowledge(self: Box<Self>, committed: Result<(), StoreError>);
}

pub(super) enum Message {
    Write(Box<dyn Command>),
    Close(oneshot::Sender<()>),
}

/// What the writer's thread takes with it, until its last command is done.
pub(super) struct Owned {
    pub conn: Connection,
    /// Ends before `conn` is closed: only the last connection to close tidies the log away.
    pub checkpointer: Checkpointer,
    pub sealer: Arc<Sealer>,
    /// Other processes stay out as long as this one may still write.
    pub lock: File,
    pub on_commit: Option<Arc<dyn Fn(Duration) + Send + Sync>>,
    /// Told the id of the last event after each commit that appended any.
    pub last_event: watch::Sender<i64>,
    /// Follows each commit.
    pub peer_index: Arc<PeerIndex>,
}

struct Pending<T, F> {
    work: Option<F>,
    outcome: Result<T, StoreError>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

pub(super) fn command<T, F>(
    work: F,
    reply: oneshot::Sender<Result<T, StoreError>>,
) -> Box<dyn Command>
where
    T: Send + 'static,
    F: FnOnce(&WriteTx<'_>) -> Result<T, StoreError> + Send + 'static,
{
    Box::new(Pending {
        work: Some(work),
        outcome: Err(StoreError::Closed),
        reply,
    })
}

impl<T, F> Command for Pending<T, F>
where
    T: Send,
    F: FnOnce(&WriteTx<'_>) -> Result<T, StoreError> + Send,
{
    fn run(&mut self, tx: &WriteTx<'_>) -> bool {
        let Some(work) = self.work.take() else {
            return false;
        };
        // A panic is a bug in one command; the writer outlives it.
        self.outcome = catch_unwind(AssertUnwindSafe(|| work(tx)))
            .unwrap_or_else(|_| Err(StoreError::Internal("a write panicked".into())));
        self.outcome.is_ok()
    }

    fn acknowledge(self: Box<Self>, committed: Result<(), StoreError>) {
        // Nobody may be waiting any more; the write holds all the same.
        let _ = self.reply.send(committed.and(self.outcome));
    }
}

/// The writer's thread, until it is told to close or nobody can send any more.
pub(super) fn run(mut queue: mpsc::Receiver<Message>, owned: Owned) {
    let Owned {
        conn,
        checkpointer,
        sealer,
        lock,
        on_commit,
        last_event,
        peer_index,
    } = owned;
    let mut group = Vec::with_capacity(MAX_GROUP);
    let mut closing = None;
    while closing.is_none()
        && let Some(first) = queue.blocking_recv()
    {
        closing = gather(first, &mut queue, &mut group);
        let began = Instant::now();
        let appended = Cell::new(None);
        let outcome = commit(&conn, (&sealer, &appended), &mut group);
        // Before anybody hears of the commit. Should it fail, what was committed stays so: the index
        // catches up with the next one.
        if outcome.is_ok() {
            let _ = peer_index.follow(&conn);
        }
        if let (Ok(()), Some(id)) = (&outcome, appended.get()) {
            last_event.send_replace(id);
        }
        if let Some(told) = on_commit.as_ref().filter(|_| !group.is_empty()) {
            told(began.elapsed());
        }
        failpoint!("store.before_ack");
        for command in group.drain(..) {
            command.acknowledge(outcome.clone());
        }
        failpoint!("store.after_ack");
    }
    drop(checkpointer);
    // Best effort: what is left in the log is read at the next start.
    let _ = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    // Before the answer, so that the next one to open finds the file free; the lock goes last.
    drop((queue, conn));
    drop(lock);
    if let Some(closed) = closing {
        let _ = closed.send(());
    }
}

fn gather(
    first: Message,
    queue: &mut mpsc::Receiver<Message>,
    group: &mut Vec<Box<dyn Command>>,
) -> Option<oneshot::Sender<()>> {
    let mut next = Some(first);
    loop {
        match next {
            Some(Message::Write(command)) => group.push(command),
            Some(Message::Close(closed)) => return Some(closed),
            None => return None,
        }
        if group.len() == MAX_GROUP {
            return None;
        }
        next = queue.try_recv().ok();
    }
}

fn commit(
    conn: &Connection,
    with: (&Sealer, &Cell<Option<i64>>),
    group: &mut [Box<dyn Command>],
) -> Result<(), StoreError> {
    if group.is_empty() {
        return Ok(());
    }
    let outcome = attempt(conn, with, group);
    if outcome.is_err() && !conn.is_autocommit() {
        let _ = conn.execute_batch("ROLLBACK");
    }
    outcome
}

fn attempt(
    conn: &Connection,
    (sealer, last_event): (&Sealer, &Cell<Option<i64>>),
    group: &mut [Box<dyn Command>],
) -> Result<(), StoreError> {
    let run = |sql: &str| conn.prepare_cached(sql)?.execute([]).map(drop);
    run("BEGIN IMMEDIATE")?;
    failpoint!("store.begun");
    let tx = WriteTx {
        conn,
        sealer,
        last_event,
    };
    for command in group {
        run("SAVEPOINT command")?;
        let keep = command.run(&tx);
        // On a full disk SQLite may take back the whole transaction by itself: nothing of the group
        // is left then, and all of it must be answered so.
        if conn.is_autocommit() {
            return Err(StoreError::Unavailable(
                "the transaction was taken back".into(),
            ));
        }
        if !keep {
            run("ROLLBACK TO command")?;
        }
        run("RELEASE command")?;
        failpoint!("store.between_commands");
    }
    failpoint!("store.before_commit");
    run("COMMIT")?;
    failpoint!("store.after_commit");
    Ok(())
}
