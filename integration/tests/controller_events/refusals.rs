//! Readers that can't go on.

use std::{
    io::Read,
    sync::{Arc, Mutex},
};

use rusqlite::Connection;
use serde_json::json;
use wgfleet_integration::{controller, eventually};

use crate::{
    fleet::{Fleet, SOON, address, text},
    reader::{self, Reader, Seen},
};

/// Larger than what the kernel keeps for a connection that nobody reads.
const FAT_EVENTS: usize = 400;
const FAT_BYTES: usize = 64 << 10;

#[test]
fn an_id_that_is_not_kept_is_gone() {
    let fleet = Fleet::new();
    let rest = fleet.controller.rest();
    for query in [
        "?after=999999999",
        "?after=18446744073709551615",
        "?after=x",
    ] {
        let answer = rest.get(&format!("/events{query}"));
        let expected = if query == "?after=999999999" {
            (410, "event_too_old")
        } else {
            (400, "invalid_field")
        };
        assert_eq!(
            (answer.status, answer.json()["code"].as_str()),
            (expected.0, Some(expected.1))
        );
    }
    let path = fleet.controller.data_dir().join("controller.db");
    let store = Connection::open(path).expect("the store");
    store
        .execute("DELETE FROM events WHERE id <= 2", [])
        .expect("pruned");
    assert_eq!(rest.get("/events?after=1").status, 410);
    let seen = Arc::new(Mutex::new(Seen::default()));
    let _reader = Reader::start(fleet.address(), &rest, "?after=2", &seen);
    eventually(SOON, "the third event", || {
        let seen = seen.lock().expect("not poisoned");
        seen.events.first().map(|event| assert_eq!(event.id, 3))
    });
}

#[test]
fn a_reader_that_does_not_read_is_cut_off() {
    let mut controller = controller::Config::new()
        .variable("WGFLEET_LOG", "info,wgfleet_controller::facade=debug")
        .start();
    controller.kill();
    let store = Connection::open(controller.data_dir().join("controller.db")).expect("the store");
    let payload = fat_event();
    for _ in 0..FAT_EVENTS {
        store
            .execute(
                "INSERT INTO events (at, kind, payload) VALUES (unixepoch(), 'peer.deleted', ?1)",
                [&payload],
            )
            .expect("room");
    }
    drop(store);
    controller.restart();
    let mut stream = reader::ask(address(&controller), &controller.rest(), "?after=0", "");
    stream.set_read_timeout(Some(SOON)).expect("a timeout");
    // It is cut off while nobody reads; what the kernel had taken by then is all there is.
    eventually(SOON, "the controller closes it", || {
        controller
            .log()
            .contains("a connection ended badly")
            .then_some(())
    });
    let mut read = Vec::new();
    // A reset says the same as an end.
    let _ = stream.read_to_end(&mut read);
    assert!(read.len() < FAT_EVENTS * FAT_BYTES, "{} bytes", read.len());
    assert_eq!(controller.rest().get("/nodes").status, 200);
}

/// A peer with a very long key was deleted, as protobuf has it.
fn fat_event() -> Vec<u8> {
    fn field(number: u8, content: &[u8]) -> Vec<u8> {
        let mut length = content.len();
        let mut bytes = vec![number << 3 | 2];
        while length >= 128 {
            bytes.push(u8::try_from(length % 128).expect("seven bits") | 128);
            length /= 128;
        }
        bytes.push(u8::try_from(length).expect("seven bits"));
        bytes.extend(content);
        bytes
    }
    field(9, &field(3, &[b'k'; FAT_BYTES]))
}

#[test]
fn a_revoked_token_and_a_stop_end_the_stream_at_once() {
    let mut fleet = Fleet::new();
    let rest = fleet.controller.rest();
    let seen = Arc::new(Mutex::new(Seen::default()));
    let mut reader = Reader::start(fleet.address(), &rest, "?after=0&kind=node.created", &seen);
    eventually(SOON, "both nodes", || {
        (seen.lock().expect("not poisoned").events.len() == 2).then_some(())
    });
    assert!(fleet.controller.terminate().success());
    reader.ended();
    assert!(!fleet.controller.log().contains("did not finish in time"));
    fleet.controller.restart();
    let rest = fleet.controller.rest();
    let made = rest.create("/tokens", &json!({"name": "reader", "role": "viewer"}));
    let readers = fleet.controller.rest_with(&text(&made["token"]));
    let query = "?kind=node.created";
    let mut reader = Reader::start(fleet.address(), &readers, query, &seen);
    let revoked = rest.delete(&format!("/tokens/{}", text(&made["id"])));
    assert!(revoked.status < 300, "{}", revoked.status);
    reader.ended();
    let seen = seen.lock().expect("not poisoned");
    let end = seen.end.as_ref().expect("it says why");
    assert_eq!(end["code"], json!("unauthenticated"));
    assert_eq!(seen.events.len(), 2, "none twice");
}
