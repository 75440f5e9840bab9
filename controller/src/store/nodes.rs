//! Nodes as they are declared.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension};
use wire_contract::{AllowedIp, InterfaceName, Keepalive, PublicKey};

use super::{
    AgentId, NodeId, UnmanagedPeers, WriteTx,
    error::{StoreError, changed, found},
    named::{Columns, NamedRow},
    node_status::{self, NodeState},
    value::{Json, Text},
};

/// What an operator declares of a node, apart from its pools and its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeSettings {
    /// Unique.
    pub name: String,
    /// Unique together with `wg_interface`.
    pub agent_id: AgentId,
    /// The interface on the agent's host.
    pub wg_interface: InterfaceName,
    /// `host:port` that clients connect to.
    pub endpoint: Option<String>,
    /// Share of new peers; 0 takes none by itself.
    pub weight: u32,
    /// 0 is unlimited.
    pub max_peers: u32,
    /// Whether it is polled and written to.
    pub enabled: bool,
    /// What placement selects by.
    pub labels: BTreeMap<String, String>,
    /// What happens to peers nobody declared.
    pub unmanaged_peers: UnmanagedPeers,
    /// What no peer is given.
    pub reserved_ips: Vec<AllowedIp>,
    /// For its clients.
    pub dns: Vec<String>,
    /// For its clients, bytes.
    pub mtu: Option<u32>,
    /// What its clients route through the tunnel.
    pub client_allowed_ips: Vec<AllowedIp>,
    /// For its clients.
    pub persistent_keepalive: Option<Keepalive>,
    /// The interface's key; unique when known.
    pub public_key: Option<PublicKey>,
    /// SHA-256 of the pinned certificate in hex.
    pub tls_pin_sha256: Option<String>,
    /// The authority of the agent's certificate, PEM.
    pub tls_ca_pem: Option<String>,
}

/// A node's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeRow {
    /// Its id.
    pub id: NodeId,
    /// What was declared.
    pub settings: NodeSettings,
    /// Where its agent is.
    pub agent_url: String,
    /// How it was last seen.
    pub state: NodeState,
    /// Generation of the last declared change.
    pub desired_generation: u64,
    /// Generation last seen applied.
    pub observed_generation: u64,
    /// Declared peers, kept by the transactions that change them.
    pub peer_count: u32,
    /// Whether removing undeclared peers was confirmed once.
    pub removal_confirmed: bool,
    /// Whether every write waits for the plan to be confirmed.
    pub writes_held: bool,
    /// Unix seconds.
    pub created_at: i64,
    /// Unix seconds.
    pub updated_at: i64,
}

const SELECT: &str =
    "SELECT n.*, a.url AS agent_url FROM nodes n JOIN agents a ON a.id = n.agent_id";

/// Adds a node, offline until it is polled.
///
/// # Errors
/// [`StoreError::Conflict`] that names the node with the same name, agent and interface, or key.
pub fn create(tx: &WriteTx<'_>, settings: &NodeSettings, now_s: i64) -> Result<NodeId, StoreError> {
    let id = NodeId::generate();
    refuse_taken(tx, id, settings)?;
    let status = node_status::initial(settings.enabled);
    tx.prepare_cached(
        "INSERT INTO nodes (id, name, agent_id, wg_interface, weight, max_peers, enabled, labels, \
         unmanaged_peers, reserved_ips, dns, client_allowed_ips, status, status_reason, \
         status_since, created_at, updated_at) \
         VALUES (?1, ?2, ?3, ?4, 0, 0, 0, '{}', 'ignore', '[]', '[]', '[]', ?5, ?6, ?7, ?7, ?7)",
    )?
    .execute((
        id,
        &settings.name,
        settings.agent_id,
        settings.wg_interface.as_str(),
        status.0,
        status.1,
        now_s,
    ))?;
    set_columns(tx, id, settings, now_s)?;
    Ok(id)
}

/// Replaces what was declared. Does not bump the generation: most of it is not for the node.
///
/// # Errors
/// [`StoreError::NotFound`], or [`StoreError::Conflict`] as [`create`].
pub fn update(
    tx: &WriteTx<'_>,
    id: NodeId,
    settings: &NodeSettings,
    now_s: i64,
) -> Result<(), StoreError> {
    refuse_taken(tx, id, settings)?;
    set_columns(tx, id, settings, now_s)
}

fn set_columns(
    tx: &WriteTx<'_>,
    id: NodeId,
    settings: &NodeSettings,
    now_s: i64,
) -> Result<(), StoreError> {
    let rows = tx
        .prepare_cached(
            "UPDATE nodes SET name = :name, agent_id = :agent_id, wg_interface = :wg_interface, \
             endpoint = :endpoint, weight = :weight, max_peers = :max_peers, enabled = :enabled, \
             labels = :labels, unmanaged_peers = :unmanaged_peers, reserved_ips = :reserved_ips, \
             dns = :dns, mtu = :mtu, client_allowed_ips = :client_allowed_ips, \
             persistent_keepalive = :persistent_keepalive, public_key = :public_key, \
             tls_pin_sha256 = :tls_pin_sha256, tls_ca_pem = :tls_ca_pem, updated_at = :now \
             WHERE id = :id",
        )?
        .execute(rusqlite::named_params! {
            ":id": id,
            ":name": settings.name,
            ":agent_id": settings.agent_id,
            ":wg_interface": settings.wg_interface.as_str(),
            ":endpoint": settings.endpoint,
            ":weight": settings.weight,
            ":max_peers": settings.max_peers,
            ":enabled": settings.enabled,
            ":labels": Json(&settings.labels),
            ":unmanaged_peers": settings.unmanaged_peers,
            ":reserved_ips": Json(&settings.reserved_ips),
            ":dns": Json(&settings.dns),
            ":mtu": settings.mtu,
            ":client_allowed_ips": Json(&settings.client_allowed_ips),
            ":persistent_keepalive": settings.persistent_keepalive.map(Keepalive::as_secs),
            ":public_key": settings.public_key.map(Text),
            ":tls_pin_sha256": settings.tls_pin_sha256,
            ":tls_ca_pem": settings.tls_ca_pem,
            ":now": now_s,
        })?;
    changed(rows, "node")
}

/// Names the node that already has what this one wants.
fn refuse_taken(conn: &Connection, id: NodeId, settings: &NodeSettings) -> Result<(), StoreError> {
    let taken = |what: &'static str, sql: &str, value: &dyn rusqlite::ToSql| {
        let mut select = conn.prepare_cached(sql)?;
        let other: Option<String> = select
            .query_row(rusqlite::params![id, value, settings.agent_id], |row| {
                row.get(0)
            })
            .optional()?;
        match other {
            Some(name) => Err(StoreError::Conflict {
                what,
                other: format!("the node {name}"),
            }),
            None => Ok(()),
        }
    };
    let name = "SELECT name FROM nodes WHERE id <> ?1 AND name = ?2 AND ?3 IS NOT NULL";
    let interface = "SELECT name FROM nodes WHERE id <> ?1 AND wg_interface = ?2 AND agent_id = ?3";
    let key = "SELECT name FROM nodes WHERE id <> ?1 AND public_key = ?2 AND ?3 IS NOT NULL";
    taken("name", name, &settings.name)?;
    taken(
        "interface of this agent",
        interface,
        &settings.wg_interface.as_str(),
    )?;
    taken("interface public key", key, &settings.public_key.map(Text))
}

/// Deletes a node that has no peers left, its tombstones, pools, and its agent when unused.
///
/// # Errors
/// [`StoreError::NotFound`], or [`StoreError::InUse`] with the number of its peers.
pub fn delete(tx: &WriteTx<'_>, id: NodeId) -> Result<(), StoreError> {
    let row = get(tx, id)?;
    if row.peer_count > 0 {
        let count = row.peer_count.into();
        return Err(StoreError::InUse {
            what: "the node",
            count,
            by: "peers",
        });
    }
    changed(tx.execute("DELETE FROM nodes WHERE id = ?1", [id])?, "node")?;
    super::agents::drop_unused(tx, row.settings.agent_id)
}

/// One node.
///
/// # Errors
/// [`StoreError::NotFound`].
pub fn get(conn: &Connection, id: NodeId) -> Result<NodeRow, StoreError> {
    let mut select = conn.prepare_cached(&format!("{SELECT} WHERE n.id = ?1"))?;
    let columns = Columns::of(&select);
    let row = select.query_row([id], |row| from_row(columns.name(row)));
    found(row, "node")
}

/// All nodes, by name. There are hundreds at most: callers filter and page in memory.
///
/// # Errors
/// When they can't be read.
pub fn list(conn: &Connection) -> Result<Vec<NodeRow>, StoreError> {
    let mut select = conn.prepare_cached(&format!("{SELECT} ORDER BY n.name"))?;
    let columns = Columns::of(&select);
    let rows = select.query_map([], |row| from_row(columns.name(row)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn from_row(row: NamedRow<'_>) -> rusqlite::Result<NodeRow> {
    Ok(NodeRow {
        id: row.get("id")?,
        settings: settings_from_row(row)?,
        agent_url: row.get("agent_url")?,
        state: node_status::from_row(row)?,
        desired_generation: row.unsigned("desired_generation")?,
        observed_generation: row.unsigned("observed_generation")?,
        peer_count: row.get("peer_count")?,
        removal_confirmed: row.get("removal_confirmed")?,
        writes_held: row.get("writes_held")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
    })
}

fn settings_from_row(row: NamedRow<'_>) -> rusqlite::Result<NodeSettings> {
    let keepalive: Option<u16> = row.get("persistent_keepalive")?;
    let public_key: Option<Text<PublicKey>> = row.get("public_key")?;
    Ok(NodeSettings {
        name: row.get("name")?,
        agent_id: row.get("agent_id")?,
        wg_interface: row.get::<Text<InterfaceName>>("wg_interface")?.0,
        endpoint: row.get("endpoint")?,
        weight: row.get("weight")?,
        max_peers: row.get("max_peers")?,
        enabled: row.get("enabled")?,
        labels: row.get::<Json<_>>("labels")?.0,
        unmanaged_peers: row.get("unmanaged_peers")?,
        reserved_ips: row.get::<Json<_>>("reserved_ips")?.0,
        dns: row.get::<Json<_>>("dns")?.0,
        mtu: row.get("mtu")?,
        client_allowed_ips: row.get::<Json<_>>("client_allowed_ips")?.0,
        persistent_keepalive: keepalive.map(Keepalive::from_secs),
        public_key: public_key.map(|text| text.0),
        tls_pin_sha256: row.get("tls_pin_sha256")?,
        tls_ca_pem: row.get("tls_ca_pem")?,
    })
}
