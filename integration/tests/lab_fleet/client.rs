//! A client's host: wires to the nodes, a tunnel from a generated configuration, and talk through it.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
};

use wgfleet_integration::{netns, wg};

use crate::fleet::SOON;

pub(crate) const CLIENT: &str = "client";
const TUNNEL: &str = "tunnel";
pub(crate) const BYTES: usize = 200_000;
/// On the wires, without the last number: the node has 1 there, the client 2.
const WIRES: [&str; 2] = ["192.0.2.", "198.51.100."];

/// Where clients reach the node of that host.
pub(crate) fn endpoint(at: usize) -> String {
    format!("{}1:51820", WIRES[at])
}

/// The client's host, not connected to any.
pub(crate) fn add_client() {
    netns::add(CLIENT);
}

/// A wire between a host and the client's.
pub(crate) fn connect_client(at: usize) {
    let (host, net) = (["n1", "n2"][at], WIRES[at]);
    let uplink = format!("uplink{at}");
    wg::ip(&[
        "link", "add", &uplink, "netns", CLIENT, "type", "veth", "peer", "name", "clients",
        "netns", host,
    ]);
    for (namespace, device, last) in [(CLIENT, uplink.as_str(), 2), (host, "clients", 1)] {
        let address = format!("{net}{last}/24");
        wg::ip(&["-n", namespace, "address", "add", &address, "dev", device]);
        wg::ip(&["-n", namespace, "link", "set", device, "up"]);
    }
}

/// Does with a configuration what wg-quick does with it.
pub(crate) fn bring_up(config: &str) {
    netns::inside(CLIENT, || wg::quick_up(TUNNEL, config));
}

/// Sends from the client to a service on a node, there and back.
pub(crate) fn talk(namespace: &str, service: SocketAddr) {
    let listener =
        netns::inside(namespace, || TcpListener::bind(service)).expect("the node's own address");
    let connect = || TcpStream::connect_timeout(&service, SOON);
    let mut client = netns::inside(CLIENT, connect).expect("through the tunnel");
    let (mut server, from) = listener.accept().expect("it is connected");
    for stream in [&client, &server] {
        stream.set_read_timeout(Some(SOON)).expect("a timeout");
        stream.set_write_timeout(Some(SOON)).expect("a timeout");
    }
    let sent = vec![7; BYTES];
    let echo = std::thread::spawn(move || {
        let mut received = vec![0; BYTES];
        server.read_exact(&mut received).expect("all of it");
        server.write_all(&received).expect("sent back");
    });
    client.write_all(&sent).expect("sent");
    let mut received = vec![0; BYTES];
    client
        .read_exact(&mut received)
        .expect("all of it came back");
    echo.join().expect("the service ends");
    assert_eq!(received, sent);
    assert_eq!(from.ip(), client.local_addr().expect("an address").ip());
}
