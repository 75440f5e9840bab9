//! An agent, and requests made of bytes.

use wgfleet_integration::{
    agent::{Agent, Config, SECRET},
    client::{Client, Request, Response, WireRequest, hex_hmac, now},
    wg::numbered_key,
};

/// With one interface, `wg0`, and no peers.
pub(crate) fn agent() -> Agent {
    Config::simulated("wg0", 0).start()
}

pub(crate) fn health(client: &Client) -> WireRequest {
    client.prepare(&Request::get("/health"))
}

/// A signed `POST` of a peer.
pub(crate) fn post(client: &Client, number: u32) -> WireRequest {
    let body = format!(r#"{{"public_key":"{}"}}"#, numbered_key(number));
    client.prepare(&Request::new("POST", "/wg/wg0/peers").body(body))
}

/// How many peers the agent has.
#[track_caller]
pub(crate) fn peer_count(client: &Client) -> usize {
    client.dump("wg0")["peers"]
        .as_array()
        .expect("a list")
        .len()
}

/// It answers, and no panic was logged.
#[track_caller]
pub(crate) fn assert_well(agent: &Agent) {
    let answer = agent.client().get("/health");
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(!agent.log().contains("panicked"), "{}", agent.log());
}

/// A request without a body for a target of any bytes, signed for exactly these.
pub(crate) fn signed_bytes(method: &str, target: &[u8]) -> Vec<u8> {
    let timestamp = now().to_string();
    let parts = [method.as_bytes(), target, b"", timestamp.as_bytes()];
    let signature = hex_hmac(SECRET.as_bytes(), &parts.join(&b'|'));
    let head = format!(
        " HTTP/1.1\r\nHost: agent\r\nConnection: close\r\nX-Timestamp: {timestamp}\r\nX-Signature: {signature}\r\n\r\n"
    );
    [method.as_bytes(), b" ", target, head.as_bytes()].concat()
}

/// The status of each answer in what came back.
pub(crate) fn statuses(bytes: &[u8]) -> Vec<u16> {
    String::from_utf8_lossy(bytes)
        .split("HTTP/1.1 ")
        .skip(1)
        .map(|answer| answer[..3].parse().expect("a status"))
        .collect()
}

#[track_caller]
pub(crate) fn assert_is(answer: &Response, status: u16, code: &str) {
    assert_eq!(
        (answer.status, answer.error_code().as_deref()),
        (status, Some(code)),
        "{answer:?}"
    );
}
