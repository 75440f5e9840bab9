//! What the top level may hold.

use std::{collections::BTreeSet, process::Command};

use super::{assert_none, root};

const ROOMS: [&str; 8] = [
    "agent",
    "benches",
    "controller",
    "docs",
    "integration",
    "packaging",
    "proto",
    "wire-contract",
];
const FILES: [&str; 7] = [
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "Makefile",
    "NOTICE",
    "README.md",
];
const TOOLS: [&str; 7] = [
    ".cargo",
    ".ci",
    ".config",
    ".gitignore",
    "clippy.toml",
    "deny.toml",
    "rustfmt.toml",
];

fn violations(tracked: &str) -> Vec<String> {
    let top: BTreeSet<_> = tracked
        .lines()
        .filter_map(|path| path.split('/').next())
        .collect();
    top.into_iter()
        .filter(|name| {
            ![&ROOMS[..], &FILES, &TOOLS]
                .iter()
                .any(|list| list.contains(name))
        })
        .map(|name| format!("{name}: has no place at the top level"))
        .collect()
}

#[test]
fn nothing_stands_at_the_top_that_has_no_place_there() {
    // Whoever owns the checkout: asking what is in it is harmless.
    let output = Command::new("git")
        .args(["-c", "safe.directory=*", "ls-files"])
        .current_dir(root())
        .output()
        .expect("git is installed");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let tracked = String::from_utf8(output.stdout).expect("our names are UTF-8");
    assert!(
        tracked.lines().any(|path| path == "Cargo.toml"),
        "git lists our files: {tracked}"
    );
    assert_none(&violations(&tracked));
}

#[test]
fn a_stranger_at_the_top_is_found() {
    assert_eq!(
        violations("Cargo.toml\nagent/src/lib.rs\n.ci/run\n"),
        [""; 0]
    );
    assert_eq!(
        violations("agent/x\nscripts/x\nscripts/y\nTODO.md").len(),
        2
    );
}
