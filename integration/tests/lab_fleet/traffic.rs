//! A client made from a generated configuration, and packets through the tunnel.

use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    time::Duration,
};

use serde_json::json;
use wgfleet_integration::{eventually, lab_test, netns};

use crate::{
    client::{BYTES, CLIENT, add_client, bring_up, connect_client, talk},
    fleet::{Fleet, SOON, limits, text},
};

lab_test! {
    fn a_client_of_a_generated_configuration_gets_through() with (limits()) {
        let fleet = Fleet::new();
        add_client();
        connect_client(0);
        let peer = fleet.peer("laptop", Some(0));
        let path = format!("/peers/{}", text(&peer["id"]));
        let config = fleet.rest.get(&format!("{path}/config"));
        assert_eq!(config.status, 200, "{config:?}");
        bring_up(&String::from_utf8(config.body).expect("a text"));
        let [v4, v6] = &fleet.hosts[0].prefixes;
        talk("n1", format!("{v4}1:7000").parse().expect("an address"));
        talk("n1", format!("[{v6}1]:7000").parse().expect("an address"));

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
