//! The kernel path without a kernel: a scripted socket, and another library's codec as the oracle.

mod dump;
mod encode;
mod set;

use std::{
    collections::VecDeque,
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex},
};

use netlink_packet_core::{Emitable, NlasIterator, Parseable};
use netlink_packet_wireguard::{
    WireguardAddressFamily, WireguardAllowedIp, WireguardAllowedIpAttr, WireguardAttribute,
    WireguardPeer, WireguardPeerAttribute, WireguardTimeSpec,
};
use rustix::io::Errno;
use wire_contract::{AllowedIp, Keepalive, PublicKey};

use super::{
    KernelDevice, NetlinkIo, Received, abi,
    message::{Attributes, Head, Messages, Writer},
};
use crate::wireguard::{
    DeviceFacts, DumpSink, PeerFacts,
    fingerprint::{Fingerprint, Fingerprinter},
};

const FAMILY: u16 = 0x1d;
const PORT_ID: u32 = 4711;
const PRIVATE_KEY: [u8; 32] = [0xA5; 32];
const PRESHARED_KEY: [u8; 32] = [0x5A; 32];

/// What the scripted socket gives next.
#[derive(Clone)]
enum Reply {
    /// A datagram from this port id; headers with sequence 0 answer the latest request.
    From(u32, Vec<u8>),
    /// One longer than the buffer.
    Truncated,
    /// A failure of the system.
    Failure(Errno),
}

impl Reply {
    fn kernel(messages: impl IntoIterator<Item = Vec<u8>>) -> Self {
        Self::From(0, messages.into_iter().flatten().collect())
    }
}

/// What was done to the socket.
#[derive(Default)]
struct Record {
    sent: Vec<Vec<u8>>,
    reopened: u32,
    /// For every call to receive, whether the buffer held nothing but zeros.
    was_clean: Vec<bool>,
}

/// Answers questions for the family by itself, everything else by its script, and then nothing more.
struct Script {
    replies: VecDeque<Reply>,
    sequence: u32,
    record: Arc<Mutex<Record>>,
}

impl NetlinkIo for Script {
    fn port_id(&self) -> u32 {
        PORT_ID
    }

    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        let header = Messages(message)
            .next()
            .expect("a message")
            .expect("a sound one");
        self.sequence = header.sequence;
        if header.kind == abi::ctrl::FAMILY {
            self.replies.push_front(Reply::kernel([family_answer()]));
        } else {
            self.record
                .lock()
                .expect("not poisoned")
                .sent
                .push(message.to_vec());
        }
        Ok(())
    }

    fn recv(&mut self, buffer: &mut [u8]) -> io::Result<Received> {
        let is_clean = buffer.iter().all(|byte| *byte == 0);
        self.record
            .lock()
            .expect("not poisoned")
            .was_clean
            .push(is_clean);
        match self.replies.pop_front() {
            Some(Reply::From(sender_port_id, mut datagram)) => {
                address(&mut datagram, self.sequence);
                buffer[..datagram.len()].copy_from_slice(&datagram);
                Ok(Received {
                    bytes: datagram.len(),
                    is_truncated: false,
                    sender_port_id,
                })
            }
            Some(Reply::Truncated) => {
                buffer.fill(0xA5);
                Ok(Received {
                    bytes: buffer.len(),
                    is_truncated: true,
                    sender_port_id: 0,
                })
            }
            Some(Reply::Failure(errno)) => Err(errno.into()),
            None => Err(Errno::AGAIN.into()),
        }
    }

    fn reopen(&mut self) -> io::Result<()> {
        self.record.lock().expect("not poisoned").reopened += 1;
        Ok(())
    }
}

/// Fills in sequence number and port id where a message leaves them 0.
fn address(datagram: &mut [u8], sequence: u32) {
    let mut at = 0;
    while at + abi::MESSAGE_HEADER_BYTES <= datagram.len() {
        for (field, value) in [(at + 8, sequence), (at + 12, PORT_ID)] {
            if datagram[field..field + 4] == [0; 4] {
                datagram[field..field + 4].copy_from_slice(&value.to_ne_bytes());
            }
        }
        let len = u32::from_ne_bytes(datagram[at..at + 4].try_into().expect("4 bytes"));
        at += usize::try_from(len).expect("a length").next_multiple_of(4);
    }
}

fn device(replies: impl IntoIterator<Item = Reply>) -> (KernelDevice<Script>, Arc<Mutex<Record>>) {
    let record = Arc::new(Mutex::new(Record::default()));
    let replies = replies.into_iter().collect();
    let script = Script {
        replies,
        sequence: 0,
        record: Arc::clone(&record),
    };
    let name = "wg0".parse().expect("a good name");
    (
        KernelDevice::new(name, script, Fingerprinter::new()),
        record,
    )
}

fn message(kind: u16, flags: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let len = u32::try_from(abi::MESSAGE_HEADER_BYTES + payload.len()).expect("a short message");
    bytes.extend_from_slice(&len.to_ne_bytes());
    bytes.extend_from_slice(&kind.to_ne_bytes());
    bytes.extend_from_slice(&flags.to_ne_bytes());
    bytes.extend_from_slice(&[0; 8]);
    bytes.extend_from_slice(payload);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn with_sequence(mut message: Vec<u8>, sequence: u32) -> Vec<u8> {
    message[8..12].copy_from_slice(&sequence.to_ne_bytes());
    message
}

fn with_port_id(mut message: Vec<u8>, port_id: u32) -> Vec<u8> {
    message[12..16].copy_from_slice(&port_id.to_ne_bytes());
    message
}

fn family_answer() -> Vec<u8> {
    let head = Head {
        family: abi::ctrl::FAMILY,
        flags: 0,
        sequence: 0,
        command: 1,
        version: abi::ctrl::VERSION,
    };
    let mut bytes = Vec::new();
    let mut writer = Writer::begin(&mut bytes, head);
    writer.put(abi::ctrl::FAMILY_NAME, abi::WIREGUARD_FAMILY_NAME);
    writer.put(abi::ctrl::FAMILY_ID, &FAMILY.to_ne_bytes());
    writer.finish();
    bytes
}

fn acknowledgement(errno: i32) -> Vec<u8> {
    message(abi::ERROR, 0, &(-errno).to_ne_bytes())
}

fn done(flags: u16, errno: i32) -> Vec<u8> {
    message(abi::DONE, flags, &(-errno).to_ne_bytes())
}

/// A message of a dump, written by the oracle.
fn dump_message(flags: u16, attributes: &[WireguardAttribute]) -> Vec<u8> {
    let mut payload = vec![abi::SET_DEVICE, abi::WIREGUARD_VERSION, 0, 0];
    payload.resize(4 + attributes.buffer_len(), 0);
    attributes.emit(&mut payload[4..]);
    message(FAMILY, flags, &payload)
}

fn device_attributes() -> Vec<WireguardAttribute> {
    vec![
        WireguardAttribute::ListenPort(51820),
        WireguardAttribute::Fwmark(7),
        WireguardAttribute::IfIndex(3),
        WireguardAttribute::IfName("wg0".to_owned()),
        WireguardAttribute::PrivateKey(PRIVATE_KEY),
        WireguardAttribute::PublicKey([9; 32]),
    ]
}

fn device_with(peers: Vec<WireguardPeer>) -> Vec<WireguardAttribute> {
    let mut attributes = device_attributes();
    attributes.push(WireguardAttribute::Peers(peers));
    attributes
}

/// A whole peer, as the kernel dumps it.
fn peer(key: u8, allowed_ips: &[&str]) -> WireguardPeer {
    WireguardPeer(vec![
        WireguardPeerAttribute::PublicKey([key; 32]),
        WireguardPeerAttribute::PresharedKey(PRESHARED_KEY),
        WireguardPeerAttribute::LastHandshake(WireguardTimeSpec {
            seconds: 1_700_000_000,
            nano_seconds: 5,
        }),
        WireguardPeerAttribute::PersistentKeepalive(25),
        WireguardPeerAttribute::TxBytes(1 << 40),
        WireguardPeerAttribute::RxBytes(u64::from(key)),
        WireguardPeerAttribute::Endpoint(endpoint(key)),
        WireguardPeerAttribute::ProtocolVersion(1),
        WireguardPeerAttribute::AllowedIps(allowed_ips.iter().map(|text| entry(text)).collect()),
    ])
}

fn endpoint(key: u8) -> SocketAddr {
    let text = if key.is_multiple_of(2) {
        "192.0.2.7:4500"
    } else {
        "[2001:db8::7]:51820"
    };
    text.parse().expect("an endpoint")
}

/// What follows of a peer in the next message.
fn rest_of_peer(key: u8, allowed_ips: &[&str]) -> WireguardPeer {
    WireguardPeer(vec![
        WireguardPeerAttribute::PublicKey([key; 32]),
        WireguardPeerAttribute::AllowedIps(allowed_ips.iter().map(|text| entry(text)).collect()),
    ])
}

fn entry(text: &str) -> WireguardAllowedIp {
    let allowed_ip = ip(text);
    let family = match allowed_ip.network() {
        IpAddr::V4(_) => WireguardAddressFamily::Ipv4,
        IpAddr::V6(_) => WireguardAddressFamily::Ipv6,
    };
    WireguardAllowedIp(vec![
        WireguardAllowedIpAttr::Family(family),
        WireguardAllowedIpAttr::IpAddr(allowed_ip.network()),
        WireguardAllowedIpAttr::Cidr(allowed_ip.prefix_len()),
    ])
}

fn ip(text: &str) -> AllowedIp {
    text.parse().expect("an allowed IP")
}

/// The attributes of a request we wrote, read by the oracle.
fn read_by_oracle(request: &[u8]) -> Vec<WireguardAttribute> {
    let message = Messages(request)
        .next()
        .expect("a message")
        .expect("a sound one");
    assert_eq!(
        request.len(),
        message.payload.len() + abi::MESSAGE_HEADER_BYTES
    );
    // Its reader recurses over what our own can cut.
    for attribute in message.attributes().expect("attributes") {
        attribute.expect("a sound attribute");
    }
    let attributes = &message.payload[abi::GENERIC_HEADER_BYTES..];
    NlasIterator::new(attributes)
        .map(|attribute| WireguardAttribute::parse(&attribute.expect("sound")).expect("sound"))
        .collect()
}

/// A sink that keeps everything, and forgets it when the dump begins again.
#[derive(Debug, Default, PartialEq)]
struct Kept {
    device: Option<DeviceFacts>,
    peers: Vec<(PeerFacts, Vec<AllowedIp>)>,
}

impl DumpSink for Kept {
    fn device(&mut self, device: &DeviceFacts) {
        *self = Self {
            device: Some(*device),
            peers: Vec::new(),
        };
    }

    fn peer(&mut self, peer: &PeerFacts) {
        self.peers.push((*peer, Vec::new()));
    }

    fn allowed_ip(&mut self, allowed_ip: AllowedIp) {
        self.peers
            .last_mut()
            .expect("a peer comes first")
            .1
            .push(allowed_ip);
    }
}

impl Kept {
    /// Keys and networks, in order.
    fn outline(&self) -> Vec<(u8, Vec<String>)> {
        let outline = self.peers.iter().map(|(peer, allowed_ips)| {
            (
                peer.public_key.as_bytes()[0],
                allowed_ips.iter().map(ToString::to_string).collect(),
            )
        });
        outline.collect()
    }
}

fn facts(key: u8, preshared_key: Option<Fingerprint>) -> PeerFacts {
    PeerFacts {
        public_key: PublicKey::from_bytes([key; 32]),
        preshared_key,
        endpoint: Some(endpoint(key)),
        latest_handshake: 1_700_000_000,
        rx_bytes: u64::from(key),
        tx_bytes: 1 << 40,
        persistent_keepalive: Keepalive::from_secs(25),
    }
}

#[test]
fn attributes_that_are_no_attributes_end_the_walk() {
    let mut walk = Attributes(&[3, 0, 1, 0]);
    assert!(walk.next().expect("one").is_err());
    assert!(walk.next().is_none());
}
