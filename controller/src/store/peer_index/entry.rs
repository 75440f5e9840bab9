//! What is held of a peer.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Row};
use wire_contract::{AllowedIp, PublicKey};

use super::texts::SEPARATOR;
use crate::store::{
    NodeId, PeerId, StoreError, SyncState,
    peers::{JOIN, JOIN_QUOTA},
    value::{Json, Text},
};

/// A peer as it was read.
pub(super) struct Read {
    pub(super) id: PeerId,
    pub(super) node: NodeId,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) public_key: PublicKey,
    pub(super) name: String,
    pub(super) allowed_ips: Vec<AllowedIp>,
    pub(super) facts: Facts,
}

/// What a peer is filtered and sorted by, as far as that is a few bytes.
#[derive(Clone, Copy)]
pub(super) struct Facts {
    pub(super) sync: SyncState,
    pub(super) enabled: bool,
    /// Disabled for its quota alone.
    pub(super) held: bool,
    pub(super) expires_at: Option<i64>,
    pub(super) created_at: i64,
}

impl Read {
    /// Name, public key and addresses, in lower case as far as that is ASCII.
    pub(super) fn searched(&self) -> String {
        let mut text = self.name.to_ascii_lowercase();
        let mut push = |part: &str| {
            text.push(SEPARATOR);
            text.push_str(&part.to_ascii_lowercase());
        };
        push(self.public_key.to_base64().as_str());
        for allowed_ip in &self.allowed_ips {
            push(&allowed_ip.to_string());
        }
        text
    }
}

const COLUMNS: &str = "p.id, p.node_id, p.name, p.public_key, p.created_at, p.expires_at, p.labels, \
    p.enabled, pn.allowed_ips, pn.sync_state, coalesce(q.held, 0) AS held";

/// All of them.
pub(super) fn all(conn: &Connection) -> Result<Vec<Read>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM peers p {JOIN} {JOIN_QUOTA}");
    let mut select = conn.prepare(&sql)?;
    let rows = select.query_map([], from_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// One; `None` when it is gone.
pub(super) fn one(conn: &Connection, id: PeerId) -> Result<Option<Read>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM peers p {JOIN} {JOIN_QUOTA} WHERE p.id = ?1");
    let mut select = conn.prepare_cached(&sql)?;
    Ok(select.query_row([id], from_row).optional()?)
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Read> {
    Ok(Read {
        id: row.get("id")?,
        node: row.get("node_id")?,
        labels: row.get::<_, Json<_>>("labels")?.0,
        public_key: row.get::<_, Text<PublicKey>>("public_key")?.0,
        name: row.get("name")?,
        allowed_ips: row.get::<_, Json<_>>("allowed_ips")?.0,
        facts: Facts {
            sync: row.get("sync_state")?,
            enabled: row.get("enabled")?,
            held: row.get("held")?,
            expires_at: row.get("expires_at")?,
            created_at: row.get("created_at")?,
        },
    })
}
