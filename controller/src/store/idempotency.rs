//! Answers that were given, so that a repeated request gets the same one.

use rusqlite::{Connection, OptionalExtension};
use zeroize::Zeroizing;

use super::{
    WriteTx,
    error::{StoreError, changed},
    seal::{Place, Sealer},
};

/// What a request is known by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
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

/// How long an answer is kept, in seconds.
pub const LIFETIME_S: i64 = 24 * 3600;

/// What is known of a request that was made before.
pub enum Known {
    /// Its body was another one.
    OtherBody,
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
    now_s: i64,
) -> Result<Option<Known>, StoreError> {
    let mut select = conn.prepare_cached(
        "SELECT body_hash, response FROM idempotency \
         WHERE token_id = ?1 AND route = ?2 AND key = ?3 AND created_at > ?4",
    )?;
    let oldest_s = now_s.saturating_sub(LIFETIME_S);
    let row: Option<([u8; 32], Vec<u8>)> = select
        .query_row((&key.token_id, &key.route, &key.key, oldest_s), |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    Ok(match row {
        None => None,
        Some((hash, _)) if hash != *body_hash => Some(Known::OtherBody),
        Some((_, sealed)) => Some(Known::Answered(sealer.open(place(&key.row()), &sealed)?)),
    })
}

/// Notes a request with its answer, in the transaction that makes its change.
///
/// # Errors
/// [`StoreError::Conflict`] of "request" when it was made before.
pub fn record(
    tx: &WriteTx<'_>,
    key: &IdempotencyKey,
    body_hash: &[u8; 32],
    response: &[u8],
    now_s: i64,
) -> Result<(), StoreError> {
    tx.prepare_cached(
        "DELETE FROM idempotency \
         WHERE token_id = ?1 AND route = ?2 AND key = ?3 AND created_at <= ?4",
    )?
    .execute((
        &key.token_id,
        &key.route,
        &key.key,
        now_s.saturating_sub(LIFETIME_S),
    ))?;
    let sealed = tx.sealer().seal(place(&key.row()), response)?;
    let rows = tx
        .prepare_cached(
            "INSERT INTO idempotency (token_id, route, key, body_hash, response, created_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
        )?
        .execute((
            &key.token_id,
            &key.route,
            &key.key,
            body_hash,
            sealed,
            now_s,
        ))?;
    if rows == 0 {
        let other = "the same request before".into();
        return Err(StoreError::Conflict {
            what: "request",
            other,
        });
    }
    Ok(())
}

/// Replaces the answer of a request by the one its caller is about to get.
///
/// # Errors
/// [`StoreError::NotFound`] when the request was not noted.
pub fn answer(tx: &WriteTx<'_>, key: &IdempotencyKey, response: &[u8]) -> Result<(), StoreError> {
    let sealed = tx.sealer().seal(place(&key.row()), response)?;
    let rows = tx
        .prepare_cached(
            "UPDATE idempotency SET response = ?4 WHERE token_id = ?1 AND route = ?2 AND key = ?3",
        )?
        .execute((&key.token_id, &key.route, &key.key, sealed))?;
    changed(rows, "request")
}

/// Forgets up to `limit` requests that are older than [`LIFETIME_S`]. How many it were.
///
/// # Errors
/// When it can't be written.
pub fn prune(tx: &WriteTx<'_>, now_s: i64, limit: u32) -> Result<usize, StoreError> {
    let sql = "DELETE FROM idempotency WHERE (token_id, route, key) IN \
               (SELECT token_id, route, key FROM idempotency WHERE created_at <= ?1 LIMIT ?2)";
    Ok(tx.execute(sql, (now_s.saturating_sub(LIFETIME_S), limit))?)
}

const fn place(row: &str) -> Place<'_> {
    Place {
        table: "idempotency",
        column: "response",
        row,
    }
}
