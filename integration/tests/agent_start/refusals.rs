//! What it does not start with, and what it says then.

use std::{fs, net::TcpListener, os::unix::net::UnixListener};

use rustix::process::Signal;
use wgfleet_integration::agent::SECRET;

use crate::program::{Program, set_mode};

#[test]
fn no_secret_is_never_a_default() {
    Program::without_secret().assert_refused(&["no secret", "--secret-file", "WGFLEET_SECRET"]);
    Program::without_secret()
        .env("WGFLEET_SECRET", "")
        .assert_refused(&["WGFLEET_SECRET", "found 0"]);
    Program::without_secret()
        .secret_file("\n  \n")
        .assert_refused(&["--secret-file", "found 0"]);
    Program::without_secret()
        .args(&["--secret-file", "/nonexistent/secret"])
        .assert_refused(&["--secret-file", "/nonexistent/secret", "No such file"]);
}

#[test]
fn a_secret_file_that_others_can_read_is_refused() {
    for mode in [0o644, 0o640, 0o604, 0o660, 0o620, 0o601] {
        let program = Program::without_secret().secret_file(SECRET);
        set_mode(&program.path("secret"), mode);
        program.assert_refused(&["--secret-file", "chmod 600", &format!("{mode:03o}")]);
    }
}

#[test]
fn a_secret_that_is_too_short_is_refused() {
    for content in ["fifteen bytes..", "1", &format!("{SECRET}\nshort")] {
        Program::without_secret()
            .secret_file(content)
            .assert_refused(&["--secret-file", "16", "/dev/urandom"]);
    }
    Program::without_secret()
        .env("WGFLEET_SECRET", "fifteen bytes..")
        .assert_refused(&["WGFLEET_SECRET", "16"]);
}

#[test]
fn three_secrets_are_one_too_many() {
    let three = format!("{SECRET}\n{SECRET}2\n{SECRET}3\n");
    Program::without_secret()
        .secret_file(&three)
        .assert_refused(&["--secret-file", "found 3"]);
}

#[test]
fn a_secret_must_be_text() {
    let program = Program::without_secret().secret_file("");
    fs::write(program.path("secret"), b"\xff\xfe and many bytes more\n").expect("written");
    program.assert_refused(&["--secret-file", "UTF-8"]);
}

#[test]
fn a_bad_value_is_named_wherever_it_comes_from() {
    for (name, value) in [
        ("listen", "everywhere"),
        ("listen", "127.0.0.1"),
        ("listen", "127.0.0.1:65536"),
        ("listen", "unix:"),
        ("backend", "hyperspace"),
        ("interface", "../x"),
        ("interface", "a234567890123456"),
        ("interface", "wg 0"),
        ("log-format", "xml"),
        ("rate-limit", "0"),
        ("rate-limit", "-1"),
        ("max-connections", "3"),
        ("simulated-interface", "a/b"),
        ("simulated-peers", "many"),
    ] {
        let flag = format!("--{name}");
        let variable = format!("WGFLEET_{}", name.to_uppercase().replace('-', "_"));
        let argument = format!("{flag}={value}");
        // A flag that is there already would be said to be there twice.
        secret_only()
            .args(&simulated_but(name))
            .args(&[&argument])
            .assert_refused(&[&flag]);
        secret_only()
            .args(&simulated_but(name))
            .env(&variable, value)
            .assert_refused(&[&flag]);
    }
}

#[test]
fn settings_of_the_simulation_are_for_no_other_backend() {
    for backend in ["--backend=kernel", "--backend=userspace"] {
        secret_only()
            .args(&["--state-dir=/nonexistent/state", backend])
            .args(&["--simulated-peers=1"])
            .assert_refused(&["--simulated-peers", "only with --backend simulated"]);
    }
}

fn secret_only() -> Program {
    Program::bare().env("WGFLEET_SECRET", SECRET)
}

fn simulated_but(name: &str) -> Vec<&'static str> {
    let mut arguments = vec!["--state-dir=/nonexistent/state"];
    if name != "backend" {
        arguments.push("--backend=simulated");
    }
    arguments
}

#[test]
fn a_bad_configuration_file_is_named() {
    for (content, word) in [
        ("listening = [\"127.0.0.1:0\"]", "listening"),
        ("log_format = \"xml\"", "log_format"),
        ("listen = \"127.0.0.1:0\"", "listen"),
        ("listen = [\"nowhere\"]", "nowhere"),
        ("listen = []", "--listen"),
        ("interface = []", "--interface"),
        ("interface = [\"../x\"]", "../x"),
        ("rate_limit = -1", "rate_limit"),
        ("secret = \"in the wrong place\"", "secret"),
        ("= what", "line 1"),
    ] {
        Program::bare()
            .env("WGFLEET_SECRET", SECRET)
            .args(&["--backend=simulated"])
            .config_file(content)
            .assert_refused(&[word]);
    }
    Program::complete()
        .args(&["--config", "/nonexistent/agent.toml"])
        .assert_refused(&["--config", "/nonexistent/agent.toml"]);
}

#[test]
fn flags_that_do_not_exist_or_do_not_fit_are_named() {
    Program::complete()
        .args(&["--insecure"])
        .assert_refused(&["--insecure"]);
    Program::complete()
        .args(&["positional"])
        .assert_refused(&["positional"]);
    Program::bare()
        .env("WGFLEET_SECRET", SECRET)
        .args(&["--simulated-peers", "3"])
        .assert_refused(&["--simulated-peers", "--backend simulated"]);
}

#[test]
fn a_port_in_use_is_an_error_at_start() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("bound").to_string();
    let ended = Program::complete().args(&["--listen", &address]).ends();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    ended.says(&[&address, "in use", "--listen"]);
    assert_eq!(
        ended.err.matches("in use").count(),
        1,
        "said once: {ended:?}"
    );
}

#[test]
fn a_state_directory_that_can_not_be_written_is_an_error_at_start() {
    // Below a regular file, so that it is one for root as well.
    let program = Program::bare();
    let file = program.file("file", "");
    let state = format!("{file}/state");
    let ended = program
        .env("WGFLEET_SECRET", SECRET)
        .args(&["--backend=simulated", "--listen=127.0.0.1:0"])
        .args(&["--state-dir", &state])
        .ends();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    ended.says(&[&state, "--state-dir"]);
}

#[test]
fn a_state_directory_belongs_to_one_agent() {
    let first = Program::complete().spawn();
    let client = first.client();
    let state = first.directory.path().join("state");
    let second = || {
        Program::bare()
            .env("WGFLEET_SECRET", SECRET)
            .args(&["--backend=simulated", "--listen=127.0.0.1:0"])
            .args(&["--state-dir", state.to_str().expect("text")])
    };
    let ended = second().ends();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    ended.says(&["another agent", "--state-dir"]);
    assert_eq!(client.get("/health").status, 200, "the first one goes on");
    first.signal(Signal::KILL);
    first.ends();
    second().spawn().client();
}

#[test]
fn a_live_unix_socket_is_left_alone() {
    let program = Program::complete();
    let path = program.path("socket");
    let live = UnixListener::bind(&path).expect("bound");
    let listen = format!("unix:{}", path.display());
    let ended = program.args(&["--listen", &listen]).ends();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    ended.says(&[&listen, "in use"]);
    drop(live);
}

#[test]
fn a_live_socket_whose_queue_is_full_is_left_alone() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("socket");
    let live = busy_listener(&path);
    let listen = format!("unix:{}", path.display());
    let ended = Program::complete().args(&["--listen", &listen]).ends();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    ended.says(&[&listen]);
    assert!(path.exists());
    drop(live);
}

/// A listener with so many connections waiting that another one is not taken.
fn busy_listener(path: &std::path::Path) -> impl Sized {
    use rustix::net::{
        AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, listen, socket_with,
    };
    let address = SocketAddrUnix::new(path).expect("short enough");
    let socket = || {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).expect("a socket")
    };
    let listener = socket();
    bind(&listener, &address).expect("bound");
    listen(&listener, 1).expect("listening");
    let mut waiting = Vec::new();
    loop {
        let client = socket();
        if connect(&client, &address).is_err() {
            return (listener, waiting);
        }
        waiting.push(client);
    }
}

#[test]
fn a_file_that_is_no_socket_is_left_alone() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("precious");
    fs::write(&path, "content").expect("written");
    let listen = format!("unix:{}", path.display());
    let ended = Program::complete().args(&["--listen", &listen]).ends();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    ended.says(&[&listen]);
    assert_eq!(fs::read_to_string(&path).expect("there"), "content");
}
