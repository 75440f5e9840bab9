//! The hand-written dump against the contract's own types, whatever the peers.

use std::net::{IpAddr, SocketAddr};

use proptest::prelude::*;
use wgfleet_agent::wireguard::{DeviceFacts, DumpSink, PeerFacts, interface::DumpJson};
use wire_contract::{
    AllowedIp, InterfaceName, Keepalive, PublicKey,
    dto::{Dump, DumpPeer},
};

fn allowed_ip() -> impl Strategy<Value = AllowedIp> {
    (any::<IpAddr>(), 0..=128u8).prop_filter_map("a prefix too long", |(address, prefix_len)| {
        AllowedIp::new(address, prefix_len)
    })
}

fn peer() -> impl Strategy<Value = DumpPeer> {
    let identity = (any::<[u8; 32]>(), proptest::option::of(any::<SocketAddr>()));
    let counters = (0..i64::MAX, any::<u64>(), any::<u64>(), any::<u16>());
    let allowed_ips = proptest::collection::vec(allowed_ip(), 0..5);
    (identity, allowed_ips, counters).prop_map(
        |((key, endpoint), allowed_ips, (handshake, rx, tx, keepalive))| DumpPeer {
            public_key: PublicKey::from_bytes(key),
            endpoint,
            allowed_ips,
            latest_handshake: handshake,
            transfer_rx: rx,
            transfer_tx: tx,
            persistent_keepalive: Keepalive::from_secs(keepalive),
        },
    )
}

fn report(dump: &Dump, sink: &mut DumpJson) {
    sink.device(&DeviceFacts {
        ifindex: 1,
        public_key: None,
        listen_port: 0,
        fwmark: 0,
    });
    for peer in &dump.peers {
        sink.peer(&PeerFacts {
            public_key: peer.public_key,
            preshared_key: None,
            endpoint: peer.endpoint,
            latest_handshake: peer.latest_handshake,
            rx_bytes: peer.transfer_rx,
            tx_bytes: peer.transfer_tx,
            persistent_keepalive: peer.persistent_keepalive,
        });
        peer.allowed_ips
            .iter()
            .for_each(|allowed_ip| sink.allowed_ip(*allowed_ip));
    }
}

proptest! {
    #[test]
    fn it_is_what_the_contract_writes(
        peers in proptest::collection::vec(peer(), 0..8),
        interrupted in proptest::collection::vec(peer(), 0..3),
        name in "[a-z\"\\\\é]{1,6}",
    ) {
        let interface: InterfaceName = name.parse().expect("a name");
        let dump = Dump { interface: interface.clone(), peers };
        let mut json = DumpJson::new(&interface);
        // A dump that was started over leaves no trace, and neither does the one before.
        for round in 0..2 {
            report(&Dump { interface: interface.clone(), peers: interrupted.clone() }, &mut json);
            report(&dump, &mut json);
            let body = json.finish();
            let expected = serde_json::to_vec(&dump).expect("JSON");
            prop_assert_eq!(&body[..], &expected[..], "round {}", round);
        }
    }
}
