//! The controller is killed wherever it hurts, again and again.

use std::{
    collections::BTreeMap,
    env,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};
use wgfleet_integration::{
    agent::{Agent, Config},
    poll,
};

use super::{
    model::{Ask, Dice, Model},
    runner::{Controller, PATIENCE, url},
};

/// Where it dies, and how often the place may be passed before.
const PLACES: [(&str, usize); 19] = [
    ("store.begun", 30),
    ("store.between_commands", 30),
    ("store.before_commit", 30),
    ("store.after_commit", 30),
    ("store.before_ack", 30),
    ("store.after_ack", 30),
    ("services.peer.committed", 5),
    ("services.peer.answering", 5),
    ("services.peer.deleted", 2),
    ("dispatch.before_note_signed", 5),
    ("dispatch.before_send", 5),
    ("dispatch.after_send", 5),
    ("dispatch.before_record", 8),
    ("dispatch.after_record", 8),
    ("nodes.created", 2),
    ("nodes.updated", 2),
    ("nodes.before_delete", 1),
    ("nodes.deleted", 1),
    ("store.before_ack", 3),
];

/// Addresses of 10.9.0.0/26 that peers can have: all but network, broadcast and the node's own.
const ROOM: usize = 61;

#[test]
fn hostile_29_killed_anywhere_it_keeps_what_it_acknowledged() {
    let rounds: usize = setting("WGFLEET_ROUNDS", 100);
    let started = SystemTime::now().duration_since(UNIX_EPOCH);
    let seed = setting("WGFLEET_SEED", started.expect("after 1970").subsec_nanos());
    println!("seed {seed}: set WGFLEET_SEED to see the same again");
    let mut dice = Dice(seed.into());
    let agent = Config::simulated("wg0", 0).start();
    let mut controller = Controller::start();
    let pool = json!({ "ip_pool_cidr": "10.9.0.0/26" });
    let node = controller.add("main", &url(&agent), &pool);
    controller.terminate();

    let mut model = Model::default();
    let mut died = BTreeMap::new();
    for round in 0..rounds {
        let (place, most) = PLACES[round % PLACES.len()];
        let failpoint = format!("{place}:{}", 1 + dice.roll(most));
        if run_until_dead(&mut controller, &failpoint, &node, &mut model, &mut dice) {
            *died.entry(place).or_insert(0) += 1;
        }
        controller.run();
        println!("round {round}: {failpoint}, {} peers", model.peer_count());
        check(&controller, &agent, &mut model);
        controller.kill();
    }
    println!("died at {died:?}");
    if rounds >= 100 {
        assert!(died.len() >= 12, "it died at few places: {died:?}");
    }
    controller.run();
    no_address_is_lost(&controller, &node);
}

fn setting<T: std::str::FromStr>(name: &str, otherwise: T) -> T {
    let given = env::var(name).ok();
    given.map_or(otherwise, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name} must be a number"))
    })
}

/// Asks this and that until the program is gone. Whether it died by itself.
fn run_until_dead(
    controller: &mut Controller,
    failpoint: &str,
    node: &str,
    model: &mut Model,
    dice: &mut Dice,
) -> bool {
    if !controller.try_run(Some(failpoint)) {
        return true;
    }
    let of_nodes = failpoint.starts_with("nodes.");
    for _ in 0..12 {
        let asks = model.draw(dice, of_nodes);
        let answers = ask_all(controller, model, &asks, node);
        let mut silent = false;
        for (ask, answer) in asks.into_iter().zip(answers) {
            match answer {
                Some(answer) => model.acknowledge(ask, &answer),
                None => {
                    model.doubt(ask);
                    silent = true;
                }
            }
        }
        if silent {
            let status = controller.ended();
            assert!(!status.success(), "it ended as if told to");
            return true;
        }
    }
    let alive = controller.is_running();
    if alive {
        controller.kill();
    } else {
        controller.ended();
    }
    !alive
}

fn ask_all(
    controller: &Controller,
    model: &Model,
    asks: &[Ask],
    node: &str,
) -> Vec<Option<super::runner::Answer>> {
    std::thread::scope(|scope| {
        let calls: Vec<_> = asks
            .iter()
            .map(|ask| {
                let (method, path, body) = model.call(ask, node);
                scope.spawn(move || controller.try_call(method, &path, &body).ok())
            })
            .collect();
        let answered = calls.into_iter().map(|call| call.join().expect("no panic"));
        answered.collect()
    })
}

fn check(controller: &Controller, agent: &Agent, model: &mut Model) {
    let peers = controller.peers();
    let nodes = controller.get("/nodes?limit=1000");
    model.check(&peers, nodes["items"].as_array().expect("a list"));
    if let Some(peer) = peers.last() {
        let path = format!("/peers/{}/config", peer["id"].as_str().expect("text"));
        let status = controller.call("GET", &path, &Value::Null).status;
        assert_eq!(status, 200, "the private key is sealed and whole");
    }
    check_store(controller, model.peer_count());
    let mut last = BTreeMap::new();
    let agrees = poll(PATIENCE, || {
        last = dump(agent);
        (last == model.dump()).then_some(())
    });
    assert!(
        agrees.is_some(),
        "the agent has {last:?}, not {:?}",
        model.dump()
    );
}

fn check_store(controller: &Controller, peers: usize) {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let store = Connection::open_with_flags(controller.store_file(), flags).expect("a store");
    store.busy_timeout(Duration::from_secs(10)).expect("set");
    let one = |sql: &str| store.query_row(sql, [], |row| row.get::<_, String>(0));
    assert_eq!(one("PRAGMA integrity_check").expect("checked"), "ok");
    let broken: Result<String, _> = one("SELECT \"table\" FROM pragma_foreign_key_check");
    assert_eq!(broken, Err(rusqlite::Error::QueryReturnedNoRows));
    let peers = peers.to_string();
    for table in ["allocations", "peers", "allowed_ip_owners"] {
        let sql = format!("SELECT CAST(count(*) AS TEXT) FROM {table}");
        assert_eq!(one(&sql).expect("counted"), peers, "{table}");
    }
    let standing = "SELECT CAST(count(*) AS TEXT) FROM peer_nodes WHERE peer_id IS NOT NULL";
    assert_eq!(one(standing).expect("counted"), peers, "peer_nodes");
    let counted = "SELECT CAST(sum(peer_count) AS TEXT) FROM nodes";
    assert_eq!(one(counted).expect("counted"), peers, "peer_count");
}

fn dump(agent: &Agent) -> BTreeMap<String, (String, u64)> {
    let dump = agent.client().dump("wg0");
    let peers = dump["peers"].as_array().expect("a list").iter();
    peers
        .map(|peer| {
            let key = super::runner::text(&peer["public_key"]);
            let address = super::runner::text(&peer["allowed_ips"][0]);
            let keepalive = peer["persistent_keepalive"].as_u64().unwrap_or(0);
            (key, (address, keepalive))
        })
        .collect()
}

/// Each address can still be given away, once.
fn no_address_is_lost(controller: &Controller, node: &str) {
    for at in controller.peers().len()..ROOM {
        let peer = json!({ "name": format!("filler-{at}"), "node_id": node });
        controller.create_peer(&peer).expect(201);
    }
    let peer = json!({ "name": "one too many", "node_id": node });
    controller
        .create_peer(&peer)
        .refused(409, "no_free_address", "10.9.0.0/26");
    assert_eq!(controller.peers().len(), ROOM);
}
