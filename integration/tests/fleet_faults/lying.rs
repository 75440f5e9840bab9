//! Agents that lie, hang, reset, talk without end, or are none.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use wgfleet_integration::{
    agent::{Agent, Config},
    client::Address,
    eventually, poll,
};

use super::{
    runner::{Controller, PATIENCE, text, url},
    server::{Reply, Server, answer},
};

const DONE: &str = r#"{"success":true}"#;

fn behind(agent: &Agent) -> Option<std::net::SocketAddr> {
    match agent.address() {
        Address::Tcp(address) => Some(*address),
        Address::Unix(_) => None,
    }
}

#[test]
fn hostile_30_a_200_that_did_nothing_is_not_believed() {
    let agent = Config::simulated("wg0", 0).start();
    let lies = Arc::new(AtomicBool::new(true));
    let lying = Arc::clone(&lies);
    let server = Server::start(behind(&agent), move |asked| {
        if asked.writes() && lying.load(Ordering::Relaxed) {
            answer("200 OK", "Content-Type: application/json\r\n", DONE)
        } else {
            Reply::Forward
        }
    });
    let controller = Controller::start();
    let node = controller.add("liar", &server.url(), &json!({}));
    let body = json!({ "name": "unheard", "node_id": node });
    let created = controller.create_peer(&body).expect(201);
    assert_ne!(created["sync"]["state"], "applied", "{created}");
    let peer = format!("/peers/{}", text(&created["id"]));
    let first = server.writes();
    eventually(PATIENCE, "it is tried again", || {
        (server.writes() > first).then_some(())
    });
    let seen = controller.get(&peer);
    assert_ne!(seen["sync"]["state"], "applied", "{seen}");
    assert!(seen["sync"]["reason"].is_string(), "no reason: {seen}");
    let plan = controller.get(&format!("/nodes/{node}/plan"));
    assert_eq!(plan["in_sync"], false, "{plan}");

    lies.store(false, Ordering::Relaxed);
    eventually(PATIENCE, "the peer is applied", || {
        (controller.get(&peer)["sync"]["state"] == "applied").then_some(())
    });
    let dump = agent.client().dump("wg0");
    assert_eq!(dump["peers"][0]["public_key"], created["public_key"]);
}

#[test]
fn hostile_31_whatever_answers_there_others_are_not_slowed() {
    let elsewhere = Arc::new(AtomicUsize::new(0));
    let followed = Arc::clone(&elsewhere);
    let trap = Server::start(None, move |_| {
        followed.fetch_add(1, Ordering::Relaxed);
        answer("200 OK", "", "{}")
    });
    let to_trap = format!("Location: {}/health\r\n", trap.url());
    let cases: Vec<(&str, Reply, &str, &str)> = vec![
        ("hangs", Reply::Hang, "offline", "in time"),
        ("resets", Reply::Reset, "offline", "closed"),
        ("endless", Reply::Endless, "error", "larger than"),
        (
            "redirects",
            answer("302 Found", &to_trap, ""),
            "error",
            "not the agent contract",
        ),
        ("html", html(), "error", "not the agent contract"),
        ("noise", Reply::Bytes(vec![0xff; 512]), "error", "not HTTP"),
    ];
    let good = Config::simulated("wg0", 0).start();
    let controller = Controller::start();
    let fast = controller.add("good", &url(&good), &json!({}));
    let mut bad = Vec::new();
    for (name, reply, status, reason) in cases {
        let server = Server::start(None, move |_| reply.clone());
        let secret = format!("{name:-<48}");
        let more = json!({ "secret": secret, "wg_interface": "wg1" });
        let id = controller.add(name, &server.url(), &more);
        bad.push((server, id, status, reason));
    }
    // While all of them misbehave, and each has a peer to be told of.
    for (_, id, _, _) in &bad {
        let body = json!({ "name": "for the bad", "node_id": id });
        let created = controller.create_peer(&body).expect(201);
        assert_eq!(created["sync"]["state"], "pending", "{created}");
    }
    for turn in 0..10 {
        let started = Instant::now();
        let body = json!({ "name": format!("quick-{turn}"), "node_id": fast });
        let created = controller.create_peer(&body).expect(201);
        let took = started.elapsed();
        assert_eq!(created["sync"]["state"], "applied", "{created}");
        assert!(took < Duration::from_secs(1), "a good node waited {took:?}");
    }
    for (_server, id, status, reason) in &bad {
        let mut last = Value::Null;
        let said = poll(PATIENCE, || {
            last = controller.get(&format!("/nodes/{id}"));
            let said = last["status_reason"].as_str().unwrap_or_default();
            (last["status"] == *status && said.contains(reason)).then_some(())
        });
        assert!(said.is_some(), "not {status} for {reason:?}: {last}");
    }
    assert_eq!(
        elsewhere.load(Ordering::Relaxed),
        0,
        "a redirect was followed"
    );
    assert_eq!(
        controller.get(&format!("/nodes/{fast}"))["status"],
        "online"
    );
}

fn html() -> Reply {
    let page = "<!doctype html><title>It works!</title>";
    answer("200 OK", "Content-Type: text/html\r\n", page)
}

#[test]
fn hostile_35_a_clock_that_is_off_is_named_and_by_how_much() {
    let agent = Config::simulated("wg0", 0).start();
    let skewed = Arc::new(Mutex::new(Some("ahead")));
    let shown = Arc::clone(&skewed);
    let server = Server::start(behind(&agent), move |_| {
        let minutes: i64 = match *shown.lock().expect("no panic") {
            None => return Reply::Forward,
            Some("ahead") => 10,
            Some(_) => -10,
        };
        let date = format!("Date: {}\r\n", http_date(minutes * 60));
        let headers = format!("Content-Type: application/json\r\n{date}");
        let body = r#"{"error":"unauthorized","message":"not authorized"}"#;
        answer("401 Unauthorized", &headers, body)
    });
    let controller = Controller::start();
    let node = controller.add("skewed", &server.url(), &json!({}));
    for side in ["ahead", "behind"] {
        *skewed.lock().expect("no panic") = Some(side);
        let mut last = Value::Null;
        let named = poll(PATIENCE, || {
            last = controller.get(&format!("/nodes/{node}"));
            let reason = last["status_reason"].as_str().unwrap_or_default();
            let by = (595..=605).any(|secs| reason.contains(&format!("{secs} s {side}")));
            (last["status"] == "error" && reason.contains("clock") && by).then_some(())
        });
        assert!(named.is_some(), "{side}: {last}");
    }
    let target = json!({ "agent_url": server.url(), "wg_interface": "wg0",
        "secret": wgfleet_integration::agent::SECRET });
    let tested = controller.call("POST", "/nodes/test", &target).expect(200);
    assert_eq!(tested["ok"], false, "{tested}");
    let reason = tested["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("clock"), "{tested}");
    *skewed.lock().expect("no panic") = None;
    controller.await_status(&node, "online");
}

/// The time that far from now, as HTTP writes it.
fn http_date(offset_s: i64) -> String {
    let now = i64::try_from(wgfleet_integration::client::now()).expect("soon");
    let time = std::time::UNIX_EPOCH
        + Duration::from_secs(u64::try_from(now + offset_s).expect("after 1970"));
    httpdate::fmt_http_date(time)
}
