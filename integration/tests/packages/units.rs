//! The units: how much they allow, and that it is enough.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use wgfleet_integration::{binary, eventually, poll};

/// What `systemd-analyze security` calls it at most, of 10.
const EXPOSURE: f64 = 2.0;

fn packaging() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging")
}

/// All units of the packages.
fn units(kind: &str) -> Vec<PathBuf> {
    let directories = ["agent", "controller"].map(|name| packaging().join(name));
    let entries = directories
        .iter()
        .flat_map(|directory| fs::read_dir(directory).expect("a directory"));
    entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == kind))
        .collect()
}

fn analyze(arguments: &[&str], files: &[PathBuf]) -> String {
    let output = Command::new("systemd-analyze")
        .args(arguments)
        .args(files)
        .env("LC_ALL", "C.UTF-8")
        .output()
        .expect("systemd is installed");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let said = text(&output.stdout) + &text(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
    said
}

#[test]
fn every_service_is_in_a_full_sandbox() {
    let services = units("service");
    assert_eq!(services.len(), 3);
    for service in services {
        let said = analyze(
            &["security", "--offline=true", "--no-pager"],
            std::slice::from_ref(&service),
        );
        let last = said.lines().last().expect("a verdict");
        let level = last
            .split_whitespace()
            .find_map(|word| word.parse::<f64>().ok());
        assert!(level.expect("a level") <= EXPOSURE, "{service:?}: {said}");
    }
}

#[test]
fn only_the_agent_has_a_capability() {
    for service in units("service") {
        let text = fs::read_to_string(&service).expect("a unit");
        let allowed = if service.ends_with("wgfleet-agent.service") {
            "CAP_NET_ADMIN"
        } else {
            ""
        };
        for line in text.lines().filter(|line| line.contains("Capabilit")) {
            let (_, value) = line.split_once('=').expect("a setting");
            assert_eq!(value, allowed, "{service:?}: {line}");
        }
        assert!(text.contains(&format!("CapabilityBoundingSet={allowed}\n")));
        assert!(text.contains("\nUser=wgfleet-"), "{service:?}");
    }
}

#[test]
fn systemd_understands_every_unit() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut files = Vec::new();
    for unit in units("service").into_iter().chain(units("timer")) {
        // Where the programs are is known once they are installed.
        let text = fs::read_to_string(&unit).expect("a unit");
        let path = directory.path().join(unit.file_name().expect("a name"));
        fs::write(&path, text.replace("/usr/bin/wgfleet", "/bin/true #")).expect("written");
        files.push(path);
    }
    let drop_ins = directory.path().join("wgfleet-controller.service.d");
    fs::create_dir(&drop_ins).expect("a directory");
    for conf in ["agent/local-agent.conf", "controller/tls.conf"] {
        let name = conf.replace('/', "-");
        fs::copy(packaging().join(conf), drop_ins.join(name)).expect("a drop-in");
    }
    assert_eq!(analyze(&["verify", "--man=no"], &files), "");
}

/// The names in a filter, of groups those in them.
fn calls_of(group: &str) -> BTreeSet<String> {
    let said = analyze(&["syscall-filter", group], &[]);
    let lines = said.lines().map(str::trim);
    let names = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut calls = BTreeSet::new();
    // The first line is the group itself.
    for name in names.skip(1) {
        if name.starts_with('@') {
            calls.extend(calls_of(name));
        } else {
            calls.insert(name.to_owned());
        }
    }
    calls
}

/// What a unit's lines `SystemCallFilter=` come to.
fn allowed(unit: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(unit).expect("a unit");
    let mut allowed = BTreeSet::new();
    for line in text.lines() {
        let Some(filter) = line.strip_prefix("SystemCallFilter=") else {
            continue;
        };
        match filter.strip_prefix('~') {
            None => allowed.extend(filter.split(' ').flat_map(calls_of)),
            Some(denied) => {
                let always = calls_of("@default");
                let denied: BTreeSet<_> = denied.split(' ').flat_map(calls_of).collect();
                allowed.retain(|call| !denied.contains(call) || always.contains(call));
            }
        }
    }
    allowed
}

/// What is called only by root, as tests may run: SQLite gives what it makes to the owner of the store.
const AS_ROOT: &str = "fchown";

/// A program under strace.
struct Traced {
    strace: std::process::Child,
    calls: PathBuf,
    log: PathBuf,
}

impl Traced {
    fn start(directory: &Path, name: &str, arguments: &[&str]) -> Self {
        let (calls, log) = (
            directory.join(format!("{name}.calls")),
            directory.join(format!("{name}.log")),
        );
        let strace = Command::new("strace")
            .args(["-f", "-qq", "-e", "signal=none", "-o"])
            .arg(&calls)
            .arg(binary::path(name))
            .args(arguments)
            .stderr(fs::File::create(&log).expect("a file"))
            .spawn()
            .expect("strace is installed");
        let traced = Self { strace, calls, log };
        eventually(std::time::Duration::from_secs(60), "it listens", || {
            traced.said().contains("listening on").then_some(())
        });
        traced
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.log).expect("a log")
    }

    fn program(&self) -> Option<Pid> {
        let id = self.strace.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).ok()?;
        Pid::from_raw(children.trim().parse().ok()?)
    }

    /// Lets it finish; the names of all system calls it made from its first line on.
    fn finish(mut self) -> BTreeSet<String> {
        kill_process(self.program().expect("it runs"), Signal::TERM).expect("it runs");
        let ended = poll(std::time::Duration::from_secs(60), || {
            self.strace.try_wait().expect("a child")
        });
        assert!(ended.is_some(), "{}", self.said());
        let text = fs::read_to_string(&self.calls).expect("what it called");
        let name = |line: &str| {
            let (_, call) = line.split_once(' ')?;
            let call = call
                .trim_start()
                .strip_prefix("<... ")
                .unwrap_or(call.trim_start());
            let end = call.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')?;
            (end > 0 && !call.starts_with("+++")).then(|| call[..end].to_owned())
        };
        text.lines().filter_map(name).collect()
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        // Ended already, unless the test failed; strace ends with what it follows.
        if let Some(program) = self.program() {
            let _ = kill_process(program, Signal::KILL);
        }
        let _ = self.strace.wait();
    }
}

#[test]
fn the_programs_call_nothing_their_units_deny() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name: &str| {
        directory
            .path()
            .join(name)
            .to_str()
            .expect("UTF-8")
            .to_owned()
    };
    let secret = path("secret");
    fs::write(&secret, "a secret that is long enough for two\n").expect("written");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).expect("its owner's");
    let (socket, metrics) = (format!("unix:{}", path("agent.sock")), "127.0.0.1:0");
    let (state, data) = (path("state"), path("data"));
    let agent = Traced::start(
        directory.path(),
        "wgfleet-agent",
        &[
            "--backend",
            "simulated",
            "--simulated-peers",
            "50",
            "--listen",
            &socket,
            "--listen",
            "127.0.0.1:0",
            "--metrics-listen",
            metrics,
            "--secret-file",
            &secret,
            "--state-dir",
            &state,
        ],
    );
    let url = format!("unix://{}", path("agent.sock"));
    let controller = Traced::start(
        directory.path(),
        "wgfleet-controller",
        &[
            "--listen",
            "127.0.0.1:0",
            "--metrics-listen",
            metrics,
            "--data-dir",
            &data,
            "--poll-interval",
            "200ms",
            "--local-agent",
            &url,
            "--local-secret-file",
            &secret,
        ],
    );
    let said = controller.said();
    let (_, rest) = said
        .split_once("listening on http://")
        .expect("it says where");
    let address = rest.lines().next().expect("an address");
    let token = fs::read_to_string(Path::new(&data).join("admin-token")).expect("a token");
    let call = |method: &str, path: &str, body: Option<serde_json::Value>| {
        let mut curl = Command::new("curl");
        curl.args(["-sS", "--fail-with-body", "-X", method, "-H"])
            .arg(format!("Authorization: Bearer {}", token.trim()))
            .arg(format!("http://{address}/api/v1{path}"));
        if let Some(body) = body {
            curl.arg("-d").arg(body.to_string());
        }
        let output = curl.output().expect("curl is installed");
        assert!(output.status.success(), "{path}: {output:?}");
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap_or_default()
    };
    let nodes = call("GET", "/nodes", None);
    let node = nodes["items"][0]["id"]
        .as_str()
        .expect("the node local")
        .to_owned();
    call(
        "PATCH",
        &format!("/nodes/{node}"),
        Some(json!({"ip_pool_cidr": "10.200.0.0/16"})),
    );
    eventually(
        std::time::Duration::from_secs(60),
        "the node is online",
        || (call("GET", &format!("/nodes/{node}"), None)["status"] == "online").then_some(()),
    );
    let peer = call(
        "POST",
        "/peers",
        Some(json!({"name": "laptop", "preshared_key": "generate"})),
    );
    let peer = peer["id"].as_str().expect("an id").to_owned();
    call("GET", &format!("/peers/{peer}/qr?format=png"), None);
    call("DELETE", &format!("/peers/{peer}"), None);
    call("POST", "/backup", None);

    for (traced, unit) in [
        (controller, "controller/wgfleet-controller.service"),
        (agent, "agent/wgfleet-agent.service"),
    ] {
        let made = traced.finish();
        assert!(
            made.contains("epoll_wait") && made.contains("fsync") || made.contains("fdatasync"),
            "{made:?}"
        );
        let allowed = allowed(&packaging().join(unit));
        let denied = made.difference(&allowed);
        let denied: Vec<_> = denied.filter(|call| *call != AS_ROOT).collect();
        assert!(denied.is_empty(), "{unit} denies {denied:?}");
    }
}
