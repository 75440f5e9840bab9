//! Plays a story of `browser/stories/` in a real browser.
//!
//! A story is told in JavaScript and asks the test that plays it to act on the processes of its fleet:
//! it prints `@fleet {"do": …}` and reads a line of JSON.

use std::{
    io::{BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{self, RecvTimeoutError, Sender},
    thread,
    time::{Duration, Instant},
};

use rustix::process::geteuid;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::lab;

/// What a line of a story to its test begins with.
const MARK: &str = "@fleet ";
/// The story ends by itself when its time is over; this much later it is ended.
const GRACE: Duration = Duration::from_secs(30);
const TO_END: Duration = Duration::from_secs(10);

/// Plays the story of that name. It is told `told`; `act` does what it asks for and gives the answer,
/// or why not. Nothing is left of it, however it ends. Its pictures are in `target/screenshots/NAME`.
///
/// # Panics
/// When the story fails, or does not end `within` that time, with everything it said.
#[track_caller]
pub fn play(
    name: &str,
    told: &Value,
    within: Duration,
    mut act: impl FnMut(&Value) -> Result<Value, String>,
) {
    let mut playing = Playing::start(name, told, within);
    let deadline = Instant::now() + within + GRACE;
    let mut said = String::new();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match playing.lines.recv_timeout(left) {
            Ok(line) => match line.strip_prefix(MARK) {
                Some(request) => playing.answer(request, &mut act),
                None => said += &format!("{line}\n"),
            },
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                panic!("the story {name} does not end; it said:\n{said}")
            }
        }
    }
    let ended = lab::await_exit(&mut playing.process, TO_END);
    let is_well = ended.is_some_and(|status| status.success());
    assert!(is_well, "the story {name} failed ({ended:?}):\n{said}");
    println!("{said}");
}

/// Where stories leave their pictures.
///
/// # Panics
/// When this program is not where cargo puts tests.
#[must_use]
pub fn screenshots() -> PathBuf {
    let program = std::env::current_exe().expect("a test program knows where it is");
    let target = program.ancestors().nth(3);
    target
        .expect("target/<profile>/deps/<program>")
        .join("screenshots")
}

/// A running story. Killed when dropped, with its browser.
struct Playing {
    process: Child,
    input: ChildStdin,
    lines: mpsc::Receiver<String>,
    /// What the browser keeps.
    _home: TempDir,
}

impl Playing {
    fn start(name: &str, told: &Value, within: Duration) -> Self {
        let home = TempDir::with_prefix("wgfleet-browser-").expect("a temporary directory");
        let pictures = screenshots();
        // Those of an earlier run say nothing about this one.
        let _ = std::fs::remove_dir_all(pictures.join(name));
        let mut process = in_namespace()
            .arg("node")
            .arg(beside(&format!("browser/stories/{name}.mjs")))
            .env("WGFLEET_PLAYWRIGHT", playwright())
            .env("WGFLEET_CHROMIUM", "/usr/bin/chromium")
            .env("WGFLEET_SCREENSHOTS", pictures)
            .env("WGFLEET_STORY", told.to_string())
            .env("WGFLEET_STORY_SECONDS", within.as_secs().to_string())
            // An authority that the story itself is to believe; none is no file.
            .env(
                "NODE_EXTRA_CA_CERTS",
                told["authority"].as_str().unwrap_or_default(),
            )
            .env("HOME", home.path())
            .env("TMPDIR", home.path())
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("XDG_CACHE_HOME")
            .env_remove("NODE_OPTIONS")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("unshare is installed");
        let (sender, lines) = mpsc::channel();
        forward(process.stdout.take().expect("piped"), sender.clone());
        forward(process.stderr.take().expect("piped"), sender);
        Self {
            input: process.stdin.take().expect("piped"),
            process,
            lines,
            _home: home,
        }
    }

    fn answer(&mut self, request: &str, act: &mut impl FnMut(&Value) -> Result<Value, String>) {
        let request = serde_json::from_str(request).expect("a story asks in JSON");
        let answer = act(&request).unwrap_or_else(|error| json!({ "error": error }));
        // A story that ended meanwhile says why.
        let _ = writeln!(self.input, "{answer}");
    }
}

impl Drop for Playing {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// In process ids of its own: the browser makes process groups and sessions, and all of them die with
/// the first process.
fn in_namespace() -> Command {
    let mut command = Command::new("unshare");
    if !geteuid().is_root() {
        command.args(["--user", "--map-current-user"]);
    }
    command.args(["--pid", "--fork", "--kill-child", "--mount-proc", "--"]);
    command
}

fn forward(pipe: impl Read + Send + 'static, lines: Sender<String>) {
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if lines.send(line).is_err() {
                break;
            }
        }
    });
}

fn beside(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The folder playwright is in.
#[track_caller]
fn playwright() -> String {
    let found = Command::new(beside("playwright"))
        .stderr(Stdio::inherit())
        .output()
        .expect("the script runs");
    assert!(found.status.success(), "playwright can be had");
    let path = String::from_utf8(found.stdout).expect("a path");
    path.trim().to_owned()
}
