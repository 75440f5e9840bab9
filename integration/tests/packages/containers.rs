//! The container files. No container is built here: what they name must be there.

use std::{fs, path::Path, process::Command};

use wgfleet_integration::binary;

const FILES: [(&str, &str); 2] = [
    ("agent.Containerfile", "wgfleet-agent"),
    ("controller.Containerfile", "wgfleet-controller"),
];

fn read(name: &str) -> String {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/containers");
    fs::read_to_string(directory.join(name)).expect("a file")
}

fn flags(text: &str) -> impl Iterator<Item = &str> {
    text.split(['"', ' ', '\n'])
        .filter(|word| word.starts_with("--"))
}

#[test]
fn what_they_run_takes_the_flags_they_give() {
    let compose = read("compose.yaml");
    let (agent, controller) = compose.split_once("\n  controller:").expect("two services");
    for ((file, program), service) in FILES.into_iter().zip([agent, controller]) {
        let help = Command::new(binary::path(program))
            .arg("--help")
            .output()
            .expect("it runs");
        let help = String::from_utf8(help.stdout).expect("text");
        let text = read(file);
        let command = text
            .lines()
            .rfind(|line| line.starts_with("CMD"))
            .expect("a command");
        let of_service = service.split_once("command:").expect("a command").1;
        let given: Vec<_> = flags(command).chain(flags(of_service)).collect();
        assert!(!given.is_empty());
        for flag in given {
            assert!(help.contains(&format!("{flag} ")), "{file}: {flag}");
        }
        assert!(service.contains(&format!("dockerfile: packaging/containers/{file}")));
    }
}

#[test]
fn nobody_in_them_is_root() {
    for (file, _) in FILES {
        let text = read(file);
        let user = text.lines().rfind(|line| line.starts_with("USER"));
        assert_eq!(user, Some("USER 10001:10001"), "{file}");
    }
    let compose = read("compose.yaml");
    assert_eq!(compose.matches("cap_drop: [ALL]").count(), 2);
    assert_eq!(compose.matches("cap_add").count(), 1, "for the agent alone");
}

#[test]
fn they_build_with_the_compiler_the_workspace_wants() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
    let manifest = fs::read_to_string(manifest).expect("a manifest");
    let line = manifest
        .lines()
        .find(|line| line.starts_with("rust-version"));
    let version = line
        .and_then(|line| line.split('"').nth(1))
        .expect("a version");
    for (file, _) in FILES {
        assert!(
            read(file).contains(&format!("FROM rust:{version}-")),
            "{file}"
        );
    }
}
