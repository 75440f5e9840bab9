//! Making a copy of a backup a store of this program, before anything is touched that is in use.

use std::{cell::Cell, path::Path};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use serde_json::json;

use super::error::{RestoreError, of_backup, unusable};
use crate::store::{
    StoreError, WriteTx,
    audit::{self, AuditEntry},
    described::{Described, describe_whole},
    master_key::{MasterKey, MasterKeyError, MasterKeySource},
    meta, migrate,
    part::Part,
    seal::Sealer,
};

/// Verifies the copy and makes it this program's, marked as restored.
pub(super) fn prepare(
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
