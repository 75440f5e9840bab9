//! Starting: what is made, what is asserted, what is refused.

use std::{
    fs::{self, Permissions},
    io::{Seek, SeekFrom, Write},
    os::unix::fs::PermissionsExt,
};

use rusqlite::Connection;
use tempfile::TempDir;

use super::{Fixture, NOW_S, TO_VERSION_2, open};
use crate::store::{
    MasterKeySource, Store, StoreError, StoreOptions,
    master_key::MasterKeyError,
    meta, migrate,
    open::{LOCK_FILE, MASTER_KEY_FILE, STORE_FILE},
};

fn refusal(dir: &TempDir) -> StoreError {
    open(dir.path()).map(drop).expect_err("a refusal")
}

/// A store that was made and closed.
async fn closed() -> TempDir {
    let fixture = Fixture::new();
    fixture.node("node-1", &["10.8.0.0/24"]).await;
    fixture.store.close().await;
    fixture.dir
}

#[tokio::test]
async fn an_empty_directory_becomes_a_store() {
    let fixture = Fixture::new();
    let version = fixture
        .store
        .read(migrate::found_version)
        .await
        .expect("a version");
    assert_eq!(version, migrate::known_version());
    for file in [STORE_FILE, MASTER_KEY_FILE, LOCK_FILE] {
        let mode = fs::metadata(fixture.dir.path().join(file))
            .expect(file)
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    let id = fixture.store.read(meta::store_id).await.expect("an id");
    fixture.store.close().await;
    let log = fixture.dir.path().join("controller.db-wal");
    assert!(!log.exists(), "all is in one file once the store is closed");
    let again = open(fixture.dir.path()).expect("the same store");
    assert_eq!(again.read(meta::store_id).await.expect("an id"), id);
}

#[tokio::test]
async fn commits_are_durable_and_readers_cannot_write() {
    let fixture = Fixture::new();
    let pragma = |name: &'static str| {
        fixture.store.write(move |tx| {
            Ok(tx.pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0))?)
        })
    };
    assert_eq!(pragma("journal_mode").await, Ok("wal".to_owned().into()));
    assert_eq!(pragma("synchronous").await, Ok(2.into()));
    assert_eq!(pragma("foreign_keys").await, Ok(1.into()));
    assert_eq!(pragma("busy_timeout").await, Ok(2000.into()));
    let written = fixture
        .store
        .read(|conn| Ok(conn.execute("DELETE FROM meta", [])?))
        .await;
    assert!(
        matches!(written, Err(StoreError::Unavailable(_))),
        "{written:?}"
    );
}

#[tokio::test]
async fn a_second_controller_is_refused() {
    let fixture = Fixture::new();
    assert!(matches!(refusal(&fixture.dir), StoreError::Held { .. }));
    fixture.store.close().await;
    open(fixture.dir.path()).expect("free again");
}

#[tokio::test]
async fn a_newer_store_is_refused() {
    let dir = closed().await;
    let newer = migrate::known_version() + 1;
    let conn = Connection::open(dir.path().join(STORE_FILE)).expect("the file");
    conn.pragma_update(None, "user_version", newer)
        .expect("a newer version");
    drop(conn);
    let known = migrate::known_version();
    assert_eq!(
        refusal(&dir),
        StoreError::Newer {
            found: newer,
            known
        }
    );
}

#[tokio::test]
async fn an_older_store_is_brought_up() {
    let fixture = Fixture::new();
    fixture.store.close().await;
    let conn = Connection::open(fixture.dir.path().join(STORE_FILE)).expect("the file");
    conn.execute_batch(TO_VERSION_2)
        .expect("the schema of version 2");
    drop(conn);
    let store = open(fixture.dir.path()).expect("an upgraded store");
    let version = store.read(migrate::found_version).await;
    assert_eq!(version, Ok(migrate::known_version()));
}

#[tokio::test]
async fn another_programs_database_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let conn = Connection::open(dir.path().join(STORE_FILE)).expect("a file");
    conn.execute_batch("CREATE TABLE notes (text TEXT)")
        .expect("a table");
    drop(conn);
    write_key(&dir, &[b'A'; 43], 0o600);
    assert!(matches!(refusal(&dir), StoreError::Corrupt { .. }));
}

#[tokio::test]
async fn a_damaged_store_is_refused_with_advice() {
    for offset in [0, 8192] {
        let dir = closed().await;
        let path = dir.path().join(STORE_FILE);
        let mut file = fs::OpenOptions::new()
            .write(true)
            .open(&path)
            .expect("the file");
        file.seek(SeekFrom::Start(offset)).expect("a place");
        file.write_all(&[0x5a; 4096]).expect("damage");
        drop(file);
        let error = refusal(&dir);
        assert!(
            matches!(error, StoreError::Corrupt { .. }),
            "at {offset}: {error:?}"
        );
        let text = error.to_string();
        assert!(
            text.contains(STORE_FILE) && text.contains("restore"),
            "{text}"
        );
        assert!(!text.contains('\n'), "more than a sentence: {text}");
    }
}

fn write_key(dir: &TempDir, base64: &[u8], mode: u32) {
    let path = dir.path().join(MASTER_KEY_FILE);
    let mut text = base64.to_vec();
    text.extend(b"=\n");
    fs::write(&path, text).expect("a key file");
    fs::set_permissions(&path, Permissions::from_mode(mode)).expect("a mode");
}

#[tokio::test]
async fn the_master_key_must_be_there_whole_private_and_right() {
    let dir = closed().await;
    let path = dir.path().join(MASTER_KEY_FILE);
    let key = fs::read(&path).expect("the key");
    let refused = |dir: &TempDir| match refusal(dir) {
        StoreError::MasterKey(error) => error,
        other => panic!("{other:?}"),
    };

    fs::remove_file(&path).expect("no key");
    assert!(matches!(refused(&dir), MasterKeyError::Missing { .. }));
    assert!(!path.exists(), "no new key for an old store");
    write_key(&dir, &[b'A'; 43], 0o600);
    assert_eq!(refused(&dir), MasterKeyError::Wrong);
    write_key(&dir, &[b'A'; 20], 0o600);
    assert!(matches!(refused(&dir), MasterKeyError::Malformed { .. }));
    write_key(&dir, &[b'A'; 43], 0o640);
    let exposed = refused(&dir);
    assert!(matches!(
        exposed,
        MasterKeyError::Exposed { mode: 0o640, .. }
    ));
    assert!(exposed.to_string().contains("chmod 600"), "{exposed}");

    fs::remove_file(&path).expect("no key");
    write_key(&dir, &key[..43], 0o600);
    open(dir.path()).expect("the right key");
}

#[tokio::test]
async fn a_credential_is_read_and_never_made() {
    let dir = tempfile::tempdir().expect("a directory");
    let credential = dir.path().join("credential");
    let mut options = StoreOptions::new(dir.path().join("data"));
    options.master_key = MasterKeySource::Credential(credential.clone());
    let missing = Store::open(&options, NOW_S).map(drop);
    assert!(
        matches!(
            missing,
            Err(StoreError::MasterKey(MasterKeyError::Missing { .. }))
        ),
        "{missing:?}"
    );
    fs::write(&credential, [&[b'A'; 43][..], b"="].concat()).expect("a credential");
    Store::open(&options, NOW_S).expect("a store");
}
