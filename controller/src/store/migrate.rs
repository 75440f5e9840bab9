//! Numbered migrations, each in one transaction with the version it leads to.

use rusqlite::Connection;

use super::error::StoreError;

/// In order; the first leads to version 1. Never change one that was released: add the next.
const MIGRATIONS: [&str; 6] = [
    include_str!("migrations/0001_nodes.sql"),
    include_str!("migrations/0002_peers.sql"),
    include_str!("migrations/0003_records.sql"),
    include_str!("migrations/0004_tokens.sql"),
    include_str!("migrations/0005_events.sql"),
    include_str!("migrations/0006_history.sql"),
];

/// "wgfl": tells a store from any other SQLite file.
const APPLICATION_ID: i64 = 0x7767_666c;

/// The schema version this program works with.
#[must_use]
pub fn known_version() -> i64 {
    i64::try_from(MIGRATIONS.len()).expect("few migrations")
}

/// The schema version of an open store; 0 when it is empty.
///
/// # Errors
/// When the file can't be read.
pub fn found_version(conn: &Connection) -> Result<i64, StoreError> {
    Ok(conn.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

/// Refuses files that are not a store, or a newer program's.
pub(super) fn check_origin(conn: &Connection, path: &str) -> Result<(), StoreError> {
    let id: i64 = conn.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if id != APPLICATION_ID && tables > 0 {
        return Err(StoreError::Corrupt {
            path: path.to_owned(),
            detail: "it is a database of another program".into(),
        });
    }
    let (found, known) = (found_version(conn)?, known_version());
    if found > known {
        Err(StoreError::Newer { found, known })
    } else {
        Ok(())
    }
}

/// Brings the store to [`known_version`].
pub(super) fn run(conn: &mut Connection) -> Result<(), StoreError> {
    let found = usize::try_from(found_version(conn)?).unwrap_or(0);
    for (index, sql) in MIGRATIONS.iter().enumerate().skip(found) {
        let tx = conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        tx.execute_batch(sql)?;
        crate::failpoint!("store.migrating");
        tx.pragma_update(None, "application_id", APPLICATION_ID)?;
        tx.pragma_update(
            None,
            "user_version",
            i64::try_from(index + 1).expect("few migrations"),
        )?;
        tx.commit()?;
    }
    Ok(())
}
