//! What was measured over time: 10 s, rolled up to 5 min and to 1 h.

use rusqlite::Connection;

use super::{
    SubjectKind, WriteTx,
    error::StoreError,
    value::{signed, unsigned},
};

/// One measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// Start of its span, Unix seconds.
    pub at: i64,
    /// Bytes received in the span.
    pub rx_bytes: u64,
    /// Bytes sent in the span.
    pub tx_bytes: u64,
    /// Share of the span it was online, in thousandths.
    pub online_permille: u32,
}

/// Adds or replaces a sample. `resolution_s` is 10, 300 or 3600.
///
/// # Errors
/// When it can't be written.
pub fn put(
    tx: &WriteTx<'_>,
    kind: SubjectKind,
    subject_id: &str,
    resolution_s: u32,
    sample: Sample,
) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT OR REPLACE INTO samples (subject_kind, subject_id, resolution_s, at, rx_bytes, \
         tx_bytes, online_permille) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute((
        kind,
        subject_id,
        resolution_s,
        sample.at,
        signed(sample.rx_bytes),
        signed(sample.tx_bytes),
        sample.online_permille,
    ))?;
    Ok(())
}

/// Adds up the samples in `[from_s, until_s)` of one resolution into the next one. Both ends are
/// multiples of `to_resolution_s`; doing it again gives the same.
///
/// # Errors
/// When it can't be written.
pub fn roll_up(
    tx: &WriteTx<'_>,
    from_resolution_s: u32,
    to_resolution_s: u32,
    from_s: i64,
    until_s: i64,
) -> Result<usize, StoreError> {
    Ok(tx.execute(
        "INSERT OR REPLACE INTO samples (subject_kind, subject_id, resolution_s, at, rx_bytes, \
         tx_bytes, online_permille) \
         SELECT subject_kind, subject_id, ?2, at - at % ?2, sum(rx_bytes), sum(tx_bytes), \
         sum(online_permille) / count(*) FROM samples \
         WHERE resolution_s = ?1 AND at >= ?3 AND at < ?4 \
         GROUP BY subject_kind, subject_id, at - at % ?2",
        (from_resolution_s, to_resolution_s, from_s, until_s),
    )?)
}

/// The samples of one subject in `[from_s, until_s)`, oldest first.
///
/// # Errors
/// When it can't be read.
pub fn list(
    conn: &Connection,
    kind: SubjectKind,
    subject_id: &str,
    resolution_s: u32,
    from_s: i64,
    until_s: i64,
) -> Result<Vec<Sample>, StoreError> {
    let mut select = conn.prepare_cached(
        "SELECT at, rx_bytes, tx_bytes, online_permille FROM samples WHERE subject_kind = ?1 \
         AND subject_id = ?2 AND resolution_s = ?3 AND at >= ?4 AND at < ?5 ORDER BY at",
    )?;
    let rows = select.query_map((kind, subject_id, resolution_s, from_s, until_s), |row| {
        Ok(Sample {
            at: row.get(0)?,
            rx_bytes: unsigned(row, 1)?,
            tx_bytes: unsigned(row, 2)?,
            online_permille: row.get(3)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Forgets samples of one resolution older than `before_s`.
///
/// # Errors
/// When it can't be written.
pub fn prune(tx: &WriteTx<'_>, resolution_s: u32, before_s: i64) -> Result<usize, StoreError> {
    let sql = "DELETE FROM samples WHERE resolution_s = ?1 AND at < ?2";
    Ok(tx.execute(sql, (resolution_s, before_s))?)
}
