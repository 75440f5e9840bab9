//! How a node was last seen, and whether it may be written to.

use wire_contract::PublicKey;

use super::{
    NodeId, NodeStatus, WriteTx,
    error::{StoreError, changed},
    named::NamedRow,
    value::{Text, Unsigned, signed},
};

/// How a node was last seen. Outlives a restart, until the first poll says otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeState {
    /// Where it stands.
    pub status: NodeStatus,
    /// Why; empty when there is nothing to say.
    pub status_reason: String,
    /// Since when, Unix seconds.
    pub status_since: i64,
    /// Last good poll, Unix seconds.
    pub last_seen: Option<i64>,
    /// Duration of the last good poll.
    pub latency_ms: Option<u32>,
    /// The agent's version.
    pub version: Option<String>,
    /// The host's boot id, from the `device` extension.
    pub boot_id: Option<String>,
    /// The interface's index, from the `device` extension.
    pub ifindex: Option<u32>,
    /// Uptime of the host in seconds.
    pub uptime_s: Option<u64>,
}

pub(super) const fn initial(enabled: bool) -> (NodeStatus, &'static str) {
    if enabled {
        (NodeStatus::Offline, "not polled yet")
    } else {
        (NodeStatus::Disabled, "")
    }
}

/// Records how a node was seen. One statement, whatever changed.
///
/// # Errors
/// [`StoreError::NotFound`].
pub fn record(tx: &WriteTx<'_>, id: NodeId, state: &NodeState) -> Result<(), StoreError> {
    let rows = tx
        .prepare_cached(
            "UPDATE nodes SET status = ?2, status_reason = ?3, status_since = ?4, last_seen = ?5, \
             latency_ms = ?6, version = ?7, boot_id = ?8, ifindex = ?9, uptime_s = ?10 \
             WHERE id = ?1",
        )?
        .execute((
            id,
            state.status,
            &state.status_reason,
            state.status_since,
            state.last_seen,
            state.latency_ms,
            &state.version,
            &state.boot_id,
            state.ifindex,
            state.uptime_s.map(signed),
        ))?;
    changed(rows, "node")
}

/// Notes the interface's key as the agent tells it.
///
/// # Errors
/// [`StoreError::Conflict`] when it is another node's: the same interface under another URL.
pub fn learn_public_key(tx: &WriteTx<'_>, id: NodeId, key: &PublicKey) -> Result<(), StoreError> {
    use rusqlite::OptionalExtension;
    let sql = "SELECT name FROM nodes WHERE public_key = ?1 AND id <> ?2";
    let other: Option<String> = tx
        .query_row(sql, (Text(key), id), |row| row.get(0))
        .optional()?;
    if let Some(name) = other {
        let other = format!("the node {name}");
        return Err(StoreError::Conflict {
            what: "interface public key",
            other,
        });
    }
    let sql = "UPDATE nodes SET public_key = ?2 WHERE id = ?1";
    changed(tx.execute(sql, (id, Text(key)))?, "node")
}

/// Lets undeclared peers be removed from the node from now on, or no longer.
///
/// # Errors
/// [`StoreError::NotFound`].
pub fn set_removal_confirmed(
    tx: &WriteTx<'_>,
    id: NodeId,
    confirmed: bool,
) -> Result<(), StoreError> {
    let sql = "UPDATE nodes SET removal_confirmed = ?2 WHERE id = ?1";
    changed(tx.execute(sql, (id, confirmed))?, "node")
}

/// Holds every write to the node until its plan is confirmed, or lets them through.
///
/// # Errors
/// [`StoreError::NotFound`].
pub fn set_writes_held(tx: &WriteTx<'_>, id: NodeId, held: bool) -> Result<(), StoreError> {
    changed(
        tx.execute(
            "UPDATE nodes SET writes_held = ?2 WHERE id = ?1",
            (id, held),
        )?,
        "node",
    )
}

/// The store was away for long: removals wait for an operator again, on every node.
///
/// # Errors
/// When it can't be written.
pub fn withdraw_removals(tx: &WriteTx<'_>) -> Result<usize, StoreError> {
    Ok(tx.execute(
        "UPDATE nodes SET removal_confirmed = 0 WHERE removal_confirmed = 1",
        [],
    )?)
}

/// The store is a restored one: every write waits for an operator, on every node.
///
/// # Errors
/// When it can't be written.
pub fn hold_all_writes(tx: &WriteTx<'_>) -> Result<usize, StoreError> {
    Ok(tx.execute(
        "UPDATE nodes SET writes_held = 1, removal_confirmed = 0",
        [],
    )?)
}

/// Notes that this controller works on the node.
///
/// # Errors
/// [`StoreError::NotFound`].
pub fn beat(tx: &WriteTx<'_>, id: NodeId, now_s: i64) -> Result<(), StoreError> {
    let sql = "UPDATE nodes SET heartbeat_at = ?2 WHERE id = ?1";
    changed(tx.prepare_cached(sql)?.execute((id, now_s))?, "node")
}

pub(super) fn from_row(row: NamedRow<'_>) -> rusqlite::Result<NodeState> {
    Ok(NodeState {
        status: row.get("status")?,
        status_reason: row.get("status_reason")?,
        status_since: row.get("status_since")?,
        last_seen: row.get("last_seen")?,
        latency_ms: row.get("latency_ms")?,
        version: row.get("version")?,
        boot_id: row.get("boot_id")?,
        ifindex: row.get("ifindex")?,
        uptime_s: row.get::<Option<Unsigned>>("uptime_s")?.map(|s| s.0),
    })
}
