//! Copies of a store that is worked with.

use std::{
    fs,
    io::Read,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use rusqlite::Connection;
use tokio::task::spawn_blocking;

use super::{Fixture, open};
use crate::store::{
    MasterKeySource, StoreError,
    backup::{self, BackupError},
    described::Described,
    meta, migrate,
    open::{LOCK_FILE, MASTER_KEY_FILE, STORE_FILE},
};

fn back_up(data_dir: &Path, file: &Path, force: bool) -> Result<Described, BackupError> {
    let key = MasterKeySource::File(data_dir.join(MASTER_KEY_FILE));
    backup::to_file(data_dir, &key, file, force)
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("a directory");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<_> = names
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    names.sort_unstable();
    names
}

/// Peers, their addresses, and what their node says of both, in a copy on its own.
fn counts(file: &Path) -> (i64, i64, i64, i64) {
    let conn = Connection::open(file).expect("a copy");
    let sql = "SELECT (SELECT count(*) FROM peers), (SELECT count(*) FROM allocations), \
               (SELECT coalesce(sum(peer_count), 0) FROM nodes), \
               (SELECT coalesce(sum(desired_generation), 0) FROM nodes)";
    let counts = conn.query_row(sql, [], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
    });
    counts.expect("counts")
}

#[tokio::test(flavor = "multi_thread")]
async fn one_moment_is_copied_while_others_write() {
    let fixture = Fixture::new();
    let node = fixture.node("node-1", &["10.8.0.0/20"]).await;
    for index in 0..50 {
        let name = format!("before {index}");
        fixture.peer(node, &name).await.expect("a peer");
    }
    let done = Arc::new(AtomicBool::new(false));
    let store = fixture.store.clone();
    let writing = async {
        let mut written = 0;
        while !done.load(Ordering::Relaxed) {
            let name = format!("meanwhile {written}");
            fixture.peer(node, &name).await.expect("a peer");
            written += 1;
        }
        written
    };
    let elsewhere = tempfile::tempdir().expect("a directory");
    let copying = async {
        let mut seen = Vec::new();
        for turn in 0..4 {
            let file = elsewhere.path().join(format!("copy {turn}"));
            let (data_dir, to) = (fixture.dir.path().to_owned(), file.clone());
            let copied = spawn_blocking(move || back_up(&data_dir, &to, false)).await;
            let described = copied.expect("no panic").expect("a copy");
            let (peers, addresses, counted, generation) = counts(&file);
            // Each peer is one change: half of one would show here.
            assert_eq!([addresses, counted, generation], [peers; 3]);
            assert_eq!(described.peers, peers.unsigned_abs());
            assert_eq!(described.nodes, 1);
            seen.push(peers);
        }
        done.store(true, Ordering::Relaxed);
        seen
    };
    let (written, seen) = tokio::join!(writing, copying);
    assert!(written > 0, "nothing was written meanwhile");
    assert!(seen.is_sorted() && seen[0] >= 50, "{seen:?}");
    assert_eq!(
        names(elsewhere.path()).len(),
        4,
        "copies and nothing beside"
    );

    store.close().await;
    let last = elsewhere.path().join("last");
    let described = back_up(fixture.dir.path(), &last, false).expect("without a controller too");
    let again = open(fixture.dir.path()).expect("the store");
    let id = again.read(meta::store_id).await.expect("an id");
    assert_eq!(described.store_id, id);
    assert_eq!(described.schema_version, migrate::known_version());
    assert_eq!(described.peers, 50 + written);
}

#[tokio::test]
async fn it_is_private_and_holds_no_key() {
    let fixture = Fixture::new();
    fixture.node("node-1", &["10.8.0.0/24"]).await;
    let file = fixture.dir.path().join("copy");
    back_up(fixture.dir.path(), &file, false).expect("a copy");
    let mode = fs::metadata(&file).expect("a copy").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let bytes = fs::read(&file).expect("a copy");
    let contains = |what: &[u8]| bytes.windows(what.len()).any(|at| at == what);
    assert!(contains(b"node-1"), "names are not sealed");
    let text = fs::read(fixture.dir.path().join(MASTER_KEY_FILE)).expect("the key");
    let key = base64::Engine::decode(
        &base64::engine::general_purpose::STANDARD,
        text.trim_ascii(),
    );
    assert!(!contains(text.trim_ascii()) && !contains(&key.expect("base64")));
    assert!(!contains(b"node-1 has a secret"));
}

#[tokio::test]
async fn what_is_there_stays_unless_told_otherwise() {
    let fixture = Fixture::new();
    let data_dir = fixture.dir.path();
    let elsewhere = tempfile::tempdir().expect("a directory");
    let file = elsewhere.path().join("copy");
    fs::write(&file, "mine").expect("a file");
    let refused = back_up(data_dir, &file, false);
    assert!(
        matches!(refused, Err(BackupError::Exists { .. })),
        "{refused:?}"
    );
    assert_eq!(fs::read(&file).expect("a file"), b"mine");
    back_up(data_dir, &file, true).expect("a copy");
    assert_eq!(counts(&file).0, 0);

    let left = elsewhere.path().join(format!(".copy.{}.part", i32::MAX));
    fs::write(&left, "half").expect("a file");
    back_up(data_dir, &file, true).expect("a copy");
    assert!(!left.exists(), "what a process that died left is removed");

    let around: PathBuf = [
        data_dir,
        Path::new("../"),
        Path::new(data_dir.file_name().expect("a name")),
    ]
    .iter()
    .collect();
    for name in [STORE_FILE, "controller.db-wal", LOCK_FILE, MASTER_KEY_FILE] {
        for directory in [data_dir, &around] {
            let own = back_up(data_dir, &directory.join(name), true);
            assert!(
                matches!(own, Err(BackupError::OwnFile { .. })),
                "{name}: {own:?}"
            );
        }
    }
    let nowhere = back_up(data_dir, &elsewhere.path().join("no/copy"), false);
    assert!(
        matches!(nowhere, Err(BackupError::File { .. })),
        "{nowhere:?}"
    );
    let empty = tempfile::tempdir().expect("a directory");
    let nothing = back_up(empty.path(), &elsewhere.path().join("other"), false);
    assert!(
        matches!(nothing, Err(BackupError::NoStore { .. })),
        "{nothing:?}"
    );
    assert_eq!(names(empty.path()), [""; 0], "looking makes nothing");
    assert_eq!(names(elsewhere.path()), ["copy"]);
}

#[tokio::test]
async fn a_store_that_is_damaged_or_newer_gives_no_copy() {
    let fixture = Fixture::new();
    fixture.store.close().await;
    let store = fixture.dir.path().join(STORE_FILE);
    let whole = fs::read(&store).expect("the store");
    let file = fixture.dir.path().join("copy");
    let mut damaged = whole.clone();
    damaged[8192..12288].fill(0x5a);
    for bytes in [&damaged[..], b"", b"nothing of ours"] {
        fs::write(&store, bytes).expect("written");
        let refused = back_up(fixture.dir.path(), &file, false).expect_err("refused");
        let BackupError::Store(error) = &refused else {
            panic!("{refused:?}");
        };
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
        assert!(!file.exists());
    }
    fs::write(&store, whole).expect("written");
    let conn = Connection::open(&store).expect("the store");
    let newer = migrate::known_version() + 1;
    conn.pragma_update(None, "user_version", newer)
        .expect("set");
    drop(conn);
    let refused = back_up(fixture.dir.path(), &file, false);
    assert!(
        matches!(refused, Err(BackupError::Store(StoreError::Newer { .. }))),
        "{refused:?}"
    );
}

#[tokio::test]
async fn one_copy_is_streamed_at_a_time_and_has_no_name() {
    let fixture = Fixture::new();
    let before = names(fixture.dir.path());
    let first = fixture.store.back_up().await.expect("a copy");
    let mut first = first.expect("nobody else makes one");
    assert_eq!(names(fixture.dir.path()), before);
    assert!(fixture.store.back_up().await.expect("no error").is_none());
    let mut bytes = Vec::new();
    first.file.read_to_end(&mut bytes).expect("read");
    assert_eq!(bytes.len() as u64, first.bytes);
    drop(first);
    assert!(fixture.store.back_up().await.expect("a copy").is_some());
    let file = fixture.dir.path().join("streamed");
    fs::write(&file, bytes).expect("written");
    assert_eq!(counts(&file).0, 0);

    fixture.store.close().await;
    let left = fixture.dir.path().join(backup::STREAMED_FILE);
    fs::write(&left, "half").expect("a file");
    open(fixture.dir.path()).expect("the store");
    assert!(!left.exists(), "what a process that died left is removed");
}
