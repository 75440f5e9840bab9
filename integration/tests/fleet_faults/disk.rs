//! A disk that is full, or that can't be written any more.

use std::{collections::BTreeSet, process::Command};

use serde_json::{Value, json};
use wgfleet_integration::{
    agent::{Agent, Config},
    disk::Disk,
    eventually, poll,
    process::Process,
    wg,
};

use super::runner::{Controller, PATIENCE, text, url};

const MEBIBYTES: u32 = 16;
/// More peers than a store can take into the pages it has already.
const TOO_MANY: usize = 2_000;

struct Story {
    agent: Agent,
    controller: Controller,
    node: String,
    /// Names of the peers whose creation was acknowledged.
    known: BTreeSet<String>,
}

impl Story {
    fn new() -> Self {
        let agent = Config::simulated("wg0", 0).start();
        let mut controller = Controller::prepare_on(Disk::new(MEBIBYTES));
        controller.run();
        let pool = json!({ "ip_pool_cidr": "10.8.0.0/16" });
        let node = controller.add("a", &url(&agent), &pool);
        controller.await_status(&node, "online");
        let mut story = Self {
            agent,
            controller,
            node,
            known: BTreeSet::new(),
        };
        for number in 0..3 {
            assert!(story.create(&format!("before-{number}")).is_none());
        }
        story
    }

    /// Creates a peer; the answer if it is a refusal.
    fn create(&mut self, name: &str) -> Option<super::runner::Answer> {
        let body = json!({ "name": name, "node_id": self.node, "preshared_key": "generate" });
        let answer = self.controller.create_peer(&body);
        if answer.status == 201 {
            self.known.insert(name.to_owned());
            return None;
        }
        Some(answer)
    }

    fn names(&self) -> BTreeSet<String> {
        let peers = self.controller.peers();
        peers.iter().map(|peer| text(&peer["name"])).collect()
    }

    /// Nothing can be written: each change is refused and none is half done; reading goes on, and so
    /// do polls.
    fn is_unavailable(&mut self) {
        // What fits into room the store's files have already is still taken.
        let refused = (0..TOO_MANY).find_map(|number| self.create(&format!("during-{number}")));
        let refused = refused.expect("nothing more can be written");
        refused.refused(503, "store_unavailable", "nothing was changed");
        let peers = self.controller.peers();
        assert_eq!(self.names(), self.known);
        let peer = format!("/peers/{}", text(&peers[0]["id"]));
        let node = format!("/nodes/{}", self.node);
        let off = json!({ "name": "b", "agent_url": "http://b.invalid", "wg_interface": "wg0", "enabled": false });
        let asked = [
            (
                "POST",
                "/peers",
                json!({ "name": "no", "node_id": self.node }),
            ),
            ("POST", "/nodes", off),
            ("PATCH", &peer, json!({ "persistent_keepalive": 17 })),
            ("DELETE", &peer, Value::Null),
            ("PATCH", &node, json!({ "weight": 5 })),
            ("DELETE", &format!("{node}?peers=forget"), Value::Null),
        ];
        for (method, path, body) in asked {
            let answer = self.controller.call(method, path, &body);
            answer.refused(503, "store_unavailable", "");
        }
        assert_eq!(self.names(), self.known);
        assert_eq!(
            self.controller.get(&peer)["persistent_keepalive"],
            peers[0]["persistent_keepalive"]
        );
        assert_eq!(self.controller.get("/nodes")["total"], 1);
        assert_eq!(self.controller.get(&node)["weight"], 100);
        self.is_polled();
    }

    /// What others do on the node is still seen.
    fn is_polled(&self) {
        let node = format!("/nodes/{}", self.node);
        let before = self.controller.get(&node)["last_seen"].clone();
        eventually(PATIENCE, "another poll", || {
            (self.controller.get(&node)["last_seen"] != before).then_some(())
        });
        assert_eq!(self.controller.get(&node)["status"], "online");
        let key = wg::numbered_key(1);
        let theirs = json!({ "public_key": key, "allowed_ips": ["192.168.7.7/32"] });
        assert_eq!(self.agent.client().post_peer("wg0", &theirs).status, 200);
        let plan = self.controller.get(&format!("{node}/plan"));
        assert_eq!(plan["unmanaged"][0]["public_key"], key, "{plan}");
        assert_eq!(self.agent.client().delete_peer("wg0", &key).status, 200);
    }

    /// All is as acknowledged, and changes are taken again.
    fn recovers(mut self) {
        let mut last = None;
        let taken = poll(PATIENCE, || {
            last = self.create("after");
            last.is_none().then_some(())
        });
        assert!(taken.is_some(), "still refused: {last:?}");
        assert_eq!(self.names(), self.known);
        self.controller.await_in_sync(&self.node, PATIENCE);
        self.controller.await_status(&self.node, "online");
        self.controller.kill();
        self.controller.run();
        assert_eq!(self.names(), self.known);
        let dump = self.agent.client().dump("wg0");
        assert_eq!(
            dump["peers"].as_array().map(Vec::len),
            Some(self.known.len())
        );
    }
}

#[test]
fn hostile_32_a_full_disk_answers_503_and_recovers() {
    let mut story = Story::new();
    story.controller.disk().fill();
    story.is_unavailable();
    story.controller.disk().make_room();
    story.recovers();
}

/// From now on the system refuses to write the store, as it does on a disk that went read-only after
/// an error: `mount` itself refuses while the files are open.
fn forbid_writing(controller: &Controller) -> Process {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-o", "/dev/null"]);
    let calls = "pwrite64,write,ftruncate,fallocate,fsync,fdatasync,unlink";
    strace.args(["-e", &format!("trace={calls}")]);
    strace.args(["-e", &format!("inject={calls}:error=EROFS")]);
    for file in ["controller.db", "controller.db-wal"] {
        strace.arg("-P").arg(controller.data_dir().join(file));
    }
    strace.args(["-p", &controller.pid().to_string()]);
    let mut process = Process::default();
    process.spawn(&mut strace);
    process.await_line(|line| line.contains("attached").then_some(()));
    process
}

#[test]
fn hostile_32_a_disk_that_goes_read_only_answers_503_and_recovers() {
    let mut story = Story::new();
    let mut forbidden = forbid_writing(&story.controller);
    story.is_unavailable();
    forbidden.terminate();
    story.recovers();
}

#[test]
fn hostile_32_on_a_read_only_disk_it_refuses_to_start() {
    let mut story = Story::new();
    story.controller.terminate();
    story.controller.disk().set_read_only(true);
    let (status, said) = story.controller.run_in_vain();
    assert!(!status.success(), "it ended as if all were well:\n{said}");
    refuses(&story.controller, &said);
    story.controller.disk().set_read_only(false);
    story.controller.run();
    story.recovers();
}

/// What it needs to start may still fit in what its files have; otherwise it says why not.
#[test]
fn hostile_32_started_on_a_full_disk_it_serves_what_it_has_or_says_why_not() {
    let mut story = Story::new();
    story.controller.terminate();
    story.controller.disk().fill();
    let earlier = story.controller.log().len();
    if story.controller.try_run(None) {
        assert_eq!(story.names(), story.known);
        story.controller.kill();
    } else {
        refuses(&story.controller, &story.controller.log()[earlier..]);
    }
    story.controller.disk().make_room();
    story.controller.run();
    story.recovers();
}

/// What it said last names the disk and what to look for.
fn refuses(controller: &Controller, said: &str) {
    assert!(!said.contains("panicked"), "{said}");
    let refusal = said.lines().last().unwrap_or_default();
    let place = controller.data_dir().to_string_lossy();
    for part in ["the store is unavailable", "full or read-only", &place] {
        assert!(refusal.contains(part), "{part:?} is not in {refusal:?}");
    }
}

#[test]
fn hostile_32_an_agent_that_cannot_remember_refuses_and_the_controller_tries_again() {
    let disk = Disk::new(1);
    let state = disk.from_outside().join("state");
    let agent = Config::simulated("wg0", 0).state_dir(state).start();
    let controller = Controller::start();
    let node = controller.add("a", &url(&agent), &json!({}));
    controller.await_status(&node, "online");
    let before = controller.create_peer(&json!({ "name": "before", "node_id": node }));
    assert_eq!(before.expect(201)["sync"]["state"], "applied");

    disk.fill();
    fill_last_page(&agent);
    let client = agent.client();
    let key = wg::numbered_key(2);
    let refused = client.post_peer("wg0", &json!({ "public_key": key }));
    assert_eq!(
        (refused.status, refused.error_code().as_deref()),
        (503, Some("kernel_unavailable"))
    );
    assert_eq!(client.get("/health").status, 200);
    assert_eq!(
        client.dump("wg0")["peers"].as_array().map(Vec::len),
        Some(1)
    );
    let late = controller
        .create_peer(&json!({ "name": "late", "node_id": node }))
        .expect(201);
    assert_eq!(late["sync"]["state"], "pending", "{late}");
    assert!(
        late["sync"]["reason"]
            .as_str()
            .is_some_and(|why| why.contains("503")),
        "{late}"
    );
    controller.await_status(&node, "online");

    disk.make_room();
    let late = format!("/peers/{}", text(&late["id"]));
    eventually(PATIENCE, "the peer is applied", || {
        (controller.get(&late)["sync"]["state"] == "applied").then_some(())
    });
    assert_eq!(
        client.dump("wg0")["peers"].as_array().map(Vec::len),
        Some(2)
    );
    // Whatever was written in between, it still knows what it has seen.
    let mut agent = agent;
    agent.kill();
    agent.restart();
    assert!(!agent.log().contains("broken record"), "{}", agent.log());
}

/// Deletes peers that are not there, until what the log has of its last page is used up.
fn fill_last_page(agent: &Agent) {
    let refused = (100..u32::MAX).find(|number| {
        let key = wg::numbered_key(*number);
        let answer = agent.client().delete_peer("wg0", &key);
        assert!([404, 503].contains(&answer.status), "{answer:?}");
        answer.status == 503
    });
    assert!(refused.is_some());
}
