//! Reads the kernel's dump of a device in place, out of the receive buffer.
//!
//! The dump carries the device's private key, which is never looked at, and every preshared key, of
//! which only a [`Fingerprint`](super::super::fingerprint::Fingerprint) leaves this file.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use wire_contract::{AllowedIp, Keepalive, PublicKey, key::KEY_BYTES};

use super::{
    abi::{self, AF_INET, AF_INET6, SOCKADDR_IN_BYTES, SOCKADDR_IN6_BYTES},
    message::{Attributes, Malformed, Message, Messages, exactly},
};
use crate::wireguard::{DeviceFacts, DumpSink, PeerFacts, fingerprint::Fingerprinter};

/// What tells the answers to one dump request from everything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DumpRequest {
    /// The number the kernel gave the `wireguard` family.
    pub family: u16,
    /// The request's sequence number.
    pub sequence: u32,
    /// The port id of the socket that asked.
    pub port_id: u32,
}

/// How far a dump has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// More is to come.
    More,
    /// All of it was reported, and nothing changed meanwhile.
    Complete,
    /// It ended, and something changed meanwhile: what was reported is void.
    Interrupted,
    /// The kernel ended it with this errno (positive).
    Failed(i32),
}

/// Follows one dump through its messages. Holds no secret and allocates nothing.
pub struct Parser<'f> {
    request: DumpRequest,
    fingerprinter: &'f Fingerprinter,
    interrupted: bool,
    ifindex: Option<u32>,
    current: Option<[u8; KEY_BYTES]>,
}

impl<'f> Parser<'f> {
    /// A parser for the answers to `request`.
    #[must_use]
    pub const fn new(request: DumpRequest, fingerprinter: &'f Fingerprinter) -> Self {
        Self {
            request,
            fingerprinter,
            interrupted: false,
            ifindex: None,
            current: None,
        }
    }

    /// Takes one datagram as received and reports what is in it. Messages that answer another request
    /// or another socket are skipped.
    ///
    /// # Errors
    /// [`Malformed`]; what was reported is void then.
    pub fn datagram(
        &mut self,
        datagram: &[u8],
        sink: &mut dyn DumpSink,
    ) -> Result<Progress, Malformed> {
        for message in Messages(datagram) {
            let message = message?;
            if message.sequence != self.request.sequence || message.port_id != self.request.port_id
            {
                continue;
            }
            match self.message(message, sink)? {
                Progress::More => {}
                end => return Ok(end),
            }
        }
        Ok(Progress::More)
    }

    fn message(
        &mut self,
        message: Message<'_>,
        sink: &mut dyn DumpSink,
    ) -> Result<Progress, Malformed> {
        self.interrupted |= message.flags & abi::FLAG_DUMP_INTERRUPTED != 0;
        match message.kind {
            // Void already: only its end is waited for.
            kind if kind == self.request.family && self.interrupted => Ok(Progress::More),
            kind if kind == self.request.family => {
                self.device(message.attributes()?, sink)?;
                Ok(Progress::More)
            }
            abi::DONE => self.done(message.errno()?),
            abi::ERROR => Ok(match message.errno()? {
                0 => Progress::More,
                errno => Progress::Failed(errno),
            }),
            abi::NOOP => Ok(Progress::More),
            _ => Err(Malformed("message of an unknown kind")),
        }
    }

    fn done(&self, errno: i32) -> Result<Progress, Malformed> {
        match (errno, self.interrupted, self.ifindex) {
            (0, true, _) => Ok(Progress::Interrupted),
            (0, false, Some(_)) => Ok(Progress::Complete),
            (0, false, None) => Err(Malformed("a dump without a device")),
            (errno, ..) => Ok(Progress::Failed(errno)),
        }
    }

    fn device(
        &mut self,
        attributes: Attributes<'_>,
        sink: &mut dyn DumpSink,
    ) -> Result<(), Malformed> {
        let mut ifindex = None;
        let mut facts = DeviceFacts {
            ifindex: 0,
            public_key: None,
            listen_port: 0,
            fwmark: 0,
        };
        let mut peers = Attributes::default();
        for attribute in attributes {
            let (kind, payload) = attribute?;
            match kind {
                abi::device::IFINDEX => {
                    ifindex = Some(u32::from_ne_bytes(exactly(payload, "ifindex")?));
                }
                abi::device::PUBLIC_KEY => {
                    let key = exactly(payload, "the device's public key")?;
                    facts.public_key = Some(PublicKey::from_bytes(key));
                }
                abi::device::LISTEN_PORT => {
                    facts.listen_port = u16::from_ne_bytes(exactly(payload, "listen port")?);
                }
                abi::device::FWMARK => {
                    facts.fwmark = u32::from_ne_bytes(exactly(payload, "fwmark")?);
                }
                abi::device::PEERS => peers = Attributes(payload),
                _ => {}
            }
        }
        if let Some(ifindex) = ifindex {
            self.begin(DeviceFacts { ifindex, ..facts }, sink)?;
        }
        self.peers(peers, sink)
    }

    /// The kernel repeats the device as long as its first peer is not through: the repetition is no
    /// new dump.
    fn begin(&mut self, facts: DeviceFacts, sink: &mut dyn DumpSink) -> Result<(), Malformed> {
        match self.ifindex {
            None => {
                self.ifindex = Some(facts.ifindex);
                sink.device(&facts);
                Ok(())
            }
            Some(ifindex) if ifindex == facts.ifindex => Ok(()),
            Some(_) => Err(Malformed("two devices in one dump")),
        }
    }

    fn peers(&mut self, peers: Attributes<'_>, sink: &mut dyn DumpSink) -> Result<(), Malformed> {
        for peer in peers {
            let (_, peer) = peer?;
            if self.ifindex.is_none() {
                return Err(Malformed("a peer before the device"));
            }
            self.peer(Attributes(peer), sink)?;
        }
        Ok(())
    }

    fn peer(&mut self, peer: Attributes<'_>, sink: &mut dyn DumpSink) -> Result<(), Malformed> {
        let part = PeerPart::read(peer, self.fingerprinter)?;
        let key = part.key.ok_or(Malformed("a peer without a key"))?;
        if self.current != Some(key) {
            // Only the first part of a peer has its facts: without them that part was lost.
            let latest_handshake = part
                .latest_handshake
                .ok_or(Malformed("the rest of a peer without its beginning"))?;
            self.current = Some(key);
            sink.peer(&PeerFacts {
                public_key: PublicKey::from_bytes(key),
                latest_handshake,
                ..part.facts
            });
        }
        for allowed_ip in part.allowed_ips {
            sink.allowed_ip(read_allowed_ip(Attributes(allowed_ip?.1))?);
        }
        Ok(())
    }
}

/// What one nest says of a peer: all of it, or the rest of its allowed IPs.
struct PeerPart<'a> {
    key: Option<[u8; KEY_BYTES]>,
    latest_handshake: Option<i64>,
    facts: PeerFacts,
    allowed_ips: Attributes<'a>,
}

impl<'a> PeerPart<'a> {
    #[inline]
    fn read(peer: Attributes<'a>, fingerprinter: &Fingerprinter) -> Result<Self, Malformed> {
        let mut part = Self {
            key: None,
            latest_handshake: None,
            facts: PeerFacts {
                public_key: PublicKey::from_bytes([0; KEY_BYTES]),
                preshared_key: None,
                endpoint: None,
                latest_handshake: 0,
                rx_bytes: 0,
                tx_bytes: 0,
                persistent_keepalive: Keepalive::OFF,
            },
            allowed_ips: Attributes::default(),
        };
        for attribute in peer {
            let (kind, payload) = attribute?;
            part.attribute(kind, payload, fingerprinter)?;
        }
        Ok(part)
    }

    #[inline]
    fn attribute(
        &mut self,
        kind: u16,
        payload: &'a [u8],
        fingerprinter: &Fingerprinter,
    ) -> Result<(), Malformed> {
        match kind {
            abi::peer::PUBLIC_KEY => self.key = Some(exactly(payload, "a peer's key")?),
            abi::peer::PRESHARED_KEY => {
                // By reference: no copy of it stays behind on the stack.
                let key: &[u8; KEY_BYTES] = payload
                    .try_into()
                    .map_err(|_| Malformed("a preshared key"))?;
                self.facts.preshared_key = fingerprinter.of_raw(key);
            }
            abi::peer::ENDPOINT => self.facts.endpoint = Some(read_endpoint(payload)?),
            abi::peer::PERSISTENT_KEEPALIVE => {
                let seconds = u16::from_ne_bytes(exactly(payload, "a keepalive")?);
                self.facts.persistent_keepalive = Keepalive::from_secs(seconds);
            }
            abi::peer::LAST_HANDSHAKE => {
                let [seconds @ .., _, _, _, _, _, _, _, _] =
                    exactly::<16>(payload, "a handshake's time")?;
                self.latest_handshake = Some(i64::from_ne_bytes(seconds));
            }
            abi::peer::RX_BYTES => {
                self.facts.rx_bytes = u64::from_ne_bytes(exactly(payload, "a counter")?);
            }
            abi::peer::TX_BYTES => {
                self.facts.tx_bytes = u64::from_ne_bytes(exactly(payload, "a counter")?);
            }
            abi::peer::ALLOWED_IPS => self.allowed_ips = Attributes(payload),
            _ => {}
        }
        Ok(())
    }
}

/// Reads a `struct sockaddr_in` or `struct sockaddr_in6`.
fn read_endpoint(payload: &[u8]) -> Result<SocketAddr, Malformed> {
    let bad = Malformed("an endpoint");
    let family = payload
        .first_chunk()
        .map(|family| u16::from_ne_bytes(*family))
        .ok_or(bad)?;
    let port = payload.get(2..).and_then(<[u8]>::first_chunk).ok_or(bad)?;
    let port = u16::from_be_bytes(*port);
    match (family, payload.len()) {
        (AF_INET, SOCKADDR_IN_BYTES) => {
            let address: [u8; 4] = exactly(&payload[4..8], "an endpoint")?;
            Ok(SocketAddrV4::new(Ipv4Addr::from(address), port).into())
        }
        (AF_INET6, SOCKADDR_IN6_BYTES) => {
            let flow_info = u32::from_ne_bytes(exactly(&payload[4..8], "an endpoint")?);
            let address: [u8; 16] = exactly(&payload[8..24], "an endpoint")?;
            let scope_id = u32::from_ne_bytes(exactly(&payload[24..28], "an endpoint")?);
            Ok(SocketAddrV6::new(Ipv6Addr::from(address), port, flow_info, scope_id).into())
        }
        _ => Err(bad),
    }
}

#[inline]
fn read_allowed_ip(attributes: Attributes<'_>) -> Result<AllowedIp, Malformed> {
    let (mut family, mut address, mut prefix_len) = (None, &[][..], None);
    for attribute in attributes {
        let (kind, payload) = attribute?;
        match kind {
            abi::allowed_ip::FAMILY => {
                family = Some(u16::from_ne_bytes(exactly(
                    payload,
                    "an allowed IP's family",
                )?));
            }
            abi::allowed_ip::ADDRESS => address = payload,
            abi::allowed_ip::PREFIX_LEN => {
                prefix_len = Some(u8::from_ne_bytes(exactly(payload, "a prefix length")?));
            }
            _ => {}
        }
    }
    let address = match family {
        Some(AF_INET) => IpAddr::from(exactly::<4>(address, "an allowed IP's address")?),
        Some(AF_INET6) => IpAddr::from(exactly::<16>(address, "an allowed IP's address")?),
        _ => return Err(Malformed("an allowed IP's family")),
    };
    prefix_len
        .and_then(|prefix_len| AllowedIp::new(address, prefix_len))
        .ok_or(Malformed("a prefix length"))
}
