//! Agents and their secrets. Nodes of one agent share its secret and change it together.

use rusqlite::{Connection, OptionalExtension};
use wire_contract::signing::Secret;

use super::{
    AgentId, WriteTx,
    error::{StoreError, changed},
    seal::{Place, Sealer},
};

/// Which of an agent's secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// The one requests are signed with.
    Current,
    /// The one a rotation moves to.
    Next,
}

impl Slot {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Next => "next",
        }
    }
}

/// The agent at this URL.
///
/// # Errors
/// When it can't be read.
pub fn find(conn: &Connection, url: &str) -> Result<Option<AgentId>, StoreError> {
    let mut select = conn.prepare_cached("SELECT id FROM agents WHERE url = ?1")?;
    Ok(select.query_row([url], |row| row.get(0)).optional()?)
}

/// Adds an agent with the text of its secret.
///
/// # Errors
/// [`StoreError::Conflict`] that names the other agent when the URL or the secret is taken.
pub fn create(
    tx: &WriteTx<'_>,
    url: &str,
    secret: &[u8],
    now_s: i64,
) -> Result<AgentId, StoreError> {
    if find(tx, url)?.is_some() {
        return Err(StoreError::Conflict {
            what: "agent URL",
            other: url.to_owned(),
        });
    }
    let id = AgentId::generate();
    tx.prepare_cached("INSERT INTO agents (id, url, created_at) VALUES (?1, ?2, ?3)")?
        .execute((id, url, now_s))?;
    set_secret(tx, id, Slot::Current, secret, now_s)?;
    Ok(id)
}

/// Means the same agent at another URL, with the secrets it has.
///
/// # Errors
/// [`StoreError::Conflict`] when the URL is another agent's, [`StoreError::NotFound`].
pub fn rename(tx: &WriteTx<'_>, id: AgentId, url: &str) -> Result<(), StoreError> {
    if find(tx, url)?.is_some_and(|other| other != id) {
        return Err(StoreError::Conflict {
            what: "agent URL",
            other: url.to_owned(),
        });
    }
    let sql = "UPDATE agents SET url = ?2 WHERE id = ?1";
    changed(tx.execute(sql, (id, url))?, "agent")
}

/// Puts a secret in a slot. An agent's own other slot counts as taken too.
///
/// # Errors
/// [`StoreError::Conflict`] that names the agent that has it.
pub fn set_secret(
    tx: &WriteTx<'_>,
    id: AgentId,
    slot: Slot,
    secret: &[u8],
    now_s: i64,
) -> Result<(), StoreError> {
    let fingerprint = tx.sealer().fingerprint(secret);
    refuse_shared(tx, id, slot, &fingerprint)?;
    let ciphertext = tx.sealer().seal(place(&id.to_string()), secret)?;
    tx.prepare_cached(
        "INSERT INTO agent_secrets (agent_id, slot, ciphertext, fingerprint, created_at) \
         VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (agent_id, slot) DO UPDATE SET \
         ciphertext = excluded.ciphertext, fingerprint = excluded.fingerprint, \
         created_at = excluded.created_at",
    )?
    .execute((id, slot.as_str(), ciphertext, fingerprint, now_s))?;
    Ok(())
}

fn refuse_shared(
    conn: &Connection,
    id: AgentId,
    slot: Slot,
    fingerprint: &[u8; 32],
) -> Result<(), StoreError> {
    let mut select = conn.prepare_cached(
        "SELECT a.url FROM agent_secrets s JOIN agents a ON a.id = s.agent_id \
         WHERE s.fingerprint = ?1 AND NOT (s.agent_id = ?2 AND s.slot = ?3)",
    )?;
    let other: Option<String> = select
        .query_row((fingerprint, id, slot.as_str()), |row| row.get(0))
        .optional()?;
    match other {
        Some(url) => Err(StoreError::Conflict {
            what: "secret",
            other: format!("the agent {url}"),
        }),
        None => Ok(()),
    }
}

/// The secret in a slot.
///
/// # Errors
/// [`StoreError::Sealed`] when it was altered.
pub fn secret(
    conn: &Connection,
    sealer: &Sealer,
    id: AgentId,
    slot: Slot,
) -> Result<Option<Secret>, StoreError> {
    let mut select = conn
        .prepare_cached("SELECT ciphertext FROM agent_secrets WHERE agent_id = ?1 AND slot = ?2")?;
    let sealed: Option<Vec<u8>> = select
        .query_row((id, slot.as_str()), |row| row.get(0))
        .optional()?;
    let Some(sealed) = sealed else {
        return Ok(None);
    };
    let row = id.to_string();
    let plain = sealer.open(place(&row), &sealed)?;
    let secret = Secret::new(plain.as_slice());
    secret
        .map(Some)
        .map_err(|e| StoreError::Internal(e.to_string()))
}

/// Whether an agent's current secret is this one, told without opening it.
///
/// # Errors
/// When it can't be read.
pub fn has_secret(
    conn: &Connection,
    sealer: &Sealer,
    id: AgentId,
    secret: &[u8],
) -> Result<bool, StoreError> {
    let mut select = conn.prepare_cached(
        "SELECT count(*) FROM agent_secrets \
         WHERE agent_id = ?1 AND slot = 'current' AND fingerprint = ?2",
    )?;
    let count: i64 = select.query_row((id, sealer.fingerprint(secret)), |row| row.get(0))?;
    Ok(count > 0)
}

/// Makes the next secret the current one; the old one is gone with the same commit.
///
/// # Errors
/// [`StoreError::NotFound`] when there is no next one.
pub fn promote_next(tx: &WriteTx<'_>, id: AgentId) -> Result<(), StoreError> {
    let next: i64 = tx.query_row(
        "SELECT count(*) FROM agent_secrets WHERE agent_id = ?1 AND slot = 'next'",
        [id],
        |row| row.get(0),
    )?;
    if next == 0 {
        return Err(StoreError::NotFound {
            what: "next secret",
        });
    }
    tx.execute(
        "DELETE FROM agent_secrets WHERE agent_id = ?1 AND slot = 'current'",
        [id],
    )?;
    let sql = "UPDATE agent_secrets SET slot = 'current' WHERE agent_id = ?1 AND slot = 'next'";
    changed(tx.execute(sql, [id])?, "next secret")
}

/// Forgets a next secret that came to nothing.
///
/// # Errors
/// When it can't be written.
pub fn drop_next(tx: &WriteTx<'_>, id: AgentId) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM agent_secrets WHERE agent_id = ?1 AND slot = 'next'",
        [id],
    )?;
    Ok(())
}

/// Forgets an agent that no node uses any more, and its secrets.
///
/// # Errors
/// When it can't be written.
pub fn drop_unused(tx: &WriteTx<'_>, id: AgentId) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM agents WHERE id = ?1 AND NOT EXISTS \
         (SELECT 1 FROM nodes WHERE agent_id = ?1)",
        [id],
    )?;
    Ok(())
}

/// The same for both slots, so that promoting moves the sealed value as it is.
const fn place(agent: &str) -> Place<'_> {
    Place {
        table: "agent_secrets",
        column: "ciphertext",
        row: agent,
    }
}
