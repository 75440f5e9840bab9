//! Runs the built `wgfleet-controller`.
//!
//! ```text
//! let controller = controller::Config::new().start();
//! let node = controller.rest().post("/nodes", &json!({"name": "node-1", …}));
//! assert_eq!(node.status, 201);
//! ```

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    sync::Arc,
    time::Duration,
};

use rustls::ClientConfig;
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    agent, binary,
    client::{Address, Client, Response, WireRequest},
    process::Process,
    tls::CertificateFiles,
};

/// What every route of the REST API begins with.
const API: &str = "/api/v1";
/// For one call: the controller itself answers sooner, whatever its agents do.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);

/// How a controller is to be started.
#[derive(Debug, Clone, Default)]
pub struct Config {
    listen: Option<String>,
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
    trust: Option<Arc<ClientConfig>>,
}

impl Config {
    /// As it is by default, with a data directory of its own, on a free port of 127.0.0.1.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Listens there, after every restart too.
    #[must_use]
    pub fn listen(mut self, on: impl Into<String>) -> Self {
        self.listen = Some(on.into());
        self
    }

    /// `--poll-interval`, such as `500ms`.
    #[must_use]
    pub fn poll_interval(self, interval: &str) -> Self {
        self.arguments(&["--poll-interval", interval])
    }

    /// Serves https with that certificate; `trust` is what its callers believe.
    #[must_use]
    pub fn secured(mut self, files: &CertificateFiles, trust: Arc<ClientConfig>) -> Self {
        self.trust = Some(trust);
        self.arguments(&files.arguments())
    }

    /// Arguments more.
    #[must_use]
    pub fn arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments
            .extend(arguments.iter().map(ToString::to_string));
        self
    }

    /// A variable of its environment.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts it and waits until it listens.
    ///
    /// # Panics
    /// When it does not, with its log.
    #[must_use]
    #[track_caller]
    pub fn start(self) -> Controller {
        let mut controller = Controller {
            config: self,
            directory: TempDir::with_prefix("wgfleet-controller-").expect("a temporary directory"),
            process: Process::default(),
            address: None,
        };
        controller.restart();
        controller
    }
}

/// A running controller with files of its own. Killed when dropped.
#[derive(Debug)]
pub struct Controller {
    config: Config,
    directory: TempDir,
    process: Process,
    address: Option<Address>,
}

impl Controller {
    /// A caller with the first administrator's token.
    ///
    /// # Panics
    /// When the controller left none.
    #[must_use]
    pub fn rest(&self) -> Rest {
        let token = fs::read_to_string(self.data_dir().join("admin-token"));
        let token = token.expect("the token is there once it listens");
        self.rest_with(token.trim())
    }

    /// A caller with that token.
    ///
    /// # Panics
    /// When the controller never listened.
    #[must_use]
    pub fn rest_with(&self, token: &str) -> Rest {
        let address = self.address.clone().expect("a started controller listens");
        let mut client = Client::new(address, "").timeout(ANSWER_WITHIN);
        if let Some(trust) = &self.config.trust {
            client = client.secured(trust);
        }
        Rest {
            client,
            token: token.to_owned(),
        }
    }

    /// Where it keeps everything.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// A file beside its data.
    #[must_use]
    pub fn beside(&self, name: impl AsRef<Path>) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Its process id.
    ///
    /// # Panics
    /// When it is not running.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// What it wrote to standard error, since it was first started.
    ///
    /// # Panics
    /// Never: nothing panics while it holds the lock.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// SIGKILL: it has no say in it.
    ///
    /// # Panics
    /// When it is not running.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// SIGTERM; gives how it ended.
    ///
    /// # Panics
    /// When it does not end.
    pub fn terminate(&mut self) -> ExitStatus {
        self.process.terminate()
    }

    /// Where it listens.
    ///
    /// # Panics
    /// When it never did.
    #[must_use]
    pub fn address(&self) -> &Address {
        self.address.as_ref().expect("a started controller listens")
    }

    /// Sets a variable of its environment from the next start on, or takes it away.
    pub fn set_variable(&mut self, name: &str, value: Option<&str>) {
        self.config.variables.retain(|(known, _)| known != name);
        let value = value.map(|value| (name.to_owned(), value.to_owned()));
        self.config.variables.extend(value);
    }

    /// Waits until it has died by itself.
    ///
    /// # Panics
    /// When it lives on.
    pub fn await_end(&mut self) {
        self.process.ended();
    }

    /// Starts it, again after [`Controller::kill`] or [`Controller::terminate`], on the same files.
    /// Unless it was told where, it may listen on another port now: ask for a new
    /// [`Controller::rest`].
    ///
    /// # Panics
    /// When it is running, or does not start.
    #[track_caller]
    pub fn restart(&mut self) {
        let mut command = Command::new(binary::path("wgfleet-controller"));
        let listen = self.config.listen.as_deref().unwrap_or("127.0.0.1:0");
        command
            .args(["--listen", listen, "--log-format", "text"])
            .arg("--data-dir")
            .arg(self.data_dir())
            .args(&self.config.arguments)
            .envs(self.config.variables.iter().cloned());
        self.process.spawn(&mut command);
        self.address = Some(self.process.await_line(agent::listening));
    }
}

/// A caller of the REST API. Every call has a connection and a deadline of its own.
#[derive(Debug)]
pub struct Rest {
    client: Client,
    token: String,
}

impl Rest {
    /// Gives each call that long.
    #[must_use]
    pub fn patient(mut self, timeout: Duration) -> Self {
        self.client = self.client.timeout(timeout);
        self
    }

    /// `GET /api/v1{path}`.
    ///
    /// # Panics
    /// Without an answer; so do all that follow.
    #[track_caller]
    #[must_use]
    pub fn get(&self, path: &str) -> Response {
        self.call("GET", path, None)
    }

    /// `POST /api/v1{path}`.
    #[track_caller]
    pub fn post(&self, path: &str, body: &Value) -> Response {
        self.call("POST", path, Some(body))
    }

    /// `PATCH /api/v1{path}`.
    #[track_caller]
    pub fn patch(&self, path: &str, body: &Value) -> Response {
        self.call("PATCH", path, Some(body))
    }

    /// `DELETE /api/v1{path}`.
    #[track_caller]
    pub fn delete(&self, path: &str) -> Response {
        self.call("DELETE", path, None)
    }

    /// What `GET` shows.
    ///
    /// # Panics
    /// When it is not a 200.
    #[track_caller]
    #[must_use]
    pub fn read(&self, path: &str) -> Value {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "GET {path}: {answer:?}");
        answer.json()
    }

    /// What `POST` made.
    ///
    /// # Panics
    /// When it is not a 201.
    #[track_caller]
    pub fn create(&self, path: &str, body: &Value) -> Value {
        let answer = self.post(path, body);
        assert_eq!(answer.status, 201, "POST {path} {body}: {answer:?}");
        answer.json()
    }

    #[track_caller]
    fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Response {
        let wire = self.wire(method, path, body);
        self.client
            .send_wire(&wire)
            .unwrap_or_else(|error| panic!("no answer to {method} {path}: {error}"))
    }

    /// The call as it goes over the wire, to look at or change.
    #[must_use]
    pub fn wire(&self, method: &str, path: &str, body: Option<&Value>) -> WireRequest {
        let mut wire = WireRequest {
            method: method.to_owned(),
            target: format!("{API}{path}"),
            headers: Vec::new(),
            body: body.map(Value::to_string).unwrap_or_default().into_bytes(),
        };
        wire.add("Host", "localhost");
        wire.add("Connection", "close");
        wire.add("Authorization", format!("Bearer {}", self.token));
        if body.is_some() {
            wire.add("Content-Type", "application/json");
            wire.add("Content-Length", wire.body.len().to_string());
        }
        wire
    }
}
