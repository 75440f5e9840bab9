//! Reading what a daemon answers: lines of `key=value`, the last of them `errno=`, then an empty one.
//!
//! Unknown keys are passed over, as the protocol demands. A known key with a value it can't have
//! makes the answer malformed; the error names the key and never the value, which may be secret.

use std::{
    collections::{HashMap, hash_map::Entry},
    net::{Ipv6Addr, SocketAddr, SocketAddrV6},
    str::{self, FromStr},
};

use wire_contract::{AllowedIp, Keepalive, PublicKey, key::KEY_BYTES};
use x25519_dalek::StaticSecret;
use zeroize::Zeroizing;

use crate::wireguard::{
    PeerFacts,
    fingerprint::{Fingerprint, Fingerprinter},
};

/// As many peers as the kernel takes; no daemon is known to take more.
const MAX_PEERS: usize = 1 << 20;

/// An answer that breaks the protocol. Says where and never what: it may have been a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed answer: {0}")]
pub struct Malformed(pub(super) &'static str);

/// What a daemon says of its interface.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Interface {
    /// Its own key; `None` while it has none.
    pub public_key: Option<PublicKey>,
    /// UDP port; 0 when none is bound.
    pub listen_port: u16,
    /// Firewall mark; 0 is none.
    pub fwmark: u32,
    /// In the daemon's order, each once.
    pub peers: Vec<Peer>,
}

/// One peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// All but its networks.
    pub facts: PeerFacts,
    /// Its networks, in the daemon's order.
    pub allowed_ips: Vec<AllowedIp>,
}

/// How far an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// More lines must come.
    More,
    /// That was the last one. The errno is positive, 0 is success.
    Complete {
        /// What the daemon says of the request.
        errno: i32,
    },
}

/// Reads one answer line by line.
pub struct Reader<'a> {
    fingerprinter: &'a Fingerprinter,
    interface: Interface,
    positions: HashMap<PublicKey, usize>,
    /// The peer that is being told of.
    current: Option<usize>,
    /// Whether it was told of before: a daemon may split a peer.
    is_repeated: bool,
    errno: Option<i32>,
}

impl<'a> Reader<'a> {
    /// For an answer that begins with the next line.
    #[must_use]
    pub fn new(fingerprinter: &'a Fingerprinter) -> Self {
        Self {
            fingerprinter,
            interface: Interface::default(),
            positions: HashMap::new(),
            current: None,
            is_repeated: false,
            errno: None,
        }
    }

    /// Takes the next line, without its newline.
    ///
    /// # Errors
    /// [`Malformed`]; nothing more can be made of the answer then.
    pub fn line(&mut self, line: &[u8]) -> Result<Progress, Malformed> {
        if line.is_empty() {
            let errno = self.errno.ok_or(Malformed("it ends without an errno"))?;
            return Ok(Progress::Complete { errno });
        }
        if self.errno.is_some() {
            return Err(Malformed("it goes on after its errno"));
        }
        let equals = line.iter().position(|byte| *byte == b'=');
        let (key, value) = line.split_at(equals.ok_or(Malformed("a line without a ="))?);
        self.field(key, &value[1..])?;
        Ok(Progress::More)
    }

    /// What the lines told.
    #[must_use]
    pub fn finish(self) -> Interface {
        self.interface
    }

    fn field(&mut self, key: &[u8], value: &[u8]) -> Result<(), Malformed> {
        match key {
            b"errno" => {
                let errno: i64 = parsed(value, "errno")?;
                // wireguard-go writes negative ones. What is no errno is an error all the same.
                self.errno = Some(i32::try_from(errno.unsigned_abs()).unwrap_or(i32::MAX));
            }
            b"public_key" => self.begin_peer(PublicKey::from_bytes(*hex(value, "public_key")?))?,
            _ => match self.current {
                None => self.device_field(key, value)?,
                Some(current) => self.peer_field(current, key, value)?,
            },
        }
        Ok(())
    }

    fn device_field(&mut self, key: &[u8], value: &[u8]) -> Result<(), Malformed> {
        let interface = &mut self.interface;
        match key {
            b"private_key" => interface.public_key = public_of(&*hex(value, "private_key")?),
            // boringtun's, in place of the private key.
            b"own_public_key" => {
                let key = PublicKey::from_bytes(*hex(value, "own_public_key")?);
                interface.public_key = Some(key);
            }
            b"listen_port" => interface.listen_port = parsed(value, "listen_port")?,
            b"fwmark" => interface.fwmark = parsed(value, "fwmark")?,
            _ => {}
        }
        Ok(())
    }

    fn begin_peer(&mut self, public_key: PublicKey) -> Result<(), Malformed> {
        let peers = &mut self.interface.peers;
        let position = match self.positions.entry(public_key) {
            Entry::Occupied(known) => {
                self.is_repeated = true;
                *known.get()
            }
            Entry::Vacant(_) if peers.len() == MAX_PEERS => {
                return Err(Malformed("more peers than there can be"));
            }
            Entry::Vacant(new) => {
                self.is_repeated = false;
                peers.push(Peer::new(public_key));
                *new.insert(peers.len() - 1)
            }
        };
        self.current = Some(position);
        Ok(())
    }

    fn peer_field(&mut self, peer: usize, key: &[u8], value: &[u8]) -> Result<(), Malformed> {
        let peer = &mut self.interface.peers[peer];
        let facts = &mut peer.facts;
        match key {
            b"preshared_key" => facts.preshared_key = fingerprint(self.fingerprinter, value)?,
            b"endpoint" => facts.endpoint = Some(endpoint(value)?),
            b"persistent_keepalive_interval" => {
                let seconds = parsed(value, "persistent_keepalive_interval")?;
                facts.persistent_keepalive = Keepalive::from_secs(seconds);
            }
            b"last_handshake_time_sec" => {
                facts.latest_handshake = parsed(value, "last_handshake_time_sec")?;
            }
            b"rx_bytes" => facts.rx_bytes = parsed(value, "rx_bytes")?,
            b"tx_bytes" => facts.tx_bytes = parsed(value, "tx_bytes")?,
            b"allowed_ip" => {
                let allowed_ip = parsed(value, "allowed_ip")?;
                if !self.is_repeated || !peer.allowed_ips.contains(&allowed_ip) {
                    peer.allowed_ips.push(allowed_ip);
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl Peer {
    /// As it is when nothing is said of it.
    #[must_use]
    pub fn new(public_key: PublicKey) -> Self {
        let facts = PeerFacts {
            public_key,
            preshared_key: None,
            endpoint: None,
            latest_handshake: 0,
            rx_bytes: 0,
            tx_bytes: 0,
            persistent_keepalive: Keepalive::OFF,
        };
        Self {
            facts,
            allowed_ips: Vec::new(),
        }
    }
}

fn hex(value: &[u8], key: &'static str) -> Result<Zeroizing<[u8; KEY_BYTES]>, Malformed> {
    let mut bytes = Zeroizing::new([0; KEY_BYTES]);
    if value.len() != 2 * KEY_BYTES {
        return Err(Malformed(key));
    }
    faster_hex::hex_decode(value, &mut *bytes).map_err(|_| Malformed(key))?;
    Ok(bytes)
}

fn parsed<T: FromStr>(value: &[u8], key: &'static str) -> Result<T, Malformed> {
    let text = str::from_utf8(value).map_err(|_| Malformed(key))?;
    text.parse().map_err(|_| Malformed(key))
}

/// All zeros is how "none" is written.
fn public_of(private_key: &[u8; KEY_BYTES]) -> Option<PublicKey> {
    let private_key = (*private_key != [0; KEY_BYTES]).then(|| StaticSecret::from(*private_key))?;
    let public_key = x25519_dalek::PublicKey::from(&private_key);
    Some(PublicKey::from_bytes(public_key.to_bytes()))
}

fn fingerprint(by: &Fingerprinter, value: &[u8]) -> Result<Option<Fingerprint>, Malformed> {
    Ok(by.of_raw(&*hex(value, "preshared_key")?))
}

/// `address:port` or `[address]:port`. A zone that is a name means nothing elsewhere and is dropped.
fn endpoint(value: &[u8]) -> Result<SocketAddr, Malformed> {
    const KEY: &str = "endpoint";
    if let Ok(endpoint) = parsed(value, KEY) {
        return Ok(endpoint);
    }
    let text = str::from_utf8(value).map_err(|_| Malformed(KEY))?;
    let (address, rest) = text.split_once('%').ok_or(Malformed(KEY))?;
    let address = address.strip_prefix('[').ok_or(Malformed(KEY))?;
    let (_, port) = rest.split_once("]:").ok_or(Malformed(KEY))?;
    let address: Ipv6Addr = parsed(address.as_bytes(), KEY)?;
    let port = parsed(port.as_bytes(), KEY)?;
    Ok(SocketAddrV6::new(address, port, 0, 0).into())
}
