//! Secrets as systemd hands them over: where it lets a service in by an access control list, the mode
//! shows permissions of the group.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use wgfleet_integration::{binary, process::Process};

const VARIABLE: &str = "CREDENTIALS_DIRECTORY";
const SECRET: &str = "a secret that is long enough for two\n";
const MASTER_KEY: &str = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\n";

fn credential(directory: &Path, name: &str, text: &str) -> PathBuf {
    let path = directory.join(name);
    fs::write(&path, text).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o440)).expect("its owner's");
    path
}

/// Whether it starts where that is the directory of credentials.
fn starts(command: &mut Command, directory: &Path) -> Result<(), String> {
    let mut process = Process::default();
    process.spawn(command.env(VARIABLE, directory));
    let said = process.await_line(|line| {
        let refused = line.contains("chmod 600").then(|| Err(line.to_owned()));
        refused.or_else(|| line.contains("listening on").then_some(Ok(())))
    });
    if said.is_ok() {
        assert!(process.terminate().success());
    }
    said
}

#[test]
fn the_agent_takes_its_secret_as_a_credential() {
    let directory = tempfile::tempdir().expect("a directory");
    let secret = credential(directory.path(), "agent.secret", SECRET);
    let agent = || {
        let mut command = Command::new(binary::path("wgfleet-agent"));
        command.args(["--backend", "simulated", "--listen", "127.0.0.1:0"]);
        command
            .arg("--state-dir")
            .arg(directory.path().join("state"));
        command.arg("--secret-file").arg(&secret);
        command
    };
    assert_eq!(starts(&mut agent(), directory.path()), Ok(()));
    let refused = starts(&mut agent(), Path::new("/run/credentials/another"));
    assert!(refused.expect_err("a file like any other").contains("440"));
}

#[test]
fn the_controller_takes_its_master_key_as_a_credential() {
    let directory = tempfile::tempdir().expect("a directory");
    let key = credential(directory.path(), "master.key", MASTER_KEY);
    let controller = || {
        let mut command = Command::new(binary::path("wgfleet-controller"));
        command.args(["--listen", "127.0.0.1:0"]);
        command.arg("--data-dir").arg(directory.path().join("data"));
        command.arg("--master-key-file").arg(&key);
        command
    };
    assert_eq!(starts(&mut controller(), directory.path()), Ok(()));
    let refused = starts(&mut controller(), Path::new("/run/credentials/another"));
    assert!(refused.expect_err("a file like any other").contains("0440"));
}
