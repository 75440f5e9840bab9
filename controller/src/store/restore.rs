//! Putting a backup in the place of the store.
//!
//! The file is copied beside the store, read as a whole, opened with the master key, brought to this
//! program's schema and marked as restored, all before the store is touched. Then the store in place
//! gets a second name under which it stays; it is emptied of its log, so that it is one file; and one
//! rename puts the copy in its place. Whenever this dies, the store is the old one or the new.
//! A log must never be there while the store changes under it: SQLite would apply it to the wrong file.

mod error;
mod prepare;
mod replace;

use std::{
    fs::{self, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt, chown},
    path::{Path, PathBuf},
};

pub use self::error::RestoreError;
use self::error::{failed, unusable};
use super::{
    backup::STREAMED_FILE,
    described::Described,
    error::StoreError,
    master_key::MasterKeySource,
    open::{self, LOCK_FILE, STORE_FILE},
    part::{Part, remove},
};

const RESTORING_FILE: &str = "controller.db.restoring";
/// What a store is called that another was put in the place of; the time follows.
pub const KEPT_PREFIX: &str = "controller.db.before-restore-";

/// What was put back.
#[derive(Debug)]
pub struct Restored {
    /// What the backup said of itself.
    pub described: Described,
    /// Where the store is that was there before.
    pub kept: Option<PathBuf>,
}

/// Puts the backup `file` in the place of the store in `data_dir`. Blocks.
///
/// # Errors
/// See [`RestoreError`]; the store is the one it was then.
pub fn restore(
    file: &Path,
    data_dir: &Path,
    master_key: &MasterKeySource,
    now_s: i64,
) -> Result<Restored, RestoreError> {
    refuse_log(file)?;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(data_dir)
        .map_err(|e| failed(data_dir, &e))?;
    // Held to the end: no controller starts meanwhile.
    let _lock = open::lock(&data_dir.join(LOCK_FILE)).map_err(|error| match error {
        StoreError::Held { .. } => RestoreError::Held {
            data_dir: data_dir.to_owned(),
        },
        other => other.into(),
    })?;
    remove_leftovers(data_dir).map_err(|e| failed(data_dir, &e))?;
    let part = copied(file, data_dir)?;
    crate::failpoint!("restore.copied");
    let described = prepare::prepare(&part, file, master_key, now_s)?;
    part.sync().map_err(|e| failed(part.path(), &e))?;
    crate::failpoint!("restore.prepared");
    let kept = replace::replace(part, data_dir, now_s)?;
    Ok(Restored { described, kept })
}

/// Removes what copies that were cut short left in a data directory whose lock is held.
pub(super) fn remove_leftovers(data_dir: &Path) -> io::Result<()> {
    for name in [STREAMED_FILE, RESTORING_FILE] {
        for end in ["", "-journal", "-wal", "-shm"] {
            remove(&data_dir.join(format!("{name}{end}")))?;
        }
    }
    let identity = |path: &Path| {
        let metadata = fs::symlink_metadata(path).ok()?;
        Some((metadata.dev(), metadata.ino()))
    };
    let in_place = [STORE_FILE.to_owned(), format!("{STORE_FILE}-wal")];
    let in_place = in_place.map(|name| identity(&data_dir.join(name)));
    for entry in fs::read_dir(data_dir)? {
        let entry = entry?;
        let is_kept = entry.file_name().to_string_lossy().starts_with(KEPT_PREFIX);
        // The second name of what is still in its place.
        if is_kept && in_place.contains(&identity(&entry.path())) {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

fn refuse_log(file: &Path) -> Result<(), RestoreError> {
    for end in ["-wal", "-journal"] {
        let log = with_end(file, end);
        if fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
            let file = file.to_owned();
            return Err(RestoreError::HasLog { file, log });
        }
    }
    Ok(())
}

fn copied(file: &Path, data_dir: &Path) -> Result<Part, RestoreError> {
    let mut from = fs::File::open(file).map_err(|e| failed(file, &e))?;
    if !from.metadata().is_ok_and(|found| found.is_file()) {
        return Err(unusable(file, "it is no file"));
    }
    let path = data_dir.join(RESTORING_FILE);
    let part = Part::at(path.clone()).map_err(|e| failed(&path, &e))?;
    let mut to = OpenOptions::new()
        .write(true)
        .open(&path)
        .map_err(|e| failed(&path, &e))?;
    io::copy(&mut from, &mut to).map_err(|e| failed(&path, &e))?;
    // Run as root, for a controller that is not.
    let owner = fs::metadata(data_dir).map_err(|e| failed(data_dir, &e))?;
    if rustix::process::geteuid().is_root() {
        for path in [path, data_dir.join(LOCK_FILE)] {
            chown(&path, Some(owner.uid()), Some(owner.gid())).map_err(|e| failed(&path, &e))?;
        }
    }
    Ok(part)
}

fn with_end(file: &Path, end: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(end);
    name.into()
}
