//! The reader of the kernel's dumps, on the bytes of one dump.
//!
//! Whatever they are: where datagrams end makes no difference, the JSON written on the way is the
//! contract's, memory follows the input, the index knows what was reported, and a whole dump written
//! again by another library reads the same.

#![no_main]

mod kernel;

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::LazyLock,
};

use kernel::{FAMILY, Kept, PORT_ID};
use libfuzzer_sys::fuzz_target;
use netlink_packet_core::Emitable;
use netlink_packet_wireguard::{
    WireguardAddressFamily, WireguardAllowedIp, WireguardAllowedIpAttr, WireguardAttribute,
    WireguardPeer, WireguardPeerAttribute, WireguardTimeSpec,
};
use wgfleet_agent::wireguard::{
    DeviceFacts, DumpSink, PeerFacts,
    fingerprint::Fingerprinter,
    interface::{DumpJson, Mutation, index::PeerIndex, mutation::Step},
    kernel::{
        Malformed,
        dump::{DumpRequest, Parser, Progress},
    },
};
use wire_contract::{
    AllowedIp, InterfaceName,
    dto::{Dump, DumpPeer},
};

const SEQUENCE: u32 = 1;
/// `NLM_F_DUMP_INTR`, in the lower byte of the flags.
const DUMP_INTERRUPTED: u8 = 0x10;
/// So many of a peer's allowed IPs in one message: the rest of them follows in others.
const PART: usize = 3;
/// What a body may have beyond, and for, each byte of the dump.
const FIXED_BYTES: usize = 256;
const BYTES_PER_BYTE: usize = 6;

static FINGERPRINTER: LazyLock<Fingerprinter> = LazyLock::new(Fingerprinter::new);

/// All that the agent writes a dump to, and what it was.
struct Sinks {
    kept: Kept,
    json: DumpJson,
    index: PeerIndex,
}

impl DumpSink for Sinks {
    fn device(&mut self, device: &DeviceFacts) {
        self.kept.device(device);
        self.json.device(device);
        self.index.device(device);
    }

    fn peer(&mut self, peer: &PeerFacts) {
        self.kept.peer(peer);
        self.json.peer(peer);
        DumpSink::peer(&mut self.index, peer);
    }

    fn allowed_ip(&mut self, allowed_ip: AllowedIp) {
        self.kept.allowed_ip(allowed_ip);
        self.json.allowed_ip(allowed_ip);
        self.index.allowed_ip(allowed_ip);
    }
}

fn read<'a>(
    datagrams: impl IntoIterator<Item = &'a [u8]>,
    sink: &mut dyn DumpSink,
) -> Result<Progress, Malformed> {
    let request = DumpRequest {
        family: FAMILY,
        sequence: SEQUENCE,
        port_id: PORT_ID,
    };
    let mut parser = Parser::new(request, &FINGERPRINTER);
    for datagram in datagrams {
        match parser.datagram(datagram, sink)? {
            Progress::More => {}
            end => return Ok(end),
        }
    }
    Ok(Progress::More)
}

fuzz_target!(|data: &[u8]| {
    let mut dump = data.to_vec();
    kernel::address(&mut dump, SEQUENCE);
    let interface = "wg0".parse().expect("a name");
    let mut sinks = Sinks {
        kept: Kept::default(),
        json: DumpJson::new(&interface),
        index: PeerIndex::new(FINGERPRINTER.clone()),
    };
    let progress = read([&dump[..]], &mut sinks);
    let Sinks {
        kept,
        mut json,
        index,
    } = sinks;

    let mut in_pieces = Kept::default();
    assert_eq!(read(kernel::messages(&dump), &mut in_pieces), progress);
    assert_eq!(in_pieces, kept);

    if kept.device.is_none() {
        assert!(kept.peers.is_empty() && progress != Ok(Progress::Complete));
        return;
    }
    let body = json.finish();
    let expected = to_dump(&kept, &interface);
    assert_eq!(body, serde_json::to_vec(&expected).expect("JSON"));
    let again: Dump = serde_json::from_slice(&body).expect("the contract's JSON");
    assert_eq!(again, without_flow_info(expected));
    assert!(body.len() <= FIXED_BYTES + BYTES_PER_BYTE * data.len());
    assert_index(index, &kept);
    if progress == Ok(Progress::Complete) {
        assert!(
            was_whole(&dump),
            "complete without the kernel having said so"
        );
        assert_written_by_another_library_reads_the_same(kept);
    }
});

/// Whether the messages to us end in a success, and none up to there says that the device changed.
fn was_whole(dump: &[u8]) -> bool {
    let mut to_us = kernel::messages(dump)
        .into_iter()
        .filter(|message| message.len() >= kernel::HEADER_BYTES)
        .filter(|message| message[8..12] == SEQUENCE.to_ne_bytes())
        .filter(|message| message[12..16] == PORT_ID.to_ne_bytes());
    let mut was_interrupted = false;
    let end = to_us.find(|message| {
        was_interrupted |= message[6] & DUMP_INTERRUPTED != 0;
        message[4..6] == kernel::DONE.to_ne_bytes()
    });
    !was_interrupted && end.is_some_and(|end| end[16..].starts_with(&[0; 4]))
}

/// As the contract tells it.
fn to_dump(kept: &Kept, interface: &InterfaceName) -> Dump {
    let peers = kept.peers.iter().map(|(facts, allowed_ips)| DumpPeer {
        public_key: facts.public_key,
        endpoint: facts.endpoint,
        allowed_ips: allowed_ips.clone(),
        latest_handshake: facts.latest_handshake,
        transfer_rx: facts.rx_bytes,
        transfer_tx: facts.tx_bytes,
        persistent_keepalive: facts.persistent_keepalive,
    });
    Dump {
        interface: interface.clone(),
        peers: peers.collect(),
    }
}

/// The text of an address does not have it.
fn without_flow_info(mut dump: Dump) -> Dump {
    for peer in &mut dump.peers {
        if let Some(SocketAddr::V6(v6)) = &mut peer.endpoint {
            v6.set_flowinfo(0);
        }
    }
    dump
}

fn assert_index(mut index: PeerIndex, kept: &Kept) {
    let mut owners = HashMap::new();
    for (facts, allowed_ips) in &kept.peers {
        owners.extend(allowed_ips.iter().map(|ip| (*ip, facts.public_key)));
    }
    assert_eq!(index.len(), kept.peers.len());
    for (allowed_ip, owner) in &owners {
        assert_eq!(index.owner(allowed_ip), Some(*owner));
    }
    for (facts, _) in &kept.peers {
        let remove = Mutation::Remove(facts.public_key);
        match remove.plan(&index) {
            Ok(Step::Apply(change)) => index.apply(&change),
            other => panic!("a peer that is there: {other:?}"),
        }
    }
    assert!(index.is_empty());
    assert!(owners.keys().all(|ip| index.owner(ip).is_none()));
}

fn assert_written_by_another_library_reads_the_same(mut kept: Kept) {
    // Only its fingerprint left the reader.
    for (facts, _) in &mut kept.peers {
        facts.preshared_key = None;
    }
    let mut datagrams = vec![device(&kept.device.expect("of a whole dump"))];
    for (facts, allowed_ips) in &kept.peers {
        let (first, rest) = allowed_ips.split_at(PART.min(allowed_ips.len()));
        datagrams.push(peers(whole(facts, first)));
        datagrams.extend(rest.chunks(PART).map(|part| peers(rest_of(facts, part))));
    }
    datagrams.push(message(kernel::DONE, &[0; 4]));
    let mut again = Kept::default();
    let progress = read(datagrams.iter().map(Vec::as_slice), &mut again);
    assert_eq!(progress, Ok(Progress::Complete));
    assert_eq!(again, kept);
}

fn device(facts: &DeviceFacts) -> Vec<u8> {
    let mut attributes = vec![
        WireguardAttribute::ListenPort(facts.listen_port),
        WireguardAttribute::Fwmark(facts.fwmark),
        WireguardAttribute::IfIndex(facts.ifindex),
        WireguardAttribute::IfName("wg0".to_owned()),
    ];
    let key = facts.public_key.map(|key| *key.as_bytes());
    attributes.extend(key.map(WireguardAttribute::PublicKey));
    dump_message(&attributes)
}

fn peers(peer: Vec<WireguardPeerAttribute>) -> Vec<u8> {
    dump_message(&[WireguardAttribute::Peers(vec![WireguardPeer(peer)])])
}

fn whole(facts: &PeerFacts, allowed_ips: &[AllowedIp]) -> Vec<WireguardPeerAttribute> {
    let mut attributes = rest_of(facts, allowed_ips);
    attributes.extend([
        WireguardPeerAttribute::LastHandshake(WireguardTimeSpec {
            seconds: facts.latest_handshake,
            nano_seconds: 5,
        }),
        WireguardPeerAttribute::PersistentKeepalive(facts.persistent_keepalive.as_secs()),
        WireguardPeerAttribute::TxBytes(facts.tx_bytes),
        WireguardPeerAttribute::RxBytes(facts.rx_bytes),
    ]);
    attributes.extend(facts.endpoint.map(WireguardPeerAttribute::Endpoint));
    attributes
}

fn rest_of(facts: &PeerFacts, allowed_ips: &[AllowedIp]) -> Vec<WireguardPeerAttribute> {
    vec![
        WireguardPeerAttribute::PublicKey(*facts.public_key.as_bytes()),
        WireguardPeerAttribute::AllowedIps(allowed_ips.iter().map(entry).collect()),
    ]
}

fn entry(allowed_ip: &AllowedIp) -> WireguardAllowedIp {
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

fn dump_message(attributes: &[WireguardAttribute]) -> Vec<u8> {
    // WG_CMD_SET_DEVICE of version 1, as the kernel's dumps have it.
    let mut payload = vec![1, 1, 0, 0];
    payload.resize(4 + attributes.buffer_len(), 0);
    attributes.emit(&mut payload[4..]);
    message(FAMILY, &payload)
}

fn message(kind: u16, payload: &[u8]) -> Vec<u8> {
    let len = u32::try_from(kernel::HEADER_BYTES + payload.len()).expect("a short message");
    let mut bytes = len.to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend([0; 2]);
    bytes.extend(SEQUENCE.to_ne_bytes());
    bytes.extend(PORT_ID.to_ne_bytes());
    bytes.extend(payload);
    bytes
}
