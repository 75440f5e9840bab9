//! Bodies, a client's and an agent's: what is taken is what a second reading of the contract takes,
//! and survives being written and read again.

#![no_main]

use std::{fmt::Debug, net::SocketAddr};

use ipnet::IpNet;
use libfuzzer_sys::fuzz_target;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeOwned, MapAccess, Visitor},
};
use serde_json::Value;
use wire_contract::{
    dto::{
        AddPeer, Device, Dump, Health, Interfaces, PeerAdded, PeerChanged, PresharedKeyChange,
        UpdatePeer,
    },
    error::ErrorBody,
};

/// However long a body is, what is said of it is short.
const MAX_MESSAGE_BYTES: usize = 1024;

fuzz_target!(|data: &[u8]| {
    let members = serde_json::from_slice::<Members>(data);
    let add = written_and_read::<AddPeer>(data);
    let update = written_and_read::<UpdatePeer>(data);
    if let Ok(members) = &members {
        assert_eq!(add.as_ref().ok().map(Peer::from), members.add());
        assert_eq!(update.as_ref().ok().map(Update::from), members.update());
    }
    for message in [add.err(), update.err()].into_iter().flatten() {
        assert!(message.len() <= MAX_MESSAGE_BYTES, "{message}");
        if let Some(secret) = members.as_ref().ok().and_then(Members::preshared_key) {
            assert!(!message.contains(secret), "{message}");
        }
    }
    // An agent that lies may send any of these.
    let _ = written_and_read::<Health>(data);
    let _ = written_and_read::<Dump>(data);
    let _ = written_and_read::<PeerAdded>(data);
    let _ = written_and_read::<PeerChanged>(data);
    let _ = written_and_read::<Interfaces>(data);
    let _ = written_and_read::<Device>(data);
    let _ = written_and_read::<ErrorBody>(data);
});

fn written_and_read<T>(data: &[u8]) -> Result<T, String>
where
    T: Serialize + DeserializeOwned + PartialEq + Debug,
{
    let read: T = serde_json::from_slice(data).map_err(|error| error.to_string())?;
    let written = serde_json::to_vec(&read).expect("what was read can be written");
    let again: T = serde_json::from_slice(&written).expect("what was written can be read");
    assert_eq!(again, read, "{}", String::from_utf8_lossy(&written));
    Ok(read)
}

/// The settings of an [`AddPeer`], preshared key in the clear.
#[derive(Debug, PartialEq)]
struct Peer {
    public_key: [u8; 32],
    allowed_ips: Vec<IpNet>,
    preshared_key: Option<[u8; 32]>,
    persistent_keepalive: u16,
    endpoint: Option<SocketAddr>,
}

/// Those of an [`UpdatePeer`]; `Some(None)` removes the preshared key.
#[derive(Debug, PartialEq)]
struct Update {
    allowed_ips: Option<Vec<IpNet>>,
    preshared_key: Option<Option<[u8; 32]>>,
    persistent_keepalive: Option<u16>,
    endpoint: Option<SocketAddr>,
}

fn nets(list: &[wire_contract::AllowedIp]) -> Vec<IpNet> {
    let net = |ip: &wire_contract::AllowedIp| IpNet::new(ip.network(), ip.prefix_len());
    list.iter().map(|ip| net(ip).expect("a network")).collect()
}

impl From<&AddPeer> for Peer {
    fn from(add: &AddPeer) -> Self {
        Self {
            public_key: *add.public_key.as_bytes(),
            allowed_ips: nets(&add.allowed_ips),
            preshared_key: add.preshared_key.as_ref().map(|key| *key.expose()),
            persistent_keepalive: add.persistent_keepalive.as_secs(),
            endpoint: add.endpoint,
        }
    }
}

impl From<&UpdatePeer> for Update {
    fn from(update: &UpdatePeer) -> Self {
        Self {
            allowed_ips: update.allowed_ips.as_deref().map(nets),
            preshared_key: match &update.preshared_key {
                PresharedKeyChange::Unchanged => None,
                PresharedKeyChange::Remove => Some(None),
                PresharedKeyChange::Set(key) => Some(Some(*key.expose())),
            },
            persistent_keepalive: update.persistent_keepalive.map(|secs| secs.as_secs()),
            endpoint: update.endpoint,
        }
    }
}

/// An object as it was sent, members given twice included.
struct Members(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;

        impl<'de> Visitor<'de> for All {
            type Value = Members;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut all = Vec::new();
                while let Some(member) = map.next_entry()? {
                    all.push(member);
                }
                Ok(Members(all))
            }
        }

        deserializer.deserialize_map(All)
    }
}

/// A known member: `None` refuses the body, `Some(None)` is absent, `Some(Some(None))` is `null`.
type Member<T> = Option<Option<Option<T>>>;

impl Members {
    fn member<T>(&self, name: &str, read: impl Fn(&Value) -> Option<T>) -> Member<T> {
        let mut found = self.0.iter().filter(|(known, _)| known == name);
        let first = found.next();
        if found.next().is_some() {
            return None;
        }
        match first {
            None => Some(None),
            Some((_, Value::Null)) => Some(Some(None)),
            Some((_, value)) => read(value).map(|value| Some(Some(value))),
        }
    }

    fn add(&self) -> Option<Peer> {
        let (public_key, preshared_key, secs, endpoint, allowed_ips) = self.known()?;
        Some(Peer {
            public_key: public_key.flatten()?,
            allowed_ips: allowed_ips.flatten().unwrap_or_default(),
            preshared_key: preshared_key.flatten().filter(|key| *key != [0; 32]),
            persistent_keepalive: secs.flatten().unwrap_or_default(),
            endpoint: endpoint.flatten(),
        })
    }

    fn update(&self) -> Option<Update> {
        let (_, preshared_key, secs, endpoint, allowed_ips) = self.known()?;
        if allowed_ips == Some(None) || secs == Some(None) || endpoint == Some(None) {
            return None;
        }
        Some(Update {
            allowed_ips: allowed_ips.flatten(),
            preshared_key: preshared_key.map(|key| key.filter(|key| *key != [0; 32])),
            persistent_keepalive: secs.flatten(),
            endpoint: endpoint.flatten(),
        })
    }

    #[expect(
        clippy::type_complexity,
        reason = "five fields, each absent, null or there"
    )]
    fn known(
        &self,
    ) -> Option<(
        Option<Option<[u8; 32]>>,
        Option<Option<[u8; 32]>>,
        Option<Option<u16>>,
        Option<Option<SocketAddr>>,
        Option<Option<Vec<IpNet>>>,
    )> {
        Some((
            self.member("public_key", key)?,
            self.member("preshared_key", key)?,
            self.member("persistent_keepalive", |value| {
                value.as_u64().and_then(|secs| u16::try_from(secs).ok())
            })?,
            self.member("endpoint", |value| {
                let address: SocketAddr = value.as_str()?.parse().ok()?;
                (address.port() != 0).then_some(address)
            })?,
            self.member("allowed_ips", networks)?,
        ))
    }

    /// A preshared key, or what was sent as one, if nothing else in the body reads like it.
    fn preshared_key(&self) -> Option<&str> {
        let is_it = |name: &str| name == "preshared_key";
        let (_, secret) = self.0.iter().find(|(name, _)| is_it(name))?;
        let secret = secret.as_str().filter(|text| text.len() >= 16)?;
        let is_elsewhere = self.0.iter().any(|(name, value)| {
            name.contains(secret) || (!is_it(name) && value.to_string().contains(secret))
        });
        let is_ours =
            "a key must be the base64 of exactly 32 bytes: 44 characters, the last one '='"
                .contains(secret);
        (!is_elsewhere && !is_ours).then_some(secret)
    }
}

fn networks(value: &Value) -> Option<Vec<IpNet>> {
    let mut list = Vec::new();
    for item in value.as_array()? {
        let net = network(item.as_str()?)?;
        if !list.contains(&net) {
            list.push(net);
        }
    }
    Some(list)
}

fn network(text: &str) -> Option<IpNet> {
    let (address, prefix_len) = match text.split_once('/') {
        None => return Some(IpNet::from(text.parse::<std::net::IpAddr>().ok()?)),
        Some(halves) => halves,
    };
    let leads_with_zero = prefix_len.len() > 1 && prefix_len.starts_with('0');
    if leads_with_zero || !prefix_len.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let net = IpNet::new(address.parse().ok()?, prefix_len.parse().ok()?);
    net.ok().map(|net| net.trunc())
}

/// Canonical base64 of 32 bytes, read bit by bit.
fn key(value: &Value) -> Option<[u8; 32]> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = value.as_str()?.strip_suffix('=')?.as_bytes();
    let mut bits = Vec::new();
    for digit in digits {
        let six = ALPHABET.iter().position(|known| known == digit)?;
        bits.extend((0..6).rev().map(|bit| six >> bit & 1));
    }
    let (bytes, over) = bits.split_at_checked(256)?;
    if over != [0, 0] {
        return None;
    }
    let byte = |eight: &[usize]| eight.iter().fold(0, |byte, bit| byte << 1 | bit);
    let bytes: Vec<u8> = bytes
        .chunks(8)
        .map(|eight| u8::try_from(byte(eight)).expect("eight bits"))
        .collect();
    bytes.try_into().ok()
}
