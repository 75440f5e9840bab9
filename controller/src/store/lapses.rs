//! What time and traffic do to peers: they expire, use up their quota, and come back.
//!
//! Each function is one peer's change: its settings, its nodes' next generations and an audit row.
//! It looks again whether there is anything to do, so that doing it twice, or after an operator came
//! in between, is as good as doing it once.

use rusqlite::Connection;
use serde_json::json;

use super::{
    NodeId, PeerId, StoreError, WriteTx,
    audit::{self, AuditEntry},
    generation, peer_nodes, peers, quotas,
};
use crate::domain::quota::Quota;

/// Peers whose time is up and for which that was not yet acted on.
///
/// # Errors
/// When they can't be read.
pub fn expired(conn: &Connection, now_s: i64, limit: u32) -> Result<Vec<PeerId>, StoreError> {
    let mut select = conn.prepare_cached(
        "SELECT id FROM peers WHERE expires_at IS NOT NULL AND expires_at IS NOT expired_for \
         AND expires_at <= ?1 ORDER BY expires_at LIMIT ?2",
    )?;
    let rows = select.query_map((now_s, limit), |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A peer's time is up. Its nodes; `None` when that is not so, or not any more.
///
/// # Errors
/// When it can't be written.
pub fn expire(
    tx: &WriteTx<'_>,
    peer: PeerId,
    now_s: i64,
) -> Result<Option<Vec<NodeId>>, StoreError> {
    let rows = tx
        .prepare_cached(
            "UPDATE peers SET expired_for = expires_at WHERE id = ?1 AND expires_at <= ?2 \
             AND expires_at IS NOT expired_for",
        )?
        .execute((peer, now_s))?;
    if rows == 0 {
        return Ok(None);
    }
    let expires_at = peers::get(tx, peer)?.settings.expires_at;
    record(
        tx,
        peer,
        "peer.expire",
        json!({ "expires_at": expires_at }),
        now_s,
    )?;
    touch(tx, peer).map(Some)
}

/// Takes a peer that has used up its quota off its nodes. Those; `None` when there is nothing to do.
///
/// # Errors
/// When it can't be written.
pub fn hold(tx: &WriteTx<'_>, peer: PeerId, now_s: i64) -> Result<Option<Vec<NodeId>>, StoreError> {
    let Some((row, quota)) = with_quota(tx, peer, now_s)? else {
        return Ok(None);
    };
    if !quota.is_used_up() || quota.held || !row.settings.enabled {
        // Perhaps of a period that is over: it is written down that nothing is used in this one.
        quotas::set(tx, peer, Some(&quota))?;
        return Ok(None);
    }
    let held = Quota {
        held: true,
        ..quota
    };
    quotas::set(tx, peer, Some(&held))?;
    switch(tx, &row, false, held.reason(), now_s)?;
    let after = json!({ "enabled": false, "disabled_reason": held.reason() });
    record(tx, peer, "peer.quota_used_up", after, now_s)?;
    touch(tx, peer).map(Some)
}

/// Puts a held peer whose next period has begun back on its nodes. Those; `None` when there is
/// nothing to do.
///
/// # Errors
/// When it can't be written.
pub fn release(
    tx: &WriteTx<'_>,
    peer: PeerId,
    now_s: i64,
) -> Result<Option<Vec<NodeId>>, StoreError> {
    let Some((row, quota)) = with_quota(tx, peer, now_s)? else {
        return Ok(None);
    };
    if !quota.held || quota.is_used_up() {
        return Ok(None);
    }
    let released = Quota {
        held: false,
        ..quota
    };
    quotas::set(tx, peer, Some(&released))?;
    switch(tx, &row, true, String::new(), now_s)?;
    record(
        tx,
        peer,
        "peer.quota_reset",
        json!({ "enabled": true }),
        now_s,
    )?;
    touch(tx, peer).map(Some)
}

/// The peer and its quota as it is now.
fn with_quota(
    tx: &WriteTx<'_>,
    peer: PeerId,
    now_s: i64,
) -> Result<Option<(peers::PeerRow, Quota)>, StoreError> {
    let row = match peers::get(tx, peer) {
        Ok(row) => row,
        Err(StoreError::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let quota = row.quota.map(|quota| quota.at(now_s));
    Ok(quota.map(|quota| (row, quota)))
}

fn switch(
    tx: &WriteTx<'_>,
    row: &peers::PeerRow,
    enabled: bool,
    reason: String,
    now_s: i64,
) -> Result<(), StoreError> {
    let settings = peers::PeerSettings {
        enabled,
        disabled_reason: reason,
        ..row.settings.clone()
    };
    peers::update_settings(tx, row.id, &settings, now_s)
}

/// Every node the peer stands on has to be brought in line: two of them while it moves.
fn touch(tx: &WriteTx<'_>, peer: PeerId) -> Result<Vec<NodeId>, StoreError> {
    let nodes = peer_nodes::nodes_of(tx, peer)?;
    for node in &nodes {
        let generation = generation::bump(tx, *node)?;
        peer_nodes::mark_pending(tx, *node, peer, generation)?;
    }
    Ok(nodes)
}

fn record(
    tx: &WriteTx<'_>,
    peer: PeerId,
    action: &str,
    after: serde_json::Value,
    now_s: i64,
) -> Result<(), StoreError> {
    let entry = AuditEntry {
        at: now_s,
        actor: "controller".into(),
        source: String::new(),
        action: action.into(),
        object_kind: "peer".into(),
        object_id: peer.to_string(),
        before: None,
        after: Some(after),
    };
    audit::append(tx, &entry).map(drop)
}
