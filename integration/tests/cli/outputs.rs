//! What answers look like: for people, and for programs.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
};

use serde_json::Value;
use wgfleet_integration::eventually;

use super::fleet::{Fleet, Run, Shell, filtered};

const SOON: std::time::Duration = std::time::Duration::from_secs(20);

#[track_caller]
fn snapshot(name: &str, run: &Run) {
    filtered(|| insta::assert_snapshot!(name, run.shown()));
}

/// Two peers with everything a peer can have.
fn furnish(shell: &Shell) {
    let plain = shell.run(&[
        "peer",
        "add",
        "laptop",
        "--node",
        "node-1",
        "--label",
        "owner=anna",
    ]);
    plain.good();
    shell
        .run(&[
            "peer",
            "add",
            "phone",
            "--node",
            "node-2",
            "--dns",
            "10.8.2.1",
            "--mtu",
            "1380",
            "--client-allowed-ip",
            "10.0.0.0/8",
            "--keepalive",
            "25",
            "--quota",
            "10G",
            "--quota-period",
            "month",
            "--expires",
            "2999-01-01T00:00:00Z",
            "--disabled",
        ])
        .good();
}

#[test]
fn tables_csv_and_json() {
    let fleet = Fleet::quiet();
    let shell = &fleet.shell;
    furnish(shell);
    for (name, command) in [
        ("nodes", &["node", "list"][..]),
        ("node", &["node", "show", "node-1"]),
        ("peers", &["peer", "list"]),
        ("peer", &["peer", "show", "phone"]),
        ("plan", &["node", "plan", "node-1"]),
        ("tokens", &["token", "list"]),
        ("test", &["node", "test", "node-1"]),
        ("audit", &["audit", "--limit", "2"]),
    ] {
        for format in ["table", "csv"] {
            let run = shell.run(&[command, &["--output", format]].concat());
            snapshot(&format!("{name}_{format}"), &run);
        }
    }
    let status = shell.run(&["status", "--output", "csv"]);
    snapshot("status_csv", &status);

    // What the API answers, and nothing else.
    let rest = fleet.controller.rest();
    let peers = shell.json(&["peer", "list"]);
    assert_eq!(peers, rest.read("/peers")["items"]);
    let peer = &peers[0];
    let path = format!("/peers/{}", peer["id"].as_str().expect("an id"));
    assert_eq!(shell.json(&["peer", "show", "laptop"]), rest.read(&path));
    let tokens = shell.json(&["token", "list"]);
    assert_eq!(tokens, rest.read("/tokens")["items"]);
}

#[test]
fn changes_are_said_in_a_sentence() {
    let fleet = Fleet::quiet();
    let shell = &fleet.shell;
    for (name, command) in [
        (
            "add_peer",
            &[
                "peer",
                "add",
                "laptop",
                "--node",
                "node-1",
                "--discard-private-key",
            ][..],
        ),
        (
            "edit_peer",
            &[
                "peer",
                "edit",
                "laptop",
                "--generate-preshared-key",
                "--label",
                "a=b",
            ],
        ),
        ("move_peer", &["peer", "move", "laptop", "node-2"]),
        ("disable_peer", &["peer", "disable", "laptop"]),
        ("enable_peer", &["peer", "enable", "laptop"]),
        ("remove_peer", &["peer", "remove", "laptop", "--yes"]),
        (
            "edit_node",
            &[
                "node", "edit", "node-1", "--weight", "200", "--clear", "endpoint",
            ],
        ),
        ("remove_node", &["node", "remove", "node-2", "--yes"]),
        (
            "create_token",
            &[
                "token", "create", "anna", "--role", "viewer", "--scope", "a=b",
            ],
        ),
        ("revoke_token", &["token", "revoke", "anna", "--yes"]),
    ] {
        let run = shell.run(command);
        run.good();
        snapshot(name, &run);
    }
    let node = shell.json(&["node", "show", "node-1"]);
    assert_eq!(
        (&node["weight"], &node["endpoint"]),
        (&200.into(), &Value::Null)
    );
}

#[test]
fn edits_touch_what_is_given_and_nothing_else() {
    let fleet = Fleet::quiet();
    let shell = &fleet.shell;
    furnish(shell);
    let before = shell.json(&["peer", "show", "phone"]);
    let edit = [
        "peer", "edit", "phone", "--label", "site=b", "--clear", "mtu", "--name", "phone-2",
    ];
    let mut expected = before;
    for (field, value) in [
        ("labels", serde_json::json!({"site": "b"})),
        ("mtu", Value::Null),
        ("name", "phone-2".into()),
    ] {
        expected[field] = value;
    }
    shell.run(&edit).good();
    let mut after = shell.json(&["peer", "show", "phone-2"]);
    assert_ne!(after["etag"], expected["etag"]);
    for field in ["etag", "updated_at", "sync"] {
        expected[field] = Value::Null;
        after[field] = Value::Null;
    }
    assert_eq!(after, expected);
    let run = shell.run(&["peer", "edit", "phone-2"]);
    assert!(run.bad(64).contains("say what is to be changed"));
}

#[test]
fn lists_page_by_themselves() {
    let fleet = Fleet::new();
    let shell = &fleet.shell;
    let peers: Vec<_> = (0..1_050)
        .map(|n| {
            let key = wgfleet_integration::wg::numbered_key(n);
            format!("peer-{n:04},{key},10.9.{}.{}/32", n / 250, n % 250 + 1)
        })
        .collect();
    let text = format!("name,public_key,allowed_ips\n{}\n", peers.join("\n"));
    shell.file("peers.csv", &text);
    let run = shell.run(&["peer", "import", "peers.csv", "--node", "node-1"]);
    assert_eq!(run.good(), "added 1050 of 1050 peers\n");
    let count = |arguments: &[&str]| {
        let list = shell.json(&[&["peer", "list"], arguments].concat());
        list.as_array().expect("a list").len()
    };
    assert_eq!(count(&[]), 1_050);
    assert_eq!(count(&["--limit", "1020"]), 1_020);
    assert_eq!(count(&["--limit", "3", "--node", "node-2"]), 0);
    assert_eq!(count(&["--search", "peer-00", "--sort", "-name"]), 100);
    let run = shell.run(&["peer", "list"]);
    assert_eq!(run.good().lines().count(), 1_051);
}

#[test]
fn a_plan_that_waits_is_confirmed_with_its_hash() {
    let fleet = Fleet::new();
    let shell = &fleet.shell;
    let key = wgfleet_integration::wg::numbered_key(1);
    let theirs = serde_json::json!({"public_key": key, "allowed_ips": ["10.8.1.4/32"]});
    assert_eq!(
        fleet.agents[0].client().post_peer("wg0", &theirs).status,
        200
    );
    let run = shell.run(&["node", "plan", "node-1"]);
    assert!(run.good().starts_with("node-1 is as declared\n"), "{run:?}");
    assert!(
        run.stdout
            .contains(&format!("undeclared  {key}  10.8.1.4/32\n")),
        "{run:?}"
    );
    shell
        .run(&["node", "edit", "node-1", "--unmanaged-peers", "remove"])
        .good();
    let run = shell.run(&["node", "plan", "node-1"]);
    assert!(
        run.good().starts_with("node-1 is not as declared;"),
        "{run:?}"
    );
    let confirm = run.stdout.lines().last().expect("what to do");
    let run = shell.run(&["node", "sync", "node-1", "--confirm", "0000"]);
    assert!(run.bad(1).contains("(plan_changed)"), "{run:?}");
    let run = shell.line(confirm);
    assert_eq!(run.good(), "node-1 is as declared\n", "{confirm}");
    let dump = fleet.agents[0].client().dump("wg0");
    assert_eq!(dump["peers"], serde_json::json!([]));
}

#[test]
fn nothing_but_text_leaves_where_there_is_no_terminal() {
    let fleet = Fleet::new();
    let shell = &fleet.shell;
    shell
        .run(&["peer", "add", "laptop", "--node", "node-1"])
        .good();
    for line in [
        "wgfleet --help",
        "wgfleet status",
        "wgfleet peer list",
        "wgfleet peer qr laptop",
        "wgfleet backup copy",
        "wgfleet peer export | wgfleet peer import - --format csv --skip-existing",
        "wgfleet frobnicate",
    ] {
        let run = shell.line(line);
        assert!(!run.stdout.contains('\u{1b}'), "{line}: {run:?}");
        assert!(!run.stderr.contains('\u{1b}'), "{line}: {run:?}");
    }
    // Whoever has read enough is no failure.
    let run = shell.line("wgfleet peer list --output json | head -1; wgfleet status | true");
    assert_eq!(run.stderr, "");
}

/// Names, reasons and refusals come from elsewhere.
#[test]
fn what_a_terminal_would_obey_is_not_passed_on() {
    let hostile = r#"\u001b[31mred\u001b]0;title\u0007\r\n"#;
    let node = format!(r#"{{"name":"{hostile}","status":"offline","status_reason":"{hostile}"}}"#);
    let refusal = format!(r#"{{"code":"{hostile}","detail":"{hostile}"}}"#);
    let list = format!(r#"{{"items":[{node}],"next_cursor":null,"total":1}}"#);
    for (status, body, format) in [
        ("200 OK", &list, "table"),
        ("200 OK", &list, "csv"),
        ("200 OK", &list, "json"),
        ("409 Conflict", &refusal, "table"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let answer = format!(
            "HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a caller");
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(answer.as_bytes());
        });
        let shell = Shell::new()
            .variable("WGFLEET_URL", &format!("http://{address}"))
            .variable("WGFLEET_TOKEN", "wgf_x");
        let run = shell.run(&["node", "list", "--output", format]);
        server.join().expect("it answered");
        let all = [run.stdout.as_str(), &run.stderr].concat();
        assert!(all.contains("red"), "{run:?}");
        assert!(!all.contains(['\u{1b}', '\u{7}', '\r']), "{run:?}");
    }
}

/// Read back from the characters.
#[test]
fn a_qr_code_in_the_terminal_scans() {
    let fleet = Fleet::new();
    let shell = &fleet.shell;
    shell
        .run(&["peer", "add", "laptop", "--node", "node-1"])
        .good();
    eventually(SOON, "the node's key", || {
        (shell.run(&["peer", "config", "laptop"]).status == 0).then_some(())
    });
    let config = shell.run(&["peer", "config", "laptop"]);
    let drawn = shell.run(&["peer", "qr", "laptop"]);
    assert_eq!(scanned(drawn.good()), config.good());
    shell
        .run(&["peer", "qr", "laptop", "--file", "laptop.svg"])
        .good();
    let image = std::fs::read_to_string(shell.path("laptop.svg")).expect("an image");
    assert!(image.contains("<svg"), "{image}");
    let run = shell.run(&["peer", "qr", "laptop", "--file", "laptop.gif"]);
    assert!(run.bad(64).contains(".png or .svg"));

    // A key that only the client has can't be drawn.
    let key = wgfleet_integration::wg::numbered_key(7);
    shell
        .run(&[
            "peer",
            "add",
            "own",
            "--node",
            "node-1",
            "--public-key",
            &key,
        ])
        .good();
    let run = shell.run(&["peer", "qr", "own"]);
    assert!(run.bad(1).contains("(config_incomplete)"), "{run:?}");
}

/// Light modules are the blocks.
fn scanned(drawn: &str) -> String {
    const PIXELS: usize = 4;
    let lines: Vec<Vec<char>> = drawn.lines().map(|line| line.chars().collect()).collect();
    let side = lines[0].len();
    let is_light = |x: usize, y: usize| {
        let of_line = lines.get(y / 2).and_then(|line| line.get(x));
        match (of_line, y % 2) {
            (Some('█'), _) | (Some('▀'), 0) | (Some('▄'), 1) => true,
            (Some(' ' | '▀' | '▄'), _) => false,
            // Where the last line has only an upper half.
            (None, _) => true,
            (Some(other), _) => panic!("{other:?} in a drawing"),
        }
    };
    let mut image =
        rqrr::PreparedImage::prepare_from_greyscale(side * PIXELS, side * PIXELS, |x, y| {
            if is_light(x / PIXELS, y / PIXELS) {
                255
            } else {
                0
            }
        });
    let grids = image.detect_grids();
    let [grid] = &grids[..] else {
        panic!("one code, not {}:\n{drawn}", grids.len())
    };
    grid.decode().expect("a whole code").1
}
