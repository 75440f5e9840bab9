//! What happened, in order. A row is written in the transaction of what it tells of.

use rusqlite::{Connection, OptionalExtension, Row};

use super::{NodeId, PeerId, WriteTx, error::StoreError};

/// After a backup was put back, ids go on from here beyond the last one: none that was given since
/// the backup is given to another event.
const LEAP: i64 = 1_000_000_000;

/// An event to append.
#[derive(Debug, Clone, Copy)]
pub struct NewEvent<'a> {
    /// When, Unix seconds.
    pub at: i64,
    /// What, a stable word such as `peer.created`.
    pub kind: &'a str,
    /// The node it happened on.
    pub node_id: Option<NodeId>,
    /// The node a peer left by it.
    pub from_node_id: Option<NodeId>,
    /// The peer it is about.
    pub peer_id: Option<PeerId>,
    /// The message that tells it, encoded, without a secret.
    pub payload: &'a [u8],
}

/// An event as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRow {
    /// Grows by one from event to event.
    pub id: i64,
    /// When, Unix seconds.
    pub at: i64,
    /// What.
    pub kind: String,
    /// The node it happened on.
    pub node_id: Option<NodeId>,
    /// The node a peer left by it.
    pub from_node_id: Option<NodeId>,
    /// The peer it is about.
    pub peer_id: Option<PeerId>,
    /// The message that tells it, encoded.
    pub payload: Vec<u8>,
}

/// Appends an event, in the transaction of what it tells of. Its id.
///
/// # Errors
/// When it can't be written.
pub fn append(tx: &WriteTx<'_>, event: &NewEvent<'_>) -> Result<i64, StoreError> {
    tx.prepare_cached(
        "INSERT INTO events (at, kind, node_id, from_node_id, peer_id, payload) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute((
        event.at,
        event.kind,
        event.node_id,
        event.from_node_id,
        event.peer_id,
        event.payload,
    ))?;
    let id = tx.last_insert_rowid();
    tx.event_appended(id);
    Ok(id)
}

/// The id given last, whether or not that event is still kept; 0 before the first.
///
/// # Errors
/// When it can't be read.
pub fn last_id(conn: &Connection) -> Result<i64, StoreError> {
    let mut select =
        conn.prepare_cached("SELECT seq FROM sqlite_sequence WHERE name = 'events'")?;
    let last = select.query_row([], |row| row.get(0)).optional()?;
    Ok(last.unwrap_or(0))
}

/// The oldest id that is kept.
///
/// # Errors
/// When it can't be read.
pub fn first_id(conn: &Connection) -> Result<Option<i64>, StoreError> {
    let mut select = conn.prepare_cached("SELECT min(id) FROM events")?;
    Ok(select.query_row([], |row| row.get(0))?)
}

/// Up to `limit` events after `after`, oldest first. `None` when there were others in between that
/// are not kept any more, or `after` was never given here.
///
/// # Errors
/// When they can't be read.
pub fn after(
    conn: &Connection,
    after: i64,
    limit: usize,
) -> Result<Option<Vec<EventRow>>, StoreError> {
    if !is_known(conn, after)? {
        return Ok(None);
    }
    let mut select =
        conn.prepare_cached("SELECT * FROM events WHERE id > ?1 ORDER BY id LIMIT ?2")?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = select.query_map((after, limit), from_row)?;
    Ok(Some(rows.collect::<Result<_, _>>()?))
}

/// The last `limit` events before the one with the id `before`, oldest first.
///
/// # Errors
/// When they can't be read.
pub fn latest(conn: &Connection, before: i64, limit: u32) -> Result<Vec<EventRow>, StoreError> {
    let sql = "SELECT * FROM events WHERE id < ?1 ORDER BY id DESC LIMIT ?2";
    let mut select = conn.prepare_cached(sql)?;
    let rows = select.query_map((before, limit), from_row)?;
    let mut latest: Vec<_> = rows.collect::<Result<_, _>>()?;
    latest.reverse();
    Ok(latest)
}

/// The events that say what labels nodes have, or had when they went, oldest first.
///
/// # Errors
/// When they can't be read.
pub fn of_nodes(conn: &Connection) -> Result<Vec<EventRow>, StoreError> {
    let mut select = conn.prepare_cached(
        "SELECT * FROM events INDEXED BY events_of_nodes \
         WHERE kind IN ('node.created', 'node.changed', 'node.deleted') ORDER BY id",
    )?;
    let rows = select.query_map([], from_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Whether everything after `id` is still here.
fn is_known(conn: &Connection, id: i64) -> Result<bool, StoreError> {
    let mut select = conn.prepare_cached("SELECT 1 FROM events WHERE id = ?1")?;
    if select.exists([id])? {
        return Ok(true);
    }
    Ok(match first_id(conn)? {
        Some(first) => id == first - 1,
        None => id == last_id(conn)?,
    })
}

/// Forgets events that are older than `before_s` or not among the last `max_rows`, oldest first and
/// at most `step` of them. How many it were.
///
/// # Errors
/// When it can't be written.
pub fn prune(
    tx: &WriteTx<'_>,
    before_s: i64,
    max_rows: i64,
    step: u32,
) -> Result<usize, StoreError> {
    let newest_too_many = last_id(tx)?.saturating_sub(max_rows);
    let mut select = tx.prepare_cached("SELECT id, at FROM events ORDER BY id LIMIT ?1")?;
    let rows = select.query_map([step], |row| Ok((row.get::<_, i64>(0)?, row.get(1)?)))?;
    let mut last = None;
    for row in rows {
        let (id, at): (i64, i64) = row?;
        // A clock that was set back leaves younger ones behind older ones: what is kept has no gaps.
        if id > newest_too_many && at >= before_s {
            break;
        }
        last = Some(id);
    }
    let Some(last) = last else { return Ok(0) };
    Ok(tx
        .prepare_cached("DELETE FROM events WHERE id <= ?1")?
        .execute([last])?)
}

/// After a backup was put back: what others saw since is unknown here, so nobody may go on from an
/// id of that time.
///
/// # Errors
/// When it can't be written.
pub fn start_anew(tx: &WriteTx<'_>) -> Result<(), StoreError> {
    let last = last_id(tx)?;
    tx.execute("DELETE FROM events", [])?;
    tx.execute("DELETE FROM sqlite_sequence WHERE name = 'events'", [])?;
    tx.execute(
        "INSERT INTO sqlite_sequence (name, seq) VALUES ('events', ?1)",
        [last.saturating_add(LEAP)],
    )?;
    Ok(())
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<EventRow> {
    Ok(EventRow {
        id: row.get("id")?,
        at: row.get("at")?,
        kind: row.get("kind")?,
        node_id: row.get("node_id")?,
        from_node_id: row.get("from_node_id")?,
        peer_id: row.get("peer_id")?,
        payload: row.get("payload")?,
    })
}
