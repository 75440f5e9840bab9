//! How commands fail: with one sentence, and an exit code.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    thread,
};

use wgfleet_integration::{
    controller,
    tls::{Authority, CertificateFiles},
    wg::numbered_key,
};

use super::fleet::{Fleet, Shell, url};

#[test]
fn refusals_end_with_their_code() {
    let fleet = Fleet::new();
    let shell = &fleet.shell;
    let key = numbered_key(1);
    let peer = ["peer", "add", "a", "--node", "node-1", "--public-key", &key];
    shell.run(&peer).good();
    for (arguments, told) in [
        (&peer[..], "(public_key_taken)"),
        (&["node", "remove", "node-1", "--yes"], "(node_has_peers)"),
        (
            &["node", "show", "00000000-0000-7000-8000-000000000000"],
            "(node_not_found)",
        ),
        (
            &[
                "peer",
                "add",
                "b",
                "--node",
                "node-1",
                "--allowed-ip",
                "10.8.1.2/32",
            ],
            "(address_taken)",
        ),
        (
            &["peer", "add", "b", "--node", "node-1", "--mtu", "1"],
            "(invalid_field)",
        ),
        (&["peer", "show", "nobody"], "there is no peer named nobody"),
        (
            &["node", "show", "nowhere"],
            "there is no node named nowhere",
        ),
        (
            &["token", "revoke", "nobody", "--yes"],
            "there is no token named nobody",
        ),
        (&["token", "revoke", "admin", "--yes"], "(last_admin_token)"),
        (&["events", "--after", "999999999"], "(event_too_old)"),
    ] {
        let run = shell.run(arguments);
        let complaint = run.bad(1);
        assert!(complaint.contains(told), "{arguments:?}: {complaint}");
        assert_eq!(complaint.lines().count(), 1, "{complaint}");
        assert!(complaint.starts_with("wgfleet: "), "{complaint}");
    }
    // Two of a name: say which.
    shell.run(&["peer", "add", "a", "--node", "node-2"]).good();
    let run = shell.run(&["peer", "remove", "a", "--yes"]);
    assert!(
        run.bad(1)
            .contains("2 peers are named a: say which by its id, "),
        "{run:?}"
    );
    shell.run(&["peer", "remove", &key, "--yes"]).good();
    shell.run(&["peer", "show", "a"]).good();
}

#[test]
fn what_can_not_be_undone_needs_a_word() {
    let fleet = Fleet::new();
    let shell = &fleet.shell;
    shell.run(&["peer", "add", "a", "--node", "node-1"]).good();
    for arguments in [
        &["peer", "remove", "a"][..],
        &["node", "remove", "node-2"],
        &["token", "revoke", "admin"],
    ] {
        let run = shell.run_with(arguments, "y\n");
        assert!(run.bad(64).contains("--yes"), "{arguments:?}");
    }
    shell.run(&["peer", "show", "a"]).good();
}

#[test]
fn a_token_that_is_too_weak_or_none() {
    let fleet = Fleet::new();
    let viewer = fleet.colleague("viewer");
    viewer.run(&["peer", "list"]).good();
    let run = viewer.run(&["peer", "add", "a", "--node", "node-1"]);
    assert!(run.bad(77).contains("(forbidden)"), "{run:?}");
    let operator = fleet.colleague("operator");
    operator
        .run(&["peer", "add", "a", "--node", "node-1"])
        .good();
    for arguments in [&["token", "list"][..], &["audit"], &["backup", "copy"]] {
        let run = operator.run(arguments);
        assert!(run.bad(77).contains("(forbidden)"), "{run:?}");
    }
    assert!(!operator.path("copy").exists());
    let wrong = fleet.stranger().variable("WGFLEET_TOKEN", "wgf_wrong");
    let run = wrong.run(&["status"]);
    assert!(run.bad(77).contains("(unauthenticated)"), "{run:?}");
    assert!(!run.stderr.contains("wgf_wrong"), "{run:?}");
    let run = fleet.stranger().run(&["status"]);
    assert!(
        run.bad(77).contains("there is no token for http://"),
        "{run:?}"
    );
    let run = Shell::new().run(&["status"]);
    assert!(run.bad(64).contains("which controller?"), "{run:?}");
}

#[test]
fn a_controller_that_is_not_there_or_something_else() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address");
    drop(taken);
    let shell = |url: &str| {
        Shell::new()
            .variable("WGFLEET_TOKEN", "wgf_x")
            .variable("WGFLEET_URL", url)
    };
    let down = shell(&format!("http://{address}"));
    for arguments in [
        &["status"][..],
        &["peer", "add", "a"],
        &["events"],
        &["backup", "copy"],
    ] {
        let run = down.run(arguments);
        let told =
            format!("wgfleet: the controller can't be reached: connection refused at {address}\n");
        assert_eq!(run.bad(69), told);
    }
    let run = shell("unix:///nowhere/controller.sock").run(&["status"]);
    assert!(run.bad(69).contains("there is no socket"), "{run:?}");

    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
        "HTTP/1.1 302 Found\r\nlocation: https://example.com/\r\ncontent-length: 0\r\n\r\n",
        "SSH-2.0-OpenSSH_9.9\r\n",
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a caller");
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(answer.as_bytes());
        });
        let run = shell(&format!("http://{address}")).run(&["status"]);
        assert!(
            run.bad(69).contains("is no wgfleet controller"),
            "{answer:?}: {run:?}"
        );
        server.join().expect("it answered");
    }
}

#[test]
fn a_certificate_nobody_vouches_for() {
    let (authority, other) = (Authority::new(), Authority::new());
    let directory = tempfile::tempdir().expect("a directory");
    let files = CertificateFiles::new(directory.path(), &authority.issue());
    let controller = controller::Config::new()
        .arguments(&files.arguments())
        .start();
    let address = url(controller.address()).replace("http://", "https://");
    let token = controller.data_dir().join("admin-token");
    let token = token.to_str().expect("UTF-8");
    let shell = Shell::new();
    shell.file("good.pem", &authority.pem());
    shell.file("bad.pem", &other.pem());
    shell.file("none.pem", "no certificate");
    let login = |ca: &str| shell.run(&["login", &address, "--token-file", token, "--ca-file", ca]);
    let run = login("bad.pem");
    assert!(run.bad(69).contains("no TLS connection"), "{run:?}");
    assert!(run.stderr.contains("--ca-file"), "{run:?}");
    assert!(login("none.pem").bad(64).contains("PEM"));
    // Nothing was kept of what did not work.
    shell.run(&["status"]).bad(64);
    login("good.pem").good();
    // The authority is kept with the token.
    fs::remove_file(shell.path("good.pem")).expect("removed");
    shell.run(&["status"]).good();
    // Plain HTTP to a TLS port.
    let run = shell.run(&[
        "status",
        "--url",
        &address.replace("https", "http"),
        "--token-file",
        token,
    ]);
    run.bad(69);
}

#[test]
fn credentials_others_can_read_are_refused() {
    let fleet = Fleet::new();
    let shell = fleet.stranger();
    let token = fleet.controller.data_dir().join("admin-token");
    shell
        .run(&["login", "--token-file", token.to_str().expect("UTF-8")])
        .good();
    let path = shell.path(".config/wgfleet/credentials.toml");
    let mode = |path: &std::path::Path| {
        fs::metadata(path)
            .expect("it is there")
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!(
        (mode(&path), mode(path.parent().expect("a directory"))),
        (0o600, 0o700)
    );
    shell.run(&["status"]).good();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("set");
    let run = shell.run(&["status"]);
    assert!(run.bad(77).contains("chmod 600"), "{run:?}");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("set");
    fs::write(&path, "last = 7\nnot toml wgf_secret").expect("written");
    let run = shell.run(&["status"]);
    assert!(
        run.bad(64).contains("log in again") && !run.stderr.contains("wgf_secret"),
        "{run:?}"
    );
}
