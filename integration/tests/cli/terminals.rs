//! At a terminal: `script` of util-linux makes one.

use std::{fs, io::Write as _, process::Command, time::Duration};

use wgfleet_integration::{
    eventually,
    wg::{numbered_address, numbered_key},
};

use super::fleet::{Fleet, NEVER, Run, Shell, url};

const SOON: Duration = Duration::from_secs(20);

/// A line typed at a terminal, and what is typed when it asks.
fn typed(shell: &Shell, line: &str, question: &str, answer: &str) -> Run {
    let path = shell.path("screen");
    let screen = fs::File::create(&path).expect("a file");
    let mut command = Command::new("script");
    let command = shell.prepare(command.args(["-qec", line, "/dev/null"]));
    let mut child = command
        .env("TERM", "xterm")
        .stdout(screen)
        .spawn()
        .expect("a terminal");
    let shown = || fs::read_to_string(&path).expect("text");
    eventually(SOON, question, || shown().contains(question).then_some(()));
    let mut keyboard = child.stdin.take().expect("piped");
    keyboard.write_all(answer.as_bytes()).expect("typed");
    let status = eventually(SOON, "the end", || child.try_wait().expect("a child"));
    drop(keyboard);
    Run {
        status: status.code().expect("no signal ended it"),
        stdout: shown(),
        stderr: String::new(),
    }
}

#[test]
fn what_can_not_be_undone_is_asked_about() {
    let fleet = Fleet::new();
    let shell = &fleet.shell;
    shell
        .run(&["peer", "add", "laptop", "--node", "node-1"])
        .good();
    for answer in ["n\n", "\n", "what?\n"] {
        let run = typed(shell, "wgfleet peer remove laptop", "[y/N] ", answer);
        assert_eq!(run.status, 1, "{run:?}");
        assert!(run.stdout.contains("Remove laptop? [y/N] "), "{run:?}");
        assert!(run.stdout.contains("nothing was changed"), "{run:?}");
    }
    shell.run(&["peer", "show", "laptop"]).good();
    let run = typed(shell, "wgfleet peer remove laptop", "[y/N] ", "y\n");
    assert!(run.good().contains("removed laptop"), "{run:?}");
    shell.run(&["peer", "show", "laptop"]).bad(1);
}

#[test]
fn a_token_is_asked_for_and_does_not_show() {
    let fleet = Fleet::without_nodes(NEVER);
    let token = fs::read_to_string(fleet.controller.data_dir().join("admin-token"));
    let token = token.expect("a token");
    let shell = Shell::new();
    let line = format!("wgfleet login {}", url(fleet.controller.address()));
    let run = typed(
        &shell,
        &line,
        "token (it does not show): ",
        &format!("{}\n", token.trim()),
    );
    assert!(run.good().contains("token (it does not show): "), "{run:?}");
    assert!(
        run.stdout.contains("logged in to ") && !run.stdout.contains(token.trim()),
        "{run:?}"
    );
    shell.run(&["status"]).good();
}

#[test]
fn drawings_have_colours_of_their_own() {
    let fleet = Fleet::new();
    let shell = &fleet.shell;
    shell
        .run(&["peer", "add", "laptop", "--node", "node-1"])
        .good();
    let run = typed(shell, "wgfleet peer qr laptop", "", "");
    let lines: Vec<_> = run.good().lines().collect();
    assert!(lines.len() > 20, "{run:?}");
    for line in lines {
        assert!(
            line.starts_with("\u{1b}[40;97m") && line.trim_end().ends_with("\u{1b}[0m"),
            "{line:?}"
        );
    }
    // Where answers go elsewhere, they have none.
    let run = typed(
        shell,
        "wgfleet peer qr laptop > drawn; wgfleet peer list | cat",
        "",
        "",
    );
    assert!(!run.good().contains('\u{1b}'), "{run:?}");
    assert!(
        !fs::read_to_string(shell.path("drawn"))
            .expect("a drawing")
            .contains('\u{1b}')
    );
}

#[test]
fn long_work_shows_how_far_it_is() {
    let fleet = Fleet::quiet();
    let shell = &fleet.shell;
    let peers: Vec<_> = (0..600)
        .map(|n| {
            let (key, address) = (numbered_key(n), numbered_address(n));
            format!("peer-{n:04},{key},{address}\n")
        })
        .collect();
    shell.file(
        "peers.csv",
        &format!("name,public_key,allowed_ips\n{}", peers.concat()),
    );
    let line = "wgfleet peer import peers.csv --node node-1";
    let run = typed(shell, line, "", "");
    assert!(run.good().contains(" of 600 peers, "), "{run:?}");
    assert!(run.stdout.contains("added 600 of 600 peers"), "{run:?}");
    // And to nobody else.
    let run = shell.run(&[
        "peer",
        "import",
        "peers.csv",
        "--node",
        "node-1",
        "--skip-existing",
    ]);
    assert_eq!(
        (run.good(), run.stderr.as_str()),
        ("added 0 of 600 peers, 600 were there already\n", "")
    );
}
