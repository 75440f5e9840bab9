//! Callers and connections.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream},
    time::Duration,
};

use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
use serde_json::{Value, json};
use wgfleet_integration::{
    client::{Address, Response, WireRequest},
    controller::{Controller, Rest},
};

const WITHIN: Duration = Duration::from_secs(30);

/// Makes a token with the administrator's, and gives its id and a caller with it.
#[track_caller]
pub(crate) fn token(controller: &Controller, body: &Value) -> (String, Rest) {
    let made = controller.rest().create("/tokens", body);
    let text = |field: &str| made[field].as_str().expect("text").to_owned();
    (text("id"), controller.rest_with(&text("token")))
}

/// A node that nothing is asked of.
pub(crate) fn node(name: &str, team: &str, pool: u8) -> Value {
    json!({
        "name": name, "agent_url": format!("http://127.0.0.1:{pool}"), "wg_interface": "wg0",
        "secret": format!("the secret of the agent of {name}"), "enabled": false,
        "ip_pool_cidr": format!("10.{pool}.0.0/24"), "labels": {"team": team},
    })
}

#[track_caller]
pub(crate) fn assert_refused(answer: &Response, status: u16, code: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.json()["code"], code, "{answer:?}");
}

/// The whole seconds after which to come back.
#[track_caller]
pub(crate) fn retry_after(answer: &Response) -> u64 {
    let seconds = answer.header("retry-after").expect("it says when");
    let seconds = seconds.parse().expect("whole seconds");
    assert!(seconds >= 1, "{answer:?}");
    seconds
}

pub(crate) fn tcp(controller: &Controller) -> SocketAddr {
    let Address::Tcp(address) = controller.address() else {
        panic!("it listens on TCP")
    };
    *address
}

/// The status of the answer to a request that comes from this address.
pub(crate) fn status_from(source: Ipv4Addr, to: SocketAddr, wire: &WireRequest) -> u16 {
    let made = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
    bind(&made, &SocketAddrV4::new(source, 0)).expect("an address of this host");
    connect(&made, &to).expect("a connection");
    let mut stream = TcpStream::from(made);
    stream.set_read_timeout(Some(WITHIN)).expect("a socket");
    stream.write_all(&wire.to_bytes()).expect("written");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    let text = String::from_utf8_lossy(&answer);
    let status = text
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3));
    status.and_then(|text| text.parse().ok()).expect("a status")
}
