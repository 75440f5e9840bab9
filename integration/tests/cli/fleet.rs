//! A controller with nodes, and a shell to call `wgfleet` from.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;
use wgfleet_integration::{
    agent::{self, Agent},
    binary,
    client::Address,
    controller::{self, Controller},
};

/// What an agent of the fleet shares with the controller.
pub(crate) const SECRETS: [&str; 2] = [
    "the secret of the first simulated agent",
    "the secret of the second simulated agent",
];

/// From one look at a node to the next, in a test that is over before.
pub(crate) const NEVER: &str = "1h";

/// Two nodes without peers, `node-1` and `node-2`, and an administrator at a shell.
pub(crate) struct Fleet {
    pub(crate) agents: [Agent; 2],
    pub(crate) controller: Controller,
    pub(crate) shell: Shell,
}

impl Fleet {
    pub(crate) fn new() -> Self {
        Self::with_nodes("500ms")
    }

    /// The same with nodes that are looked at once and then left alone: simulated peers begin to talk,
    /// and what is seen of them would differ from run to run.
    pub(crate) fn quiet() -> Self {
        Self::with_nodes(NEVER)
    }

    fn with_nodes(poll_interval: &str) -> Self {
        let fleet = Self::without_nodes(poll_interval);
        for at in [0, 1] {
            let number = at + 1;
            fleet.shell.file("secret", SECRETS[at]);
            let (url, name) = (fleet.agent_url(at), format!("node-{number}"));
            let pool = format!("10.8.{number}.0/24");
            let endpoint = format!("vpn{number}.example.com:51820");
            let added = fleet.shell.run(&[
                "node",
                "add",
                &name,
                "--agent-url",
                &url,
                "--interface",
                "wg0",
                "--secret-file",
                "secret",
                "--pool",
                &pool,
                "--endpoint",
                &endpoint,
            ]);
            added.good();
            fleet.shell.run(&["node", "sync", &name]).good();
        }
        fleet
    }

    /// The agents are there, and nobody has said so yet.
    pub(crate) fn without_nodes(poll_interval: &str) -> Self {
        let agents = [0, 1].map(|at| {
            agent::Config::simulated("wg0", 0)
                .secrets(&[SECRETS[at]])
                .start()
        });
        let controller = controller::Config::new()
            .poll_interval(poll_interval)
            .start();
        let token = fs::read_to_string(controller.data_dir().join("admin-token"));
        let token = token.expect("the token is there once it listens");
        let shell = Shell::new()
            .variable("WGFLEET_URL", &url(controller.address()))
            .variable("WGFLEET_TOKEN", token.trim());
        Self {
            agents,
            controller,
            shell,
        }
    }

    pub(crate) fn agent_url(&self, at: usize) -> String {
        url(self.agents[at].address())
    }

    /// A shell without a token, that knows the controller.
    pub(crate) fn stranger(&self) -> Shell {
        Shell::new().variable("WGFLEET_URL", &url(self.controller.address()))
    }

    /// A shell with a token of that role.
    pub(crate) fn colleague(&self, role: &str) -> Shell {
        let made = self.shell.json(&["token", "create", role, "--role", role]);
        let token = made["token"].as_str().expect("a token").to_owned();
        self.stranger().variable("WGFLEET_TOKEN", &token)
    }
}

/// As the command line takes it.
pub(crate) fn url(address: &Address) -> String {
    match address {
        Address::Tcp(address) => format!("http://{address}"),
        Address::Unix(path) => format!("unix://{}", path.display()),
    }
}

/// Somewhere to call programs from: with a home, a directory and variables of its own.
pub(crate) struct Shell {
    home: TempDir,
    variables: Vec<(String, String)>,
}

impl Shell {
    pub(crate) fn new() -> Self {
        let home = TempDir::with_prefix("wgfleet-cli-").expect("a directory");
        Self {
            home,
            variables: Vec::new(),
        }
    }

    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A file of its directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Writes a file into its directory.
    pub(crate) fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a directory")).expect("made");
        fs::write(&path, content).expect("written");
        path
    }

    /// `wgfleet` with these arguments.
    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        self.run_with(arguments, "")
    }

    /// The same with something to read.
    pub(crate) fn run_with(&self, arguments: &[&str], input: &str) -> Run {
        let mut command = Command::new(binary::path("wgfleet"));
        self.execute(command.args(arguments), input)
    }

    /// A line as a person types it.
    pub(crate) fn line(&self, line: &str) -> Run {
        self.execute(Command::new("sh").args(["-c", line]), "")
    }

    /// What `wgfleet` answers as JSON.
    #[track_caller]
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let run = self.run(&[arguments, &["--output", "json"]].concat());
        serde_json::from_str(run.good()).expect("JSON")
    }

    /// A command with its environment, to be started by the caller.
    pub(crate) fn prepare<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        let programs = binary::path("wgfleet");
        let programs = programs.parent().unwrap_or(Path::new("/")).display();
        command
            .env_clear()
            .env("HOME", self.home.path())
            .env("PATH", format!("{programs}:/usr/bin:/bin"))
            .envs(self.variables.iter().cloned())
            .current_dir(self.home.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
    }

    /// A command with this to read.
    pub(crate) fn execute(&self, command: &mut Command, input: &str) -> Run {
        let mut child = self.prepare(command).spawn().expect("the program starts");
        let mut stdin = child.stdin.take().expect("piped");
        // It may not want to read.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        let output = child.wait_with_output().expect("it ends");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Run {
            status: output.status.code().expect("no signal ended it"),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}

/// How a program ended.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    /// What it wrote, of one that did what it should.
    #[track_caller]
    pub(crate) fn good(&self) -> &str {
        assert_eq!(self.status, 0, "{}{}", self.stdout, self.stderr);
        &self.stdout
    }

    /// What it complained about, of one that ended with that code.
    #[track_caller]
    pub(crate) fn bad(&self, status: i32) -> &str {
        assert_eq!(self.status, status, "{}{}", self.stdout, self.stderr);
        &self.stderr
    }

    /// All of it, for a snapshot.
    pub(crate) fn shown(&self) -> String {
        let Self {
            status,
            stdout,
            stderr,
        } = self;
        format!("{stdout}--- standard error\n{stderr}--- exit code {status}\n")
    }
}

/// Settings of snapshots: what differs from run to run is not shown.
pub(crate) fn filtered(check: impl FnOnce()) {
    let mut settings = insta::Settings::clone_current();
    for (pattern, name) in [
        (
            r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
            "[ID]",
        ),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "[TIME]"),
        (r"wgf_[A-Za-z0-9_-]+", "[TOKEN]"),
        (r"127\.0\.0\.1:\d+", "[ADDRESS]"),
        (r"[A-Za-z0-9+/]{43}=", "[KEY]"),
        (
            r"/tmp/wgfleet-[A-Za-z0-9./_-]+?/(\.config|laptop)",
            "[HOME]/$1",
        ),
        (r"(?m)(etag +|,)[0-9a-f]{24}$", "${1}[ETAG]"),
        (r",\d+,\d+\.\d+\.\d+,(\d+,)?", ",[MS],[VERSION],"),
        (r"(?m)^\d+\.\d+\.\d+,\d+,", "[VERSION],[S],"),
        (r"(latency ms +|uptime s +|version +).*", "${1}[ANY]"),
        // What follows in a table begins where it began, however many digits there were.
        (r"\d+s ago +", "[AGE]  "),
        (r"\d+s ago", "[AGE]"),
    ] {
        settings.add_filter(pattern, name);
    }
    settings.bind(check);
}
