//! How much peers may move, and what they have used of it.

use rusqlite::{Connection, OptionalExtension};

use super::{
    PeerId, WriteTx,
    error::StoreError,
    named::{Columns, NamedRow},
    value::{Text, Unsigned, signed},
};
use crate::domain::{period::QuotaPeriod, quota::Quota};

/// The columns [`from_row`] reads; `q` is the quota.
pub(super) const COLUMNS: &str = "q.quota_bytes, q.period AS quota_period, \
    q.period_start AS quota_period_start, q.used_bytes AS quota_used_bytes, q.held AS quota_held";

/// The quota of a row that has [`COLUMNS`]; `None` when the peer has none.
pub(super) fn from_row(row: NamedRow<'_>) -> rusqlite::Result<Option<Quota>> {
    let Some(Unsigned(bytes)) = row.get("quota_bytes")? else {
        return Ok(None);
    };
    Ok(Some(Quota {
        bytes,
        period: row.get::<Text<_>>("quota_period")?.0,
        period_start_s: row.get("quota_period_start")?,
        used_bytes: row.unsigned("quota_used_bytes")?,
        held: row.get("quota_held")?,
    }))
}

/// A peer's quota; `None` when it has none.
///
/// # Errors
/// When it can't be read.
pub fn get(conn: &Connection, peer: PeerId) -> Result<Option<Quota>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM peer_quotas q WHERE q.peer_id = ?1");
    let mut select = conn.prepare_cached(&sql)?;
    let columns = Columns::of(&select);
    let row = select.query_row([peer], |row| from_row(columns.name(row)));
    Ok(row.optional()?.flatten())
}

/// Sets a peer's quota with its use, or takes it away.
///
/// # Errors
/// When it can't be written.
pub fn set(tx: &WriteTx<'_>, peer: PeerId, quota: Option<&Quota>) -> Result<(), StoreError> {
    let Some(quota) = quota else {
        tx.prepare_cached("DELETE FROM peer_quotas WHERE peer_id = ?1")?
            .execute([peer])?;
        return Ok(());
    };
    tx.prepare_cached(
        "INSERT OR REPLACE INTO peer_quotas (peer_id, quota_bytes, period, period_start, \
         used_bytes, held, resets_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute((
        peer,
        signed(quota.bytes),
        quota.period.as_str(),
        quota.period_start_s,
        signed(quota.used_bytes),
        quota.held,
        quota.resets_at_s(),
    ))?;
    Ok(())
}

/// Notes that a peer with a quota has moved so much more. Nothing happens to others.
///
/// # Errors
/// When it can't be written.
pub fn charge(tx: &WriteTx<'_>, peer: PeerId, bytes: u64, now_s: i64) -> Result<(), StoreError> {
    match get(tx, peer)? {
        // A held peer keeps the period it was held in until it is let back.
        Some(quota) if quota.held => {
            let used_bytes = quota.used_bytes.saturating_add(bytes);
            set(
                tx,
                peer,
                Some(&Quota {
                    used_bytes,
                    ..quota
                }),
            )
        }
        Some(quota) => set(tx, peer, Some(&quota.charged(bytes, now_s))),
        None => Ok(()),
    }
}

/// Enabled peers that have used up their quota, as far as was charged.
///
/// # Errors
/// When they can't be read.
pub fn used_up(conn: &Connection, limit: u32) -> Result<Vec<PeerId>, StoreError> {
    let mut select = conn.prepare_cached(
        "SELECT q.peer_id FROM peer_quotas q CROSS JOIN peers p ON p.id = q.peer_id \
         WHERE q.held = 0 AND q.used_bytes >= q.quota_bytes AND p.enabled = 1 LIMIT ?1",
    )?;
    let rows = select.query_map([limit], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Peers held for a period that is over.
///
/// # Errors
/// When they can't be read.
pub fn reset(conn: &Connection, now_s: i64, limit: u32) -> Result<Vec<PeerId>, StoreError> {
    let mut select = conn.prepare_cached(
        "SELECT peer_id FROM peer_quotas WHERE held = 1 AND resets_at <= ?1 \
         ORDER BY resets_at LIMIT ?2",
    )?;
    let rows = select.query_map((now_s, limit), |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

impl std::str::FromStr for QuotaPeriod {
    type Err = UnknownPeriod;

    fn from_str(name: &str) -> Result<Self, UnknownPeriod> {
        Self::from_name(name).ok_or(UnknownPeriod)
    }
}

/// No period is called so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no such period")]
pub struct UnknownPeriod;
