//! What it says while it runs, and how it ends.

use std::{
    fs,
    os::unix::{fs::PermissionsExt, net::UnixListener},
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::Value;
use wgfleet_integration::{
    agent::SECRET,
    client::{Address, Client, Request},
};

use crate::program::Program;

#[test]
fn help_and_version_are_no_errors() {
    for flag in ["--help", "-h", "--version"] {
        let ended = Program::bare().args(&[flag]).ends();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(
            ended.out.contains("wgfleet-agent") && ended.err.is_empty(),
            "{ended:?}"
        );
    }
}

#[test]
fn a_weak_secret_is_warned_about() {
    let weak = "sixteen bytes...";
    let running = Program::without_secret().secret_file(weak).spawn();
    running.after("shorter than the recommended 32 bytes");
    running.client();
    assert!(!running.log().contains(weak));
    let running = Program::complete().spawn();
    running.client();
    assert!(!running.log().contains("recommended"), "{}", running.log());
}

#[test]
fn a_file_with_two_secrets_makes_both_good() {
    let (current, next) = (
        "the current secret, long enough",
        "the next secret, long enough too",
    );
    let running = Program::without_secret()
        .secret_file(&format!("{current}\r\n\n{next}\n"))
        .spawn();
    assert_eq!(running.client().get("/health").status, 401);
    for secret in [current, next] {
        let client = running.client_with(secret);
        assert_eq!(client.get("/health").status, 200);
    }
}

#[test]
fn the_json_log_is_one_object_a_line() {
    let running = Program::complete().args(&["--log-format", "json"]).spawn();
    let client = running.client();
    let mut forged = client.prepare(&Request::get("/health"));
    forged.replace("X-Signature", "0".repeat(64));
    assert_eq!(client.send_wire(&forged).expect("an answer").status, 401);
    running.after("authentication failed");
    running.signal(Signal::TERM);
    assert_json_lines(&running.ends().err, 3);

    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("bound").to_string();
    let ended = Program::complete()
        .args(&["--log-format", "json", "--listen", &address])
        .ends();
    assert_eq!(ended.code, Some(1));
    assert_json_lines(&ended.err, 1);
    assert!(ended.err.contains("in use"));
}

#[track_caller]
fn assert_json_lines(log: &str, at_least: usize) {
    for line in log.lines() {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e} in {line:?}"));
        assert!(
            value["level"].is_string() && value["message"].is_string(),
            "{line}"
        );
    }
    assert!(log.lines().count() >= at_least, "{log}");
}

#[test]
fn an_error_is_told_even_when_the_log_is_off() {
    let program = Program::bare();
    let file = program.file("file", "");
    let ended = program
        .env("WGFLEET_SECRET", SECRET)
        .env("WGFLEET_LOG", "off")
        .args(&["--backend=simulated", "--listen=127.0.0.1:0"])
        .args(&["--state-dir", &format!("{file}/state")])
        .ends();
    assert_eq!(ended.code, Some(1));
    ended.says(&["--state-dir"]);
}

#[test]
fn a_signal_ends_it_well_and_soon() {
    for signal in [Signal::TERM, Signal::INT] {
        let running = Program::complete().spawn();
        let client = running.client().keep_alive();
        assert_eq!(client.get("/health").status, 200);
        // One idle connection, one half way through its head, one that never said anything.
        let mut half = client.connect().expect("a connection");
        half.write(b"GET /health HTTP/1.1\r\nHo").expect("written");
        let _silent = client.connect().expect("a connection");
        let before = Instant::now();
        running.signal(signal);
        let ended = running.ends();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(
            before.elapsed() < Duration::from_secs(5),
            "{:?}",
            before.elapsed()
        );
    }
}

#[test]
fn a_stale_unix_socket_is_replaced_and_goes_with_the_agent() {
    let program = Program::complete();
    let path = program.path("socket");
    drop(UnixListener::bind(&path).expect("bound"));
    assert!(path.exists(), "a listener leaves its file behind");
    let running = program
        .args(&["--listen", &format!("unix:{}", path.display())])
        .spawn();
    running.after("listening on unix:");
    let mode = fs::metadata(&path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode & 0o007, 0, "not for everybody: {mode:o}");
    let client = Client::new(Address::Unix(path.clone()), SECRET);
    assert_eq!(client.get("/health").status, 200);
    assert_eq!(
        running.client().get("/health").status,
        200,
        "both are served"
    );
    running.signal(Signal::TERM);
    assert_eq!(running.ends().code, Some(0));
    assert!(!path.exists());
}

#[test]
fn the_state_directory_is_made_for_its_owner_only() {
    let running = Program::complete().spawn();
    running.client();
    let state = running.directory.path().join("state");
    let mode =
        |path: &std::path::Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&state), 0o700);
    for entry in fs::read_dir(&state).expect("readable") {
        let path = entry.expect("an entry").path();
        assert_eq!(mode(&path) & 0o077, 0, "{}", path.display());
    }
}

#[test]
fn hostile_12_the_limit_of_open_files_keeps_nobody_out() {
    let running = Program::complete().with_file_limit(64).spawn();
    let client = running.client();
    let strangers: Vec<_> = (0..300)
        .map(|_| client.connect().expect("a connection"))
        .collect();
    assert_eq!(client.get("/health").status, 200);
    assert!(
        !running.log().contains("could not be accepted"),
        "{}",
        running.log()
    );
    drop(strangers);
}
