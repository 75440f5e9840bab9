//! Endpoints that are told of events, and how that went.
//!
//! A webhook's outbox is what follows its position in [`events`](super::events): a change writes
//! nothing for it.

use rusqlite::{Connection, Row};
use zeroize::Zeroizing;

use super::{
    NodeId, WebhookId, WriteTx,
    error::{StoreError, changed, found},
    seal::{Place, Sealer},
    value::Json,
};

pub mod deliveries;

/// What is declared of a webhook, apart from its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookSettings {
    /// For people; no two have the same.
    pub name: String,
    /// Where events go.
    pub url: String,
    /// A disabled one is told nothing.
    pub enabled: bool,
    /// Which kinds of events; empty is all.
    pub kinds: Vec<String>,
    /// Only events of this node and its peers.
    pub node_id: Option<NodeId>,
    /// The authorities to trust instead of the system's, in PEM.
    pub tls_ca_pem: Option<String>,
}

/// A webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookRow {
    /// Its id.
    pub id: WebhookId,
    /// What is declared.
    pub settings: WebhookSettings,
    /// The last event that was dealt with.
    pub position: i64,
    /// How often the event after it was tried in vain.
    pub attempts: u32,
    /// When it is tried again, Unix seconds.
    pub retry_at: Option<i64>,
    /// Unix seconds.
    pub created_at: i64,
    /// Unix seconds.
    pub updated_at: i64,
}

/// Adds a webhook that is told of what follows the event `position`.
///
/// # Errors
/// [`StoreError::Conflict`] when another has its name.
pub fn create(
    tx: &WriteTx<'_>,
    id: WebhookId,
    settings: &WebhookSettings,
    secret: &str,
    position: i64,
    now_s: i64,
) -> Result<(), StoreError> {
    refuse_name_taken(tx, id, &settings.name)?;
    let row = id.to_string();
    let sealed = tx.sealer().seal(place(&row), secret.as_bytes())?;
    tx.execute(
        "INSERT INTO webhooks (id, name, url, secret, enabled, kinds, node_id, tls_ca_pem, \
         position, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10)",
        (
            id,
            &settings.name,
            &settings.url,
            sealed,
            settings.enabled,
            Json(&settings.kinds),
            settings.node_id,
            &settings.tls_ca_pem,
            position,
            now_s,
        ),
    )?;
    Ok(())
}

/// Replaces what is declared.
///
/// # Errors
/// [`StoreError::NotFound`], or [`StoreError::Conflict`] when another has its name.
pub fn update(
    tx: &WriteTx<'_>,
    id: WebhookId,
    settings: &WebhookSettings,
    now_s: i64,
) -> Result<(), StoreError> {
    refuse_name_taken(tx, id, &settings.name)?;
    let rows = tx.execute(
        "UPDATE webhooks SET name = ?2, url = ?3, enabled = ?4, kinds = ?5, node_id = ?6, \
         tls_ca_pem = ?7, updated_at = ?8 WHERE id = ?1",
        (
            id,
            &settings.name,
            &settings.url,
            settings.enabled,
            Json(&settings.kinds),
            settings.node_id,
            &settings.tls_ca_pem,
            now_s,
        ),
    )?;
    changed(rows, "webhook")
}

/// Deletes a webhook and the log of its deliveries.
///
/// # Errors
/// [`StoreError::NotFound`].
pub fn delete(tx: &WriteTx<'_>, id: WebhookId) -> Result<(), StoreError> {
    changed(
        tx.execute("DELETE FROM webhooks WHERE id = ?1", [id])?,
        "webhook",
    )
}

/// Everything up to the event `to` is dealt with. Whether it was still at `from`: somebody may have
/// [declared](move_to) another position meanwhile.
///
/// # Errors
/// When it can't be written.
pub fn advance(
    tx: &WriteTx<'_>,
    id: WebhookId,
    (from, to): (i64, i64),
) -> Result<bool, StoreError> {
    let sql = "UPDATE webhooks SET position = ?3, attempts = 0, retry_at = NULL \
        WHERE id = ?1 AND position = ?2";
    Ok(tx.prepare_cached(sql)?.execute((id, from, to))? > 0)
}

/// The event after `to` was tried in vain, for the `attempts`th time; what comes before it is dealt
/// with. Whether it was still at `from`.
///
/// # Errors
/// When it can't be written.
pub fn retry_later(
    tx: &WriteTx<'_>,
    id: WebhookId,
    (from, to): (i64, i64),
    attempts: u32,
    retry_at: i64,
) -> Result<bool, StoreError> {
    let sql = "UPDATE webhooks SET position = ?3, attempts = ?4, retry_at = ?5 \
        WHERE id = ?1 AND position = ?2";
    let rows = tx
        .prepare_cached(sql)?
        .execute((id, from, to, attempts, retry_at))?;
    Ok(rows > 0)
}

/// It is told of what follows the event `position`, whatever was to be told before.
///
/// # Errors
/// [`StoreError::NotFound`].
pub fn move_to(tx: &WriteTx<'_>, id: WebhookId, position: i64) -> Result<(), StoreError> {
    let sql = "UPDATE webhooks SET position = ?2, attempts = 0, retry_at = NULL WHERE id = ?1";
    changed(tx.execute(sql, (id, position))?, "webhook")
}

/// The next try need not wait.
///
/// # Errors
/// When it can't be written.
pub fn retry_now(tx: &WriteTx<'_>, id: WebhookId) -> Result<(), StoreError> {
    tx.execute("UPDATE webhooks SET retry_at = NULL WHERE id = ?1", [id])?;
    Ok(())
}

/// One webhook.
///
/// # Errors
/// [`StoreError::NotFound`].
pub fn get(conn: &Connection, id: WebhookId) -> Result<WebhookRow, StoreError> {
    let mut select = conn.prepare_cached("SELECT * FROM webhooks WHERE id = ?1")?;
    found(select.query_row([id], from_row), "webhook")
}

/// All webhooks, by name.
///
/// # Errors
/// When they can't be read.
pub fn list(conn: &Connection) -> Result<Vec<WebhookRow>, StoreError> {
    let mut select = conn.prepare_cached("SELECT * FROM webhooks ORDER BY name")?;
    let rows = select.query_map([], from_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What its deliveries are signed with.
///
/// # Errors
/// [`StoreError::NotFound`], or [`StoreError::Sealed`] when it was altered.
pub fn secret(
    conn: &Connection,
    sealer: &Sealer,
    id: WebhookId,
) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    let mut select = conn.prepare_cached("SELECT secret FROM webhooks WHERE id = ?1")?;
    let sealed: Vec<u8> = found(select.query_row([id], |row| row.get(0)), "webhook")?;
    sealer.open(place(&id.to_string()), &sealed)
}

fn refuse_name_taken(conn: &Connection, id: WebhookId, name: &str) -> Result<(), StoreError> {
    let mut select = conn.prepare_cached("SELECT 1 FROM webhooks WHERE name = ?1 AND id <> ?2")?;
    if select.exists((name, id))? {
        return Err(StoreError::Conflict {
            what: "name",
            other: format!("another webhook: {name}"),
        });
    }
    Ok(())
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<WebhookRow> {
    Ok(WebhookRow {
        id: row.get("id")?,
        settings: WebhookSettings {
            name: row.get("name")?,
            url: row.get("url")?,
            enabled: row.get("enabled")?,
            kinds: row.get::<_, Json<_>>("kinds")?.0,
            node_id: row.get("node_id")?,
            tls_ca_pem: row.get("tls_ca_pem")?,
        },
        position: row.get("position")?,
        attempts: row.get("attempts")?,
        retry_at: row.get("retry_at")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
    })
}

const fn place(row: &str) -> Place<'_> {
    Place {
        table: "webhooks",
        column: "secret",
        row,
    }
}
