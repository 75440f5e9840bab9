//! Where peers stand: one row for each (node, public key), as the kernel has it.
//!
//! A row whose peer is gone is one of the [`tombstones`](super::tombstones); how a peer changes
//! nodes is in [`moves`](super::moves).

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension};
use wire_contract::{AllowedIp, Keepalive, PresharedKey, PublicKey};

use super::{
    NodeId, PeerId, SyncState, WriteTx,
    error::{StoreError, changed},
    named::{Columns, NamedRow},
    peers, quotas,
    seal::Sealer,
    value::{Json, Text, signed, unsigned},
};
use crate::domain::quota::Quota;

/// A peer to be put on a node.
#[derive(Debug, Clone, Copy)]
pub struct Placement<'a> {
    /// The node.
    pub node_id: NodeId,
    /// The key it has there.
    pub public_key: PublicKey,
    /// The peer.
    pub peer_id: PeerId,
    /// Its addresses there.
    pub allowed_ips: &'a [AllowedIp],
    /// False when its preshared key can't be known.
    pub psk_confirmed: bool,
    /// The node's generation with this change.
    pub generation: u64,
}

/// What a node should have under one key.
#[derive(Clone)]
pub struct DesiredPeer {
    /// The peer.
    pub peer_id: PeerId,
    /// Its key.
    pub public_key: PublicKey,
    /// Its addresses.
    pub allowed_ips: Vec<AllowedIp>,
    /// What the node sends; 0 is off.
    pub persistent_keepalive: Keepalive,
    /// Its preshared key, opened.
    pub preshared_key: Option<PresharedKey>,
    /// False when the preshared key can't be known and is to be left alone.
    pub psk_confirmed: bool,
    /// Whether it is to be in the kernel, apart from its expiry.
    pub enabled: bool,
    /// Unix seconds.
    pub expires_at: Option<i64>,
    /// How much it may move, with what was used by the last checkpoint.
    pub quota: Option<Quota>,
    /// Whether it was last seen as declared.
    pub sync_state: SyncState,
    /// The node's generation that last changed it.
    pub generation: u64,
    /// The node it waits to be seen on before it leaves this one.
    pub moving_to: Option<NodeId>,
    /// Whether it was last told of as being online there.
    pub online: bool,
}

/// Puts a peer on a node. A tombstone of the same key ends; so does the same peer's leaving.
///
/// # Errors
/// [`StoreError::Conflict`] that names the peer that has the key or one of the addresses there.
pub fn place(tx: &WriteTx<'_>, placement: &Placement<'_>) -> Result<(), StoreError> {
    let Placement {
        node_id,
        public_key,
        peer_id,
        ..
    } = *placement;
    let before = holder(tx, node_id, &public_key)?.filter(|before| before.peer_id.is_some());
    if let Some(before) = &before
        && before.peer_id != Some(peer_id)
    {
        let other = format!("the peer {}", before.name.as_deref().unwrap_or_default());
        return Err(StoreError::Conflict {
            what: "public key on this node",
            other,
        });
    }
    tx.prepare_cached(
        "INSERT INTO peer_nodes (node_id, public_key, peer_id, allowed_ips, sync_state, \
         sync_reason, generation, psk_confirmed) VALUES (?1, ?2, ?3, '[]', 'pending', '', ?4, ?5) \
         ON CONFLICT (node_id, public_key) DO UPDATE SET peer_id = excluded.peer_id, \
         sync_state = 'pending', sync_reason = '', generation = excluded.generation, \
         psk_confirmed = excluded.psk_confirmed, moving_to = NULL, deleted_at = NULL, \
         online = 0",
    )?
    .execute((
        node_id,
        Text(public_key),
        peer_id,
        signed(placement.generation),
        placement.psk_confirmed,
    ))?;
    if before.is_none() {
        count(tx, node_id, 1)?;
    }
    set_allowed_ips(tx, node_id, &public_key, placement.allowed_ips)
}

/// Replaces the addresses of a peer on a node.
///
/// # Errors
/// [`StoreError::Conflict`] that names the peer that has one of them there.
pub fn set_allowed_ips(
    tx: &WriteTx<'_>,
    node: NodeId,
    key: &PublicKey,
    allowed_ips: &[AllowedIp],
) -> Result<(), StoreError> {
    release_owned(tx, node, key)?;
    for cidr in allowed_ips {
        own(tx, node, key, cidr)?;
    }
    let sql = "UPDATE peer_nodes SET allowed_ips = ?3 WHERE node_id = ?1 AND public_key = ?2";
    changed(
        tx.prepare_cached(sql)?
            .execute((node, Text(key), Json(allowed_ips)))?,
        "peer",
    )
}

fn own(
    tx: &WriteTx<'_>,
    node: NodeId,
    key: &PublicKey,
    cidr: &AllowedIp,
) -> Result<(), StoreError> {
    let mut select = tx.prepare_cached(
        "SELECT pn.public_key, p.name FROM allowed_ip_owners o \
         JOIN peer_nodes pn ON pn.node_id = o.node_id AND pn.public_key = o.public_key \
         LEFT JOIN peers p ON p.id = pn.peer_id WHERE o.node_id = ?1 AND o.cidr = ?2",
    )?;
    let owner: Option<(String, Option<String>)> = select
        .query_row((node, Text(cidr)), |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    match owner {
        // Given twice in one list: once is enough.
        Some((owner, _)) if owner == key.to_base64().as_str() => Ok(()),
        Some((owner, name)) => {
            let other = format!("the peer {}: {cidr}", name.unwrap_or(owner));
            Err(StoreError::Conflict {
                what: "allowed IP",
                other,
            })
        }
        None => {
            tx.prepare_cached(
                "INSERT INTO allowed_ip_owners (node_id, cidr, public_key) VALUES (?1, ?2, ?3)",
            )?
            .execute((node, Text(cidr), Text(key)))?;
            Ok(())
        }
    }
}

pub(super) fn release_owned(
    tx: &WriteTx<'_>,
    node: NodeId,
    key: &PublicKey,
) -> Result<(), StoreError> {
    tx.prepare_cached("DELETE FROM allowed_ip_owners WHERE node_id = ?1 AND public_key = ?2")?
        .execute((node, Text(key)))?;
    Ok(())
}

/// Who has a key on a node: nobody when it is a tombstone.
struct Holder {
    peer_id: Option<PeerId>,
    name: Option<String>,
}

fn holder(conn: &Connection, node: NodeId, key: &PublicKey) -> Result<Option<Holder>, StoreError> {
    let mut select = conn.prepare_cached(
        "SELECT pn.peer_id, p.name FROM peer_nodes pn LEFT JOIN peers p ON p.id = pn.peer_id \
         WHERE pn.node_id = ?1 AND pn.public_key = ?2",
    )?;
    let row = select.query_row((node, Text(key)), |row| {
        Ok(Holder {
            peer_id: row.get(0)?,
            name: row.get(1)?,
        })
    });
    Ok(row.optional()?)
}

/// The node is yet to be brought in line with this peer, wherever it stands.
///
/// # Errors
/// When it can't be written.
pub fn mark_pending(
    tx: &WriteTx<'_>,
    node: NodeId,
    peer: PeerId,
    generation: u64,
) -> Result<(), StoreError> {
    tx.prepare_cached(
        "UPDATE peer_nodes SET sync_state = 'pending', sync_reason = '', generation = ?3 \
         WHERE node_id = ?1 AND peer_id = ?2",
    )?
    .execute((node, peer, signed(generation)))?;
    Ok(())
}

/// Records what came of bringing a key in line, unless it was changed after `generation`.
/// Whether it was recorded.
///
/// # Errors
/// When it can't be written.
pub fn record_sync(
    tx: &WriteTx<'_>,
    node: NodeId,
    key: &PublicKey,
    generation: u64,
    outcome: (SyncState, &str),
) -> Result<bool, StoreError> {
    let rows = tx
        .prepare_cached(
            "UPDATE peer_nodes SET sync_state = ?4, sync_reason = ?5 \
             WHERE node_id = ?1 AND public_key = ?2 AND generation <= ?3 \
             AND (sync_state <> ?4 OR sync_reason <> ?5)",
        )?
        .execute((node, Text(key), signed(generation), outcome.0, outcome.1))?;
    Ok(rows > 0)
}

/// Records whether a peer was seen online on a node. Whether that is news; never so where the peer
/// is on its way to another node, or gone.
///
/// # Errors
/// When it can't be written.
pub fn record_online(
    tx: &WriteTx<'_>,
    node: NodeId,
    key: &PublicKey,
    online: bool,
) -> Result<bool, StoreError> {
    let rows = tx
        .prepare_cached(
            "UPDATE peer_nodes SET online = ?3 WHERE node_id = ?1 AND public_key = ?2 \
             AND online <> ?3 AND peer_id IS NOT NULL AND moving_to IS NULL",
        )?
        .execute((node, Text(key), online))?;
    Ok(rows > 0)
}

/// The nodes a peer is on; more than one while it moves.
///
/// # Errors
/// When they can't be read.
pub fn nodes_of(conn: &Connection, peer: PeerId) -> Result<Vec<NodeId>, StoreError> {
    let mut select =
        conn.prepare_cached("SELECT DISTINCT node_id FROM peer_nodes WHERE peer_id = ?1")?;
    let rows = select.query_map([peer], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The nodes that peers of this one leave for.
///
/// # Errors
/// When they can't be read.
pub fn targets(conn: &Connection, source: NodeId) -> Result<Vec<NodeId>, StoreError> {
    let mut select = conn.prepare_cached(
        "SELECT DISTINCT moving_to FROM peer_nodes WHERE node_id = ?1 AND moving_to IS NOT NULL",
    )?;
    let rows = select.query_map([source], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What of a node is not yet as declared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unsettled {
    /// Keys, tombstones among them.
    pub count: u32,
    /// When the oldest of them was changed, Unix seconds.
    pub oldest_change_at: Option<i64>,
}

/// What of a node is not yet as declared.
///
/// # Errors
/// When it can't be read.
pub fn unsettled(conn: &Connection, node: NodeId) -> Result<Unsettled, StoreError> {
    let mut select = conn.prepare_cached(
        "SELECT count(*), min(coalesce(pn.deleted_at, p.updated_at)) FROM peer_nodes pn \
         LEFT JOIN peers p ON p.id = pn.peer_id \
         WHERE pn.node_id = ?1 AND pn.sync_state <> 'applied'",
    )?;
    Ok(select.query_row([node], |row| {
        Ok(Unsettled {
            count: row.get(0)?,
            oldest_change_at: row.get(1)?,
        })
    })?)
}

/// What of one node is not as declared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NodeBacklog {
    /// Keys on their way, tombstones among them.
    pub pending: u32,
    /// Keys the node refused.
    pub failed: u32,
    /// Peers on their way: `pending` without tombstones.
    pub peers_pending: u32,
    /// Peers the node refused.
    pub peers_failed: u32,
}

/// What is not as declared, by node. Nodes where all is well are not in it.
///
/// # Errors
/// When it can't be read.
pub fn backlogs(conn: &Connection) -> Result<HashMap<NodeId, NodeBacklog>, StoreError> {
    let mut select = conn.prepare_cached(
        "SELECT node_id, sync_state, count(*), count(peer_id) FROM peer_nodes \
         WHERE sync_state <> 'applied' \
         GROUP BY sync_state, node_id",
    )?;
    let mut backlogs: HashMap<NodeId, NodeBacklog> = HashMap::new();
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let backlog = backlogs.entry(row.get(0)?).or_default();
        match row.get(1)? {
            SyncState::Failed => {
                backlog.failed = row.get(2)?;
                backlog.peers_failed = row.get(3)?;
            }
            SyncState::Pending | SyncState::Applied => {
                backlog.pending = row.get(2)?;
                backlog.peers_pending = row.get(3)?;
            }
        }
    }
    Ok(backlogs)
}

/// Why the first peer of the node in that state, which is not `applied`, is in it; `None` when there is
/// none, or nothing is said. One look, however many there are.
///
/// # Errors
/// When it can't be read.
pub fn first_reason(
    conn: &Connection,
    node: NodeId,
    state: SyncState,
) -> Result<Option<String>, StoreError> {
    let mut select = conn.prepare_cached(
        "SELECT sync_reason FROM peer_nodes \
         WHERE sync_state = ?1 AND sync_state <> 'applied' AND node_id = ?2 LIMIT 1",
    )?;
    let reason: Option<String> = select
        .query_row((state, node), |row| row.get(0))
        .optional()?;
    Ok(reason.filter(|reason| !reason.is_empty()))
}

/// How peers stand over all nodes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SyncCounts {
    /// As declared.
    pub applied: u64,
    /// On their way.
    pub pending: u64,
    /// Refused by their node.
    pub failed: u64,
    /// Keys that are not as declared, tombstones among them.
    pub queued: u64,
    /// When the oldest of those was changed, Unix seconds.
    pub oldest_change_at: Option<i64>,
}

/// How peers stand over all nodes. Costs as much as there is unsettled, however many there are.
///
/// # Errors
/// When they can't be read.
pub fn sync_counts(conn: &Connection) -> Result<SyncCounts, StoreError> {
    let mut select = conn.prepare_cached(
        "SELECT (SELECT coalesce(sum(peer_count), 0) FROM nodes), \
         count(pn.peer_id) FILTER (WHERE pn.sync_state = 'pending'), \
         count(pn.peer_id) FILTER (WHERE pn.sync_state = 'failed'), count(*), \
         min(coalesce(pn.deleted_at, p.updated_at)) \
         FROM peer_nodes pn LEFT JOIN peers p ON p.id = pn.peer_id \
         WHERE pn.sync_state <> 'applied'",
    )?;
    Ok(select.query_row([], |row| {
        let (all, pending, failed) = (unsigned(row, 0)?, unsigned(row, 1)?, unsigned(row, 2)?);
        Ok(SyncCounts {
            applied: all.saturating_sub(pending + failed),
            pending,
            failed,
            queued: unsigned(row, 3)?,
            oldest_change_at: row.get(4)?,
        })
    })?)
}

/// Everything a node should have, tombstones apart, with preshared keys opened.
///
/// # Errors
/// [`StoreError::Sealed`] when a key was altered.
pub fn desired(
    conn: &Connection,
    sealer: &Sealer,
    node: NodeId,
) -> Result<Vec<DesiredPeer>, StoreError> {
    let sql = format!(
        "SELECT pn.*, p.persistent_keepalive, p.preshared_key, p.enabled, p.expires_at, {} \
         FROM peer_nodes pn JOIN peers p ON p.id = pn.peer_id \
         LEFT JOIN peer_quotas q ON q.peer_id = p.id WHERE pn.node_id = ?1",
        quotas::COLUMNS
    );
    let mut select = conn.prepare_cached(&sql)?;
    let columns = Columns::of(&select);
    let mut rows = select.query([node])?;
    let mut peers = Vec::new();
    while let Some(row) = rows.next()? {
        peers.push(desired_from_row(columns.name(row), sealer)?);
    }
    Ok(peers)
}

fn desired_from_row(row: NamedRow<'_>, sealer: &Sealer) -> Result<DesiredPeer, StoreError> {
    let peer_id = row.get("peer_id")?;
    let sealed: Option<Vec<u8>> = row.get("preshared_key")?;
    let open = |sealed: Vec<u8>| peers::open_preshared_key(sealer, peer_id, &sealed);
    Ok(DesiredPeer {
        peer_id,
        public_key: row.get::<Text<_>>("public_key")?.0,
        allowed_ips: row.get::<Json<_>>("allowed_ips")?.0,
        persistent_keepalive: Keepalive::from_secs(row.get("persistent_keepalive")?),
        preshared_key: sealed.map(open).transpose()?,
        psk_confirmed: row.get("psk_confirmed")?,
        enabled: row.get("enabled")?,
        expires_at: row.get("expires_at")?,
        quota: quotas::from_row(row)?,
        sync_state: row.get("sync_state")?,
        generation: row.unsigned("generation")?,
        moving_to: row.get("moving_to")?,
        online: row.get("online")?,
    })
}

pub(super) fn count(tx: &WriteTx<'_>, node: NodeId, by: i64) -> Result<(), StoreError> {
    let sql = "UPDATE nodes SET peer_count = peer_count + ?2 WHERE id = ?1";
    changed(tx.prepare_cached(sql)?.execute((node, by))?, "node")
}
