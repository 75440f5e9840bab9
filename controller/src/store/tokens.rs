//! API tokens, kept as hashes.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Row};

use super::{
    Role, TokenId, WriteTx,
    error::{StoreError, changed, found},
    value::Json,
};

/// A token as it is listed. The token itself is nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRow {
    /// Its id.
    pub id: TokenId,
    /// For people.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Labels a node must have for it and its peers to be seen; empty is all.
    pub label_scope: BTreeMap<String, String>,
    /// Unix seconds.
    pub expires_at: Option<i64>,
    /// Unix seconds.
    pub revoked_at: Option<i64>,
    /// Unix seconds.
    pub created_at: i64,
    /// Unix seconds, as far as that was written down: up to a minute late.
    pub last_used_at: Option<i64>,
}

impl TokenRow {
    /// Whether it opens anything at that time, Unix seconds.
    #[must_use]
    pub fn is_usable(&self, now_s: i64) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|at| now_s < at)
    }
}

/// Adds a token by the SHA-256 of its text.
///
/// # Errors
/// When it can't be written.
pub fn create(tx: &WriteTx<'_>, token: &TokenRow, hash: &[u8; 32]) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO tokens (id, name, hash, role, label_scope, expires_at, revoked_at, created_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        (
            token.id,
            &token.name,
            hash,
            token.role,
            Json(&token.label_scope),
            token.expires_at,
            token.revoked_at,
            token.created_at,
        ),
    )?;
    Ok(())
}

/// The token with this hash, also an expired or revoked one: the caller decides.
///
/// # Errors
/// When it can't be read.
pub fn find(conn: &Connection, hash: &[u8; 32]) -> Result<Option<TokenRow>, StoreError> {
    let mut select = conn.prepare_cached("SELECT * FROM tokens WHERE hash = ?1")?;
    Ok(select.query_row([hash], from_row).optional()?)
}

/// The token with this id.
///
/// # Errors
/// [`StoreError::NotFound`].
pub fn get(conn: &Connection, id: TokenId) -> Result<TokenRow, StoreError> {
    let mut select = conn.prepare_cached("SELECT * FROM tokens WHERE id = ?1")?;
    found(select.query_row([id], from_row), "token")
}

/// The tokens that were not revoked, by hash.
///
/// # Errors
/// When they can't be read.
pub fn by_hash(conn: &Connection) -> Result<Vec<([u8; 32], TokenRow)>, StoreError> {
    let mut select = conn.prepare_cached("SELECT * FROM tokens WHERE revoked_at IS NULL")?;
    let rows = select.query_map([], |row| Ok((row.get("hash")?, from_row(row)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// All tokens, oldest first.
///
/// # Errors
/// When it can't be read.
pub fn list(conn: &Connection) -> Result<Vec<TokenRow>, StoreError> {
    let mut select = conn.prepare_cached("SELECT * FROM tokens ORDER BY created_at, id")?;
    let rows = select.query_map([], from_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Writes down when a token was last used, Unix seconds, unless a later time is known.
///
/// # Errors
/// When it can't be written.
pub fn used(tx: &WriteTx<'_>, id: TokenId, at_s: i64) -> Result<(), StoreError> {
    let sql = "UPDATE tokens SET last_used_at = max(coalesce(last_used_at, 0), ?2) WHERE id = ?1";
    tx.prepare_cached(sql)?.execute((id, at_s))?;
    Ok(())
}

/// Takes a token out of use; it stays listed. A revoked one keeps its first date.
///
/// # Errors
/// [`StoreError::NotFound`].
pub fn revoke(tx: &WriteTx<'_>, id: TokenId, now_s: i64) -> Result<(), StoreError> {
    let sql = "UPDATE tokens SET revoked_at = coalesce(revoked_at, ?2) WHERE id = ?1";
    changed(tx.execute(sql, (id, now_s))?, "token")
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<TokenRow> {
    Ok(TokenRow {
        id: row.get("id")?,
        name: row.get("name")?,
        role: row.get("role")?,
        label_scope: row.get::<_, Json<_>>("label_scope")?.0,
        expires_at: row.get("expires_at")?,
        revoked_at: row.get("revoked_at")?,
        created_at: row.get("created_at")?,
        last_used_at: row.get("last_used_at")?,
    })
}
