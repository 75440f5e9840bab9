//! `make demo`, as somebody tries it who has just got here. On real interfaces: `lab_demo`.

use std::{fs, os::unix::fs::MetadataExt, time::Duration};

use serde_json::Value;
use wgfleet_integration::{
    demo::{Demo, shell},
    eventually,
};

const SOON: Duration = Duration::from_secs(20);

#[test]
fn everything_it_suggests_works_and_nothing_is_left() {
    let mut demo = Demo::start(&[("DEMO_BACKEND", "simulated")]);
    assert!(demo.said().contains("Simulated: three agents"));

    let token_file = demo.home().join("controller/admin-token");
    let token = fs::read_to_string(&token_file).expect("a token");
    let mode = fs::metadata(&token_file).expect("a file").mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(
        demo.said().matches(token.trim()).count(),
        1,
        "the token is shown once:\n{}",
        demo.said()
    );

    let [curl, wgfleet] = demo.suggested();
    let answers = shell(&curl);
    let answers: Vec<Value> = answers
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    assert_eq!(answers.len(), 5, "{answers:?}");
    for answer in &answers {
        assert_eq!(answer["code"], Value::Null, "a call was refused: {answer}");
    }
    let nodes = answers[1]["items"].as_array().expect("a list");
    assert_eq!(nodes.len(), 3);
    for node in nodes {
        assert_eq!(node["status"], "online", "{node}");
    }
    assert_eq!(answers[4]["total"], 1, "the peer just added: {answers:?}");
    let shown = shell(&wgfleet);
    for name in ["node-1", "node-3", "my-laptop"] {
        assert!(shown.contains(name), "{name}: {shown}");
    }

    eventually(
        SOON,
        "peers that were there, peers made and the one just added",
        || (demo.api("GET /overview")["peers"]["total"] == 3 * 12 + 8 + 1).then_some(()),
    );
    // The last ones made: handshakes and traffic come as with real clients.
    let made = || demo.api("GET '/peers?q=my-laptop'")["items"][0].clone();
    let online = eventually(SOON, "the new peer shakes hands", || {
        let peer = made();
        (peer["online"] == true).then_some(peer)
    });
    eventually(SOON, "its traffic moves", || {
        let (then, now) = (&online["rx_bytes_total"], &made()["rx_bytes_total"]);
        (now.as_u64() > then.as_u64()).then_some(())
    });

    let (status, left) = demo.interrupt();
    assert!(status.success(), "{status}");
    assert_eq!(left, [""; 0]);
}

#[test]
fn a_program_that_ends_ends_it_with_the_reason() {
    let mut demo = Demo::start(&[("DEMO_BACKEND", "simulated")]);
    demo.kill_user_of("agent-2.sock");
    let status = demo.ended();
    assert_eq!(status.code(), Some(1));
    assert!(
        demo.said().contains("demo: a program ended"),
        "{}",
        demo.said()
    );
}
