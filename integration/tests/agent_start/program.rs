//! The agent's program with arguments and variables of the test's own, and nothing inherited.

use std::{
    fs,
    io::Read,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use tempfile::TempDir;
use wgfleet_integration::{
    agent::SECRET,
    binary,
    client::{Address, Client},
    eventually,
};

const PATIENCE: Duration = Duration::from_secs(30);
/// What a bad flag, variable, file or secret ends with.
pub(crate) const USAGE: Option<i32> = Some(64);

/// A command line in the making, with a directory of its own.
pub(crate) struct Program {
    pub(crate) directory: TempDir,
    command: Command,
}

impl Program {
    /// Without any argument.
    pub(crate) fn bare() -> Self {
        let mut command = Command::new(binary::path("wgfleet-agent"));
        command
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Self {
            directory: TempDir::with_prefix("wgfleet-start-").expect("a directory"),
            command,
        }
    }

    /// The same command, with at most so many files open unless it asks for more.
    pub(crate) fn with_file_limit(mut self, files: u32) -> Self {
        let mut limited = Command::new("sh");
        limited
            .args(["-c", &format!("ulimit -S -n {files}; exec \"$0\" \"$@\"")])
            .arg(self.command.get_program())
            .args(self.command.get_args())
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        for (name, value) in self.command.get_envs() {
            limited.env(name, value.unwrap_or_default());
        }
        self.command = limited;
        self
    }

    /// With all it needs to run on the simulated backend but a secret.
    pub(crate) fn without_secret() -> Self {
        let program = Self::bare();
        let state = program.path("state");
        program
            .args(&["--backend", "simulated", "--listen", "127.0.0.1:0"])
            .args(&["--state-dir", state.to_str().expect("text")])
    }

    /// With all it needs to run on the simulated backend.
    pub(crate) fn complete() -> Self {
        Self::without_secret().env("WGFLEET_SECRET", SECRET)
    }

    /// A path in its directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A file in its directory that only its owner can read; gives its path.
    pub(crate) fn file(&self, name: &str, content: &str) -> String {
        let path = self.path(name);
        fs::write(&path, content).expect("written");
        set_mode(&path, 0o600);
        path.to_str().expect("text").to_owned()
    }

    pub(crate) fn args(mut self, arguments: &[&str]) -> Self {
        self.command.args(arguments);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// With a secret file of these lines.
    pub(crate) fn secret_file(self, content: &str) -> Self {
        let path = self.file("secret", content);
        self.args(&["--secret-file", &path])
    }

    /// With a configuration file.
    pub(crate) fn config_file(self, content: &str) -> Self {
        let path = self.file("agent.toml", content);
        self.args(&["--config", &path])
    }

    pub(crate) fn spawn(mut self) -> Running {
        let mut child = self.command.spawn().expect("the agent's binary starts");
        let out = Output::of(child.stdout.take().expect("piped"));
        let err = Output::of(child.stderr.take().expect("piped"));
        Running {
            child,
            out,
            err,
            directory: self.directory,
        }
    }

    /// Runs it to its end: exit code and all it said.
    #[track_caller]
    pub(crate) fn ends(self) -> Ended {
        self.spawn().ends()
    }

    /// Runs it, expecting that it refuses what it was told: exit code 64, and a sentence with each of
    /// `words`.
    #[track_caller]
    pub(crate) fn assert_refused(self, words: &[&str]) {
        let ended = self.ends();
        assert_eq!(ended.code, USAGE, "{ended:?}");
        ended.says(words);
    }
}

pub(crate) fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("its owner may");
}

/// What a program printed so far.
#[derive(Clone)]
struct Output(Arc<Mutex<String>>);

impl Output {
    fn of(mut pipe: impl Read + Send + 'static) -> Self {
        let output = Self(Arc::default());
        let shared = output.clone();
        thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(count @ 1..) = pipe.read(&mut chunk) {
                let text = String::from_utf8_lossy(&chunk[..count]);
                shared
                    .0
                    .lock()
                    .expect("nobody panics with it")
                    .push_str(&text);
            }
            // Two are left while this thread reads, one afterwards.
            drop(shared);
        });
        output
    }

    fn text(&self) -> String {
        self.0.lock().expect("nobody panics with it").clone()
    }

    fn is_whole(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }
}

/// The program, running. Killed when dropped.
pub(crate) struct Running {
    child: Child,
    out: Output,
    err: Output,
    pub(crate) directory: TempDir,
}

/// How it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Running {
    pub(crate) fn log(&self) -> String {
        self.err.text()
    }

    /// Waits until a line of its log contains `text`, and gives what follows it there.
    #[track_caller]
    pub(crate) fn after(&self, text: &str) -> String {
        eventually(PATIENCE, &format!("{text:?} in the log"), || {
            let log = self.log();
            let (whole_lines, _) = log.rsplit_once('\n')?;
            let line = whole_lines.lines().find_map(|line| line.split_once(text));
            line.map(|(_, rest)| rest.to_owned())
        })
    }

    /// A client, once it listens on TCP.
    #[track_caller]
    pub(crate) fn client(&self) -> Client {
        self.client_with(SECRET)
    }

    /// A client that signs with `secret`, once it listens on TCP.
    #[track_caller]
    pub(crate) fn client_with(&self, secret: &str) -> Client {
        let rest = self.after("listening on http://");
        let address = rest.split(['"', ' ']).next().unwrap_or_default();
        Client::new(Address::Tcp(address.parse().expect("an address")), secret)
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).expect("a child takes signals");
    }

    #[track_caller]
    pub(crate) fn ends(mut self) -> Ended {
        let status = eventually(PATIENCE, "the agent ends", || {
            self.child.try_wait().expect("a child can be waited for")
        });
        eventually(PATIENCE, "its output ends", || {
            (self.out.is_whole() && self.err.is_whole()).then_some(())
        });
        Ended {
            code: status.code(),
            out: self.out.text(),
            err: self.err.text(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("--- the agent's log ---\n{}", self.log());
        }
    }
}

impl Ended {
    /// Asserts that it said each of `words`, never a secret, and did not panic.
    #[track_caller]
    pub(crate) fn says(&self, words: &[&str]) {
        for word in words {
            assert!(self.err.contains(word), "no {word:?} in {self:?}");
        }
        assert!(!self.err.contains("panicked"), "{self:?}");
        assert!(!self.err.contains(SECRET), "{self:?}");
    }
}
