//! Why a store was not put back.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::store::StoreError;

/// Why the store was not put back. Each says what to do; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// A controller runs.
    #[error("a controller works with {data_dir}: stop it, then restore")]
    Held {
        /// Its data directory.
        data_dir: PathBuf,
    },
    /// Another program has the store open.
    #[error("another program has {store} open: end it, then restore")]
    InUse {
        /// The store in place.
        store: PathBuf,
    },
    /// The file is half a store.
    #[error(
        "{file} has its log {log} beside it, so it is a store in use or one that was not closed, and \
         no backup: make one with `wgfleet-controller backup`"
    )]
    HasLog {
        /// The file.
        file: PathBuf,
        /// What is beside it.
        log: PathBuf,
    },
    /// The file is none of ours, or damaged.
    #[error("{file} is no backup that can be used ({detail}): restore another one")]
    Unusable {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// A newer program wrote it.
    #[error(
        "{file} was written by a newer version (schema {found}, this program knows {known}): restore \
         it with that version"
    )]
    Newer {
        /// The file.
        file: PathBuf,
        /// Its schema version.
        found: i64,
        /// The newest one this program knows.
        known: i64,
    },
    /// It was sealed under another key.
    #[error(
        "the master key {key} does not open {file}: put the key that it was made with there, or name \
         it with --master-key-file, and restore again"
    )]
    OtherKey {
        /// The file.
        file: PathBuf,
        /// Where the key was looked for.
        key: PathBuf,
    },
    /// There is no key.
    #[error(
        "there is no master key {key}: put the key that {file} was made with there, or name it with \
         --master-key-file, and restore again. Without it the secrets in a backup can't be read"
    )]
    NoKey {
        /// The file.
        file: PathBuf,
        /// Where the key was looked for.
        key: PathBuf,
    },
    /// A file can't be read or written.
    #[error("{path}: {reason}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// Anything else of the store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The copy is spoken of as the backup it is one of.
pub(super) fn of_backup(error: StoreError, file: &Path) -> RestoreError {
    match error {
        StoreError::Newer { found, known } => RestoreError::Newer {
            file: file.to_owned(),
            found,
            known,
        },
        StoreError::Corrupt { detail, .. } | StoreError::Internal(detail) => {
            unusable(file, &detail)
        }
        StoreError::NotFound { what } => unusable(file, &format!("it has no {what}")),
        other => other.into(),
    }
}

pub(super) fn unusable(file: &Path, detail: &str) -> RestoreError {
    RestoreError::Unusable {
        file: file.to_owned(),
        detail: detail.to_owned(),
    }
}

pub(super) fn failed(path: &Path, error: &io::Error) -> RestoreError {
    RestoreError::File {
        path: path.to_owned(),
        reason: error.to_string(),
    }
}
