//! Facts about the store itself.

use rusqlite::{Connection, OptionalExtension};
use uuid::Uuid;

use super::{WriteTx, error::StoreError};

const STORE_ID: &str = "store_id";
const HEARTBEAT: &str = "heartbeat_at";
const RESTORED: &str = "restored_at";

pub(super) fn ensure_store_id(conn: &Connection) -> Result<(), StoreError> {
    conn.execute(
        "INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
        (STORE_ID, Uuid::now_v7().to_string()),
    )?;
    Ok(())
}

/// Which store this is; a restored copy keeps it.
///
/// # Errors
/// When it can't be read.
pub fn store_id(conn: &Connection) -> Result<String, StoreError> {
    get(conn, STORE_ID)?.ok_or(StoreError::NotFound { what: "store id" })
}

/// When a controller last worked with this store, Unix seconds. A store that was away for long must
/// not remove anything before an operator has looked.
///
/// # Errors
/// When it can't be read.
pub fn heartbeat_at(conn: &Connection) -> Result<Option<i64>, StoreError> {
    seconds(conn, HEARTBEAT)
}

/// Says that a controller works with this store now.
///
/// # Errors
/// When it can't be written.
pub fn beat(tx: &WriteTx<'_>, now_s: i64) -> Result<(), StoreError> {
    set(tx, HEARTBEAT, &now_s.to_string())
}

/// When the store was put back from a backup, Unix seconds, until that was dealt with.
///
/// # Errors
/// When it can't be read.
pub fn restored_at(conn: &Connection) -> Result<Option<i64>, StoreError> {
    seconds(conn, RESTORED)
}

/// Notes that the store was put back from a backup.
///
/// # Errors
/// When it can't be written.
pub fn set_restored(tx: &WriteTx<'_>, now_s: i64) -> Result<(), StoreError> {
    set(tx, RESTORED, &now_s.to_string())
}

/// Notes that the restoring was dealt with: every node's writes are held or confirmed.
///
/// # Errors
/// When it can't be written.
pub fn clear_restored(tx: &WriteTx<'_>) -> Result<(), StoreError> {
    tx.execute("DELETE FROM meta WHERE key = ?1", [RESTORED])?;
    Ok(())
}

fn seconds(conn: &Connection, key: &str) -> Result<Option<i64>, StoreError> {
    Ok(get(conn, key)?.and_then(|text| text.parse().ok()))
}

fn get(conn: &Connection, key: &str) -> Result<Option<String>, StoreError> {
    let mut select = conn.prepare_cached("SELECT value FROM meta WHERE key = ?1")?;
    Ok(select.query_row([key], |row| row.get(0)).optional()?)
}

fn set(tx: &WriteTx<'_>, key: &str, value: &str) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO meta (key, value) VALUES (?1, ?2) \
         ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (key, value),
    )?;
    Ok(())
}
