//! The single writer: grouped, isolated, and honest when it can't.

use std::sync::mpsc;

use rusqlite::{Connection, OpenFlags};

use super::{Fixture, NOW_S};
use crate::store::{Store, StoreError, StoreOptions, WriteTx, meta};

fn note(tx: &WriteTx<'_>, key: &str) -> Result<(), StoreError> {
    tx.execute("INSERT INTO meta (key, value) VALUES (?1, '')", [key])?;
    Ok(())
}

async fn notes(store: &Store) -> Vec<String> {
    store
        .read(|conn| {
            let mut select = conn.prepare("SELECT key FROM meta WHERE value = '' ORDER BY key")?;
            let rows = select.query_map([], |row| row.get(0))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
        .expect("a read")
}

/// Holds the writer until told to go on, so that what is sent meanwhile waits together.
fn hold(
    store: &Store,
) -> (
    mpsc::Sender<()>,
    impl Future<Output = Result<(), StoreError>>,
) {
    let (go, wait) = mpsc::channel::<()>();
    let store = store.clone();
    let held = tokio::spawn(async move {
        store
            .write(move |_| {
                let _ = wait.recv();
                Ok(())
            })
            .await
    });
    (go, async { held.await.expect("no panic") })
}

#[tokio::test]
async fn a_write_is_there_when_it_is_acknowledged() {
    let fixture = Fixture::new();
    for index in 0..20 {
        let key = format!("note {index:02}");
        fixture
            .store
            .write(move |tx| note(tx, &key))
            .await
            .expect("a write");
        assert_eq!(notes(&fixture.store).await.len(), index + 1);
    }
}

#[tokio::test]
async fn writes_that_wait_together_share_a_commit_and_fail_alone() {
    let fixture = Fixture::new();
    let path = fixture.dir.path().join("controller.db");
    let (go, held) = hold(&fixture.store);
    tokio::task::yield_now().await;
    let first = fixture.store.write(|tx| note(tx, "first"));
    let refused = fixture.store.write(|tx| {
        note(tx, "taken back")?;
        note(tx, "first")
    });
    let panics = fixture.store.write(|tx| -> Result<(), _> {
        note(tx, "taken back too")?;
        panic!("a bug in a command");
    });
    // Sees the first one inside the transaction, and a connection outside of it does not yet.
    let last = fixture.store.write(move |tx| {
        note(tx, "last")?;
        let count = "SELECT count(*) FROM meta WHERE value = ''";
        let inside: i64 = tx.query_row(count, [], |row| row.get(0))?;
        let other = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let outside: i64 = other.query_row(count, [], |row| row.get(0))?;
        Ok((inside, outside))
    });
    let releases = async {
        tokio::task::yield_now().await;
        go.send(()).expect("the writer waits");
    };
    let (held, first, refused, panics, last, ()) =
        tokio::join!(held, first, refused, panics, last, releases);
    assert_eq!((held, first), (Ok(()), Ok(())));
    assert!(
        matches!(refused, Err(StoreError::Conflict { .. })),
        "{refused:?}"
    );
    assert!(matches!(panics, Err(StoreError::Internal(_))), "{panics:?}");
    assert_eq!(last, Ok((2, 0)));
    assert_eq!(notes(&fixture.store).await, ["first", "last"]);
}

#[tokio::test]
async fn a_caller_that_goes_away_does_not_undo_its_write() {
    let fixture = Fixture::new();
    let (go, held) = hold(&fixture.store);
    tokio::task::yield_now().await;
    let mut write = Box::pin(fixture.store.write(|tx| note(tx, "kept")));
    assert!(futures_util::poll!(&mut write).is_pending());
    drop(write);
    go.send(()).expect("the writer waits");
    held.await.expect("a write");
    fixture
        .store
        .write(|tx| meta::beat(tx, NOW_S))
        .await
        .expect("a write");
    assert_eq!(notes(&fixture.store).await, ["kept"]);
}

#[tokio::test]
async fn a_lock_of_another_process_is_unavailable_and_passes() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut options = StoreOptions::new(dir.path());
    options.busy_timeout = std::time::Duration::from_millis(50);
    let store = Store::open(&options, NOW_S).expect("a store");
    let other = Connection::open(dir.path().join("controller.db")).expect("the file");
    other.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    let refused = store
        .write(|tx| note(tx, "refused"))
        .await
        .expect_err("a lock");
    assert!(refused.is_transient(), "{refused:?}");
    assert!(notes(&store).await.is_empty(), "reads go on");
    other.execute_batch("ROLLBACK").expect("no lock");
    store.write(|tx| note(tx, "passed")).await.expect("a write");
    assert_eq!(notes(&store).await, ["passed"]);
}

#[tokio::test]
async fn a_full_disk_is_unavailable_and_passes() {
    let fixture = Fixture::new();
    let limit = |pages: i64| {
        fixture.store.write(move |tx| {
            Ok(tx.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?)
        })
    };
    limit(1).await.expect("as small as it is");
    let big = "x".repeat(1 << 20);
    let refused = fixture
        .store
        .write(move |tx| {
            note(tx, "half of it")?;
            Ok(tx.execute("INSERT INTO meta (key, value) VALUES ('big', ?1)", [big])?)
        })
        .await
        .expect_err("no room");
    assert!(refused.is_transient(), "{refused:?}");
    assert!(notes(&fixture.store).await.is_empty(), "no partial write");
    limit(1 << 30).await.expect("room again");
    fixture
        .store
        .write(|tx| note(tx, "after"))
        .await
        .expect("a write");
    assert_eq!(notes(&fixture.store).await, ["after"]);
}

#[tokio::test]
async fn a_closed_store_finishes_what_waits_and_takes_no_more() {
    let fixture = Fixture::new();
    let store = fixture.store.clone();
    let (write, ()) = tokio::join!(store.write(|tx| note(tx, "in time")), fixture.store.close());
    assert_eq!(write, Ok(()));
    assert_eq!(
        store.write(|tx| note(tx, "late")).await,
        Err(StoreError::Closed)
    );
    assert_eq!(store.read(|_| Ok(())).await, Err(StoreError::Closed));
}

#[tokio::test(start_paused = true)]
async fn a_paused_clock_can_be_held_during_writes() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut options = StoreOptions::new(dir.path());
    options.hold_paused_clock = true;
    let store = Store::open(&options, NOW_S).expect("a store");
    let before = tokio::time::Instant::now();
    let sleep = tokio::time::sleep(std::time::Duration::from_secs(60));
    tokio::select! {
        () = sleep => panic!("the clock ran ahead of the write"),
        written = store.write(|tx| note(tx, "held")) => written.expect("a write"),
    }
    assert_eq!(before.elapsed().as_secs(), 0);
}
