//! Schemathesis, which makes requests up from the document and holds the answers to it.

use std::{
    collections::BTreeSet,
    env,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::json;
use wgfleet_integration::{client::Address, controller::Controller};

use super::fleet::Fleet;

/// Examples of each operation, and seconds for all of them. `make test-long` asks for more.
const EXAMPLES: u32 = 8;
const MAX_SECONDS: u32 = 60;
const LONG_EXAMPLES: u32 = 200;
const LONG_SECONDS: u32 = 1500;
/// The same requests each time, unless more are asked for.
const SEED: &str = "38";

/// Some of what is done when requests make sense: not all of them must be refused.
const REACHED: [&str; 8] = [
    "node.create",
    "node.update",
    "peer.create",
    "peer.disable",
    "peer.delete",
    "token.create",
    "webhook.create",
    "webhook.delete",
];

fn beside(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Where it is.
#[track_caller]
fn schemathesis() -> String {
    let found = Command::new(beside("schemathesis"))
        .stderr(Stdio::inherit())
        .output()
        .expect("the script runs");
    assert!(found.status.success(), "schemathesis can be had");
    let path = String::from_utf8(found.stdout).expect("a path");
    path.trim().to_owned()
}

fn run(fleet: &Fleet, scratch: &Path) -> Output {
    let Address::Tcp(address) = fleet.controller.address() else {
        panic!("it listens on TCP");
    };
    let token = std::fs::read_to_string(fleet.controller.data_dir().join("admin-token"));
    let token = token.expect("the first token");
    let is_long = env::var_os("WGFLEET_ROUNDS").is_some();
    let (examples, seconds) = if is_long {
        (LONG_EXAMPLES, LONG_SECONDS)
    } else {
        (EXAMPLES, MAX_SECONDS)
    };
    let here = beside("tests/rest_schema");
    let mut command = Command::new(schemathesis());
    command
        .arg("--config-file")
        .arg(here.join("schemathesis.toml"))
        .arg("run")
        .arg(format!("http://{address}/api/v1/openapi.json"))
        .args([
            "--header",
            &format!("Authorization: Bearer {}", token.trim()),
        ])
        .args([
            "--max-examples",
            &examples.to_string(),
            "--max-time",
            &seconds.to_string(),
        ])
        // It does not end.
        .args(["--exclude-operation-id", "followEvents"])
        .args([
            "--workers",
            "1",
            "--request-timeout",
            "30",
            "--generation-database",
            "none",
        ])
        .args(["--no-color", "--warnings", "off"])
        .env("PYTHONPATH", &here)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("SCHEMATHESIS_HOOKS", "hooks")
        .env("WGFLEET_IDS", json!(fleet.ids).to_string())
        .env("WGFLEET_OWN_TOKEN", own_token(&fleet.controller))
        .current_dir(scratch)
        .stdin(Stdio::null());
    if !is_long {
        command.args(["--seed", SEED]);
    }
    command.output().expect("schemathesis runs")
}

fn own_token(controller: &Controller) -> String {
    let token = controller.rest().read("/whoami");
    token["id"].as_str().expect("an id").to_owned()
}

#[test]
fn answers_are_as_the_document_says() {
    let fleet = Fleet::start();
    let scratch = tempfile::tempdir().expect("a folder");
    let output = run(&fleet, scratch.path());
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{errors}");
    let log = fleet.controller.log();
    assert!(!log.contains("panicked"), "{log}");
    let entries = fleet.controller.rest().read("/audit?limit=1000");
    let entries = entries["items"].as_array().expect("entries").iter();
    let done: BTreeSet<_> = entries.filter_map(|it| it["action"].as_str()).collect();
    for action in REACHED {
        assert!(
            done.contains(action),
            "{action} never came to pass: {done:?}"
        );
    }
}
