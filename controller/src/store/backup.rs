//! Copies of the store as it is at one moment, made while it is worked with.
//!
//! `VACUUM INTO` reads one snapshot, so writers go on meanwhile, and the copy is one file with no log
//! beside it and nothing left in it of what was deleted. A copy counts only once all of it was read
//! again and it says the same of itself as the store does. It holds secrets sealed as the store does,
//! and never the key they are sealed under.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use tokio::{sync::OwnedSemaphorePermit, task::spawn_blocking};

use super::{
    Store,
    described::{Described, describe, describe_whole},
    error::StoreError,
    master_key::MasterKeySource,
    open::{self, LOCK_FILE, STORE_FILE},
    part::{Part, sync_directory},
};

/// Beside the store, while a copy is made that is streamed to a caller.
pub(super) const STREAMED_FILE: &str = "controller.db.backup";
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Why no backup was made. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is nothing to copy.
    #[error("there is no store in {data_dir}: name its data directory with --data-dir")]
    NoStore {
        /// Where it was looked for.
        data_dir: PathBuf,
    },
    /// The file is there already.
    #[error("{file} exists: choose another name, or replace it with --force")]
    Exists {
        /// Which.
        file: PathBuf,
    },
    /// The file is one that the controller needs.
    #[error("{file} is a file of the controller itself: choose another name")]
    OwnFile {
        /// Which.
        file: PathBuf,
    },
    /// The file can't be written.
    #[error("{file} can't be written: {reason}")]
    File {
        /// Which.
        file: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The store can't be read, or its copy is not like it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Copies the store of a data directory into `file`, whether or not a controller works with it. Blocks.
/// `file` is there whole or not at all; one that exists is replaced only with `force`.
///
/// # Errors
/// See [`BackupError`].
pub fn to_file(
    data_dir: &Path,
    master_key: &MasterKeySource,
    file: &Path,
    force: bool,
) -> Result<Described, BackupError> {
    let failed = |error: &io::Error| BackupError::File {
        file: file.to_owned(),
        reason: error.to_string(),
    };
    let source = data_dir.join(STORE_FILE);
    if !source.is_file() {
        let data_dir = data_dir.to_owned();
        return Err(BackupError::NoStore { data_dir });
    }
    refuse_own_file(data_dir, master_key, file)?;
    if !force && file.symlink_metadata().is_ok() {
        let file = file.to_owned();
        return Err(BackupError::Exists { file });
    }
    let part = Part::beside(file).map_err(|error| failed(&error))?;
    let described = copy(&source, &part)?;
    crate::failpoint!("backup.copied");
    part.sync().map_err(|error| failed(&error))?;
    match place(part, file, force) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(BackupError::Exists {
            file: file.to_owned(),
        }),
        placed => placed.map(|()| described).map_err(|error| failed(&error)),
    }
}

/// Copies the store into `part` and looks whether the copy is whole.
fn copy(source: &Path, part: &Part) -> Result<Described, StoreError> {
    let conn = open::open_reader(source, BUSY_TIMEOUT)?;
    let before = describe(&conn, source)?;
    let to = part.path().to_str().ok_or_else(|| {
        StoreError::Unavailable("SQLite needs a file name that is UTF-8".to_owned())
    })?;
    conn.execute("VACUUM INTO ?1", [to])?;
    drop(conn);
    crate::failpoint!("backup.written");
    let conn = open::open_reader(part.path(), BUSY_TIMEOUT)?;
    let copied = describe_whole(&conn, part.path())?;
    let of = |it: &Described| (it.store_id.clone(), it.schema_version);
    if of(&copied) != of(&before) {
        let message = "the copy is of another store: it was replaced meanwhile, try again";
        return Err(StoreError::Unavailable(message.into()));
    }
    Ok(copied)
}

/// Gives the copy its name.
fn place(part: Part, file: &Path, force: bool) -> io::Result<()> {
    if force {
        fs::rename(part.path(), file)?;
    } else {
        match renameat_with(CWD, part.path(), CWD, file, RenameFlags::NOREPLACE) {
            // Not every file system can; that the name was free a moment ago must do there.
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS)
                if file.symlink_metadata().is_err() =>
            {
                fs::rename(part.path(), file)?;
            }
            renamed => renamed?,
        }
    }
    part.placed();
    crate::failpoint!("backup.placed");
    sync_directory(file)
}

/// `--force` must not put a copy in the place of the store in use, or of the key that opens it.
fn refuse_own_file(
    data_dir: &Path,
    master_key: &MasterKeySource,
    file: &Path,
) -> Result<(), BackupError> {
    let (MasterKeySource::File(key) | MasterKeySource::Credential(key)) = master_key;
    let beside = |end: &str| data_dir.join(format!("{STORE_FILE}{end}"));
    let own = [
        beside(""),
        beside("-wal"),
        beside("-shm"),
        data_dir.join(LOCK_FILE),
        key.clone(),
    ];
    let wanted = real(file);
    if own.iter().any(|path| real(path) == wanted) {
        let file = file.to_owned();
        return Err(BackupError::OwnFile { file });
    }
    Ok(())
}

/// Where a file is or would be, by whatever way its directory is reached.
fn real(file: &Path) -> Option<PathBuf> {
    let directory = match file.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    Some(directory.canonicalize().ok()?.join(file.file_name()?))
}

/// A copy to read from. It has no name any more: it is gone once this is dropped, or the process dies.
pub struct Backup {
    /// What it says of itself.
    pub described: Described,
    /// How long it is.
    pub bytes: u64,
    /// The copy, at its beginning.
    pub file: File,
    _turn: OwnedSemaphorePermit,
}

impl Store {
    /// Copies the store. `None` when another copy is made or read just now: they are large.
    ///
    /// # Errors
    /// When it can't be copied, or the copy is not whole.
    pub async fn back_up(&self) -> Result<Option<Backup>, StoreError> {
        let Ok(turn) = Arc::clone(&self.0.backups).try_acquire_owned() else {
            return Ok(None);
        };
        let data_dir = self.0.data_dir.clone();
        let made = spawn_blocking(move || unnamed(&data_dir, turn)).await;
        let made = made.map_err(|_| StoreError::Internal("a backup panicked".into()))?;
        made.map(Some)
    }
}

fn unnamed(data_dir: &Path, turn: OwnedSemaphorePermit) -> Result<Backup, StoreError> {
    let failed =
        |error: io::Error| StoreError::Unavailable(format!("a copy beside the store: {error}"));
    let part = Part::at(data_dir.join(STREAMED_FILE)).map_err(failed)?;
    let described = copy(&data_dir.join(STORE_FILE), &part)?;
    let file = File::open(part.path()).map_err(failed)?;
    let bytes = file.metadata().map_err(failed)?.len();
    // Dropped here: what is read has no name.
    drop(part);
    Ok(Backup {
        described,
        bytes,
        file,
        _turn: turn,
    })
}
