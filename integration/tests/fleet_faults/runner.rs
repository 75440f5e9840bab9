//! Runs the built controller and speaks its REST API.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::TempDir;
use wgfleet_integration::{
    agent::{Agent, SECRET},
    binary,
    client::{Address, Client},
    disk::Disk,
    eventually, poll,
    process::Process,
};

pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
const TO_START: Duration = Duration::from_secs(60);
const PER_CALL: Duration = Duration::from_secs(40);

/// A controller and its data directory, which outlives every run.
pub(crate) struct Controller {
    directory: TempDir,
    /// Where its data is, when that is not in `directory`.
    disk: Option<Disk>,
    variables: Vec<(String, String)>,
    process: Process,
    address: Option<Address>,
}

/// What the API answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Answer {
    /// # Panics
    /// When the answer is another one.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.body
    }

    /// A refusal with this status and code, naming `part`.
    #[track_caller]
    pub(crate) fn refused(self, status: u16, code: &str, part: &str) {
        assert_eq!(self.status, status, "{}", self.body);
        assert_eq!(self.body["code"], code, "{}", self.body);
        let detail = self.body["detail"].as_str().unwrap_or_default();
        assert!(detail.contains(part), "{part:?} is not in {detail:?}");
    }
}

impl Controller {
    /// Not started yet.
    pub(crate) fn prepare() -> Self {
        let directory = TempDir::with_prefix("wgfleet-controller-").expect("a directory");
        let private = fs::Permissions::from_mode(0o700);
        fs::set_permissions(directory.path(), private).expect("made private");
        Self {
            directory,
            disk: None,
            variables: Vec::new(),
            process: Process::default(),
            address: None,
        }
    }

    /// Not started yet, with its data on that disk.
    pub(crate) fn prepare_on(disk: Disk) -> Self {
        Self {
            disk: Some(disk),
            ..Self::prepare()
        }
    }

    /// Sets a variable of its environment.
    pub(crate) fn set_variable(&mut self, name: &str, value: &str) {
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    pub(crate) fn start() -> Self {
        let mut controller = Self::prepare();
        controller.run();
        controller
    }

    pub(crate) fn data_dir(&self) -> &Path {
        self.disk
            .as_ref()
            .map_or(self.directory.path(), |disk| disk.path())
    }

    pub(crate) fn disk(&self) -> &Disk {
        self.disk.as_ref().expect("it was given one")
    }

    fn admin_token(&self) -> io::Result<String> {
        let directory = self
            .disk
            .as_ref()
            .map_or(self.data_dir().to_owned(), Disk::from_outside);
        fs::read_to_string(directory.join("admin-token"))
    }

    /// The built program, where its data is.
    fn program(&self) -> Command {
        let program = binary::path("wgfleet-controller");
        let mut command = match &self.disk {
            Some(disk) => disk.command(program),
            None => Command::new(program),
        };
        command.envs(self.variables.iter().cloned());
        command
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    pub(crate) fn store_file(&self) -> PathBuf {
        self.data_dir().join("controller.db")
    }

    pub(crate) fn log(&self) -> String {
        self.process.log()
    }

    /// Starts it, as often as wanted, on the same files.
    #[track_caller]
    pub(crate) fn run(&mut self) {
        assert!(self.try_run(None), "it ended at start:\n{}", self.log());
    }

    /// Starts it with a place to die at. Whether it came as far as listening.
    #[track_caller]
    pub(crate) fn try_run(&mut self, failpoint: Option<&str>) -> bool {
        let mut command = self.command(self.program());
        if let Some(failpoint) = failpoint {
            command.env("WGFLEET_FAILPOINT", failpoint);
        }
        self.start_with(command)
    }

    /// Starts it with every sync of a file written to `trace`, a line each.
    #[track_caller]
    pub(crate) fn run_traced(&mut self, trace: &Path) {
        let mut strace = Command::new("strace");
        // The tracer is the grandchild: ending our child ends the controller itself.
        strace
            .args(["-D", "-f", "-qq", "-y", "-e", "trace=fsync,fdatasync", "-o"])
            .arg(trace);
        strace.arg(binary::path("wgfleet-controller"));
        let command = self.command(strace);
        assert!(
            self.start_with(command),
            "it ended at start:\n{}",
            self.log()
        );
    }

    fn command(&self, mut program: Command) -> Command {
        program
            .args(["--listen", "127.0.0.1:0", "--poll-interval", "300ms"])
            // Everything is asked with one token, as fast as it goes.
            .args(["--token-rate", "0"])
            .arg("--data-dir")
            .arg(self.data_dir())
            .env_remove("WGFLEET_FAILPOINT");
        program
    }

    fn start_with(&mut self, mut command: Command) -> bool {
        let earlier = self.log().len();
        self.process.spawn(&mut command);
        let listens = eventually(TO_START, "the controller listens or ends", || {
            // Before the log: a program that has ended has written all it will.
            let running = self.process.is_running();
            let found = self.log()[earlier..].lines().find_map(address);
            match (found, running) {
                (Some(address), true) => Some(Some(address)),
                (_, false) => Some(None),
                (None, true) => None,
            }
        });
        self.address = listens;
        if self.address.is_none() {
            self.process.ended();
        }
        self.address.is_some()
    }

    /// Starts it, expecting that it refuses; gives how it ended and what it said.
    #[track_caller]
    pub(crate) fn run_in_vain(&mut self) -> (ExitStatus, String) {
        let data_dir = self.data_dir().to_owned();
        self.run_in_vain_on(&data_dir)
    }

    /// The same on a data directory that is not its own.
    #[track_caller]
    pub(crate) fn run_in_vain_on(&mut self, data_dir: &Path) -> (ExitStatus, String) {
        let mut command = self.program();
        let earlier = self.log().len();
        command
            .args(["--listen", "127.0.0.1:0", "--data-dir"])
            .arg(data_dir)
            .env_remove("WGFLEET_FAILPOINT");
        self.process.spawn(&mut command);
        let status = self.process.ended();
        (status, self.log()[earlier..].to_owned())
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.process.is_running()
    }

    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }

    pub(crate) fn terminate(&mut self) {
        let status = self.process.terminate();
        assert!(status.success(), "{status}:\n{}", self.log());
    }

    /// Waits for it to end by itself.
    #[track_caller]
    pub(crate) fn ended(&mut self) -> ExitStatus {
        self.process.ended()
    }

    /// One call. `Err`: no whole answer came.
    pub(crate) fn try_call(&self, method: &str, path: &str, body: &Value) -> io::Result<Answer> {
        let address = self.address.clone().expect("it was started");
        let token = self.admin_token()?;
        let body = match body {
            Value::Null => String::new(),
            body => body.to_string(),
        };
        let request = format!(
            "{method} /api/v1{path} HTTP/1.1\r\nHost: controller\r\nConnection: close\r\n\
             Authorization: Bearer {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            token.trim(),
            body.len(),
        );
        let client = Client::new(address, "unused").timeout(PER_CALL);
        let answer = client.connect()?.exchange(request.as_bytes())?;
        Ok(Answer {
            status: answer.status,
            body: serde_json::from_slice(&answer.body).unwrap_or(Value::Null),
        })
    }

    #[track_caller]
    pub(crate) fn call(&self, method: &str, path: &str, body: &Value) -> Answer {
        match self.try_call(method, path, body) {
            Ok(answer) => answer,
            Err(error) => panic!("{method} {path}: {error}"),
        }
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Value {
        self.call("GET", path, &Value::Null).expect(200)
    }

    #[track_caller]
    pub(crate) fn create_peer(&self, body: &Value) -> Answer {
        self.call("POST", "/peers", body)
    }

    #[track_caller]
    pub(crate) fn create_node(&self, body: &Value) -> Answer {
        self.call("POST", "/nodes", body)
    }

    /// A node for that agent's `wg0`, with `more` beside what a node must have; gives its id.
    #[track_caller]
    pub(crate) fn add(&self, name: &str, agent_url: &str, more: &Value) -> String {
        let mut body = node_body(name, agent_url);
        for (field, value) in more.as_object().into_iter().flatten() {
            body[field] = value.clone();
        }
        text(&self.create_node(&body).expect(201)["id"])
    }

    /// Waits until the node's status is this one, and gives the node.
    #[track_caller]
    pub(crate) fn await_status(&self, node: &str, status: &str) -> Value {
        let path = format!("/nodes/{node}");
        let mut last = Value::Null;
        let found = poll(PATIENCE, || {
            last = self.get(&path);
            (last["status"] == status).then(|| last.clone())
        });
        found.unwrap_or_else(|| panic!("the node is not {status}: {last}"))
    }

    /// All peers, page by page.
    #[track_caller]
    pub(crate) fn peers(&self) -> Vec<Value> {
        let mut all = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = self.get(&format!("/peers?limit=200{cursor}"));
            all.extend(page["items"].as_array().expect("items").iter().cloned());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return all,
            }
        }
    }

    /// Waits until the node's plan says that it is in sync, and gives the plan.
    #[track_caller]
    pub(crate) fn await_in_sync(&self, node: &str, within: Duration) -> Value {
        let path = format!("/nodes/{node}/plan");
        let mut last = Value::Null;
        let found = poll(within, || {
            let answer = self.call("GET", &path, &Value::Null);
            last = answer.body;
            (last["in_sync"] == true).then(|| last.clone())
        });
        found.unwrap_or_else(|| panic!("the node is not in sync: {last}"))
    }
}

/// The address in a line that says `listening on http://ADDR:PORT`.
fn address(line: &str) -> Option<Address> {
    let (_, rest) = line.split_once("listening on http://")?;
    let word = rest.split_whitespace().next()?;
    word.parse().ok().map(Address::Tcp)
}

/// What a node must have.
pub(crate) fn node_body(name: &str, agent_url: &str) -> Value {
    json!({
        "name": name, "agent_url": agent_url, "wg_interface": "wg0", "secret": SECRET,
        "ip_pool_cidr": "10.8.0.0/24",
    })
}

pub(crate) fn url(agent: &Agent) -> String {
    match agent.address() {
        Address::Tcp(address) => format!("http://{address}"),
        Address::Unix(path) => format!("unix://{}", path.display()),
    }
}

#[track_caller]
pub(crate) fn text(value: &Value) -> String {
    value.as_str().expect("text").to_owned()
}
