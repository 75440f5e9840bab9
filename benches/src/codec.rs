//! From netlink to JSON: the agent's way, and the straightforward one beside it.

use std::net::IpAddr;

use bytes::Bytes;
use netlink_packet_core::{NetlinkMessage, NetlinkPayload};
use netlink_packet_generic::GenlMessage;
use netlink_packet_wireguard::{
    WireguardAllowedIp, WireguardAllowedIpAttr, WireguardAttribute, WireguardMessage,
    WireguardPeer, WireguardPeerAttribute,
};
use wgfleet_agent::wireguard::{
    fingerprint::Fingerprinter,
    interface::DumpJson,
    kernel::dump::{Parser, Progress},
};
use wire_contract::{
    AllowedIp, InterfaceName, Keepalive, PublicKey,
    dto::{Dump, DumpPeer},
};

use crate::kernel_dump::REQUEST;

fn interface() -> InterfaceName {
    "wg0".parse().expect("a name")
}

/// The agent's parser and JSON writer, kept between dumps as the owner of an interface keeps them.
pub struct AgentCodec {
    json: DumpJson,
    fingerprinter: Fingerprinter,
}

impl AgentCodec {
    /// Ready for the first dump.
    #[must_use]
    pub fn new() -> Self {
        Self {
            json: DumpJson::new(&interface()),
            fingerprinter: Fingerprinter::new(),
        }
    }

    /// The body a dump is answered with.
    ///
    /// # Panics
    /// When `datagrams` are not one whole dump.
    pub fn json(&mut self, datagrams: &[Vec<u8>]) -> Bytes {
        let mut parser = Parser::new(REQUEST, &self.fingerprinter);
        let mut progress = Progress::More;
        for datagram in datagrams {
            progress = parser
                .datagram(datagram, &mut self.json)
                .expect("well formed");
        }
        assert_eq!(progress, Progress::Complete);
        self.json.finish()
    }
}

impl Default for AgentCodec {
    fn default() -> Self {
        Self::new()
    }
}

/// The same body by way of `netlink-packet-wireguard`, the contract's own types and `serde_json`.
///
/// # Panics
/// When `datagrams` are not a dump.
#[must_use]
pub fn straightforward_json(datagrams: &[Vec<u8>]) -> Vec<u8> {
    let mut peers: Vec<DumpPeer> = Vec::new();
    for datagram in datagrams {
        let message = NetlinkMessage::<GenlMessage<WireguardMessage>>::deserialize(datagram)
            .expect("well formed");
        let NetlinkPayload::InnerMessage(message) = message.payload else {
            continue;
        };
        for attribute in message.payload.attributes {
            if let WireguardAttribute::Peers(parts) = attribute {
                parts.into_iter().for_each(|part| merge(&mut peers, part));
            }
        }
    }
    let interface = interface();
    serde_json::to_vec(&Dump { interface, peers }).expect("always JSON")
}

/// A peer whose allowed IPs did not fit goes on under the same key.
fn merge(peers: &mut Vec<DumpPeer>, part: WireguardPeer) {
    let mut peer = DumpPeer {
        public_key: PublicKey::from_bytes([0; 32]),
        endpoint: None,
        allowed_ips: Vec::new(),
        latest_handshake: 0,
        transfer_rx: 0,
        transfer_tx: 0,
        persistent_keepalive: Keepalive::OFF,
    };
    for attribute in part.0 {
        match attribute {
            WireguardPeerAttribute::PublicKey(key) => peer.public_key = PublicKey::from_bytes(key),
            WireguardPeerAttribute::Endpoint(endpoint) => peer.endpoint = Some(endpoint),
            WireguardPeerAttribute::PersistentKeepalive(seconds) => {
                peer.persistent_keepalive = Keepalive::from_secs(seconds);
            }
            WireguardPeerAttribute::LastHandshake(time) => peer.latest_handshake = time.seconds,
            WireguardPeerAttribute::RxBytes(bytes) => peer.transfer_rx = bytes,
            WireguardPeerAttribute::TxBytes(bytes) => peer.transfer_tx = bytes,
            WireguardPeerAttribute::AllowedIps(list) => {
                peer.allowed_ips = list.iter().map(allowed_ip).collect();
            }
            _ => {}
        }
    }
    match peers.last_mut() {
        Some(last) if last.public_key == peer.public_key => {
            last.allowed_ips.append(&mut peer.allowed_ips);
        }
        _ => peers.push(peer),
    }
}

fn allowed_ip(attributes: &WireguardAllowedIp) -> AllowedIp {
    let mut address: Option<IpAddr> = None;
    let mut prefix_len = 0;
    for attribute in &attributes.0 {
        match attribute {
            WireguardAllowedIpAttr::IpAddr(is) => address = Some(*is),
            WireguardAllowedIpAttr::Cidr(is) => prefix_len = *is,
            _ => {}
        }
    }
    AllowedIp::new(address.expect("an address"), prefix_len).expect("a prefix length")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel_dump::datagrams;

    #[test]
    fn both_ways_lead_to_the_same_bytes() {
        let datagrams = datagrams(1_000);
        let mut agent = AgentCodec::new();
        let ours = agent.json(&datagrams);
        assert_eq!(ours, straightforward_json(&datagrams));
        assert_eq!(ours, agent.json(&datagrams), "and so does the second time");
        let dump: Dump = serde_json::from_slice(&ours).expect("as documented");
        assert_eq!(dump.peers.len(), 1_000);
    }
}
