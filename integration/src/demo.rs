//! Runs `packaging/demo` as a person would, on the programs under test.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::{binary, poll, process::Process};

/// For four programs and some hundred processes of a shell, in the lab too.
const TO_START: Duration = Duration::from_secs(120);
const TO_CLEAR: Duration = Duration::from_secs(5);
/// What each line to try begins with.
const INDENT: &str = "    ";

/// A running demo, with a directory of its own for temporary files. Killed when dropped.
#[derive(Debug)]
pub struct Demo {
    process: Process,
    temporary: TempDir,
}

impl Demo {
    /// Starts it with these variables and waits until it has said everything.
    ///
    /// # Panics
    /// When it does not, with what it said.
    #[must_use]
    #[track_caller]
    pub fn start(variables: &[(&str, &str)]) -> Self {
        let temporary = TempDir::with_prefix("demo-").expect("a temporary directory");
        // All beside one another, and none of them stale.
        let programs = ["wgfleet-agent", "wgfleet-controller", "wgfleet"].map(binary::path);
        let binaries = programs[0].parent().expect("a directory");
        assert!(programs.iter().all(|program| program.starts_with(binaries)));
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/demo");
        let mut process = Process::default();
        // A process keeps its standard error; the demo speaks to standard output.
        process.spawn(
            Command::new("bash")
                .args(["-c", "exec \"$0\" >&2"])
                .arg(script)
                .env("DEMO_BINARIES", binaries)
                .env("TMPDIR", temporary.path())
                .envs(variables.iter().copied()),
        );
        process.await_line_within(TO_START, |line| {
            line.starts_with("Ctrl-C ends it").then_some(())
        });
        Self { process, temporary }
    }

    /// What it said so far.
    #[must_use]
    pub fn said(&self) -> String {
        self.process.log()
    }

    /// Where it keeps its files.
    ///
    /// # Panics
    /// When there is not exactly one directory.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        let found: Vec<_> = entries(self.temporary.path());
        assert_eq!(found.len(), 1, "one directory: {found:?}");
        found.into_iter().next().expect("one")
    }

    /// The lines it suggests with `curl`, and those with `wgfleet`.
    #[must_use]
    pub fn suggested(&self) -> [String; 2] {
        let said = self.said();
        let (before, after) = said
            .split_once("Or with the command line")
            .unwrap_or((&said, ""));
        [before, after].map(|text| {
            let lines = text.lines().filter_map(|line| line.strip_prefix(INDENT));
            lines.collect::<Vec<_>>().join("\n")
        })
    }

    /// What the suggested `curl` line for this call answers.
    ///
    /// # Panics
    /// When it is not JSON.
    #[track_caller]
    #[must_use]
    pub fn api(&self, call: &str) -> Value {
        let [curl, _] = self.suggested();
        let defined = curl.lines().next().expect("the first line defines `api`");
        let answer = shell(&format!("{defined}\napi {call}"));
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{call}: {error}: {answer}"))
    }

    /// SIGKILL for the one process that names this file of its.
    ///
    /// # Panics
    /// When there is not exactly one.
    pub fn kill_user_of(&self, file: &str) {
        let found = processes_naming(&self.home().join(file));
        let [(id, _)] = found.as_slice() else {
            panic!("one process: {found:?}");
        };
        let id = Pid::from_raw(*id).expect("no process is number 0");
        kill_process(id, Signal::KILL).expect("it is ours");
    }

    fn left(&self) -> Vec<String> {
        let files = entries(self.temporary.path()).into_iter();
        let running = processes_naming(self.temporary.path()).into_iter();
        files
            .map(|path| path.display().to_string())
            .chain(running.map(|(_, line)| line))
            .collect()
    }

    /// Waits until it has ended by itself.
    ///
    /// # Panics
    /// When it goes on.
    #[track_caller]
    pub fn ended(&mut self) -> ExitStatus {
        self.process.ended()
    }

    /// Ctrl-C; gives how it ended, and what is left of it: files, and processes that name one.
    ///
    /// # Panics
    /// When it does not end.
    pub fn interrupt(&mut self) -> (ExitStatus, Vec<String>) {
        self.process.signal(Signal::INT);
        let status = self.process.ended();
        // The kernel may take a moment to clear namespaces away.
        let mut left = Vec::new();
        let _ = poll(TO_CLEAR, || {
            left = self.left();
            left.is_empty().then_some(())
        });
        (status, left)
    }
}

/// Runs lines in a shell of their own and gives what they print.
///
/// # Panics
/// When one fails.
#[track_caller]
#[must_use]
pub fn shell(lines: &str) -> String {
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", lines])
        .output()
        .expect("bash is installed");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(
        output.status.success(),
        "{}\n--- lines ---\n{lines}\n--- output ---\n{stdout}{stderr}",
        output.status
    );
    stdout
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("the directory is there");
    entries
        .map(|entry| entry.expect("an entry").path())
        .collect()
}

/// Process ids and command lines.
fn processes_naming(path: &Path) -> Vec<(i32, String)> {
    let path = path.to_str().expect("our names are UTF-8");
    let described = |process: PathBuf| {
        let id = process.file_name()?.to_str()?.parse().ok()?;
        // A process may end while it is looked at.
        let line = fs::read(process.join("cmdline")).ok()?;
        Some((id, String::from_utf8_lossy(&line).replace('\0', " ")))
    };
    let processes = entries(Path::new("/proc")).into_iter();
    processes
        .filter_map(described)
        .filter(|(_, line)| line.contains(path))
        .collect()
}
