//! The log is emptied beside the writer.

use std::{fs, path::Path, time::Duration};

use rusqlite::Connection;

use super::Fixture;
use crate::store::{Store, wal};

/// More than the thousand at which SQLite's commits empty the log unless told otherwise.
const PAGES: i64 = 2_000;

/// Writes so many pages.
async fn fill(store: &Store, key: &'static str) {
    let text = "x".repeat(usize::try_from(PAGES).expect("few") * 4096);
    let written = store.write(move |tx| {
        Ok(tx.execute(
            "INSERT INTO meta (key, value) VALUES (?1, ?2)",
            rusqlite::params![key, text],
        )?)
    });
    written.await.expect("a write");
}

fn size(dir: &Path, name: &str) -> u64 {
    fs::metadata(dir.join(name)).expect("a file").len()
}

/// Waits until the thread has emptied the log.
async fn emptied(dir: &Path, at_least: u64) {
    let look = async {
        while size(dir, "controller.db") < at_least {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(30), look).await;
    in_time.expect("the log is emptied within seconds");
}

/// The file has grown before it is synced: waits until the thread is done with that too, which a log says
/// that is nobody's at the moment.
async fn settled(conn: &Connection) {
    let is_settled = || wal::empty(conn).is_ok_and(|log| log.len > 0 && log.copied == log.len);
    let look = async {
        while !is_settled() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(30), look).await;
    in_time.expect("the log is in the file within seconds");
}

#[tokio::test]
async fn the_log_goes_into_the_file_though_no_commit_does_it() {
    let fixture = Fixture::new();
    let dir = fixture.dir.path();
    let conn = wal::open(&dir.join("controller.db")).expect("a connection");
    let pages = u64::try_from(PAGES).expect("few") * 4096;

    fill(&fixture.store, "first").await;
    emptied(dir, pages).await;

    // The next commits begin the log anew, so it does not grow on and on.
    let long = size(dir, "controller.db-wal");
    for key in ["second", "third", "fourth"] {
        settled(&conn).await;
        let before = size(dir, "controller.db");
        fill(&fixture.store, key).await;
        emptied(dir, before + pages).await;
    }
    let longer = size(dir, "controller.db-wal");
    assert!(longer < long * 2, "{long} bytes, then {longer}");
}

/// On a file of its own: no thread of a store empties its log between two looks.
#[test]
fn a_reader_keeps_what_it_reads_and_holds_up_nobody() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("store.db");
    let open = || Connection::open(&path).expect("a connection");
    let (writer, reader) = (open(), open());
    writer
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE t (a)",
        )
        .expect("a table");
    let fill = || {
        let sql = "INSERT INTO t VALUES (zeroblob(?1 * 4096))";
        writer.execute(sql, [PAGES]).expect("a write");
    };
    let count = |conn: &Connection| -> i64 {
        conn.query_row("SELECT count(*) FROM t", [], |row| row.get(0))
            .expect("a number")
    };
    fill();
    let snapshot = reader.unchecked_transaction().expect("a snapshot");
    assert_eq!(count(&snapshot), 1);
    fill();

    let conn = wal::open(&path).expect("a connection");
    let log = wal::empty(&conn).expect("a log");
    assert!(log.len >= 2 * PAGES, "{log:?}");
    assert!(log.copied < log.len, "{log:?}");
    assert_eq!((count(&snapshot), count(&writer)), (1, 2));
    snapshot.finish().expect("the end");

    let log = wal::empty(&conn).expect("a log");
    assert!(log.len >= 2 * PAGES && log.copied == log.len, "{log:?}");
    assert_eq!(count(&writer), 2);
}
