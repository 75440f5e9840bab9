//! Backups of a controller at work, put back: the built program with built agents on simulated
//! interfaces.

use std::{
    collections::BTreeSet,
    fs,
    io::Write,
    net::TcpStream,
    os::unix::{fs::PermissionsExt, process::ExitStatusExt},
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;
use wgfleet_integration::{
    agent::{self, Agent},
    binary,
    client::{Address, Client},
    controller::{Config, Controller, Rest},
    eventually, poll,
};

const SECRET: &str = "the secret of a simulated agent, long enough";
const PATIENCE: Duration = Duration::from_secs(20);
/// How an abort ends a process.
const SIGABRT: i32 = 6;

struct Fleet {
    agent: Agent,
    controller: Controller,
    node: String,
    /// Where backups go.
    elsewhere: TempDir,
}

impl Fleet {
    fn new() -> Self {
        let agent = agent::Config::simulated("wg0", 0)
            .secrets(&[SECRET])
            .start();
        let controller = Config::new().poll_interval("300ms").start();
        let node = json!({
            "name": "node-1", "agent_url": format!("http://{}", tcp(agent.address())),
            "wg_interface": "wg0", "secret": SECRET, "ip_pool_cidr": "10.8.0.0/16",
            "unmanaged_peers": "remove",
        });
        let node = controller.rest().create("/nodes", &node);
        Self {
            agent,
            node: node["id"].as_str().expect("an id").to_owned(),
            controller,
            elsewhere: TempDir::with_prefix("wgfleet-backup-").expect("a directory"),
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.elsewhere.path().join(name)
    }

    fn peer(&self, name: &str) -> (String, String) {
        let made = self
            .controller
            .rest()
            .create("/peers", &json!({ "name": name }));
        let text = |field: &str| made[field].as_str().expect("text").to_owned();
        (text("id"), text("public_key"))
    }

    /// The keys on the interface.
    fn on_the_node(&self) -> BTreeSet<String> {
        let dump = self.agent.client_with(SECRET).dump("wg0");
        let peers = dump["peers"].as_array().expect("a list").iter();
        peers
            .map(|peer| peer["public_key"].as_str().expect("a key").to_owned())
            .collect()
    }

    fn await_on_the_node(&self, keys: &[&String]) {
        let keys: BTreeSet<String> = keys.iter().map(|key| (*key).clone()).collect();
        eventually(PATIENCE, "the node has what is declared", || {
            (self.on_the_node() == keys).then_some(())
        });
    }

    fn plan(&self) -> Value {
        let plan = format!("/nodes/{}/plan", self.node);
        self.controller.rest().read(&plan)
    }

    /// Several polls pass.
    fn polls_pass(&self) {
        let path = format!("/nodes/{}", self.node);
        let rest = self.controller.rest();
        let mut seen = rest.read(&path)["last_seen"].clone();
        for _ in 0..2 {
            let next = poll(PATIENCE, || {
                let now = rest.read(&path)["last_seen"].clone();
                (now != seen).then_some(now)
            });
            seen = next.expect("it is still polled");
        }
    }

    fn run(&self, arguments: &[&str], file: &Path, place: Option<&str>) -> Output {
        run(arguments, file, &self.controller.data_dir(), place)
    }
}

fn tcp(address: &Address) -> &std::net::SocketAddr {
    match address {
        Address::Tcp(address) => address,
        Address::Unix(_) => panic!("it listens on TCP"),
    }
}

fn run(arguments: &[&str], file: &Path, data_dir: &Path, place: Option<&str>) -> Output {
    let mut command = Command::new(binary::path("wgfleet-controller"));
    command
        .args(arguments)
        .arg(file)
        .arg("--data-dir")
        .arg(data_dir);
    if let Some(place) = place {
        command.env("WGFLEET_FAILPOINT", place);
    }
    command.output().expect("it runs")
}

#[track_caller]
fn good(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{output:?}");
    said
}

/// What it said when it refused.
#[track_caller]
fn refused(output: &Output, code: i32) -> String {
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The names of the peers in a backup, which must be whole.
fn peers_in(file: &Path) -> BTreeSet<String> {
    let conn = Connection::open(file).expect("a backup");
    let verdict: String = conn
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .expect("checked");
    assert_eq!(verdict, "ok");
    let numbers: (i64, i64, i64) = conn
        .query_row(
            "SELECT (SELECT count(*) FROM peers), (SELECT count(*) FROM allocations), \
             (SELECT sum(peer_count) FROM nodes)",
            [],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .expect("counted");
    assert_eq!((numbers.0, numbers.0), (numbers.1, numbers.2), "one moment");
    let mut select = conn.prepare("SELECT name FROM peers").expect("names");
    let names = select.query_map([], |row| row.get(0)).expect("names");
    names.collect::<Result<_, _>>().expect("names")
}

fn assert_holds_no_key(file: &Path, data_dir: &Path) {
    let key = fs::read_to_string(data_dir.join("master-key")).expect("the key");
    let key = key.trim();
    assert!(key.len() > 40);
    let decoded = STANDARD.decode(key).expect("base64");
    let bytes = fs::read(file).expect("a backup");
    let contains = |what: &[u8]| bytes.windows(what.len()).any(|at| at == what);
    assert!(contains(b"node-1"), "names are in the clear");
    assert!(!contains(key.as_bytes()) && !contains(&decoded) && !contains(SECRET.as_bytes()));
}

/// Creates peers one after another while `work` runs; the names of those that were acknowledged.
fn under_load<T>(rest: &Rest, first: &str, work: impl FnOnce() -> T) -> (T, BTreeSet<String>) {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let load = scope.spawn(|| {
            let mut names = BTreeSet::new();
            while !done.load(Ordering::Relaxed) {
                let name = format!("{first} {}", names.len());
                rest.create("/peers", &json!({ "name": name }));
                names.insert(name);
            }
            names
        });
        let outcome = work();
        done.store(true, Ordering::Relaxed);
        (outcome, load.join().expect("the load"))
    })
}

#[test]
fn a_backup_under_load_is_one_moment_private_and_without_the_key() {
    let fleet = Fleet::new();
    let data_dir = fleet.controller.data_dir();
    let (first, _) = fleet.peer("first");
    let rest = fleet.controller.rest();
    let (copies, acknowledged) = under_load(&rest, "load", || {
        (0..4)
            .map(|turn| {
                let file = fleet.file(&format!("by command {turn}"));
                let said = good(&fleet.run(&["backup"], &file, None));
                assert!(said.contains("master key"), "{said}");
                let mode = fs::metadata(&file).expect("a backup").permissions().mode();
                assert_eq!(mode & 0o777, 0o600);
                let answer = fleet.controller.rest().post("/backup", &json!({}));
                assert_eq!(answer.status, 200);
                let length = answer.body.len().to_string();
                assert_eq!(answer.header("content-length"), Some(length.as_str()));
                let disposition = answer.header("content-disposition").expect("a name");
                assert!(
                    disposition.starts_with("attachment; filename="),
                    "{disposition}"
                );
                let downloaded = fleet.file(&format!("by REST {turn}"));
                fs::write(&downloaded, &answer.body).expect("written");
                [file, downloaded]
            })
            .collect::<Vec<_>>()
    });
    let mut before = BTreeSet::from(["first".to_owned()]);
    for file in copies.iter().flatten() {
        let names = peers_in(file);
        assert!(
            names.is_superset(&before),
            "a later one lacks what an earlier one has"
        );
        // What was asked for and not yet answered may be in it too: one at a time.
        let own = names
            .difference(&before)
            .filter(|name| !acknowledged.contains(*name));
        assert_eq!(own.count(), 0, "{names:?}");
        assert_holds_no_key(file, &data_dir);
        before = names;
    }
    assert!(!acknowledged.is_empty());
    let left = fs::read_dir(&data_dir).expect("the data");
    let left = left.map(|it| {
        it.expect("an entry")
            .file_name()
            .to_string_lossy()
            .into_owned()
    });
    assert!(!left.into_iter().any(|name| name.contains("backup")));
    let audit = rest.read("/audit?action=backup.create");
    assert_eq!(audit["total"], 4, "{audit}");
    rest.delete(&format!("/peers/{first}"));

    let again = fleet.run(&["backup"], &fleet.file("by command 0"), None);
    assert!(refused(&again, 1).contains("--force"));
    good(&fleet.run(&["backup", "--force"], &fleet.file("by command 0"), None));
    refused(
        &fleet.run(&["backup", "--no-such-flag"], &fleet.file("x"), None),
        64,
    );
    let nowhere = run(&["backup"], &fleet.file("x"), &fleet.file("no-data"), None);
    assert!(refused(&nowhere, 1).contains("--data-dir"));
}

#[test]
fn only_an_administrator_of_all_gets_one() {
    let fleet = Fleet::new();
    let admin = fleet.controller.rest();
    for (role, scope) in [
        ("viewer", json!({})),
        ("operator", json!({})),
        ("admin", json!({ "team": "red" })),
    ] {
        let name = format!("{role} {scope}").replace(['"', '{', '}', ':'], "");
        let token = json!({ "name": name, "role": role, "label_scope": scope });
        let made = admin.create("/tokens", &token);
        let rest = fleet
            .controller
            .rest_with(made["token"].as_str().expect("its text"));
        let answer = rest.post("/backup", &json!({}));
        assert_eq!(answer.status, 403, "{role}: {answer:?}");
    }
    let stranger = fleet
        .controller
        .rest_with("nobody")
        .post("/backup", &json!({}));
    assert_eq!(stranger.status, 401);
    assert_eq!(admin.read("/audit?action=backup.create")["total"], 0);
}

#[test]
fn a_caller_who_hangs_up_leaves_nothing() {
    let mut fleet = Fleet::new();
    // More than fits into the buffers of a connection that nobody reads.
    fleet.controller.terminate();
    let store = Connection::open(fleet.controller.data_dir().join("controller.db"));
    let store = store.expect("the store");
    for _ in 0..24 {
        let filler = "INSERT INTO audit (at, actor, source, action, object_kind, object_id, after) \
                      VALUES (0, 'a', '', 'b', 'c', 'd', '\"' || hex(randomblob(524288)) || '\"')";
        store.execute(filler, []).expect("a row");
    }
    drop(store);
    fleet.controller.restart();
    let rest = fleet.controller.rest();
    let wire = rest.wire("POST", "/backup", None);
    let mut stream = TcpStream::connect(tcp(fleet.controller.address())).expect("connected");
    stream.write_all(&wire.to_bytes()).expect("sent");
    eventually(PATIENCE, "the copy was made", || {
        (rest.read("/audit?action=backup.create")["total"] == 1).then_some(())
    });
    let second = rest.post("/backup", &json!({}));
    assert_eq!(second.status, 503, "{} bytes", second.body.len());
    assert_eq!(second.json()["code"], "backup_running");
    assert!(second.header("retry-after").is_some());
    drop(stream);
    eventually(PATIENCE, "the next one has its turn", || {
        let answer = Client::new(fleet.controller.address().clone(), "")
            .send_wire(&wire)
            .ok()?;
        assert!(answer.status == 200 || answer.status == 503, "{answer:?}");
        (answer.status == 200).then_some(())
    });
    let open = fs::read_dir(format!("/proc/{}/fd", fleet.controller.pid())).expect("its files");
    let open = open.filter_map(|it| fs::read_link(it.ok()?.path()).ok());
    let left: Vec<_> = open
        .filter(|file| file.to_string_lossy().contains("db.backup"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn hostile_34_a_restored_store_writes_nothing_before_an_operator_agrees() {
    let mut fleet = Fleet::new();
    let (_, stays) = fleet.peer("stays");
    let (goes_id, goes) = fleet.peer("goes");
    fleet.await_on_the_node(&[&stays, &goes]);
    let file = fleet.file("backup");
    good(&fleet.run(&["backup"], &file, None));

    // One is deleted and one created after the backup.
    let rest = fleet.controller.rest();
    assert_eq!(rest.delete(&format!("/peers/{goes_id}")).status, 200);
    let (_, comes) = fleet.peer("comes");
    fleet.await_on_the_node(&[&stays, &comes]);
    let present = fleet.on_the_node();

    let held = fleet.run(&["restore"], &file, None);
    assert!(refused(&held, 1).contains("stop it"));
    fleet.controller.terminate();
    // The host is lost: a new directory with the key that was kept apart.
    let data_dir = fleet.controller.data_dir();
    let lost = fleet.controller.beside("lost");
    fs::rename(&data_dir, &lost).expect("renamed");
    let keyless = fleet.run(&["restore"], &file, None);
    assert!(refused(&keyless, 1).contains("master key"));
    fs::copy(lost.join("master-key"), data_dir.join("master-key")).expect("the key");
    fs::copy(lost.join("admin-token"), data_dir.join("admin-token")).expect("the token");
    let said = good(&fleet.run(&["restore"], &file, None));
    assert!(said.contains("1 nodes and 2 peers"), "{said}");

    fleet.controller.restart();
    fleet.polls_pass();
    // A kill, and a change of ours, don't open the door.
    fleet.controller.kill();
    fleet.controller.restart();
    let rest = fleet.controller.rest();
    let (_, new) = fleet.peer("new");
    fleet.polls_pass();
    assert_eq!(
        fleet.on_the_node(),
        present,
        "written before anybody agreed"
    );
    let shown = fleet.plan();
    assert_eq!(shown["in_sync"], false, "{shown}");
    assert_eq!(shown["needs_confirmation"], true, "{shown}");
    let changes = shown["changes"].to_string();
    assert!(
        changes.contains(&goes),
        "what was deleted since would be added: {shown}"
    );
    assert_eq!(shown["unmanaged"][0]["public_key"], comes, "{shown}");
    let audit = rest.read("/audit?action=store.restore");
    assert_eq!(audit["total"], 1, "{audit}");

    let confirm = json!({ "confirm": shown["hash"] });
    let sync = format!("/nodes/{}/sync", fleet.node);
    let answer = rest.post(&sync, &confirm);
    assert_eq!(answer.status, 200, "{answer:?}");
    // As the node is told: what nobody declares is removed.
    fleet.await_on_the_node(&[&stays, &goes, &new]);
}

#[test]
fn a_restored_store_adopts_nobody_before_an_operator_agrees() {
    let mut fleet = Fleet::new();
    let node = format!("/nodes/{}", fleet.node);
    let adopt = json!({ "unmanaged_peers": "adopt" });
    assert_eq!(fleet.controller.rest().patch(&node, &adopt).status, 200);
    let file = fleet.file("backup");
    good(&fleet.run(&["backup"], &file, None));
    let (_, comes) = fleet.peer("comes");
    fleet.await_on_the_node(&[&comes]);
    fleet.controller.terminate();
    good(&fleet.run(&["restore"], &file, None));
    fleet.controller.restart();
    fleet.polls_pass();
    fleet.controller.kill();
    fleet.controller.restart();
    fleet.polls_pass();
    let rest = fleet.controller.rest();
    assert_eq!(
        rest.read("/peers")["total"],
        0,
        "adopted before anybody agreed"
    );
    let shown = fleet.plan();
    assert_eq!(shown["unmanaged"][0]["public_key"], comes, "{shown}");
    assert_eq!(shown["changes"], json!([]), "{shown}");
    assert_eq!(shown["needs_confirmation"], true, "{shown}");
    let why = shown["confirmation_reason"].as_str().expect("a reason");
    assert!(why.contains("adopted"), "{why}");

    let sync = format!("{node}/sync");
    assert_eq!(rest.post(&sync, &json!({})).status, 200);
    assert_eq!(rest.read("/peers")["total"], 0, "nobody agreed to anything");
    let confirm = json!({ "confirm": shown["hash"] });
    assert_eq!(rest.post(&sync, &confirm).status, 200);
    let adopted = eventually(PATIENCE, "it is adopted", || {
        let peers = rest.read("/peers");
        (peers["total"] == 1).then(|| peers["items"][0].clone())
    });
    assert_eq!(adopted["public_key"], comes);
    assert_eq!(fleet.plan()["needs_confirmation"], false);
}

#[test]
fn a_backup_killed_anywhere_leaves_no_half() {
    let fleet = Fleet::new();
    let old = fleet.file("backup");
    good(&fleet.run(&["backup"], &old, None));
    fleet.peer("since");
    for (place, is_new) in [
        ("backup.written", false),
        ("backup.copied", false),
        ("backup.placed", true),
    ] {
        let died = fleet.run(&["backup", "--force"], &old, Some(place));
        assert_eq!(died.status.signal(), Some(SIGABRT), "{place}: {died:?}");
        assert_eq!(peers_in(&old).len(), usize::from(is_new), "{place}");
    }
    good(&fleet.run(&["backup", "--force"], &old, None));
    let left = fs::read_dir(fleet.elsewhere.path())
        .expect("the directory")
        .count();
    assert_eq!(left, 1, "the next one removes what the dead left");
}

#[test]
fn a_controller_killed_during_a_backup_starts_again_without_its_rest() {
    let mut fleet = Fleet::new();
    fleet.controller.terminate();
    fleet
        .controller
        .set_variable("WGFLEET_FAILPOINT", Some("backup.written"));
    fleet.controller.restart();
    let wire = fleet.controller.rest().wire("POST", "/backup", None);
    let client = Client::new(fleet.controller.address().clone(), "");
    assert!(client.send_wire(&wire).is_err(), "it died");
    fleet.controller.await_end();
    let rest_of_it = fleet.controller.data_dir().join("controller.db.backup");
    assert!(rest_of_it.exists(), "it died while the copy had a name");
    fleet.controller.set_variable("WGFLEET_FAILPOINT", None);
    fleet.controller.restart();
    assert!(!rest_of_it.exists());
    assert_eq!(
        fleet.controller.rest().post("/backup", &json!({})).status,
        200
    );
}

#[test]
fn a_restore_killed_anywhere_leaves_the_old_store_or_the_new() {
    let mut fleet = Fleet::new();
    let file = fleet.file("backup");
    good(&fleet.run(&["backup"], &file, None));
    for (round, (place, is_new)) in [
        ("restore.copied", false),
        ("restore.prepared", false),
        ("restore.kept", false),
        ("restore.log_emptied", false),
        ("restore.before_replace", false),
        ("restore.replaced", true),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("since {round}");
        fleet.peer(&name);
        let before = fleet.controller.rest().read("/peers")["total"].clone();
        // Killed, so that the store has a log with changes that are nowhere else.
        fleet.controller.kill();
        let died = fleet.run(&["restore"], &file, Some(place));
        assert_eq!(died.status.signal(), Some(SIGABRT), "{place}: {died:?}");
        fleet.controller.restart();
        let total = fleet.controller.rest().read("/peers")["total"].clone();
        let expected = if is_new { json!(0) } else { before };
        assert_eq!(total, expected, "{place}");
        let kept = fs::read_dir(fleet.controller.data_dir()).expect("the data");
        let kept = kept.filter(|it| {
            let name = it.as_ref().expect("an entry").file_name();
            name.to_string_lossy().contains("restor")
        });
        assert_eq!(kept.count(), usize::from(is_new), "{place}");
        let audit = fleet.controller.rest().read("/audit?action=store.restore");
        assert_eq!(audit["total"], usize::from(is_new), "{place}");
    }
    fleet.controller.kill();
    good(&fleet.run(&["restore"], &file, None));
    fleet.controller.restart();
    assert_eq!(fleet.controller.rest().read("/peers")["total"], 0);
}
