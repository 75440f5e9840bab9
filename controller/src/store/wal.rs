//! Emptying the write-ahead log into the file, beside the writer.
//!
//! By default SQLite does it inside some commit whenever the log has a thousand pages, and those who wait for that
//! commit wait for two more syncs and for the pages between them; while somebody reads, the log
//! grows past that, and a file that grows is slower to sync. Nothing depends on when it is done: a commit is
//! on disk once the log is.

use std::{
    io,
    path::Path,
    sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel},
    thread::{self, JoinHandle},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags};

use super::error::StoreError;

/// From one to the next.
const INTERVAL: Duration = Duration::from_secs(1);
/// How often in a row what was written meanwhile is copied too: the log starts anew with the first
/// commit that finds all of it copied.
const ROUNDS: usize = 3;
/// A log of so many pages, 64 MiB, was written faster than it could be emptied: then each commit
/// empties it itself.
pub(super) const LONG_PAGES: u32 = 16_384;

/// The thread that empties the log. When dropped, it has ended and its connection is closed.
pub(super) struct Checkpointer {
    stop: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// How much of the log is in the file too. Both in pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Log {
    pub(super) len: i64,
    pub(super) copied: i64,
}

/// Opens the connection for it.
pub(super) fn open(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    // The file is to be on disk before the log is overwritten.
    conn.pragma_update(None, "synchronous", "FULL")?;
    Ok(conn)
}

impl Checkpointer {
    pub(super) fn start(conn: Connection) -> io::Result<Self> {
        let (stop, stopped) = sync_channel::<()>(0);
        let thread = thread::Builder::new()
            .name("store-log".into())
            .spawn(move || {
                let mut failing = false;
                while stopped.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                    let outcome = empty(&conn);
                    if let (Err(error), false) = (&outcome, failing) {
                        tracing::warn!(%error, "the store's log can't be emptied into its file; it grows");
                    }
                    failing = outcome.is_err();
                }
            })?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Copies what is in the log into the file, as far as nobody reads what that would replace. Nobody waits
/// for it.
pub(super) fn empty(conn: &Connection) -> Result<Log, StoreError> {
    let mut log = checkpoint(conn)?;
    for _ in 1..ROUNDS {
        if log.len == log.copied {
            break;
        }
        log = checkpoint(conn)?;
    }
    Ok(log)
}

fn checkpoint(conn: &Connection) -> Result<Log, StoreError> {
    let mut pragma = conn.prepare_cached("PRAGMA wal_checkpoint(PASSIVE)")?;
    let log = pragma.query_row([], |row| {
        Ok(Log {
            len: row.get("log")?,
            copied: row.get("checkpointed")?,
        })
    });
    Ok(log?)
}
