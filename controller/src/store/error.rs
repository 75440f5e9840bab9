//! What can go wrong in the store, sorted by what the caller can do about it.

use rusqlite::ErrorCode;

use super::master_key::MasterKeyError;

/// Why the store did not do as it was told. Nothing was changed then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// There is no such row.
    #[error("no such {what}")]
    NotFound {
        /// The kind of thing: "node", "peer".
        what: &'static str,
    },
    /// Something else already has it.
    #[error("the {what} is taken by {other}")]
    Conflict {
        /// What both want: "name", "address".
        what: &'static str,
        /// Who has it, as a person would call it.
        other: String,
    },
    /// It can't be changed while others depend on it.
    #[error("{what} is in use by {count} {by}")]
    InUse {
        /// The kind of thing.
        what: &'static str,
        /// How many depend on it.
        count: u64,
        /// What depends on it, in the plural.
        by: &'static str,
    },
    /// No pool has an address left.
    #[error("no free address is left in {pools}")]
    NoFreeAddress {
        /// The pools that were tried.
        pools: String,
    },
    /// The address lies in none of the pools, or is one that no peer is given.
    #[error("{address} can't be given to a peer: {why}")]
    AddressRefused {
        /// The address.
        address: String,
        /// Why not.
        why: &'static str,
    },
    /// New pools that an address in use is not in.
    #[error("the new pools leave out {address}, which the peer {peer} has")]
    LeftOut {
        /// The address.
        address: String,
        /// The peer's name.
        peer: String,
    },
    /// Not now: disk full, locked by another process, read-only. Safe to try again.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// Too many changes wait for the writer.
    #[error("too many changes wait to be written just now; nothing was changed")]
    Overloaded,
    /// The file is damaged or not a store.
    #[error(
        "the store {path} can't be read ({detail}). Keep a copy of the file and put a backup in its \
         place with `wgfleet-controller restore FILE`"
    )]
    Corrupt {
        /// The file.
        path: String,
        /// What SQLite found.
        detail: String,
    },
    /// A newer program wrote the store.
    #[error(
        "the store was written by a newer version (schema {found}, this program knows {known}). \
         Start that version again, or restore a backup made before the upgrade"
    )]
    Newer {
        /// The schema version found.
        found: i64,
        /// The newest one this program knows.
        known: i64,
    },
    /// Another process works on the same data directory.
    #[error("another process holds {path}: only one controller may use a data directory")]
    Held {
        /// The lock file.
        path: String,
    },
    /// The master key is missing, malformed, exposed or the wrong one.
    #[error(transparent)]
    MasterKey(#[from] MasterKeyError),
    /// A sealed value was changed, or moved from another row.
    #[error("the sealed value {table}.{column} of {row} can't be opened: it was altered")]
    Sealed {
        /// Its table.
        table: &'static str,
        /// Its column.
        column: &'static str,
        /// Its row.
        row: String,
    },
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// A bug. The text is for the log only.
    #[error("the store failed: {0}")]
    Internal(String),
}

impl StoreError {
    /// Whether trying again later may help.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use ErrorCode as Code;
        let text = error.to_string();
        match error.sqlite_error_code() {
            Some(
                Code::DatabaseBusy
                | Code::DatabaseLocked
                | Code::DiskFull
                | Code::ReadOnly
                | Code::SystemIoFailure
                | Code::CannotOpen
                | Code::PermissionDenied
                | Code::OutOfMemory
                | Code::OperationInterrupted
                | Code::FileLockingProtocolFailed,
            ) => Self::Unavailable(text),
            Some(Code::DatabaseCorrupt | Code::NotADatabase) => Self::Corrupt {
                path: "file".into(),
                detail: text,
            },
            // The table modules look first and name the other; this is the net below them.
            Some(Code::ConstraintViolation) if is_unique(&error) => Self::Conflict {
                what: "value",
                other: "another row".into(),
            },
            _ => Self::Internal(text),
        }
    }
}

fn is_unique(error: &rusqlite::Error) -> bool {
    use rusqlite::ffi::{SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE};
    error.sqlite_error().is_some_and(|e| {
        matches!(
            e.extended_code,
            SQLITE_CONSTRAINT_UNIQUE | SQLITE_CONSTRAINT_PRIMARYKEY
        )
    })
}

/// Turns "no row" into [`StoreError::NotFound`] of `what`.
pub(super) fn found<T>(result: rusqlite::Result<T>, what: &'static str) -> Result<T, StoreError> {
    match result {
        Err(rusqlite::Error::QueryReturnedNoRows) => Err(StoreError::NotFound { what }),
        other => other.map_err(Into::into),
    }
}

/// Turns "no row was changed" into [`StoreError::NotFound`] of `what`.
pub(super) fn changed(rows: usize, what: &'static str) -> Result<(), StoreError> {
    if rows == 0 {
        Err(StoreError::NotFound { what })
    } else {
        Ok(())
    }
}
