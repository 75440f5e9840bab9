//! Those who ask too much.

use std::{
    net::Ipv4Addr,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use rusqlite::Connection;
use serde_json::json;
use wgfleet_integration::{
    StopOnDrop,
    client::Client,
    controller::{self, Controller},
};

use crate::common::{assert_refused, retry_after, status_from, tcp, token};

const GUESSES: usize = 400;

fn guess(controller: &Controller) -> wgfleet_integration::client::WireRequest {
    controller
        .rest_with("wgf_a-guess")
        .wire("GET", "/nodes", None)
}

#[test]
fn a_token_that_asks_too_often_is_told_to_wait() {
    let controller = controller::Config::new()
        .arguments(&["--token-rate", "1", "--token-burst", "5"])
        .start();
    let (_, hasty) = token(&controller, &json!({"name": "hasty", "role": "viewer"}));
    let (_, calm) = token(&controller, &json!({"name": "calm", "role": "viewer"}));
    let answers: Vec<_> = (0..30).map(|_| hasty.get("/nodes")).collect();
    assert!(answers.iter().take(5).all(|answer| answer.status == 200));
    let limited: Vec<_> = answers.iter().filter(|it| it.status != 200).collect();
    assert!(!limited.is_empty(), "30 requests passed a limit of 5");
    for answer in limited {
        assert_refused(answer, 429, "rate_limited");
        assert!(retry_after(answer) <= 5);
    }
    assert_eq!(calm.get("/nodes").status, 200);
}

#[test]
fn a_limit_can_be_lifted() {
    let controller = controller::Config::new()
        .arguments(&["--token-rate", "0"])
        .start();
    let rest = controller.rest();
    let client = Client::new(controller.address().clone(), "").keep_alive();
    let mut wire = rest.wire("GET", "/whoami", None);
    wire.replace("Connection", "keep-alive");
    for _ in 0..500 {
        assert_eq!(client.send_wire(&wire).expect("an answer").status, 200);
    }
}

#[test]
fn guesses_from_one_address_slow_nobody_and_do_not_fill_the_log() {
    let controller = controller::Config::new().start();
    let rest = controller.rest();
    let log_before = controller.log().lines().count();
    let stop = AtomicBool::new(false);
    let mut statuses = Vec::new();
    let served = thread::scope(|scope| {
        let good = scope.spawn(|| {
            let mut served = 0;
            while !stop.load(Ordering::Relaxed) || served == 0 {
                let answer = rest.get("/nodes");
                // It has a rate of its own, and stays below it.
                assert_eq!(answer.status, 200, "{answer:?}");
                served += 1;
                wgfleet_integration::poll(std::time::Duration::from_millis(20), || None::<()>);
            }
            served
        });
        let stop_however_it_ends = StopOnDrop(&stop);
        let client = Client::new(controller.address().clone(), "").keep_alive();
        let mut wire = guess(&controller);
        wire.replace("Connection", "keep-alive");
        for _ in 0..GUESSES {
            let answer = client.send_wire(&wire).expect("an answer");
            match answer.status {
                401 => {}
                429 => assert!(retry_after(&answer) <= 2),
                other => panic!("{other}"),
            }
            statuses.push(answer.status);
        }
        drop(stop_however_it_ends);
        good.join().expect("the good one is served")
    });
    assert!(served > 0);
    assert_eq!(statuses[0], 401);
    assert!(statuses.contains(&429), "{GUESSES} guesses and no limit");
    let (here, there) = (Ipv4Addr::LOCALHOST, Ipv4Addr::new(127, 0, 0, 2));
    let to = tcp(&controller);
    assert_eq!(status_from(there, to, &guess(&controller)), 401);
    let good = rest.wire("GET", "/nodes", None);
    for source in [here, there] {
        assert_eq!(status_from(source, to, &good), 200);
    }
    let said = controller.log().lines().count() - log_before;
    assert!(said < GUESSES / 4, "{said} lines for {GUESSES} guesses");
    assert!(!controller.log().contains("a-guess"));
}

#[test]
fn changes_that_find_no_room_are_sent_away_at_once() {
    let controller = controller::Config::new()
        .arguments(&["--store-queue", "1"])
        .start();
    let other = Connection::open(controller.data_dir().join("controller.db")).expect("the store");
    other.execute_batch("BEGIN IMMEDIATE").expect("locked");
    let answers = thread::scope(|scope| {
        let callers: Vec<_> = (0..12)
            .map(|number| {
                let rest = controller.rest();
                let body = json!({"name": format!("token {number}"), "role": "viewer"});
                scope.spawn(move || rest.post("/tokens", &body))
            })
            .collect();
        let answers = callers.into_iter().map(|it| it.join().expect("an answer"));
        answers.collect::<Vec<_>>()
    });
    let overloaded = answers
        .iter()
        .filter(|it| it.json()["code"] == "overloaded");
    let overloaded: Vec<_> = overloaded.collect();
    assert!(!overloaded.is_empty(), "{answers:?}");
    for answer in &answers {
        assert_eq!(answer.status, 503, "{answer:?}");
        retry_after(answer);
    }
    other.execute_batch("ROLLBACK").expect("let go");
    let made = controller
        .rest()
        .create("/tokens", &json!({"name": "after", "role": "viewer"}));
    assert_eq!(made["name"], "after");
    assert_eq!(controller.rest().read("/tokens")["total"], 2);
}
