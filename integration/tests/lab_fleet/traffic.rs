//! A client made from a generated configuration, and packets through the tunnel.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    time::Duration,
};

use serde_json::json;
use wgfleet_integration::{eventually, lab_test, netns, wg};

use crate::fleet::{Fleet, SOON, limits, text};

const CLIENT: &str = "client";
const TUNNEL: &str = "tunnel";
const BYTES: usize = 200_000;

/// A wire between the first host and a host for a client.
fn connect_client() {
    netns::add(CLIENT);
    wg::ip(&[
        "link", "add", "uplink", "netns", CLIENT, "type", "veth", "peer", "name", "clients",
        "netns", "n1",
    ]);
    for (namespace, device, address) in [
        (CLIENT, "uplink", "192.0.2.2/24"),
        ("n1", "clients", "192.0.2.1/24"),
    ] {
        wg::ip(&["-n", namespace, "address", "add", address, "dev", device]);
        wg::ip(&["-n", namespace, "link", "set", device, "up"]);
    }
}

/// Does with a configuration what wg-quick does with it.
fn bring_up(config: &str) {
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

/// Sends from the client to a service on the node, there and back.
fn talk(service: SocketAddr) {
    let listener =
        netns::inside("n1", || TcpListener::bind(service)).expect("the node's own address");
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

lab_test! {
    fn a_client_of_a_generated_configuration_gets_through() with (limits()) {
        let fleet = Fleet::new();
        connect_client();
        let peer = fleet.peer("laptop", Some(0));
        let path = format!("/peers/{}", text(&peer["id"]));
        let config = fleet.rest.get(&format!("{path}/config"));
        assert_eq!(config.status, 200, "{config:?}");
        bring_up(&String::from_utf8(config.body).expect("a text"));
        let [v4, v6] = &fleet.hosts[0].prefixes;
        talk(format!("{v4}1:7000").parse().expect("an address"));
        talk(format!("[{v6}1]:7000").parse().expect("an address"));

        let seen = eventually(SOON, "the traffic in the peer", || {
            let peer = fleet.rest.read(&path);
            let moved = |field: &str| peer[field].as_u64().is_some_and(|bytes| bytes > 2 * BYTES as u64);
            let all = ["rx_bytes", "tx_bytes", "rx_bytes_total", "tx_bytes_total"];
            all.into_iter().all(moved).then_some(peer)
        });
        assert_eq!(seen["online"], true, "{seen}");
        assert!(text(&seen["endpoint"]).starts_with("192.0.2.2:"), "{seen}");
        assert!(seen["latest_handshake"].is_string(), "{seen}");
        let node = fleet.rest.read(&format!("/nodes/{}", fleet.nodes[0]));
        assert_eq!(node["peer_count"], 1, "{node}");

        // Disabled: out of the kernel, the totals and the address are kept.
        let disabled = fleet.rest.post(&format!("{path}/disable"), &json!({}));
        assert_eq!(disabled.status, 200, "{disabled:?}");
        assert!(fleet.hosts[0].shown().is_empty());
        let service = format!("{v4}1:7001").parse().expect("an address");
        let listener = netns::inside("n1", || TcpListener::bind::<SocketAddr>(service)).expect("bound");
        let connect = || TcpStream::connect_timeout(&service, Duration::from_secs(1));
        assert!(netns::inside(CLIENT, connect).is_err(), "a disabled peer gets through");
        drop(listener);
        assert_eq!(fleet.rest.post(&format!("{path}/enable"), &json!({})).status, 200);
        assert!(fleet.agrees(0));
        let enabled = fleet.rest.read(&path);
        assert_eq!(enabled["allowed_ips"], seen["allowed_ips"]);
        assert!(enabled["rx_bytes_total"].as_u64() >= seen["rx_bytes_total"].as_u64(), "{enabled}");
    }
}
