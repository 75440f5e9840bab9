//! The log of deliveries: one row for each try.

use rusqlite::{Connection, Row};

use crate::store::{DeliveryOutcome, WebhookId, WriteTx, error::StoreError};

/// Rows that are kept of one webhook.
const MAX_ROWS: i64 = 1000;

/// One try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryRow {
    /// The same for all tries of one event.
    pub delivery_id: String,
    /// The event; a ping has none.
    pub event_id: Option<i64>,
    /// What it tells.
    pub kind: String,
    /// When it began, Unix seconds.
    pub at: i64,
    /// From one on.
    pub attempt: u32,
    /// How it went.
    pub outcome: DeliveryOutcome,
    /// What the endpoint answered, if it did.
    pub http_status: Option<u16>,
    /// How long it took.
    pub latency_ms: u32,
    /// One sentence; empty when there is nothing to say.
    pub error: String,
}

/// Notes a try, and forgets those beyond the last thousand of its webhook.
///
/// # Errors
/// When it can't be written.
pub fn append(tx: &WriteTx<'_>, id: WebhookId, row: &DeliveryRow) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT INTO webhook_deliveries (webhook_id, delivery_id, event_id, kind, at, attempt, \
         outcome, http_status, latency_ms, error) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?
    .execute((
        id,
        &row.delivery_id,
        row.event_id,
        &row.kind,
        row.at,
        row.attempt,
        row.outcome,
        row.http_status,
        row.latency_ms,
        &row.error,
    ))?;
    tx.prepare_cached(
        "DELETE FROM webhook_deliveries WHERE webhook_id = ?1 AND id <= \
         (SELECT id FROM webhook_deliveries WHERE webhook_id = ?1 ORDER BY id DESC \
         LIMIT 1 OFFSET ?2)",
    )?
    .execute((id, MAX_ROWS))?;
    Ok(())
}

/// Up to `limit` tries before the row `before`, newest first, each with its row's id.
///
/// # Errors
/// When they can't be read.
pub fn list(
    conn: &Connection,
    id: WebhookId,
    before: Option<i64>,
    limit: u32,
) -> Result<Vec<(i64, DeliveryRow)>, StoreError> {
    let mut select = conn.prepare_cached(
        "SELECT * FROM webhook_deliveries WHERE webhook_id = ?1 AND id < ?2 \
         ORDER BY id DESC LIMIT ?3",
    )?;
    let rows = select.query_map((id, before.unwrap_or(i64::MAX), limit), from_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How many tries are kept of a webhook.
///
/// # Errors
/// When they can't be read.
pub fn count(conn: &Connection, id: WebhookId) -> Result<u64, StoreError> {
    let sql = "SELECT count(*) FROM webhook_deliveries WHERE webhook_id = ?1";
    let count: i64 = conn
        .prepare_cached(sql)?
        .query_row([id], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

/// The last try of a webhook.
///
/// # Errors
/// When it can't be read.
pub fn last(conn: &Connection, id: WebhookId) -> Result<Option<DeliveryRow>, StoreError> {
    let newest = list(conn, id, None, 1)?.pop();
    Ok(newest.map(|(_, row)| row))
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<(i64, DeliveryRow)> {
    let found = DeliveryRow {
        delivery_id: row.get("delivery_id")?,
        event_id: row.get("event_id")?,
        kind: row.get("kind")?,
        at: row.get("at")?,
        attempt: row.get("attempt")?,
        outcome: row.get("outcome")?,
        http_status: row.get("http_status")?,
        latency_ms: row.get("latency_ms")?,
        error: row.get("error")?,
    };
    Ok((row.get("id")?, found))
}
