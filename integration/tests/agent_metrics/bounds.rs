//! What the listener of metrics does not do.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    time::Duration,
};

use wgfleet_integration::{
    agent::Config,
    client::{Address, Request},
    eventually,
};

use crate::common::{PATH, Watched};

/// As many as it takes at a time.
const CAP: usize = 16;
/// Five seconds, and some for a machine that is busy.
const CLOSED_WITHIN: Duration = Duration::from_secs(13);

#[test]
fn there_is_none_unless_it_is_asked_for() {
    let agent = Config::simulated("wg0", 0).start();
    assert!(!agent.log().contains("metrics"), "{}", agent.log());
    assert_eq!(agent.client().get(PATH).status, 404);
}

#[test]
fn only_get_of_one_path() {
    let watched = Watched::start(0, &[]);
    let page = watched.watcher.get(PATH);
    assert_eq!(
        page.header("content-type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    assert_eq!(watched.watcher.get("/metrics?x=1").status, 200);
    for target in [
        "/",
        "/health",
        "/wg/wg0/dump",
        "/metrics/",
        "//metrics",
        "/v1/metrics",
    ] {
        assert_eq!(watched.watcher.get(target).status, 404, "{target}");
    }
    for method in ["POST", "PUT", "DELETE", "HEAD", "OPTIONS", "BREW"] {
        let answer = watched
            .watcher
            .send(&Request::new(method, PATH))
            .expect("an answer");
        assert_eq!(
            (answer.status, answer.header("allow")),
            (405, Some("GET")),
            "{method}"
        );
    }
}

#[test]
fn slow_watchers_are_few_and_soon_gone() {
    let watched = Watched::start(0, &[]);
    let connection = watched.watcher.connect();
    drop(connection);
    let address = {
        let log = watched.agent.log();
        let (_, rest) = log.split_once("metrics on http://").expect("it says where");
        rest.split_once(PATH).expect("the path").0.to_owned()
    };
    let mut slow: Vec<_> = (0..3 * CAP)
        .map(|_| {
            let mut stream = TcpStream::connect(&address).expect("a connection");
            // Refused ones may be closed already.
            let _ = stream.write_all(b"GET /met");
            stream.set_nonblocking(true).expect("a socket");
            stream
        })
        .collect();
    let is_open = |stream: &mut TcpStream| matches!(stream.read(&mut [0; 64]), Err(error) if error.kind() == ErrorKind::WouldBlock);
    eventually(CLOSED_WITHIN, "no more than the cap", || {
        slow.retain_mut(is_open);
        (slow.len() <= CAP).then_some(())
    });
    assert_eq!(
        watched.agent.client().get("/health").status,
        200,
        "the contract is served"
    );
    eventually(CLOSED_WITHIN, "all of them are closed", || {
        slow.retain_mut(is_open);
        slow.is_empty().then_some(())
    });
    watched.page();
}

#[test]
fn settings_that_will_not_do_are_refused() {
    let refused = |arguments: &[&str], words: &[&str]| {
        let (status, log) = Config::simulated("wg0", 0)
            .arguments(arguments)
            .start_in_vain();
        for word in words {
            assert!(log.contains(word), "no {word:?} in {log}");
        }
        status.code()
    };
    let flag = "--metrics-listen";
    for place in ["nowhere", "127.0.0.1", "unix:/tmp/socket"] {
        assert_eq!(refused(&[flag, place], &[flag, place]), Some(64));
    }
    let alone = ["--metrics-per-peer"];
    assert_eq!(
        refused(&alone, &["--metrics-per-peer: only with --metrics-listen"]),
        Some(64)
    );
    let watched = Watched::start(0, &[]);
    let Address::Tcp(taken) = watched.agent.address() else {
        panic!("it listens on TCP")
    };
    let taken = taken.to_string();
    assert_eq!(
        refused(&[flag, &taken], &[flag, &taken, "cannot show metrics"]),
        Some(1)
    );
}
