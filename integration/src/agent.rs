//! Runs the built `wgfleet-agent`.

use std::{
    fs,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
};

use tempfile::TempDir;

use crate::{
    binary,
    client::{Address, Client},
    lab,
    process::Process,
};

/// The secret agents get when a test does not care.
pub const SECRET: &str = "integration-tests-share-this-secret-of-48-bytes!";

/// How an agent is to be started.
#[derive(Debug, Clone)]
pub struct Config {
    secrets: String,
    listen: Option<String>,
    arguments: Vec<String>,
    namespace: Option<String>,
    state_dir: Option<PathBuf>,
    variables: Vec<(String, String)>,
}

impl Config {
    /// On the kernel of the lab.
    ///
    /// # Panics
    /// Outside the lab.
    #[must_use]
    pub fn kernel() -> Self {
        assert!(
            lab::is_inside(),
            "the kernel backend is for tests declared with lab_test!"
        );
        Self::on("kernel")
    }

    /// On the daemons that serve this network.
    ///
    /// # Panics
    /// Outside the lab.
    #[must_use]
    pub fn userspace() -> Self {
        assert!(
            lab::is_inside(),
            "the userspace backend is for tests declared with lab_test! or host_test!"
        );
        Self::on("userspace")
    }

    /// In memory: one interface, with `peers` peers.
    #[must_use]
    pub fn simulated(interface: &str, peers: u32) -> Self {
        let peers = peers.to_string();
        Self::on("simulated").arguments(&[
            "--simulated-interface",
            interface,
            "--simulated-peers",
            &peers,
        ])
    }

    fn on(backend: &str) -> Self {
        Self {
            secrets: SECRET.to_owned(),
            listen: None,
            arguments: Vec::new(),
            namespace: None,
            state_dir: None,
            variables: Vec::new(),
        }
        .arguments(&["--backend", backend])
    }

    /// These secrets in the file, one a line: current, then next.
    #[must_use]
    pub fn secrets(mut self, secrets: &[&str]) -> Self {
        self.secrets = secrets.join("\n");
        self
    }

    /// Listens there: `ADDR:PORT` or `unix:PATH`. Otherwise on a free port of 127.0.0.1.
    #[must_use]
    pub fn listen(mut self, on: impl Into<String>) -> Self {
        self.listen = Some(on.into());
        self
    }

    /// Listens on a Unix socket in the agent's own temporary directory.
    #[must_use]
    pub fn unix_socket(self) -> Self {
        self.listen("unix:")
    }

    /// Arguments more.
    #[must_use]
    pub fn arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments
            .extend(arguments.iter().map(ToString::to_string));
        self
    }

    /// Runs it in that network namespace.
    #[must_use]
    pub fn in_namespace(mut self, namespace: &str) -> Self {
        self.namespace = Some(namespace.to_owned());
        self
    }

    /// Keeps what must outlive it there, instead of in the agent's own temporary directory.
    #[must_use]
    pub fn state_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.state_dir = Some(path.into());
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
    pub fn start(self) -> Agent {
        let mut agent = self.prepare();
        agent.spawn();
        agent.await_listening();
        agent
    }

    /// Starts it, expecting that it refuses to run; gives its exit status and what it said.
    ///
    /// # Panics
    /// When it is still running after a while.
    #[must_use]
    #[track_caller]
    pub fn start_in_vain(self) -> (ExitStatus, String) {
        let mut agent = self.prepare();
        agent.spawn();
        let status = agent.process.ended();
        (status, agent.log())
    }

    fn prepare(self) -> Agent {
        let directory = TempDir::with_prefix("wgfleet-agent-").expect("a temporary directory");
        fs::create_dir(directory.path().join("state")).expect("a state directory");
        let agent = Agent {
            config: self,
            directory,
            process: Process::default(),
            address: None,
        };
        agent.write_secrets(&agent.config.secrets);
        agent
    }
}

/// A running agent with files of its own. Killed when dropped.
#[derive(Debug)]
pub struct Agent {
    config: Config,
    directory: TempDir,
    process: Process,
    address: Option<Address>,
}

impl Agent {
    /// A client that signs with the first secret the agent was started with.
    #[must_use]
    pub fn client(&self) -> Client {
        let first = self.config.secrets.lines().next().unwrap_or_default();
        self.client_with(first)
    }

    /// A client that signs with `secret`.
    #[must_use]
    pub fn client_with(&self, secret: &str) -> Client {
        Client::new(self.address().clone(), secret)
    }

    /// Where it listens, as it said itself.
    ///
    /// # Panics
    /// When it never did.
    #[must_use]
    pub fn address(&self) -> &Address {
        self.address.as_ref().expect("a started agent listens")
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

    /// Where it keeps what must outlive it.
    #[must_use]
    pub fn state_dir(&self) -> PathBuf {
        let own = || self.directory.path().join("state");
        self.config.state_dir.clone().unwrap_or_else(own)
    }

    /// The file its secrets are in.
    #[must_use]
    pub fn secret_file(&self) -> PathBuf {
        self.directory.path().join("secret")
    }

    /// Puts other secrets into its file, one a line, by renaming a new file into place.
    ///
    /// # Panics
    /// When that is not possible.
    pub fn write_secrets(&self, secrets: &str) {
        let new = self.directory.path().join("secret.new");
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&new)
            .expect("a new secret file");
        writeln!(file, "{secrets}").expect("written");
        fs::rename(new, self.secret_file()).expect("renamed");
    }

    /// Resident memory, in KiB.
    ///
    /// # Panics
    /// When it is not running.
    #[must_use]
    pub fn rss_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let digits = line.and_then(|rest| rest.split_whitespace().next());
        digits.expect("the kernel tells").parse().expect("a number")
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

    /// Starts it again, on the same files, after [`Agent::kill`] or [`Agent::terminate`]. It may
    /// listen on another port now: ask for a new [`Agent::client`].
    ///
    /// # Panics
    /// When it is running, or does not start.
    #[track_caller]
    pub fn restart(&mut self) {
        self.spawn();
        self.await_listening();
    }

    /// Sends it a signal.
    ///
    /// # Panics
    /// When it is not running.
    pub fn signal(&self, signal: rustix::process::Signal) {
        self.process.signal(signal);
    }

    fn spawn(&mut self) {
        let mut command = match &self.config.namespace {
            None => Command::new(binary::path("wgfleet-agent")),
            Some(namespace) => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", namespace]);
                command.arg(binary::path("wgfleet-agent"));
                command
            }
        };
        command
            .args(["--listen", &self.listen_argument(), "--log-format", "text"])
            .arg("--secret-file")
            .arg(self.secret_file())
            .arg("--state-dir")
            .arg(self.state_dir())
            .args(&self.config.arguments)
            .env_remove("WGFLEET_SECRET")
            .envs(self.config.variables.iter().cloned());
        self.process.spawn(&mut command);
    }

    fn listen_argument(&self) -> String {
        match self.config.listen.as_deref() {
            None => "127.0.0.1:0".to_owned(),
            Some("unix:") => format!("unix:{}", self.directory.path().join("socket").display()),
            Some(on) => on.to_owned(),
        }
    }

    #[track_caller]
    fn await_listening(&mut self) {
        self.address = Some(self.process.await_line(listening));
    }
}

const LISTENING: &str = "listening on ";

/// The address in a line of the log that says `listening on http://ADDR:PORT`, `… https://…` or
/// `… unix:PATH`.
pub(crate) fn listening(line: &str) -> Option<Address> {
    let (_, rest) = line.split_once(LISTENING)?;
    let word = rest.split_whitespace().next()?;
    let tcp = word.strip_prefix("http://");
    let tcp = tcp.or_else(|| word.strip_prefix("https://"));
    match (tcp, word.strip_prefix("unix:")) {
        (Some(address), _) => address.trim_end_matches('/').parse().ok().map(Address::Tcp),
        (_, Some(path)) => Some(Address::Unix(Path::new(path).to_owned())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_read_off_the_log() {
        let tcp = Address::Tcp("127.0.0.1:34567".parse().unwrap());
        assert_eq!(
            listening("listening on http://127.0.0.1:34567"),
            Some(tcp.clone())
        );
        let stamped =
            "2026-01-01T00:00:00Z  INFO agent: listening on http://127.0.0.1:34567 tls=no";
        assert_eq!(listening(stamped), Some(tcp.clone()));
        assert_eq!(listening("listening on https://127.0.0.1:34567"), Some(tcp));
        let unix = listening("INFO listening on unix:/run/wgfleet/agent.sock");
        assert_eq!(unix, Some(Address::Unix("/run/wgfleet/agent.sock".into())));
        assert_eq!(listening("listening on nothing"), None);
        assert_eq!(listening("hearing on http://127.0.0.1:1"), None);
    }
}
