//! Sealed values open where they belong and nowhere else.

use rusqlite::Connection;

use super::{Fixture, NOW_S, random};
use crate::store::{
    Sealer, StoreError,
    agents::{self, Slot},
    master_key::MasterKey,
    seal::Place,
};

const PLACE: Place<'static> = Place {
    table: "peers",
    column: "private_key",
    row: "1",
};

fn key_table() -> Connection {
    let conn = Connection::open_in_memory().expect("a database");
    conn.execute_batch(
        "CREATE TABLE data_keys (version INTEGER PRIMARY KEY, wrapped BLOB, created_at INTEGER)",
    )
    .expect("a table");
    conn
}

fn sealer() -> Sealer {
    Sealer::load_or_create(&key_table(), &MasterKey::from_bytes(random()), NOW_S).expect("a key")
}

#[test]
fn what_is_sealed_opens() {
    let sealer = sealer();
    for plain in [&b""[..], b"secret", &[7; 4096]] {
        let sealed = sealer.seal(PLACE, plain).expect("sealed");
        assert_eq!(*sealer.open(PLACE, &sealed).expect("opened"), plain);
    }
}

#[test]
fn the_same_value_never_looks_the_same() {
    let sealer = sealer();
    let one = sealer.seal(PLACE, b"secret").expect("sealed");
    let other = sealer.seal(PLACE, b"secret").expect("sealed");
    assert_ne!(one, other);
    assert!(!one.windows(6).any(|window| window == b"secret"));
}

#[test]
fn a_value_in_another_place_does_not_open() {
    let sealer = sealer();
    let sealed = sealer.seal(PLACE, b"secret").expect("sealed");
    for place in [
        Place { row: "2", ..PLACE },
        Place {
            column: "preshared_key",
            ..PLACE
        },
        Place {
            table: "nodes",
            ..PLACE
        },
        Place {
            column: "private_key1",
            row: "",
            ..PLACE
        },
    ] {
        let opened = sealer.open(place, &sealed);
        assert!(
            matches!(opened, Err(StoreError::Sealed { .. })),
            "{place:?}"
        );
    }
}

#[test]
fn an_altered_value_does_not_open() {
    let sealer = sealer();
    let sealed = sealer.seal(PLACE, b"secret").expect("sealed");
    for index in 0..sealed.len() {
        let mut altered = sealed.clone();
        altered[index] ^= 1;
        assert!(sealer.open(PLACE, &altered).is_err(), "byte {index}");
        assert!(
            sealer.open(PLACE, &sealed[..index]).is_err(),
            "cut at {index}"
        );
    }
}

#[test]
fn a_key_outlives_a_restart_and_needs_its_master() {
    let (conn, master) = (key_table(), random());
    let load = |bytes| Sealer::load_or_create(&conn, &MasterKey::from_bytes(bytes), NOW_S);
    let sealed = load(master)
        .expect("a key")
        .seal(PLACE, b"secret")
        .expect("sealed");
    let again = load(master).expect("the same key");
    assert_eq!(*again.open(PLACE, &sealed).expect("opened"), b"secret");
    assert!(matches!(load(random()), Err(StoreError::MasterKey(_))));
}

#[test]
fn fingerprints_tell_secrets_apart_under_one_key_only() {
    let (one, other) = (sealer(), sealer());
    assert_eq!(one.fingerprint(b"secret"), one.fingerprint(b"secret"));
    assert_ne!(one.fingerprint(b"secret"), one.fingerprint(b"secreT"));
    assert_ne!(one.fingerprint(b"secret"), other.fingerprint(b"secret"));
}

#[tokio::test]
async fn no_secret_is_in_the_file() {
    let fixture = Fixture::new();
    let secret = b"a secret of recognisable text";
    let id = fixture
        .store
        .write(move |tx| agents::create(tx, "http://a", secret, NOW_S))
        .await
        .expect("an agent");
    let sealer = fixture.store.sealer();
    let read = fixture
        .store
        .read(move |conn| agents::secret(conn, &sealer, id, Slot::Current));
    let wanted = wire_contract::signing::Secret::new(&secret[..]).expect("long enough");
    assert!(read.await.expect("a read") == Some(wanted));
    fixture.store.close().await;
    let file = std::fs::read(fixture.dir.path().join("controller.db")).expect("the file");
    assert!(!file.windows(secret.len()).any(|window| window == secret));
}
