//! Opening: the lock, the file, the checks that come before anything is trusted.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, TransactionBehavior, config::DbConfig};

use super::{
    error::StoreError,
    master_key::{MasterKey, MasterKeySource},
    meta, migrate, restore,
    seal::Sealer,
    wal,
};

/// Name of the store inside the data directory.
pub const STORE_FILE: &str = "controller.db";
/// Name of the lock inside the data directory.
pub const LOCK_FILE: &str = "lock";
/// Name of the master key inside the data directory unless told otherwise.
pub const MASTER_KEY_FILE: &str = "master-key";
/// Older ones lose or damage data under WAL in ways that were fixed since.
const OLDEST_SQLITE: i32 = 3_051_003;
/// Up to this size every start checks indexes too; beyond, only the pages.
const FULL_CHECK_MAX_BYTES: u64 = 256 << 20;

/// How to open a store.
#[derive(Clone)]
pub struct StoreOptions {
    /// Where everything lives; made with mode 0700 when absent.
    pub data_dir: PathBuf,
    /// Where the master key comes from.
    pub master_key: MasterKeySource,
    /// Connections that read at the same time.
    pub readers: usize,
    /// How long a lock of another process is waited for.
    pub busy_timeout: Duration,
    /// Most commands that wait for the writer.
    pub queue_depth: usize,
    /// Told how long each group of changes took to commit. Called on the writer's thread.
    pub on_commit: Option<Arc<dyn Fn(Duration) + Send + Sync>>,
    /// Waits for writes on a blocking thread, which keeps tokio's paused clock from running ahead of
    /// them. For tests.
    pub hold_paused_clock: bool,
}

impl StoreOptions {
    /// The defaults for a data directory.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        let data_dir = data_dir.into();
        Self {
            master_key: MasterKeySource::File(data_dir.join(MASTER_KEY_FILE)),
            data_dir,
            readers: 4,
            busy_timeout: Duration::from_secs(2),
            queue_depth: 1024,
            on_commit: None,
            hold_paused_clock: false,
        }
    }
}

/// What opening comes to.
pub(super) struct Opened {
    pub lock: File,
    pub writer: Connection,
    /// Empties the log.
    pub checkpointer: Connection,
    pub readers: Vec<Connection>,
    pub sealer: Sealer,
}

pub(super) fn open(options: &StoreOptions, now_s: i64) -> Result<Opened, StoreError> {
    if rusqlite::version_number() < OLDEST_SQLITE {
        let version = rusqlite::version();
        return Err(StoreError::Internal(format!("SQLite {version} is too old")));
    }
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&options.data_dir)
        .map_err(|e| unavailable(&options.data_dir, &e))?;
    let lock = lock(&options.data_dir.join(LOCK_FILE))?;
    restore::remove_leftovers(&options.data_dir).map_err(|e| unavailable(&options.data_dir, &e))?;
    let path = options.data_dir.join(STORE_FILE);
    let master = MasterKey::load(&options.master_key, path.exists())?;
    let mut writer = open_writer(&path, options.busy_timeout)?;
    migrate::run(&mut writer)?;
    let sealer = initialize(&mut writer, &master, now_s)?;
    let readers = (0..options.readers.max(1))
        .map(|_| open_reader(&path, options.busy_timeout))
        .collect::<Result<_, _>>()?;
    Ok(Opened {
        lock,
        writer,
        checkpointer: wal::open(&path)?,
        readers,
        sealer,
    })
}

pub(super) fn lock(path: &Path) -> Result<File, StoreError> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(|e| unavailable(path, &e))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Held {
            path: path.display().to_string(),
        }),
        Err(TryLockError::Error(e)) => Err(unavailable(path, &e)),
    }
}

fn open_writer(path: &Path, busy_timeout: Duration) -> Result<Connection, StoreError> {
    // SQLite gives its side files the mode of this one.
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
        .map_err(|e| unavailable(path, &e))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    check(&conn, path, busy_timeout).map_err(|e| name_file(e, path))?;
    conn.pragma_update(None, "journal_mode", "WAL")?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    // A thread of its own is before it; see `wal`. The log keeps its length: growing it again would have
    // commits wait for the file system's own journal.
    conn.pragma_update(None, "wal_autocheckpoint", wal::LONG_PAGES)?;
    set_common(&conn, busy_timeout)?;
    // Declared here and read back: a pragma that is not understood is silently ignored.
    assert_pragma(&conn, "journal_mode", "wal")?;
    assert_pragma(&conn, "synchronous", "2")?;
    assert_pragma(&conn, "wal_autocheckpoint", &wal::LONG_PAGES.to_string())?;
    Ok(conn)
}

pub(super) fn open_reader(path: &Path, busy_timeout: Duration) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    set_common(&conn, busy_timeout)?;
    Ok(conn)
}

fn set_common(conn: &Connection, busy_timeout: Duration) -> Result<(), StoreError> {
    conn.busy_timeout(busy_timeout)?;
    conn.pragma_update(None, "foreign_keys", "ON")?;
    conn.set_prepared_statement_cache_capacity(128);
    // Without it SQLite prepares some cached statements again whenever a value is bound to them, since
    // another plan might suit it: a third of the time of a page of 100 peers went there.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    assert_pragma(conn, "foreign_keys", "1")?;
    assert_pragma(conn, "busy_timeout", &busy_timeout.as_millis().to_string())
}

/// Origin and integrity, before anything in the file is believed.
fn check(conn: &Connection, path: &Path, busy_timeout: Duration) -> Result<(), StoreError> {
    conn.busy_timeout(busy_timeout)?;
    let name = path.display().to_string();
    migrate::check_origin(conn, &name)?;
    let full = fs::metadata(path).is_ok_and(|m| m.len() <= FULL_CHECK_MAX_BYTES);
    let pragma = if full {
        "integrity_check"
    } else {
        "quick_check"
    };
    check_pages(conn, path, pragma)
}

pub(super) fn check_pages(conn: &Connection, path: &Path, pragma: &str) -> Result<(), StoreError> {
    let verdict: String = conn.pragma_query_value(None, pragma, |row| row.get(0))?;
    if verdict == "ok" {
        return Ok(());
    }
    Err(StoreError::Corrupt {
        path: path.display().to_string(),
        detail: one_line(&verdict),
    })
}

/// The findings of a check are lines under a heading; a refusal is one sentence.
fn one_line(findings: &str) -> String {
    let lines = findings.lines().map(str::trim);
    let found = lines.filter(|line| !line.is_empty() && !line.starts_with("***"));
    found.take(3).collect::<Vec<_>>().join("; ")
}

fn assert_pragma(conn: &Connection, name: &str, wanted: &str) -> Result<(), StoreError> {
    let value: rusqlite::types::Value = conn.pragma_query_value(None, name, |row| row.get(0))?;
    let found = match value {
        rusqlite::types::Value::Integer(number) => number.to_string(),
        rusqlite::types::Value::Text(text) => text,
        other => format!("{other:?}"),
    };
    if found == wanted {
        return Ok(());
    }
    Err(StoreError::Internal(format!(
        "PRAGMA {name} is {found}, not {wanted}"
    )))
}

/// The store's own id and data key, once.
fn initialize(conn: &mut Connection, master: &MasterKey, now_s: i64) -> Result<Sealer, StoreError> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    meta::ensure_store_id(&tx)?;
    let sealer = Sealer::load_or_create(&tx, master, now_s)?;
    tx.commit()?;
    Ok(sealer)
}

fn name_file(error: StoreError, path: &Path) -> StoreError {
    match error {
        StoreError::Corrupt { detail, .. } => StoreError::Corrupt {
            path: path.display().to_string(),
            detail,
        },
        other => other,
    }
}

fn unavailable(path: &Path, error: &std::io::Error) -> StoreError {
    StoreError::Unavailable(format!("{}: {error}", path.display()))
}
