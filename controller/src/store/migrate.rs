//! Numbered migrations, each in one transaction with the version it leads to.

use rusqlite::Connection;

use super::error::StoreError;

/// In order; the first leads to version 1. Never change one that was released: add the next.
const MIGRATIONS: [&str; 8] = [
    include_str!("migrations/0001_nodes.sql"),
    include_str!("migrations/0002_peers.sql"),
    include_str!("migrations/0003_records.sql"),
    include_str!("migrations/0004_tokens.sql"),
    include_str!("migrations/0005_events.sql"),
    include_str!("migrations/0006_history.sql"),
    include_str!("migrations/0007_days.sql"),
    include_str!("migrations/0008_token_use.sql"),
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

#[cfg(test)]
mod tests {
    use rusqlite::{Connection, params};

    use super::{MIGRATIONS, run};

    /// A store as the program had it whose last migration was number `version`.
    fn of_version(version: u32) -> Connection {
        let conn = Connection::open_in_memory().expect("a database");
        for sql in MIGRATIONS.iter().take(version as usize) {
            conn.execute_batch(sql).expect("a migration");
        }
        conn.pragma_update(None, "user_version", version)
            .expect("a version");
        conn
    }

    #[test]
    fn days_are_what_their_hours_were() {
        let mut conn = of_version(6);
        conn.pragma_update(None, "foreign_keys", false)
            .expect("nodes are not asked for");
        let rows = [
            ("a", 3600, 86_400, 1, 10),
            ("a", 3600, 86_400 + 23 * 3600, 2, 20),
            ("a", 3600, 2 * 86_400, 4, 40),
            ("a", 300, 86_400, 1000, 1000),
            ("b", 3600, 86_400, i64::MAX, 7),
            ("b", 3600, 90_000, i64::MAX, 7),
        ];
        for (node, resolution_s, at, rx_bytes, tx_bytes) in rows {
            let sql = "INSERT INTO node_samples VALUES (?1, ?2, ?3, ?4, ?5, 3600, 1800)";
            conn.execute(sql, params![node, resolution_s, at, rx_bytes, tx_bytes])
                .expect("a row");
        }
        run(&mut conn).expect("the migrations after");
        let sql = "SELECT node_id, at, rx_bytes, tx_bytes, watched_s, online_s FROM node_samples \
                   WHERE resolution_s = 86400 ORDER BY node_id, at";
        let mut select = conn.prepare(sql).expect("a statement");
        let days = select.query_map([], |row| {
            Ok((
                row.get::<_, String>(0)?,
                [row.get(1)?, row.get(2)?, row.get(3)?],
                [row.get(4)?, row.get(5)?],
            ))
        });
        let days: Vec<(String, [i64; 3], [i64; 2])> = days
            .expect("rows")
            .collect::<Result<_, _>>()
            .expect("all of them");
        let day = |node: &str, moved, watched| (node.to_owned(), moved, watched);
        assert_eq!(
            days,
            [
                day("a", [86_400, 3, 30], [7200, 3600]),
                day("a", [2 * 86_400, 4, 40], [3600, 1800]),
                day("b", [86_400, i64::MAX, 14], [7200, 3600]),
            ]
        );
        let kept: i64 = conn
            .query_row(
                "SELECT count(*) FROM node_samples WHERE resolution_s < 86400",
                [],
                |row| row.get(0),
            )
            .expect("a count");
        assert_eq!(kept, 6, "nothing else is lost");
    }
}
