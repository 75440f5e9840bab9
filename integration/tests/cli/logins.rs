//! Logging in, and who is asked as whom afterwards.

use std::fs;

use super::fleet::{Fleet, NEVER, Shell, filtered, url};

fn admin(fleet: &Fleet) -> String {
    let token = fs::read_to_string(fleet.controller.data_dir().join("admin-token"));
    token.expect("a token").trim().to_owned()
}

#[test]
fn a_login_is_kept_until_logout() {
    let fleet = Fleet::without_nodes(NEVER);
    let shell = Shell::new();
    let address = url(fleet.controller.address());
    let run = shell.run_with(&["login", &address], &format!("{}\n", admin(&fleet)));
    filtered(|| insta::assert_snapshot!("login", run.shown()));
    shell.run(&["status"]).good();
    // The address of the API is as good.
    shell
        .run(&["status", "--url", &format!("{address}/api/v1/")])
        .good();
    shell.run(&["logout"]).good();
    shell.run(&["status"]).bad(64);
    shell.run(&["logout"]).bad(64);
}

#[test]
fn a_token_that_does_not_work_is_not_kept() {
    let fleet = Fleet::without_nodes(NEVER);
    let shell = fleet.stranger();
    let run = shell.run_with(&["login"], "wgf_wrong\n");
    assert!(run.bad(77).contains("(unauthenticated)"), "{run:?}");
    shell.run_with(&["login"], "\n").bad(65);
    assert!(!shell.path(".config").exists());
}

#[test]
fn a_token_goes_to_its_own_controller_alone() {
    let (fleet, other) = (Fleet::without_nodes(NEVER), Fleet::without_nodes(NEVER));
    let shell = Shell::new();
    let (first, second) = (
        url(fleet.controller.address()),
        url(other.controller.address()),
    );
    shell.run_with(&["login", &first], &admin(&fleet)).good();
    let run = shell.run(&["status", "--url", &second]);
    assert!(run.bad(77).contains("there is no token for"), "{run:?}");
    shell.run_with(&["login", &second], &admin(&other)).good();
    // The last one is meant, and the other one can be.
    let status = shell.run(&["status"]);
    assert!(status.good().contains(&second), "{status:?}");
    let status = shell.run(&["status", "--url", &first]);
    assert!(status.good().contains(&first), "{status:?}");
}

#[test]
fn variables_and_files_go_first() {
    let fleet = Fleet::without_nodes(NEVER);
    let shell = fleet.stranger();
    shell.run_with(&["login"], &admin(&fleet)).good();
    let made = shell.json(&["token", "create", "anna", "--role", "viewer"]);
    let token = made["token"].as_str().expect("a token");
    shell.file("anna", token);
    shell
        .run(&["token", "list", "--token-file", "anna"])
        .bad(77);
    shell
        .run_with(&["token", "list", "--token-file", "-"], token)
        .bad(77);
    shell.run(&["token", "list"]).good();
    let shell = shell.variable("WGFLEET_TOKEN", token);
    shell.run(&["token", "list"]).bad(77);
    shell.run(&["status"]).good();

    // Another home, and no clear text on the way without a word.
    let shell = Shell::new();
    let elsewhere = shell.path("elsewhere");
    let shell = shell.variable("XDG_CONFIG_HOME", elsewhere.to_str().expect("UTF-8"));
    let address = url(fleet.controller.address());
    let run = shell.run_with(&["login", &address], &admin(&fleet));
    assert!(
        !run.stderr.contains("unencrypted") && elsewhere.join("wgfleet/credentials.toml").exists()
    );
    let run = shell.run_with(&["login", "http://192.0.2.1:1", "--token-file", "none"], "");
    run.bad(74);
}

#[test]
fn a_token_in_a_file_is_nowhere_else() {
    let fleet = Fleet::without_nodes(NEVER);
    let shell = &fleet.shell;
    let run = shell.run(&[
        "token", "create", "anna", "--role", "operator", "--file", "anna", "--output", "json",
    ]);
    assert!(!run.good().contains("wgf_"), "{run:?}");
    let token = fs::read_to_string(shell.path("anna")).expect("a token");
    assert!(token.starts_with("wgf_"));
    let colleague = fleet.stranger().variable("WGFLEET_TOKEN", token.trim());
    colleague.run(&["node", "list"]).good();
    // One that is there is not written over.
    let run = shell.run(&[
        "token", "create", "bert", "--role", "operator", "--file", "anna",
    ]);
    run.bad(74);
    assert_eq!(
        fs::read_to_string(shell.path("anna")).expect("a token"),
        token
    );
}
