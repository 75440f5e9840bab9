//! Webhooks: in order, signed, at least once and under one id, whatever dies in between.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};
use wgfleet_integration::eventually;

use crate::{
    fleet::{Fleet, SOON, text},
    reader::{Reader, Seen},
    receiver::{Received, Receiver},
};

const PEERS: usize = 12;

#[test]
fn every_event_arrives_over_failures_and_crashes() {
    let mut fleet = Fleet::new();
    let receiver = Receiver::start(&[200, 500, 200, 302, 200]);
    let rest = fleet.controller.rest();
    let hook = json!({"name": "billing", "url": receiver.url()});
    let created = rest.create("/webhooks", &hook);
    let (path, secret) = (
        format!("/webhooks/{}", text(&created["id"])),
        text(&created["secret"]),
    );
    receiver.knows(&secret);
    assert_eq!(rest.read(&path).get("secret"), None);
    let deliveries = format!("{path}/deliveries?limit=1000");
    let began = position(&fleet);
    let seen = Arc::new(Mutex::new(Seen::default()));
    for number in 0..PEERS {
        let peer = json!({"name": format!("peer {number}"), "preshared_key": "generate"});
        fleet.controller.rest().create("/peers", &peer);
        if number % 5 == 4 {
            // A crash before a failure is noted would leave it out of the log.
            eventually(SOON, "both failures in the log", || {
                let log = fleet.controller.rest().read(&deliveries);
                let rows = log["items"].as_array().expect("a list").iter();
                let failed = rows.filter(|row| row["outcome"] == "failed").count();
                (failed == 2).then_some(())
            });
            let delivered = receiver.received().len();
            let peer = json!({"name": format!("one more {number}")});
            fleet.controller.rest().create("/peers", &peer);
            eventually(SOON, "a delivery between two crashes", || {
                (receiver.received().len() > delivered).then_some(())
            });
            fleet.controller.kill();
            fleet.controller.restart();
        }
    }
    fleet.settle();
    let rest = fleet.controller.rest();
    let query = format!("?after={began}");
    let _reader = Reader::start(fleet.address(), &rest, &query, &seen);
    let taken = || taken(&receiver.received());
    eventually(SOON, "all events", || {
        let last = seen.lock().expect("not poisoned").events.last()?.id;
        (last >= position(&fleet) && taken().last()? == &last).then_some(())
    });
    let told: Vec<u64> = {
        let seen = seen.lock().expect("not poisoned");
        seen.events.iter().map(|event| event.id).collect()
    };
    assert_eq!(taken(), told, "in order; twice only in a row");
    check_repeats(&receiver.received());
    check_log(&fleet, &path, &receiver.received());
    let log = fleet.controller.log();
    assert!(!log.contains(&secret) && !log.contains("team=a"));
}

#[test]
fn a_webhook_is_told_what_it_asked_for_and_tested_at_will() {
    let fleet = Fleet::new();
    let receiver = Receiver::start(&[]);
    let rest = fleet.controller.rest();
    let secret = "a-secret-that-was-given";
    receiver.knows(secret);
    let hook = json!({
        "name": "gone", "url": receiver.url(), "secret": secret,
        "kinds": ["peer.deleted"], "node_id": fleet.nodes[0],
    });
    let hook = rest.create("/webhooks", &hook);
    assert_eq!(hook.get("secret"), None, "who gave it has it");
    let path = format!("/webhooks/{}", text(&hook["id"]));
    let sent = rest.post(&format!("{path}/test"), &json!({}));
    assert_eq!(
        (sent.status, &sent.json()["outcome"]),
        (200, &json!("delivered"))
    );
    for node in [1, 0] {
        let peer = rest.create(
            "/peers",
            &json!({"name": "p", "node_id": fleet.nodes[node]}),
        );
        let deleted = rest.delete(&format!("/peers/{}", text(&peer["id"])));
        assert_eq!(deleted.status, 200);
    }
    let received = eventually(SOON, "the deletion", || {
        let received = receiver.received();
        (received.len() >= 2).then_some(received)
    });
    let told: Vec<_> = received.iter().map(|it| it.event.as_str()).collect();
    assert_eq!(told, ["ping", "peer.deleted"]);
    assert_eq!(received[1].body["node_id"], json!(fleet.nodes[0]));
    let plain = rest.patch(&path, &json!({"url": "http://192.0.2.1/hook"}));
    assert_eq!((plain.status, &plain.json()["field"]), (400, &json!("url")));
    assert_eq!(rest.delete(&path).status, 204);
    assert_eq!(rest.get(&path).status, 404);
}

/// The id of the last event.
fn position(fleet: &Fleet) -> u64 {
    let path = fleet.controller.data_dir().join("controller.db");
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let store = rusqlite::Connection::open_with_flags(path, flags).expect("the store");
    let last = store.query_row("SELECT max(id) FROM events", [], |row| row.get::<_, i64>(0));
    last.expect("events").unsigned_abs()
}

fn event_id(received: &Received) -> u64 {
    text(&received.body["id"]).parse().expect("a number")
}

/// The events that were taken, each once.
fn taken(received: &[Received]) -> Vec<u64> {
    let good = received.iter().filter(|it| it.answered == 200);
    let mut ids: Vec<_> = good.map(event_id).collect();
    // A crash may come between the answer and its record: then it is sent again, before the next.
    ids.dedup();
    ids
}

/// One delivery id is one event, however often it came.
fn check_repeats(received: &[Received]) {
    let mut bodies: BTreeMap<&str, &Value> = BTreeMap::new();
    for it in received {
        assert_ne!(it.answered, 401, "{it:?}");
        assert_eq!(it.body["kind"], json!(it.event));
        let before = bodies.insert(&it.delivery, &it.body);
        assert!(before.is_none_or(|before| *before == it.body), "{it:?}");
    }
    let failed = received.iter().filter(|it| it.answered != 200).count();
    assert_eq!(failed, 2);
}

/// The log has every event once as delivered, and the failures before.
fn check_log(fleet: &Fleet, path: &str, received: &[Received]) {
    let rest = fleet.controller.rest();
    let log = eventually(SOON, "the last delivery in the log", || {
        let log = rest.read(&format!("{path}/deliveries?limit=1000"));
        let last = text(&log["items"][0]["event_id"]);
        (Some(last.parse().expect("a number")) == taken(received).last().copied()).then_some(log)
    });
    let mut rows = log["items"].as_array().expect("a list").clone();
    rows.reverse();
    let of = |outcome: &str| -> Vec<u64> {
        let rows = rows.iter().filter(|row| row["outcome"] == outcome);
        rows.map(|row| text(&row["event_id"]).parse().expect("a number"))
            .collect()
    };
    assert_eq!(of("delivered"), taken(received));
    let failed: Vec<_> = rows
        .iter()
        .filter(|row| row["outcome"] == "failed")
        .collect();
    assert!(failed.iter().all(|row| row["error"].is_string()));
    let answered = failed.iter().filter_map(|row| row["http_status"].as_u64());
    assert!(answered.eq([500, 302]), "{failed:?}");
    assert_eq!(log["total"], json!(rows.len()));
}
