//! Backups put in the place of a store.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use rusqlite::Connection;
use tempfile::TempDir;

use super::{Fixture, NOW_S, TO_VERSION_2, open};
use crate::store::{
    MasterKeySource, audit, backup, meta, migrate, nodes,
    open::{MASTER_KEY_FILE, STORE_FILE},
    restore::{self, RestoreError, Restored},
};

const RESTORED_S: i64 = NOW_S + 3600;

fn key(data_dir: &Path) -> MasterKeySource {
    MasterKeySource::File(data_dir.join(MASTER_KEY_FILE))
}

fn restore(file: &Path, data_dir: &Path) -> Result<Restored, RestoreError> {
    restore::restore(file, data_dir, &key(data_dir), RESTORED_S)
}

/// A closed store with the node `before`, a backup of it, and then the node `since` as well.
async fn with_backup() -> (TempDir, PathBuf) {
    let fixture = Fixture::new();
    fixture.node("before", &["10.8.0.0/24"]).await;
    let file = fixture.dir.path().join("backup");
    let data_dir = fixture.dir.path();
    backup::to_file(data_dir, &key(data_dir), &file, false).expect("a backup");
    fixture.node("since", &["10.9.0.0/24"]).await;
    fixture.store.close().await;
    (fixture.dir, file)
}

async fn node_names(data_dir: &Path) -> Vec<String> {
    let store = open(data_dir).expect("a store");
    let nodes = store.read(nodes::list).await.expect("nodes");
    store.close().await;
    nodes.into_iter().map(|node| node.settings.name).collect()
}

#[tokio::test]
async fn the_backup_takes_the_place_and_says_so() {
    let (dir, file) = with_backup().await;
    let restored = restore(&file, dir.path()).expect("restored");
    assert_eq!(restored.described.nodes, 1);
    let kept = restored.kept.expect("the store before");
    let name = kept
        .file_name()
        .expect("a name")
        .to_string_lossy()
        .into_owned();
    assert_eq!(name, format!("{}{RESTORED_S}", restore::KEPT_PREFIX));
    let mode = fs::metadata(dir.path().join(STORE_FILE))
        .expect("the store")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);

    let store = open(dir.path()).expect("the store");
    let marked = store.read(meta::restored_at).await;
    assert_eq!(marked, Ok(Some(RESTORED_S)));
    let audit = store
        .read(|conn| audit::list(conn, None, None, 1))
        .await
        .expect("the audit");
    let (_, entry) = &audit[0];
    assert_eq!(
        (entry.action.as_str(), entry.at),
        ("store.restore", RESTORED_S)
    );
    assert_eq!(entry.actor, audit::CONTROLLER);
    store.close().await;
    assert_eq!(node_names(dir.path()).await, ["before"]);
    assert!(kept.exists(), "starting leaves it");

    // And back again: what was kept is a backup as well.
    let restored = restore(&kept, dir.path()).expect("restored");
    let second = restored.kept.expect("the store before");
    assert_ne!(second, kept, "a name is used once");
    assert_eq!(node_names(dir.path()).await, ["before", "since"]);
}

#[tokio::test]
async fn a_new_directory_needs_the_key() {
    let (dir, file) = with_backup().await;
    let elsewhere = tempfile::tempdir().expect("a directory");
    let data_dir = elsewhere.path().join("data");
    let refused = restore(&file, &data_dir).expect_err("refused");
    assert!(matches!(refused, RestoreError::NoKey { .. }), "{refused:?}");
    assert!(!data_dir.join(MASTER_KEY_FILE).exists(), "none is made");
    fs::copy(
        dir.path().join(MASTER_KEY_FILE),
        data_dir.join(MASTER_KEY_FILE),
    )
    .expect("the key");
    let restored = restore(&file, &data_dir).expect("restored");
    assert_eq!(restored.kept, None);
    assert_eq!(node_names(&data_dir).await, ["before"]);
}

/// Tries the restore of each, and looks that the store is as it was.
async fn refused(dir: &Path, file: &Path, expected: impl Fn(&RestoreError) -> bool) -> String {
    let error = restore(file, dir).expect_err("refused");
    assert!(expected(&error), "{error:?}");
    assert_eq!(node_names(dir).await, ["before", "since"]);
    let mut entries = fs::read_dir(dir).expect("a directory");
    let left = entries.find(|entry| {
        let name = entry.as_ref().expect("an entry").file_name();
        let name = name.to_string_lossy();
        name.contains("restor")
    });
    assert!(left.is_none(), "{left:?}");
    error.to_string()
}

#[tokio::test]
async fn what_is_no_good_backup_is_refused() {
    let (dir, file) = with_backup().await;
    let dir = dir.path();
    let whole = fs::read(&file).expect("the backup");
    let unusable = |error: &RestoreError| matches!(error, RestoreError::Unusable { .. });

    let mut damaged = whole.clone();
    damaged[8192..12288].fill(0x5a);
    let truncated = &whole[..whole.len() / 2];
    for bytes in [
        &damaged[..],
        truncated,
        b"",
        b"some text that is no database at all",
    ] {
        fs::write(&file, bytes).expect("written");
        let text = refused(dir, &file, unusable).await;
        assert!(
            text.contains(file.to_str().expect("UTF-8")) && !text.contains('\n'),
            "{text}"
        );
    }
    fs::remove_file(&file).expect("removed");
    Connection::open(&file)
        .and_then(|conn| conn.execute_batch("CREATE TABLE notes (text TEXT)"))
        .expect("another program's");
    refused(dir, &file, unusable).await;

    fs::write(&file, &whole).expect("written");
    let conn = Connection::open(&file).expect("the backup");
    let newer = migrate::known_version() + 1;
    conn.pragma_update(None, "user_version", newer)
        .expect("set");
    drop(conn);
    refused(
        dir,
        &file,
        |error| matches!(error, RestoreError::Newer { found, .. } if *found == newer),
    )
    .await;

    fs::write(&file, &whole).expect("written");
    let log = file.with_file_name("backup-wal");
    fs::write(&log, "changes").expect("written");
    refused(dir, &file, |error| {
        matches!(error, RestoreError::HasLog { .. })
    })
    .await;
    fs::remove_file(&log).expect("removed");

    let absent = dir.join("absent");
    refused(dir, &absent, |error| {
        matches!(error, RestoreError::File { .. })
    })
    .await;
    refused(dir, dir, unusable).await;
}

#[tokio::test]
async fn another_master_key_is_named_as_such() {
    let (dir, _) = with_backup().await;
    let (_other, foreign) = with_backup().await;
    let text = refused(dir.path(), &foreign, |error| {
        matches!(error, RestoreError::OtherKey { .. })
    })
    .await;
    assert!(
        text.contains(MASTER_KEY_FILE) && text.contains("--master-key-file"),
        "{text}"
    );
}

#[tokio::test]
async fn not_under_a_controller() {
    let (dir, file) = with_backup().await;
    let store = open(dir.path()).expect("the store");
    let held = restore(&file, dir.path()).expect_err("refused");
    assert!(matches!(held, RestoreError::Held { .. }), "{held:?}");
    store.close().await;
    restore(&file, dir.path()).expect("restored");
}

#[tokio::test]
async fn an_older_backup_is_brought_up() {
    let (dir, file) = with_backup().await;
    let conn = Connection::open(&file).expect("the backup");
    conn.execute_batch(TO_VERSION_2)
        .expect("the schema of version 2");
    drop(conn);
    let restored = restore(&file, dir.path()).expect("restored");
    assert_eq!(restored.described.schema_version, 2);
    assert_eq!(node_names(dir.path()).await, ["before"]);
}

/// A store whose controller was killed has changes that are only in its log.
#[tokio::test]
async fn the_log_of_the_store_before_is_kept_with_it() {
    let (dir, file) = with_backup().await;
    let path = dir.path().join(STORE_FILE);
    let log = dir.path().join("controller.db-wal");
    let conn = Connection::open(&path).expect("the store");
    conn.execute(
        "UPDATE nodes SET name = 'only in the log' WHERE name = 'since'",
        [],
    )
    .expect("changed");
    let (store_bytes, log_bytes) = (
        fs::read(&path).expect("it"),
        fs::read(&log).expect("its log"),
    );
    drop(conn);
    fs::write(&path, store_bytes).expect("written");
    fs::write(&log, log_bytes).expect("written");
    let kept = restore(&file, dir.path())
        .expect("restored")
        .kept
        .expect("the store before");
    assert_eq!(node_names(dir.path()).await, ["before"]);
    restore(&kept, dir.path()).expect("restored");
    assert_eq!(node_names(dir.path()).await, ["before", "only in the log"]);
}

#[tokio::test]
async fn a_damaged_store_is_replaced_and_kept_with_its_log() {
    let (dir, file) = with_backup().await;
    let path = dir.path().join(STORE_FILE);
    fs::write(&path, "damaged").expect("written");
    fs::write(dir.path().join("controller.db-wal"), "its log").expect("written");
    let kept = restore(&file, dir.path())
        .expect("restored")
        .kept
        .expect("the store before");
    assert_eq!(fs::read(&kept).expect("kept"), b"damaged");
    let kept_log = format!("{}-wal", kept.display());
    assert_eq!(fs::read(kept_log).expect("kept"), b"its log");
    assert_eq!(node_names(dir.path()).await, ["before"]);
}
