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
    let of_wg_quick = ["Address", "DNS", "MTU"];
    let key_of = |line: &str| line.split_once('=').map(|(key, _)| key.trim().to_owned());
    let is_of_wg_quick =
        |line: &&str| key_of(line).is_some_and(|key| of_wg_quick.contains(&key.as_str()));
    let values = |wanted: &str| -> Vec<String> {
        let lines = config
            .lines()
            .filter(|line| key_of(line).as_deref() == Some(wanted));
        let values = lines.flat_map(|line| line.split_once('=').expect("a setting").1.split(','));
        values.map(|value| value.trim().to_owned()).collect()
    };
    let rest: Vec<_> = config
        .lines()
        .filter(|line| !is_of_wg_quick(line))
        .collect();
    netns::inside(CLIENT, || {
        if wg::exists(TUNNEL) {
            wg::delete_interface(TUNNEL);
        }
        wg::ip(&["link", "add", TUNNEL, "type", "wireguard"]);
        wg::setconf(TUNNEL, &(rest.join("\n") + "\n"));
        for address in values("Address") {
            wg::ip(&["address", "add", &address, "dev", TUNNEL]);
        }
        wg::ip(&["link", "set", TUNNEL, "up"]);
        for network in values("AllowedIPs") {
            wg::ip(&["route", "replace", &network, "dev", TUNNEL]);
        }
    });
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
