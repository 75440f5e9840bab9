//! Putting a backup in the place of the store.
//!
//! The file is copied beside the store, read as a whole, opened with the master key, brought to this
//! program's schema and marked as restored, all before the store is touched. Then the store in place
//! gets a second name under which it stays; it is emptied of its log, so that it is one file; and one
//! rename puts the copy in its place. Whenever this dies, the store is the old one or the new.
//! A log must never be there while the store changes under it: SQLite would apply it to the wrong file.

use std::{
    cell::Cell,
    fs::{self, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt, chown},
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use serde_json::json;

use super::{
    WriteTx,
    audit::{self, AuditEntry},
    backup::STREAMED_FILE,
    described::{Described, describe_whole},
    error::StoreError,
    master_key::{MasterKey, MasterKeyError, MasterKeySource},
    meta, migrate,
    open::{self, LOCK_FILE, STORE_FILE},
    part::{Part, remove, sync_directory},
    seal::Sealer,
};

const RESTORING_FILE: &str = "controller.db.restoring";
/// What a store is called that another was put in the place of; the time follows.
pub const KEPT_PREFIX: &str = "controller.db.before-restore-";
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

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
    let described = prepare(&part, file, master_key, now_s)?;
    part.sync().map_err(|e| failed(part.path(), &e))?;
    crate::failpoint!("restore.prepared");
    let kept = replace(part, data_dir, now_s)?;
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

/// Verifies the copy and makes it this program's, marked as restored.
fn prepare(
    part: &Part,
    file: &Path,
    master_key: &MasterKeySource,
    now_s: i64,
) -> Result<Described, RestoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut conn = Connection::open_with_flags(part.path(), flags).map_err(StoreError::from)?;
    let described = describe_whole(&conn, part.path()).map_err(|error| of_backup(error, file))?;
    let wrapped: i64 = conn
        .query_row("SELECT count(*) FROM data_keys", [], |row| row.get(0))
        .map_err(|error| of_backup(error.into(), file))?;
    if wrapped == 0 {
        return Err(unusable(file, "it holds no store that was ever opened"));
    }
    let sealer = opened(&conn, file, master_key, now_s)?;
    // No log beside the copy.
    conn.pragma_update(None, "journal_mode", "DELETE")
        .map_err(StoreError::from)?;
    conn.pragma_update(None, "synchronous", "FULL")
        .map_err(StoreError::from)?;
    migrate::run(&mut conn)?;
    mark(&mut conn, &sealer, &described, now_s)?;
    Ok(described)
}

fn opened(
    conn: &Connection,
    file: &Path,
    source: &MasterKeySource,
    now_s: i64,
) -> Result<Sealer, RestoreError> {
    let (MasterKeySource::File(key) | MasterKeySource::Credential(key)) = source.clone();
    let file = file.to_owned();
    let sealer = MasterKey::load(source, true)
        .map_err(StoreError::from)
        .and_then(|master| Sealer::load_or_create(conn, &master, now_s));
    sealer.map_err(|error| match error {
        StoreError::MasterKey(MasterKeyError::Wrong) => RestoreError::OtherKey { file, key },
        StoreError::MasterKey(MasterKeyError::Missing { .. }) => RestoreError::NoKey { file, key },
        other => other.into(),
    })
}

fn mark(
    conn: &mut Connection,
    sealer: &Sealer,
    described: &Described,
    now_s: i64,
) -> Result<(), StoreError> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let last_event = Cell::new(None);
    let write = WriteTx::of_no_writer(&tx, sealer, &last_event);
    meta::set_restored(&write, now_s)?;
    let entry = AuditEntry {
        at: now_s,
        actor: audit::CONTROLLER.into(),
        source: String::new(),
        action: "store.restore".into(),
        object_kind: "store".into(),
        object_id: described.store_id.clone(),
        before: None,
        after: Some(json!({
            "last_used_at": described.heartbeat_at,
            "schema_version": described.schema_version,
        })),
    };
    audit::append(&write, &entry)?;
    Ok(tx.commit()?)
}

fn replace(part: Part, data_dir: &Path, now_s: i64) -> Result<Option<PathBuf>, RestoreError> {
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

fn with_end(file: &Path, end: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// The copy is spoken of as the backup it is one of.
fn of_backup(error: StoreError, file: &Path) -> RestoreError {
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

fn unusable(file: &Path, detail: &str) -> RestoreError {
    RestoreError::Unusable {
        file: file.to_owned(),
        detail: detail.to_owned(),
    }
}

fn failed(path: &Path, error: &io::Error) -> RestoreError {
    RestoreError::File {
        path: path.to_owned(),
        reason: error.to_string(),
    }
}
