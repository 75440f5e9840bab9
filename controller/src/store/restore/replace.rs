//! Putting the copy in the place of the store, which stays under another name.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags};

use super::{
    KEPT_PREFIX,
    error::{RestoreError, failed},
    with_end,
};
use crate::store::{
    StoreError,
    open::STORE_FILE,
    part::{Part, remove, sync_directory},
};

const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// Keeps the store, empties its log and renames the copy over it. Where the store is that was there.
pub(super) fn replace(
    part: Part,
    data_dir: &Path,
    now_s: i64,
) -> Result<Option<PathBuf>, RestoreError> {
    let store = data_dir.join(STORE_FILE);
    let log = with_end(&store, "-wal");
    let kept = keep(&store, &log, now_s)?;
    crate::failpoint!("restore.kept");
    if let Some(kept) = &kept {
        let kept_log = with_end(kept, "-wal");
        let emptied = empty_log(&store, &log);
        let is_of_use = emptied.is_ok() && has_content(&kept_log);
        if !is_of_use {
            remove(&kept_log).map_err(|e| failed(&kept_log, &e))?;
        }
        if emptied.is_err() {
            remove(kept).map_err(|e| failed(kept, &e))?;
        }
        emptied?;
    }
    crate::failpoint!("restore.log_emptied");
    for path in [log, with_end(&store, "-shm")] {
        remove(&path).map_err(|e| failed(&path, &e))?;
    }
    sync_directory(&store).map_err(|e| failed(data_dir, &e))?;
    crate::failpoint!("restore.before_replace");
    fs::rename(part.path(), &store).map_err(|e| failed(&store, &e))?;
    part.placed();
    crate::failpoint!("restore.replaced");
    sync_directory(&store).map_err(|e| failed(data_dir, &e))?;
    Ok(kept)
}

/// Brings what is only in the log into the store. With a damaged store that can't be done, and SQLite
/// may throw the log away: its second name is there for this.
fn empty_log(store: &Path, log: &Path) -> Result<(), RestoreError> {
    if !has_content(log) {
        return Ok(());
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let emptied = Connection::open_with_flags(store, flags).and_then(|conn| {
        conn.busy_timeout(BUSY_TIMEOUT)?;
        conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| {
            row.get::<_, i64>(0)
        })
    });
    match emptied.map_err(StoreError::from) {
        Ok(0) | Err(StoreError::Corrupt { .. }) => Ok(()),
        Ok(_) => Err(RestoreError::InUse {
            store: store.to_owned(),
        }),
        Err(error) => Err(error.into()),
    }
}

/// Gives the store in place a second name.
fn keep(store: &Path, log: &Path, now_s: i64) -> Result<Option<PathBuf>, RestoreError> {
    if !store.exists() {
        return Ok(None);
    }
    let base = store.with_file_name(format!("{KEPT_PREFIX}{now_s}"));
    let mut kept = base.clone();
    let mut turn = 1;
    while kept.exists() {
        turn += 1;
        kept = with_end(&base, &format!("-{turn}"));
    }
    if has_content(log) {
        let kept_log = with_end(&kept, "-wal");
        fs::hard_link(log, &kept_log).map_err(|e| failed(&kept_log, &e))?;
    }
    fs::hard_link(store, &kept).map_err(|e| failed(&kept, &e))?;
    Ok(Some(kept))
}

fn has_content(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|found| found.len() > 0)
}
