//! The same request, sent again and again by a program whose controller dies in between: one change,
//! and the same answer each time it gets one.

use serde_json::{Value, json};
use wgfleet_integration::{
    agent::{self, Agent},
    client::{Address, Client, Response},
    controller::{Config, Controller},
};

const SECRET: &str = "the secret of a simulated agent, long enough";
const KEY: &str = "one key for one change";

struct Fleet {
    agent: Agent,
    controller: Controller,
}

impl Fleet {
    fn new() -> Self {
        let agent = agent::Config::simulated("wg0", 0)
            .secrets(&[SECRET])
            .start();
        let controller = Config::new().poll_interval("500ms").start();
        let fleet = Self { agent, controller };
        fleet.controller.rest().create("/nodes", &fleet.node());
        fleet
    }

    fn node(&self) -> Value {
        let Address::Tcp(address) = self.agent.address() else {
            panic!("it listens on TCP");
        };
        json!({
            "name": "node-1", "agent_url": format!("http://{address}"), "wg_interface": "wg0",
            "secret": SECRET, "ip_pool_cidr": "10.8.0.0/16",
        })
    }

    /// Sends the request until it is answered, five times: the controller dies at `place` under the
    /// first, and is started anew.
    fn five_answers(&mut self, path: &str, body: &Value, place: &str) -> Vec<Response> {
        self.controller.terminate();
        self.controller
            .set_variable("WGFLEET_FAILPOINT", Some(place));
        self.controller.restart();
        let mut answers = Vec::new();
        let mut died = false;
        while answers.len() < 5 {
            match self.send(path, body) {
                Some(answer) => answers.push(answer),
                None => {
                    assert!(!died, "it died twice at {place}");
                    died = true;
                    self.controller.await_end();
                    self.controller.set_variable("WGFLEET_FAILPOINT", None);
                    self.controller.restart();
                }
            }
        }
        assert!(died, "{place} was not reached");
        answers
    }

    fn send(&self, path: &str, body: &Value) -> Option<Response> {
        let rest = self.controller.rest();
        let mut wire = rest.wire("POST", path, Some(body));
        let begins: String = body.to_string().chars().take(40).collect();
        wire.add("Idempotency-Key", format!("{KEY} {path} {begins}"));
        let client = Client::new(self.controller.address().clone(), "");
        client.send_wire(&wire).ok()
    }
}

fn assert_equal(answers: &[Response], status: u16, place: &str) {
    for answer in answers {
        assert_eq!(answer.status, status, "{place}: {answer:?}");
        assert_eq!(answer.body, answers[0].body, "{place}");
    }
}

#[test]
fn a_create_killed_anywhere_makes_one_peer() {
    let mut fleet = Fleet::new();
    // The first commit of a start is the heartbeat.
    let places = [
        "store.before_commit:2",
        "store.after_commit:2",
        "store.before_ack:2",
        "services.peer.committed",
        "dispatch.after_send",
        "services.peer.answering",
        "services.once.answered",
        "services.once.settled",
    ];
    for (round, place) in places.iter().enumerate() {
        let body = json!({"name": format!("{round} {place}"), "keep_private_key": false});
        let answers = fleet.five_answers("/peers", &body, place);
        assert_equal(&answers, 201, place);
        let list = fleet.controller.rest().read("/peers?limit=1000");
        assert_eq!(list["total"], round + 1, "{place}: {list}");
        let private_key = answers[0].json()["private_key"].clone();
        let private_key = private_key.as_str().expect("shown with each answer");
        for file in ["controller.db", "controller.db-wal"] {
            let store = std::fs::read(fleet.controller.data_dir().join(file));
            let store = store.expect("the store");
            let found = store.windows(private_key.len());
            let mut found = found.filter(|at| *at == private_key.as_bytes());
            assert!(found.next().is_none(), "{file}: answers are kept sealed");
        }
    }
}

#[test]
fn a_bulk_request_killed_in_the_middle_goes_on_where_it_stopped() {
    let mut fleet = Fleet::new();
    for (round, turn) in [1, 3, 5].iter().enumerate() {
        let peer = |n: usize| json!({"name": format!("{round} {n}")});
        let body = json!({"peers": (0..500).map(peer).collect::<Vec<_>>()});
        let place = format!("services.bulk.committed:{turn}");
        let answers = fleet.five_answers("/peers/bulk/create", &body, &place);
        assert_equal(&answers, 200, &place);
        assert_eq!(answers[0].json()["succeeded"], 500);
        let list = fleet.controller.rest().read("/peers?limit=1");
        assert_eq!(list["total"], 500 * (round + 1));
    }
    let other = json!({"peers": [{"name": "another"}]});
    let first = fleet.send("/peers/bulk/create", &other).expect("an answer");
    assert_eq!(first.status, 200);
}

#[test]
fn a_node_and_its_secret_are_made_once() {
    let mut fleet = Fleet::new();
    let body = json!({
        "name": "node-2", "agent_url": "http://127.0.0.1:9", "wg_interface": "wg0",
    });
    for place in ["nodes.created", "services.once.settled"] {
        let mut body = body.clone();
        body["name"] = json!(place);
        body["agent_url"] = json!(format!("http://127.0.0.1:{}", 1 + place.len()));
        let answers = fleet.five_answers("/nodes", &body, place);
        assert_equal(&answers, 201, place);
        assert!(answers[0].json()["secret"].is_string(), "{place}");
    }
    assert_eq!(fleet.controller.rest().read("/nodes")["total"], 3);
}

#[test]
fn another_body_under_the_same_key_is_refused() {
    let fleet = Fleet::new();
    let rest = fleet.controller.rest();
    let client = Client::new(fleet.controller.address().clone(), "");
    let send = |name: &str| {
        let mut wire = rest.wire("POST", "/peers", Some(&json!({ "name": name })));
        wire.add("Idempotency-Key", KEY);
        client.send_wire(&wire).expect("an answer")
    };
    assert_eq!(send("laptop").status, 201);
    let refused = send("phone");
    assert_eq!(
        (refused.status, refused.json()["code"].clone()),
        (422, json!("idempotency_key_reused"))
    );
    assert_eq!(rest.read("/peers")["total"], 1);
}
