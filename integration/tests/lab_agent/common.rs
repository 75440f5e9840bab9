//! An agent on `wg0`, requests that are under way together, and the comparison with `wg`.

use std::io;

use serde_json::{Value, json};
use wgfleet_integration::{
    agent::{Agent, Config},
    client::{Client, Connection, Request, Response, WireRequest, peer_target},
    wg,
};

pub(crate) const WG0: &str = "wg0";

/// An agent on the kernel, which has a `wg0` with a key of its own.
pub(crate) fn agent() -> Agent {
    wg::add_interface_with_key(WG0);
    Config::kernel().start()
}

/// A `POST` of a peer of [`wg::numbered_key`] with these networks, signed now. Each has a number of
/// its own in its query, so that no two are the same.
pub(crate) fn post(client: &Client, nonce: u32, peer: u32, networks: &[&str]) -> WireRequest {
    let body = json!({"public_key": wg::numbered_key(peer), "allowed_ips": networks});
    client.prepare(&Request::new("POST", format!("/wg/{WG0}/peers?n={nonce}")).json(&body))
}

pub(crate) fn put(client: &Client, nonce: u32, peer: u32, body: &Value) -> WireRequest {
    let target = peer_target(WG0, &wg::numbered_key(peer));
    client.prepare(&Request::new("PUT", format!("{target}?n={nonce}")).json(body))
}

pub(crate) fn delete(client: &Client, nonce: u32, peer: u32) -> WireRequest {
    let target = peer_target(WG0, &wg::numbered_key(peer));
    client.prepare(&Request::new("DELETE", format!("{target}?n={nonce}")))
}

/// Sends it and gives status and error code.
#[track_caller]
pub(crate) fn outcome(client: &Client, wire: &WireRequest) -> (u16, Option<String>) {
    let answer = client.send_wire(wire).expect("an answer");
    (answer.status, answer.error_code())
}

/// The same as `(status, error code)`, to compare with.
pub(crate) fn refused(status: u16, code: &str) -> (u16, Option<String>) {
    (status, Some(code.to_owned()))
}

pub(crate) const OK: (u16, Option<String>) = (200, None);

/// Sends all of them, each over a connection of its own, before any answer is read.
pub(crate) fn send_together(client: &Client, wires: &[WireRequest]) -> Vec<Connection> {
    let mut connections: Vec<_> = wires
        .iter()
        .map(|_| client.connect().expect("a connection"))
        .collect();
    for (connection, wire) in connections.iter_mut().zip(wires) {
        connection.write(&wire.to_bytes()).expect("written");
    }
    connections
}

/// All answers, or what came instead.
pub(crate) fn answers(connections: Vec<Connection>) -> Vec<io::Result<Response>> {
    connections
        .into_iter()
        .map(|mut connection| connection.read_response())
        .collect()
}

/// What `wg` shows, as a dump would.
pub(crate) fn as_wg_shows(interface: &str) -> Value {
    let peers: Vec<_> = wg::show(interface)
        .peers
        .into_iter()
        .map(|peer| {
            json!({
                "public_key": peer.public_key,
                "endpoint": peer.endpoint.map(|endpoint| endpoint.to_string()),
                "allowed_ips": peer.allowed_ips,
                "latest_handshake": peer.latest_handshake,
                "transfer_rx": peer.transfer_rx,
                "transfer_tx": peer.transfer_tx,
                "persistent_keepalive": peer.persistent_keepalive,
            })
        })
        .collect();
    json!({"interface": interface, "peers": peers})
}

/// The agent and `wg` must see the same.
#[track_caller]
pub(crate) fn assert_dump_is_what_wg_shows(client: &Client) {
    assert_eq!(client.dump(WG0), as_wg_shows(WG0));
}

/// The keys `wg` shows, sorted.
pub(crate) fn keys() -> Vec<String> {
    let peers = wg::show(WG0).peers.into_iter();
    let mut keys: Vec<_> = peers.map(|peer| peer.public_key).collect();
    keys.sort();
    keys
}
