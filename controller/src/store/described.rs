//! What a store's file says of itself, and whether it is whole: asked of every copy before anybody
//! relies on it.

use std::path::Path;

use rusqlite::Connection;

use super::{error::StoreError, meta, migrate, open};

/// What a store's file says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// Which store; a copy keeps it.
    pub store_id: String,
    /// Its schema.
    pub schema_version: i64,
    /// When a controller last worked with it, Unix seconds.
    pub heartbeat_at: Option<i64>,
    /// Nodes in it.
    pub nodes: u64,
    /// Peers in it.
    pub peers: u64,
}

/// Looks at an open file; refuses what is no store, or a newer program's.
pub(super) fn describe(conn: &Connection, path: &Path) -> Result<Described, StoreError> {
    let name = path.display().to_string();
    migrate::check_origin(conn, &name)?;
    let schema_version = migrate::found_version(conn)?;
    if schema_version < 1 {
        let detail = "it holds no store".into();
        return Err(StoreError::Corrupt { path: name, detail });
    }
    let count = |sql: &str| {
        let rows: i64 = conn.query_row(sql, [], |row| row.get(0))?;
        Ok::<_, StoreError>(rows.unsigned_abs())
    };
    Ok(Described {
        store_id: meta::store_id(conn)?,
        schema_version,
        heartbeat_at: meta::heartbeat_at(conn)?,
        nodes: count("SELECT count(*) FROM nodes")?,
        // The second migration makes them.
        peers: if schema_version < 2 {
            0
        } else {
            count("SELECT count(*) FROM peers")?
        },
    })
}

/// The same of a copy, every page and index of which is read first.
pub(super) fn describe_whole(conn: &Connection, path: &Path) -> Result<Described, StoreError> {
    let name = path.display().to_string();
    // Nothing in a file from elsewhere gets to call a function.
    conn.pragma_update(None, "trusted_schema", "OFF")?;
    migrate::check_origin(conn, &name)?;
    open::check_pages(conn, path, "integrity_check")?;
    describe(conn, path)
}
