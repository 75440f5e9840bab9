//! Answers that were given, so that a repeated request gets the same one.

use rusqlite::{Connection, OptionalExtension};
use zeroize::Zeroizing;

use super::{
    WriteTx,
    error::{StoreError, changed},
    seal::{Place, Sealer},
};

/// What a request is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// Whose request.
    pub token_id: String,
    /// Method and route.
    pub route: String,
    /// What the client chose.
    pub key: String,
}

impl IdempotencyKey {
    /// Length-prefixed, so that no two keys share it.
    fn row(&self) -> String {
        format!(
            "{}:{}{}:{}{}",
            self.token_id.len(),
            self.token_id,
            self.route.len(),
            self.route,
            self.key
        )
    }
}

/// What is known of a request.
pub enum Known {
    /// The body is another one than the first time.
    OtherBody,
    /// The first is under way.
    Running,
    /// It was answered so.
    Answered(Zeroizing<Vec<u8>>),
}

/// Looks a request up by its key and the SHA-256 of its body.
///
/// # Errors
/// [`StoreError::Sealed`] when the answer was altered.
pub fn find(
    conn: &Connection,
    sealer: &Sealer,
    key: &IdempotencyKey,
    body_hash: &[u8; 32],
) -> Result<Option<Known>, StoreError> {
    let mut select = conn.prepare_cached(
        "SELECT body_hash, response FROM idempotency \
         WHERE token_id = ?1 AND route = ?2 AND key = ?3",
    )?;
    let row: Option<([u8; 32], Option<Vec<u8>>)> = select
        .query_row((&key.token_id, &key.route, &key.key), |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    Ok(match row {
        None => None,
        Some((hash, _)) if hash != *body_hash => Some(Known::OtherBody),
        Some((_, None)) => Some(Known::Running),
        Some((_, Some(sealed))) => Some(Known::Answered(sealer.open(place(&key.row()), &sealed)?)),
    })
}

/// Notes a request, with its answer when the change is made in the same transaction.
///
/// # Errors
/// [`StoreError::Conflict`] when the key is there already.
pub fn record(
    tx: &WriteTx<'_>,
    key: &IdempotencyKey,
    body_hash: &[u8; 32],
    response: Option<&[u8]>,
    now_s: i64,
) -> Result<(), StoreError> {
    let row = key.row();
    let sealed = response
        .map(|plain| tx.sealer().seal(place(&row), plain))
        .transpose()?;
    tx.prepare_cached(
        "INSERT INTO idempotency (token_id, route, key, body_hash, response, created_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute((
        &key.token_id,
        &key.route,
        &key.key,
        body_hash,
        sealed,
        now_s,
    ))?;
    Ok(())
}

/// Adds the answer to a request that was noted as under way.
///
/// # Errors
/// [`StoreError::NotFound`] when it was not noted.
pub fn answer(tx: &WriteTx<'_>, key: &IdempotencyKey, response: &[u8]) -> Result<(), StoreError> {
    let sealed = tx.sealer().seal(place(&key.row()), response)?;
    let rows = tx
        .prepare_cached(
            "UPDATE idempotency SET response = ?4 WHERE token_id = ?1 AND route = ?2 AND key = ?3",
        )?
        .execute((&key.token_id, &key.route, &key.key, sealed))?;
    changed(rows, "request")
}

/// Forgets requests made before `before_s`.
///
/// # Errors
/// When it can't be written.
pub fn prune(tx: &WriteTx<'_>, before_s: i64) -> Result<usize, StoreError> {
    Ok(tx.execute("DELETE FROM idempotency WHERE created_at < ?1", [before_s])?)
}

/// Forgets requests that were under way when the program died; their change was not made.
///
/// # Errors
/// When it can't be written.
pub fn drop_running(tx: &WriteTx<'_>) -> Result<usize, StoreError> {
    Ok(tx.execute("DELETE FROM idempotency WHERE response IS NULL", [])?)
}

const fn place(row: &str) -> Place<'_> {
    Place {
        table: "idempotency",
        column: "response",
        row,
    }
}
