//! `docs/fleet.py`, the example of a program on the REST API, run as its reader runs it: the built
//! controller, and two built agents on simulated interfaces.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    net::{SocketAddr, TcpListener},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use serde_json::json;
use tempfile::TempDir;
use wgfleet_integration::{
    agent::{self, Agent},
    binary,
    client::Address,
    controller::{self, Controller},
    eventually,
};

const SECRETS: [&str; 2] = [
    "the secret of the first simulated agent",
    "the secret of the second simulated agent",
];
const PATIENCE: Duration = Duration::from_secs(60);
const FOR_ALL: Duration = Duration::from_secs(240);
const PEERS: u64 = 1000;
/// What the script says when all is well.
const SAID: [&str; 3] = [
    "1000 peers are on their nodes",
    "the secret is rotated",
    "1000 peers are deleted",
];

struct Fleet {
    controller: Controller,
    agents: [Agent; 2],
    nodes: [String; 2],
    /// Of the script.
    files: TempDir,
}

impl Fleet {
    fn new() -> Self {
        let agents = SECRETS.map(|secret| {
            agent::Config::simulated("wg0", 0)
                .secrets(&[secret])
                .start()
        });
        let controller = controller::Config::new()
            .listen(own_address())
            .poll_interval("500ms")
            .start();
        let nodes = [0, 1].map(|at| {
            let node = json!({
                "name": format!("node-{at}"), "agent_url": format!("http://{}", tcp(agents[at].address())),
                "wg_interface": "wg0", "secret": SECRETS[at],
                "ip_pool_cidr": format!("10.{}.0.0/16", 80 + at),
            });
            let made = controller.rest().create("/nodes", &node);
            made["id"].as_str().expect("an id").to_owned()
        });
        Self {
            controller,
            agents,
            nodes,
            files: TempDir::with_prefix("wgfleet-script-").expect("a directory"),
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }

    /// Starts the script for the first node.
    fn run_script(&self) -> Script {
        let file = self.agents[0].secret_file();
        let take = |how: &str| {
            let (file, pid) = (file.display(), self.agents[0].pid());
            format!("cat {how}'{file}' && kill -HUP {pid}")
        };
        let token = fs::read_to_string(self.controller.data_dir().join("admin-token"));
        let output = |name: &str| File::create(self.file(name)).expect("a file");
        let child = Command::new("python3")
            .arg("-u")
            .arg(script())
            .args([&self.nodes[0], &take(">>"), &take(">")])
            .arg(self.file("backup"))
            .env(
                "WGFLEET_URL",
                format!("http://{}", tcp(self.controller.address())),
            )
            .env("WGFLEET_TOKEN", token.expect("the token is there").trim())
            .env("NO_PROXY", "*")
            .stdin(Stdio::null())
            .stdout(output("stdout"))
            .stderr(output("stderr"))
            .spawn()
            .expect("python3, which integration/prepare installs, runs");
        Script(child)
    }

    fn said(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).expect("what it said")
    }

    /// Waits until the script has said so.
    #[track_caller]
    fn await_said(&self, script: &mut Script, line: &str) {
        eventually(FOR_ALL, line, || {
            let said = self.said("stdout").lines().any(|it| it == line);
            let ended = script.0.try_wait().expect("a child");
            assert!(said || ended.is_none(), "{}", self.said("stderr"));
            said.then_some(())
        });
    }

    fn revive(&mut self) {
        self.controller.set_variable("WGFLEET_FAILPOINT", None);
        self.controller.restart();
    }

    /// All the script promises, once it has ended.
    #[track_caller]
    fn assert_done(&self, status: ExitStatus) {
        let (stdout, stderr) = (self.said("stdout"), self.said("stderr"));
        assert!(status.success(), "{status}: {stdout}{stderr}");
        assert_eq!(stdout.lines().collect::<Vec<_>>(), SAID, "{stderr}");
        for agent in &self.agents {
            let secret = fs::read_to_string(agent.secret_file()).expect("the secrets");
            let client = agent.client_with(secret.trim());
            eventually(PATIENCE, "an interface without peers", || {
                let dump = client.dump("wg0");
                dump["peers"]
                    .as_array()
                    .expect("a list")
                    .is_empty()
                    .then_some(())
            });
        }
        let rest = self.controller.rest();
        assert_eq!(rest.read("/peers")["total"], 0);
        for node in &self.nodes {
            let node = rest.read(&format!("/nodes/{node}"));
            assert_eq!(
                (&node["status"], &node["peer_count"]),
                (&json!("online"), &json!(0))
            );
        }
        for action in ["peer.create", "peer.delete"] {
            let audit = rest.read(&format!("/audit?action={action}&limit=1"));
            assert_eq!(audit["total"], PEERS, "{action}: each once");
        }
        self.assert_rotated();
        self.assert_restores();
    }

    fn assert_rotated(&self) {
        let agent = &self.agents[0];
        let secrets = fs::read_to_string(agent.secret_file()).expect("the secrets");
        assert_eq!(secrets.lines().count(), 1, "the new one alone");
        assert_ne!(secrets.trim(), SECRETS[0]);
        eventually(PATIENCE, "the old secret is refused", || {
            (agent.client_with(SECRETS[0]).get("/health").status == 401).then_some(())
        });
        for log in [
            self.controller.log(),
            self.said("stdout"),
            self.said("stderr"),
        ] {
            assert!(!log.contains(secrets.trim()), "a secret in the log");
        }
    }

    /// The backup is one, with all peers, for its owner alone.
    fn assert_restores(&self) {
        let backup = self.file("backup");
        let mode = fs::metadata(&backup)
            .expect("a backup")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        let data_dir = self.file("elsewhere");
        fs::create_dir(&data_dir).expect("a directory");
        fs::set_permissions(&data_dir, fs::Permissions::from_mode(0o700)).expect("changed");
        let key = self.controller.data_dir().join("master-key");
        fs::copy(key, data_dir.join("master-key")).expect("the key");
        let restore = Command::new(binary::path("wgfleet-controller"))
            .arg("restore")
            .arg(backup)
            .arg("--data-dir")
            .arg(data_dir)
            .output()
            .expect("it runs");
        assert!(restore.status.success(), "{restore:?}");
        let said = String::from_utf8_lossy(&restore.stdout);
        assert!(said.contains("2 nodes and 1000 peers"), "{said}");
    }
}

/// A running script. Killed when dropped.
struct Script(Child);

impl Script {
    fn ended(mut self) -> ExitStatus {
        eventually(FOR_ALL, "the script ends", || {
            self.0.try_wait().expect("a child can be waited for")
        })
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/fleet.py")
}

fn tcp(address: &Address) -> SocketAddr {
    match address {
        Address::Tcp(address) => *address,
        Address::Unix(_) => panic!("it listens on TCP"),
    }
}

/// An address of 127.0.0.0/8 that no other program uses, with a port that stays free while the
/// controller is down.
fn own_address() -> String {
    let [_, _, high, low] = std::process::id().to_be_bytes();
    let taken = TcpListener::bind((format!("127.103.{high}.{low}"), 0));
    let address = taken.and_then(|listener| listener.local_addr());
    address.expect("all of 127.0.0.0/8 is here").to_string()
}

#[test]
fn it_is_short_and_needs_requests_alone() {
    let text = fs::read_to_string(script()).expect("the script");
    assert!(text.lines().count() <= 60, "{} lines", text.lines().count());
    let imports = text.lines().filter(|line| line.starts_with("import "));
    let imported: BTreeSet<_> = imports
        .flat_map(|line| line["import ".len()..].split(", "))
        .collect();
    let own = [
        "contextlib",
        "json",
        "os",
        "secrets",
        "subprocess",
        "sys",
        "time",
        "uuid",
    ];
    let mut allowed = BTreeSet::from(own);
    allowed.insert("requests");
    assert_eq!(imported, allowed);
    assert!(!text.contains("\nfrom "), "imports in another form");
}

#[test]
fn it_does_what_it_says() {
    let fleet = Fleet::new();
    let status = fleet.run_script().ended();
    assert_eq!(fleet.said("stderr"), "");
    fleet.assert_done(status);
}

#[test]
fn it_goes_through_though_the_controller_is_killed_again_and_again() {
    let mut fleet = Fleet::new();
    fleet.controller.terminate();
    let in_the_middle = Some("services.bulk.committed:4");
    fleet
        .controller
        .set_variable("WGFLEET_FAILPOINT", in_the_middle);
    fleet.controller.restart();
    let mut script = fleet.run_script();
    fleet.controller.await_end();
    fleet.revive();
    let rest = fleet.controller.rest();
    eventually(PATIENCE, "some are applied", || {
        (rest.read("/peers?sync=applied&limit=1")["total"] != 0).then_some(())
    });
    fleet.controller.kill();
    fleet.revive();
    fleet.await_said(&mut script, SAID[0]);
    fleet.controller.kill();
    fleet.revive();
    let rest = fleet.controller.rest();
    eventually(FOR_ALL, "the first of the peers are deleted", || {
        let total = rest.read("/peers?limit=1")["total"].as_u64();
        (total.expect("a number") < PEERS).then_some(())
    });
    fleet.controller.kill();
    fleet.revive();
    fleet.assert_done(script.ended());
}
