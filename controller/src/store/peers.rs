//! Peers: who they are and what was declared of them. Where they stand is in
//! [`peer_nodes`](super::peer_nodes).
//!
//! A new peer, in one closure: [`insert`] the peer, take its addresses
//! ([`allocations`]), [`peer_nodes::place`](super::peer_nodes::place) it with the node's next generation, append to the audit.

use std::collections::BTreeMap;

use rusqlite::{CachedStatement, Connection, OptionalExtension};
use wire_contract::{AllowedIp, Keepalive, PresharedKey, PublicKey};
use zeroize::Zeroizing;

use super::{
    NodeId, PeerId, SyncState, WriteTx, allocations,
    error::{StoreError, changed, found},
    named::{Columns, NamedRow},
    quotas,
    seal::{Place, Sealer},
    tombstones,
    value::{Json, Text},
};
use crate::domain::quota::Quota;

/// What may be declared of a peer besides its keys, node and addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PeerSettings {
    /// For people; need not be unique.
    pub name: String,
    /// What the node sends; 0 is off.
    pub persistent_keepalive: Keepalive,
    /// For the client's configuration; empty takes the node's.
    pub dns: Vec<String>,
    /// For the client's configuration, bytes.
    pub mtu: Option<u32>,
    /// What the client routes through the tunnel; empty takes the node's.
    pub client_allowed_ips: Vec<AllowedIp>,
    /// For filters and scopes.
    pub labels: BTreeMap<String, String>,
    /// Disabled peers are not on the node and keep their address.
    pub enabled: bool,
    /// Why, when nobody did it by hand.
    pub disabled_reason: String,
    /// Unix seconds.
    pub expires_at: Option<i64>,
}

/// A peer to add.
pub struct NewPeer<'a> {
    /// Made by the caller, so that it can be named before.
    pub id: PeerId,
    /// The node it is meant to be on.
    pub node_id: NodeId,
    /// Its key.
    pub public_key: PublicKey,
    /// The client's private key, when it is kept.
    pub private_key: Option<&'a [u8; 32]>,
    /// Its preshared key.
    pub preshared_key: Option<&'a PresharedKey>,
    /// The rest.
    pub settings: &'a PeerSettings,
}

/// A peer's row, with how it stands on its node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerRow {
    /// Its id.
    pub id: PeerId,
    /// The node it is meant to be on.
    pub node_id: NodeId,
    /// Its key.
    pub public_key: PublicKey,
    /// Whether the client's private key is kept.
    pub has_private_key: bool,
    /// Whether it has a preshared key that is known here.
    pub has_preshared_key: bool,
    /// What was declared.
    pub settings: PeerSettings,
    /// Its addresses on its node.
    pub allowed_ips: Vec<AllowedIp>,
    /// Whether it stands there as declared.
    pub sync_state: SyncState,
    /// Why not; empty when it does.
    pub sync_reason: String,
    /// The node's generation that last changed it.
    pub generation: u64,
    /// False for an adopted peer, whose preshared key can't be known.
    pub psk_confirmed: bool,
    /// How much it may move, with what was used by the last checkpoint.
    pub quota: Option<Quota>,
    /// Its total on its node in that checkpoint, received and sent together; 0 without a quota.
    pub checkpoint_bytes: u64,
    /// Unix seconds.
    pub created_at: i64,
    /// Unix seconds.
    pub updated_at: i64,
}

/// The columns [`from_row`] reads; `p` is the peer, `pn` where it stands.
pub(super) const COLUMNS: &str = "p.id, p.name, p.node_id, p.public_key, \
    p.private_key IS NOT NULL AS has_private_key, p.preshared_key IS NOT NULL AS has_preshared_key, \
    p.persistent_keepalive, p.dns, p.mtu, p.client_allowed_ips, p.labels, p.enabled, \
    p.disabled_reason, p.expires_at, p.created_at, p.updated_at, \
    pn.allowed_ips, pn.sync_state, pn.sync_reason, pn.generation, pn.psk_confirmed, \
    q.quota_bytes, q.period AS quota_period, q.period_start AS quota_period_start, \
    q.used_bytes AS quota_used_bytes, q.held AS quota_held, \
    CASE WHEN q.peer_id IS NULL THEN 0 ELSE coalesce((SELECT \
    min(c.rx_bytes_total, 9223372036854775807 - c.tx_bytes_total) + c.tx_bytes_total \
    FROM peer_counters c WHERE c.node_id = p.node_id AND c.public_key = p.public_key), 0) \
    END AS checkpoint_bytes";

/// Where a peer stands on the node it is meant to be on.
pub(super) const JOIN: &str =
    "JOIN peer_nodes pn ON pn.node_id = p.node_id AND pn.public_key = p.public_key";

/// What it may move. After [`JOIN`], for [`COLUMNS`].
pub(super) const JOIN_QUOTA: &str = "LEFT JOIN peer_quotas q ON q.peer_id = p.id";

/// Adds a peer; it is not on a node yet.
///
/// # Errors
/// When it can't be written.
pub fn insert(tx: &WriteTx<'_>, peer: &NewPeer<'_>, now_s: i64) -> Result<(), StoreError> {
    let row = peer.id.to_string();
    let seal = |column, plain: &[u8]| tx.sealer().seal(place(column, &row), plain);
    let private_key = peer
        .private_key
        .map(|key| seal("private_key", key))
        .transpose()?;
    let preshared_key = peer
        .preshared_key
        .map(|key| seal("preshared_key", key.expose()))
        .transpose()?;
    tx.prepare_cached(
        "INSERT INTO peers (id, name, node_id, public_key, private_key, preshared_key, \
         persistent_keepalive, dns, mtu, client_allowed_ips, labels, enabled, disabled_reason, \
         expires_at, created_at, updated_at) VALUES (:id, :name, :node_id, :public_key, \
         :private_key, :preshared_key, :persistent_keepalive, :dns, :mtu, :client_allowed_ips, \
         :labels, :enabled, :disabled_reason, :expires_at, :now, :now)",
    )?
    .execute(rusqlite::named_params! {
        ":id": peer.id,
        ":node_id": peer.node_id,
        ":public_key": Text(peer.public_key),
        ":private_key": private_key,
        ":preshared_key": preshared_key,
        ":name": peer.settings.name,
        ":persistent_keepalive": peer.settings.persistent_keepalive.as_secs(),
        ":dns": Json(&peer.settings.dns),
        ":mtu": peer.settings.mtu,
        ":client_allowed_ips": Json(&peer.settings.client_allowed_ips),
        ":labels": Json(&peer.settings.labels),
        ":enabled": peer.settings.enabled,
        ":disabled_reason": peer.settings.disabled_reason,
        ":expires_at": peer.settings.expires_at,
        ":now": now_s,
    })?;
    Ok(())
}

/// Replaces what was declared. What is for the node too needs
/// [`peer_nodes::mark_pending`](super::peer_nodes::mark_pending).
///
/// # Errors
/// [`StoreError::NotFound`].
pub fn update_settings(
    tx: &WriteTx<'_>,
    id: PeerId,
    settings: &PeerSettings,
    now_s: i64,
) -> Result<(), StoreError> {
    let rows = tx
        .prepare_cached(
            "UPDATE peers SET name = ?2, persistent_keepalive = ?3, dns = ?4, mtu = ?5, \
             client_allowed_ips = ?6, labels = ?7, enabled = ?8, disabled_reason = ?9, \
             expires_at = ?10, updated_at = ?11 WHERE id = ?1",
        )?
        .execute((
            id,
            &settings.name,
            settings.persistent_keepalive.as_secs(),
            Json(&settings.dns),
            settings.mtu,
            Json(&settings.client_allowed_ips),
            Json(&settings.labels),
            settings.enabled,
            &settings.disabled_reason,
            settings.expires_at,
            now_s,
        ))?;
    changed(rows, "peer")
}

/// Replaces the preshared key; `None` removes it. From now on it is known.
///
/// # Errors
/// [`StoreError::NotFound`].
pub fn set_preshared_key(
    tx: &WriteTx<'_>,
    id: PeerId,
    key: Option<&PresharedKey>,
    now_s: i64,
) -> Result<(), StoreError> {
    let row = id.to_string();
    let sealed = key
        .map(|key| tx.sealer().seal(place("preshared_key", &row), key.expose()))
        .transpose()?;
    let sql = "UPDATE peers SET preshared_key = ?2, updated_at = ?3 WHERE id = ?1";
    changed(tx.execute(sql, (id, sealed, now_s))?, "peer")?;
    tx.execute(
        "UPDATE peer_nodes SET psk_confirmed = 1 WHERE peer_id = ?1",
        [id],
    )?;
    Ok(())
}

/// Replaces the client's key pair. In the same closure the caller buries the old key
/// ([`tombstones::bury`]), which frees its addresses, and places the new one.
///
/// # Errors
/// [`StoreError::NotFound`].
pub fn set_key_pair(
    tx: &WriteTx<'_>,
    id: PeerId,
    public_key: &PublicKey,
    private_key: Option<&[u8; 32]>,
    now_s: i64,
) -> Result<(), StoreError> {
    let row = id.to_string();
    let sealed = private_key
        .map(|key| tx.sealer().seal(place("private_key", &row), key))
        .transpose()?;
    let sql = "UPDATE peers SET public_key = ?2, private_key = ?3, updated_at = ?4 WHERE id = ?1";
    changed(
        tx.execute(sql, (id, Text(public_key), sealed, now_s))?,
        "peer",
    )
}

/// Means the peer to be on another node. The caller has placed it there before.
///
/// # Errors
/// [`StoreError::NotFound`].
pub fn set_node(tx: &WriteTx<'_>, id: PeerId, node: NodeId, now_s: i64) -> Result<(), StoreError> {
    let sql = "UPDATE peers SET node_id = ?2, updated_at = ?3 WHERE id = ?1";
    changed(tx.execute(sql, (id, node, now_s))?, "peer")
}

/// Deletes a peer, gives its addresses back and leaves a tombstone on every node it is on. The
/// caller has bumped the generation of those.
///
/// # Errors
/// [`StoreError::NotFound`].
pub fn delete(tx: &WriteTx<'_>, id: PeerId, now_s: i64) -> Result<(), StoreError> {
    tombstones::bury_all(tx, id, now_s)?;
    remove(tx, id)
}

/// Deletes a peer without a tombstone: it is left on its nodes, undeclared.
///
/// # Errors
/// [`StoreError::NotFound`].
pub fn forget(tx: &WriteTx<'_>, id: PeerId) -> Result<(), StoreError> {
    tombstones::forget_all(tx, id)?;
    remove(tx, id)
}

fn remove(tx: &WriteTx<'_>, id: PeerId) -> Result<(), StoreError> {
    allocations::release(tx, id, None)?;
    changed(
        tx.prepare_cached("DELETE FROM peers WHERE id = ?1")?
            .execute([id])?,
        "peer",
    )
}

/// One peer.
///
/// # Errors
/// [`StoreError::NotFound`].
pub fn get(conn: &Connection, id: PeerId) -> Result<PeerRow, StoreError> {
    let row = Get::prepare(conn)?.optional(id)?;
    row.ok_or(StoreError::NotFound { what: "peer" })
}

/// The statement that reads one peer, for reading many one by one.
pub(super) struct Get<'c> {
    select: CachedStatement<'c>,
    columns: Columns,
}

impl<'c> Get<'c> {
    pub(super) fn prepare(conn: &'c Connection) -> Result<Self, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM peers p {JOIN} {JOIN_QUOTA} WHERE p.id = ?1");
        let select = conn.prepare_cached(&sql)?;
        let columns = Columns::of(&select);
        Ok(Self { select, columns })
    }

    /// A peer; `None` when there is no such.
    pub(super) fn optional(&mut self, id: PeerId) -> Result<Option<PeerRow>, StoreError> {
        let Self { select, columns } = self;
        let row = select.query_row([id], |row| from_row(columns.name(row)));
        Ok(row.optional()?)
    }

    /// How often SQLite has prepared it anew since it was prepared.
    #[cfg(test)]
    pub(super) fn prepared_again(&self) -> i32 {
        self.select.get_status(rusqlite::StatementStatus::RePrepare)
    }
}

/// The client's private key, when it is kept.
///
/// # Errors
/// [`StoreError::NotFound`] when there is no such peer, [`StoreError::Sealed`] when it was altered.
pub fn private_key(
    conn: &Connection,
    sealer: &Sealer,
    id: PeerId,
) -> Result<Option<Zeroizing<[u8; 32]>>, StoreError> {
    let mut select = conn.prepare_cached("SELECT private_key FROM peers WHERE id = ?1")?;
    let sealed: Option<Vec<u8>> = found(select.query_row([id], |row| row.get(0)), "peer")?;
    sealed
        .map(|sealed| sealer.open_key(place("private_key", &id.to_string()), &sealed))
        .transpose()
}

/// The preshared key.
///
/// # Errors
/// As [`private_key`].
pub fn preshared_key(
    conn: &Connection,
    sealer: &Sealer,
    id: PeerId,
) -> Result<Option<PresharedKey>, StoreError> {
    let mut select = conn.prepare_cached("SELECT preshared_key FROM peers WHERE id = ?1")?;
    let sealed: Option<Vec<u8>> = found(select.query_row([id], |row| row.get(0)), "peer")?;
    sealed
        .map(|sealed| open_preshared_key(sealer, id, &sealed))
        .transpose()
}

pub(super) fn open_preshared_key(
    sealer: &Sealer,
    id: PeerId,
    sealed: &[u8],
) -> Result<PresharedKey, StoreError> {
    let key = sealer.open_key(place("preshared_key", &id.to_string()), sealed)?;
    Ok(PresharedKey::from_bytes(*key))
}

pub(super) fn from_row(row: NamedRow<'_>) -> rusqlite::Result<PeerRow> {
    Ok(PeerRow {
        id: row.get("id")?,
        node_id: row.get("node_id")?,
        public_key: row.get::<Text<_>>("public_key")?.0,
        has_private_key: row.get("has_private_key")?,
        has_preshared_key: row.get("has_preshared_key")?,
        settings: settings_from_row(row)?,
        allowed_ips: row.get::<Json<_>>("allowed_ips")?.0,
        sync_state: row.get("sync_state")?,
        sync_reason: row.get("sync_reason")?,
        generation: row.unsigned("generation")?,
        psk_confirmed: row.get("psk_confirmed")?,
        quota: quotas::from_row(row)?,
        checkpoint_bytes: row.unsigned("checkpoint_bytes")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
    })
}

fn settings_from_row(row: NamedRow<'_>) -> rusqlite::Result<PeerSettings> {
    Ok(PeerSettings {
        name: row.get("name")?,
        persistent_keepalive: Keepalive::from_secs(row.get("persistent_keepalive")?),
        dns: row.get::<Json<_>>("dns")?.0,
        mtu: row.get("mtu")?,
        client_allowed_ips: row.get::<Json<_>>("client_allowed_ips")?.0,
        labels: row.get::<Json<_>>("labels")?.0,
        enabled: row.get("enabled")?,
        disabled_reason: row.get("disabled_reason")?,
        expires_at: row.get("expires_at")?,
    })
}

const fn place<'a>(column: &'static str, row: &'a str) -> Place<'a> {
    Place {
        table: "peers",
        column,
        row,
    }
}
