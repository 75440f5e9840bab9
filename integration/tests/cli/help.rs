//! What the program says of itself.

use std::fmt::Write as _;

use super::fleet::Shell;

/// The commands in a help text.
fn commands(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let lines = lines.take_while(|line| line.starts_with("  "));
    let names = lines.filter_map(|line| line.split_whitespace().next());
    names.map(ToOwned::to_owned).collect()
}

fn each(shell: &Shell, path: &[String], all: &mut String, count: &mut usize) {
    let mut arguments: Vec<&str> = path.iter().map(String::as_str).collect();
    arguments.push("--help");
    let run = shell.run(&arguments);
    let help = run.good();
    *count += 1;
    writeln!(all, "$ wgfleet {}\n{help}", arguments.join(" ")).expect("a string takes everything");
    for command in commands(help) {
        each(shell, &[path, &[command]].concat(), all, count);
    }
}

#[test]
fn every_command_says_how_it_is_used() {
    let (mut all, mut count) = (String::new(), 0);
    each(&Shell::new(), &[], &mut all, &mut count);
    assert!(count > 35, "{count}");
    insta::assert_snapshot!("help", all);
}

#[test]
fn what_can_not_be_meant_is_usage() {
    let shell = Shell::new();
    for arguments in [
        &[][..],
        &["frobnicate"],
        &["node", "list", "--output", "xml"],
        &["node", "add", "x"],
        &["node", "test"],
        &["peer", "add", "x", "--quota", "much"],
        &["peer", "add", "x", "--expires", "tomorrow"],
        &["peer", "add", "x", "--label", "owner"],
        &["peer", "remove"],
        &["status", "--url", "ftp://example.com"],
        &["status", "--url", "https://user:password@example.com"],
    ] {
        let run = shell.run(arguments);
        let complaint = run.bad(64);
        assert!(!complaint.contains("password@"), "{complaint}");
    }
    assert!(shell.run(&["--version"]).good().starts_with("wgfleet "));
}

#[test]
fn completions_know_the_commands() {
    let shell = Shell::new();
    for name in ["bash", "zsh", "fish"] {
        let run = shell.run(&["completions", name]);
        let script = run.good();
        for word in ["preshared-key-file", "rotate-secret", "import"] {
            assert!(script.contains(word), "{name}: {word}");
        }
    }
    // What a shell thinks of it.
    shell.file("complete.bash", shell.run(&["completions", "bash"]).good());
    let run = shell.line("bash -n complete.bash");
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
}

#[test]
fn each_command_has_a_manual_page() {
    let shell = Shell::new();
    let written = std::process::Command::new(wgfleet_integration::binary::path("wgfleet-man"))
        .arg(shell.path("manual"))
        .status();
    assert!(written.expect("it runs").success());
    for (page, flag) in [
        ("wgfleet.1", "--token-file"),
        ("wgfleet-node-add.1", "--agent-url"),
        ("wgfleet-peer-import.1", "--skip-existing"),
    ] {
        let text = std::fs::read_to_string(shell.path("manual").join(page)).expect(page);
        let text = text.replace("\\-", "-");
        for part in [".TH", flag, "--output"] {
            assert!(text.contains(part), "{page}, {part}: {text}");
        }
    }
}
