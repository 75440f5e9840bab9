//! Who did what. Append only.

use rusqlite::Connection;
use serde_json::Value;

use super::{WriteTx, error::StoreError, value::Json};

/// One thing that was done. `before` and `after` never hold secrets.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEntry {
    /// When, Unix seconds.
    pub at: i64,
    /// Who: a token's name, or "controller".
    pub actor: String,
    /// From where: an address, or empty.
    pub source: String,
    /// What: "peer.create".
    pub action: String,
    /// To what kind of thing: "peer".
    pub object_kind: String,
    /// To which one.
    pub object_id: String,
    /// Its fields before, those that changed.
    pub before: Option<Value>,
    /// Its fields after.
    pub after: Option<Value>,
}

/// Adds an entry, in the transaction of the change it tells of.
///
/// # Errors
/// When it can't be written.
pub fn append(tx: &WriteTx<'_>, entry: &AuditEntry) -> Result<i64, StoreError> {
    tx.prepare_cached(
        "INSERT INTO audit (at, actor, source, action, object_kind, object_id, before, after) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute((
        entry.at,
        &entry.actor,
        &entry.source,
        &entry.action,
        &entry.object_kind,
        &entry.object_id,
        entry.before.as_ref().map(Json),
        entry.after.as_ref().map(Json),
    ))?;
    Ok(tx.last_insert_rowid())
}

/// Up to `limit` entries older than `before_id`, newest first, of one object or of all.
///
/// # Errors
/// When it can't be read.
pub fn list(
    conn: &Connection,
    object_id: Option<&str>,
    before_id: Option<i64>,
    limit: u32,
) -> Result<Vec<(i64, AuditEntry)>, StoreError> {
    let sql = if object_id.is_some() {
        "SELECT * FROM audit WHERE object_id = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3"
    } else {
        "SELECT * FROM audit WHERE ?1 IS NULL AND id < ?2 ORDER BY id DESC LIMIT ?3"
    };
    let mut select = conn.prepare_cached(sql)?;
    let rows = select.query_map((object_id, before_id.unwrap_or(i64::MAX), limit), |row| {
        let json = |name| {
            row.get::<_, Option<Json<Value>>>(name)
                .map(|j| j.map(|j| j.0))
        };
        let entry = AuditEntry {
            at: row.get("at")?,
            actor: row.get("actor")?,
            source: row.get("source")?,
            action: row.get("action")?,
            object_kind: row.get("object_kind")?,
            object_id: row.get("object_id")?,
            before: json("before")?,
            after: json("after")?,
        };
        Ok((row.get("id")?, entry))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
