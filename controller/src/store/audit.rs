//! Who did what. Append only.

use rusqlite::{Connection, Row, params_from_iter, types::Value};

use super::{
    WriteTx,
    error::StoreError,
    value::{Json, unsigned},
};

/// Who it was where it was no token's doing.
pub const CONTROLLER: &str = "controller";

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
    pub before: Option<serde_json::Value>,
    /// Its fields after.
    pub after: Option<serde_json::Value>,
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
    let rows = select.query_map((object_id, before_id.unwrap_or(i64::MAX), limit), from_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Which entries. What is given holds together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Done by.
    pub actor: Option<String>,
    /// What was done.
    pub action: Option<String>,
    /// To what kind of thing.
    pub object_kind: Option<String>,
    /// To which one.
    pub object_id: Option<String>,
    /// From where.
    pub source: Option<String>,
    /// Not before this, Unix seconds.
    pub since: Option<i64>,
    /// Before this, Unix seconds.
    pub until: Option<i64>,
}

/// Up to `limit` entries older than `before_id`, newest first.
///
/// # Errors
/// When they can't be read.
pub fn page(
    conn: &Connection,
    filter: &AuditFilter,
    before_id: Option<i64>,
    limit: usize,
) -> Result<Vec<(i64, AuditEntry)>, StoreError> {
    let (mut conditions, mut values) = filter.conditions();
    if let Some(id) = before_id {
        conditions.push_str(" AND id < ?");
        values.push(Value::Integer(id));
    }
    values.push(Value::Integer(i64::try_from(limit).unwrap_or(i64::MAX)));
    let sql = format!("SELECT * FROM audit WHERE {conditions} ORDER BY id DESC LIMIT ?");
    let mut select = conn.prepare_cached(&sql)?;
    let rows = select.query_map(params_from_iter(values), from_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How many entries match.
///
/// # Errors
/// When they can't be read.
pub fn count(conn: &Connection, filter: &AuditFilter) -> Result<u64, StoreError> {
    let (conditions, values) = filter.conditions();
    let sql = format!("SELECT count(*) FROM audit WHERE {conditions}");
    let mut select = conn.prepare_cached(&sql)?;
    Ok(select.query_row(params_from_iter(values), |row| unsigned(row, 0))?)
}

impl AuditFilter {
    fn conditions(&self) -> (String, Vec<Value>) {
        let texts = [
            ("actor = ?", &self.actor),
            ("action = ?", &self.action),
            ("object_kind = ?", &self.object_kind),
            ("object_id = ?", &self.object_id),
            ("source = ?", &self.source),
        ];
        let texts = texts
            .into_iter()
            .filter_map(|(sql, text)| Some((sql, Value::Text(text.clone()?))));
        let times = [("at >= ?", self.since), ("at < ?", self.until)];
        let times = times
            .into_iter()
            .filter_map(|(sql, time)| Some((sql, Value::Integer(time?))));
        let (mut sql, values): (Vec<_>, Vec<_>) = texts.chain(times).unzip();
        sql.push("1");
        (sql.join(" AND "), values)
    }
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<(i64, AuditEntry)> {
    let json = |name| {
        let json = row.get::<_, Option<Json<serde_json::Value>>>(name);
        json.map(|json| json.map(|json| json.0))
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
}
