//! Where settings come from: flags before variables before the file.

use wgfleet_integration::{agent::SECRET, client::Client};

use crate::program::Program;

fn interface_of(client: &Client) -> String {
    let list = client.get("/wg").json();
    list["interfaces"][0]["interface"]
        .as_str()
        .expect("one interface")
        .to_owned()
}

fn with_file() -> Program {
    let program = Program::bare();
    let state = program.path("state");
    let content = format!(
        "listen = [\"127.0.0.1:0\"]\nbackend = \"simulated\"\nstate_dir = {state:?}\n\
         simulated_interface = \"file\"\nsimulated_peers = 3\nlog_format = \"json\"\n"
    );
    program.env("WGFLEET_SECRET", SECRET).config_file(&content)
}

#[test]
fn the_file_the_variable_and_the_flag() {
    let running = with_file().spawn();
    let client = running.client();
    assert_eq!(interface_of(&client), "file");
    let dump = client.dump("file");
    assert_eq!(dump["peers"].as_array().map(Vec::len), Some(3));

    let by_variable = with_file().env("WGFLEET_SIMULATED_INTERFACE", "variable");
    assert_eq!(interface_of(&by_variable.spawn().client()), "variable");

    let by_flag = with_file()
        .env("WGFLEET_SIMULATED_INTERFACE", "variable")
        .args(&["--simulated-interface", "flag"]);
    assert_eq!(interface_of(&by_flag.spawn().client()), "flag");
}

#[test]
fn the_file_names_the_backend() {
    for backend in ["simulated", "userspace"] {
        let program = Program::bare();
        let state = program.path("state");
        let content =
            format!("listen = [\"127.0.0.1:0\"]\nbackend = {backend:?}\nstate_dir = {state:?}\n");
        let running = program
            .env("WGFLEET_SECRET", SECRET)
            .config_file(&content)
            .spawn();
        assert_eq!(running.client().get("/health").json()["backend"], backend);
    }
}

#[test]
fn a_file_can_be_named_by_a_variable() {
    let program = Program::complete();
    let path = program.file("agent.toml", "simulated_interface = \"file\"");
    let running = program.env("WGFLEET_CONFIG", &path).spawn();
    assert_eq!(interface_of(&running.client()), "file");
}

const OF_FLAG: &str = "of the flag, long enough";
const OF_VARIABLE: &str = "of the variable, long enough";
const OF_FILE: &str = "of the file, long enough";

/// Which of three secrets the running agent takes.
#[track_caller]
fn takes(program: Program, secret: &str) {
    let running = program.spawn();
    for other in [OF_FLAG, OF_VARIABLE, OF_FILE] {
        let expected = if other == secret { 200 } else { 401 };
        let answer = running.client_with(other).get("/health");
        assert_eq!(answer.status, expected, "{other}");
    }
}

#[test]
fn the_secret_too_comes_from_the_flag_then_the_variable_then_the_file() {
    let configured = || {
        let program = Program::without_secret();
        let path = program.file("configured", OF_FILE);
        program.config_file(&format!("secret_file = {path:?}"))
    };
    let with_variable = || configured().env("WGFLEET_SECRET", OF_VARIABLE);
    takes(configured(), OF_FILE);
    takes(with_variable(), OF_VARIABLE);
    takes(with_variable().secret_file(OF_FLAG), OF_FLAG);
}
