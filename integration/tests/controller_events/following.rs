//! A reader that comes back after every crash misses nothing and is told nothing twice.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    thread,
};

use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};
use wgfleet_integration::eventually;

use crate::{
    fleet::{Fleet, SOON, text},
    reader::{Event, Reader, Seen},
};

/// Crashes.
const ROUNDS: usize = 4;
/// Events that are read before each.
const BEFORE_A_CRASH: usize = 25;

#[test]
fn none_is_missed_and_none_is_twice_over_crashes() {
    let mut fleet = Fleet::new();
    let seen = Arc::new(Mutex::new(Seen::default()));
    let mut query = "?after=0";
    for round in 0..ROUNDS {
        let rest = fleet.controller.rest();
        let reader = Reader::start(fleet.address(), &rest, query, &seen);
        query = "";
        let (call, nodes) = (fleet.caller(), fleet.nodes.clone());
        // Until it finds nobody: what was under way then may or may not have happened.
        let changing = thread::spawn(move || {
            for turn in 0.. {
                if change(&call, &nodes, round, turn).is_none() {
                    return;
                }
            }
        });
        let enough = BEFORE_A_CRASH * (round + 1);
        eventually(SOON, "enough events", || {
            (count(&seen) >= enough).then_some(())
        });
        fleet.controller.kill();
        changing.join().expect("changes do not panic");
        drop(reader);
        fleet.controller.restart();
    }
    let rest = fleet.controller.rest();
    let mut reader = Reader::start(fleet.address(), &rest, query, &seen);
    fleet.settle();
    let last = last_recorded(&fleet);
    eventually(SOON, "all events", || {
        let events = &seen.lock().expect("not poisoned").events;
        events.last().filter(|event| event.id >= last).map(drop)
    });
    assert!(fleet.controller.terminate().success());
    reader.ended();
    let seen = seen.lock().expect("not poisoned");
    check_ids(&seen.events);
    check_against_audit(&fleet, &seen.events);
    fleet.controller.restart();
    check_against_peers(&fleet, &seen.events);
}

/// One change; `None` when nobody answers.
fn change(
    call: &impl Fn(&str, &str, Option<&Value>) -> std::io::Result<wgfleet_integration::client::Response>,
    nodes: &[String; 2],
    round: usize,
    turn: usize,
) -> Option<()> {
    let peers = call("GET", "/peers?limit=1000", None).ok()?;
    let peers = peers.json()["items"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let at = |offset: usize| {
        let peer = peers.get((turn * 7 + offset) % peers.len().max(1))?;
        Some((format!("/peers/{}", text(&peer["id"])), peer.clone()))
    };
    match (turn % 6, at(3)) {
        (3, Some((path, peer))) => {
            let other = usize::from(peer["node_id"] == json!(nodes[0]));
            call("PATCH", &path, Some(&json!({"node_id": nodes[other]}))).ok()?;
        }
        (4, Some((path, peer))) => {
            let enabled = peer["enabled"] == json!(false);
            let name = format!("renamed {round} {turn}");
            call(
                "PATCH",
                &path,
                Some(&json!({"name": name, "enabled": enabled})),
            )
            .ok()?;
        }
        (5, Some((path, _))) => {
            call("DELETE", &path, None).ok()?;
        }
        _ => {
            let peer = json!({
                "name": format!("peer {round} {turn}"), "node_id": nodes[turn % 2],
                "preshared_key": "generate",
            });
            call("POST", "/peers", Some(&peer)).ok()?;
        }
    }
    Some(())
}

fn count(seen: &Mutex<Seen>) -> usize {
    seen.lock().expect("not poisoned").events.len()
}

fn store(fleet: &Fleet) -> Connection {
    let path = fleet.controller.data_dir().join("controller.db");
    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).expect("the store")
}

fn last_recorded(fleet: &Fleet) -> u64 {
    let last = store(fleet).query_row("SELECT max(id) FROM events", [], |row| row.get::<_, i64>(0));
    last.expect("events").unsigned_abs()
}

/// Ids are given without gaps, so a reader of everything sees each number once.
fn check_ids(events: &[Event]) {
    let ids: Vec<_> = events.iter().map(|event| event.id).collect();
    let all: Vec<_> = (1..=u64::try_from(ids.len()).expect("few")).collect();
    assert_eq!(ids, all);
}

/// Every change has an audit row, which knows nothing of events.
fn check_against_audit(fleet: &Fleet, events: &[Event]) {
    let store = store(fleet);
    let mut select = store
        .prepare("SELECT action, object_id FROM audit WHERE object_kind = 'peer' ORDER BY id")
        .expect("the audit");
    let rows = select.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)));
    let expected: Vec<(&str, String)> = rows
        .expect("rows")
        .map(|row| {
            let (action, id) = row.expect("a row");
            let kind = match action.as_str() {
                "peer.create" => "peer.created",
                "peer.delete" => "peer.deleted",
                _ => "peer.changed",
            };
            (kind, id)
        })
        .collect();
    let told: Vec<(&str, String)> = events
        .iter()
        .filter(|event| {
            matches!(
                event.kind.as_str(),
                "peer.created" | "peer.changed" | "peer.deleted"
            )
        })
        .map(|event| (event.kind.as_str(), text(&event.data["peer_id"])))
        .collect();
    assert_eq!(told, expected);
    for kind in ["peer.created", "peer.changed", "peer.deleted"] {
        assert!(told.iter().any(|(it, _)| *it == kind), "{kind} happened");
    }
    let is_move = |event: &&Event| event.data["previous_node_id"].is_string();
    assert!(
        events.iter().any(|event| is_move(&event)),
        "some were moved"
    );
}

/// Whoever follows events knows what the lists say.
fn check_against_peers(fleet: &Fleet, events: &[Event]) {
    const DECLARED: [&str; 6] = [
        "name",
        "node_id",
        "allowed_ips",
        "enabled",
        "public_key",
        "labels",
    ];
    let mut known: BTreeMap<String, Value> = BTreeMap::new();
    for event in events {
        let id = || text(&event.data["peer_id"]);
        match event.kind.as_str() {
            "peer.created" | "peer.changed" => drop(known.insert(id(), event.data["peer"].clone())),
            "peer.deleted" => drop(known.remove(&id())),
            "peer.sync" => {
                // A node the peer was on before may settle later than its deletion.
                if let Some(peer) = known
                    .get_mut(&id())
                    .filter(|it| it["node_id"] == event.data["node_id"])
                {
                    peer["sync"] = event.data["sync"].clone();
                }
            }
            _ => {}
        }
    }
    let listed = fleet.controller.rest().read("/peers?limit=1000");
    let listed = listed["items"].as_array().expect("a list").iter();
    let declared = |peer: &Value| DECLARED.map(|field| peer[field].clone());
    let expected: BTreeMap<_, _> = listed
        .map(|peer| (text(&peer["id"]), declared(peer)))
        .collect();
    let told: BTreeMap<_, _> = known
        .iter()
        .map(|(id, peer)| (id.clone(), declared(peer)))
        .collect();
    assert_eq!(told, expected);
    for peer in known.values() {
        assert_eq!(peer["sync"]["state"], "applied", "{peer}");
    }
}
