//! What is in the packages.

use std::{fs, path::Path, process::Command};

use wgfleet_integration::{binary, packages};

fn output(command: &mut Command) -> String {
    let output = command.output().expect("it is installed");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{command:?}: {}",
        text(&output.stderr)
    );
    text(&output.stdout)
}

fn field(package: &str, name: &str) -> String {
    let package = packages::package(package);
    let field = output(Command::new("dpkg-deb").arg("-f").arg(package).arg(name));
    field.trim().to_owned()
}

#[test]
fn the_control_fields_say_what_it_is() {
    for package in ["wgfleet-agent", "wgfleet-controller"] {
        assert_eq!(field(package, "Package"), package);
        let version = concat!(env!("CARGO_PKG_VERSION"), "-1");
        assert_eq!(field(package, "Version"), version);
        let depends = field(package, "Depends");
        assert!(depends.contains("libc6"), "{depends}");
        assert!(depends.contains("systemd (>= 250)"), "{depends}");
    }
}

#[test]
fn configuration_is_dpkgs_to_keep() {
    for (package, file) in [
        ("wgfleet-agent", "/etc/wgfleet/agent.toml"),
        ("wgfleet-controller", "/etc/wgfleet/controller.toml"),
    ] {
        let package = packages::package(package);
        let mut command = Command::new("dpkg-deb");
        let conffiles = output(command.arg("-I").arg(package).arg("conffiles"));
        assert_eq!(conffiles.trim(), file, "secrets are no such files");
    }
}

#[test]
fn every_setting_in_the_configuration_files_is_a_flag() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (program, file) in [
        ("wgfleet-agent", "packaging/agent/agent.toml"),
        ("wgfleet-controller", "packaging/controller/controller.toml"),
    ] {
        let help = output(Command::new(binary::path(program)).arg("--help"));
        let text = fs::read_to_string(root.join(file)).expect("a file");
        let mut settings = 0;
        for line in text.lines() {
            // A comment is a sentence; a setting that is commented out has no space after the sign.
            let Some((name, _)) = line.trim_start_matches('#').split_once(" = ") else {
                continue;
            };
            if name.contains(' ') {
                continue;
            }
            settings += 1;
            let flag = format!("--{} ", name.replace('_', "-"));
            let bare = format!("--{}[", name.replace('_', "-"));
            assert!(
                help.contains(&flag) || help.contains(&bare),
                "{file}: {name}"
            );
        }
        assert!(settings >= 8, "{file} shows settings: {settings}");
    }
}

#[test]
fn manual_pages_have_every_flag() {
    let directory = tempfile::tempdir().expect("a directory");
    output(Command::new(binary::path("wgfleet-man")).arg(directory.path()));
    for program in ["wgfleet-agent", "wgfleet-controller"] {
        let help = output(Command::new(binary::path(program)).arg("--help"));
        let page = fs::read_to_string(directory.path().join(format!("{program}.8")));
        let page = page.expect("a page").replace("\\-", "-");
        assert!(page.contains(".TH "), "{page}");
        let flags: Vec<_> = help
            .split_whitespace()
            .filter(|word| word.starts_with("--"))
            .map(|word| word.split(['[', '=', ',']).next().expect("one part"))
            .collect();
        assert!(flags.len() > 12, "{flags:?}");
        for flag in flags {
            let flag = flag.trim_end_matches(|c: char| !c.is_alphanumeric());
            assert!(page.contains(flag), "{program}: {flag}");
        }
    }
}
