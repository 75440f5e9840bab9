//! What callers send, checked field by field. A refusal names the field and never repeats a key.

use std::{collections::BTreeMap, net::IpAddr};

use tonic::Status;
use wire_contract::{AllowedIp, Keepalive, PresharedKey, PublicKey};

use super::keys;
use crate::{
    domain::labels::check_labels,
    services::status::invalid,
    store::{NodeId, SyncState, peer_list::Admission},
};
use wgfleet_proto::v1::{
    PeerState, PresharedKeyChoice, SyncState as ProtoSync, preshared_key_choice::Choice,
};

/// The most entries of any list: a request can't make a peer that no agent would take.
const MAX_ENTRIES: usize = 1024;
const MAX_DNS: usize = 16;
const MAX_DOMAIN_CHARS: usize = 253;
/// Below it IPv4 itself no longer works, above it no packet goes.
const MTU_BYTES: std::ops::RangeInclusive<u32> = 576..=65535;

/// What becomes of a preshared key.
pub(super) enum PresharedKeyChange {
    /// There is none.
    None,
    /// The caller knows it.
    Given(PresharedKey),
    /// Drawn here; the caller is told once.
    Generated(PresharedKey),
    /// What the node has, which is not known here.
    Kept,
}

impl PresharedKeyChange {
    /// The key, if there is one.
    pub(super) const fn key(&self) -> Option<&PresharedKey> {
        match self {
            Self::None | Self::Kept => None,
            Self::Given(key) | Self::Generated(key) => Some(key),
        }
    }

    /// The key in base64 when the caller can't know it.
    pub(super) fn to_answer(&self) -> Option<String> {
        match self {
            Self::Generated(key) => Some(key.expose_base64().as_str().to_owned()),
            Self::None | Self::Given(_) | Self::Kept => None,
        }
    }

    /// Whether it is known here what key there is.
    pub(super) const fn is_known(&self) -> bool {
        !matches!(self, Self::Kept)
    }
}

/// What was chosen; `None` when nothing was.
pub(super) fn preshared_key(
    choice: Option<PresharedKeyChoice>,
) -> Result<Option<PresharedKeyChange>, Status> {
    let change = match choice.and_then(|choice| choice.choice) {
        None | Some(Choice::Generate(false) | Choice::None(false) | Choice::Keep(false)) => {
            return Ok(None);
        }
        Some(Choice::Keep(true)) => PresharedKeyChange::Kept,
        Some(Choice::None(true)) => PresharedKeyChange::None,
        Some(Choice::Generate(true)) => PresharedKeyChange::Generated(keys::draw_preshared_key()?),
        Some(Choice::Key(text)) => {
            let key: PresharedKey = text.parse().map_err(|e: wire_contract::key::InvalidKey| {
                invalid("preshared_key", e.to_string())
            })?;
            if key.is_none() {
                let why = "32 zero bytes mean no preshared key to WireGuard: ask for none instead";
                return Err(invalid("preshared_key", why));
            }
            PresharedKeyChange::Given(key)
        }
    };
    Ok(Some(change))
}

/// A public key a peer can have.
pub(super) fn public_key(text: &str) -> Result<PublicKey, Status> {
    let key: PublicKey = text
        .parse()
        .map_err(|e: wire_contract::key::InvalidKey| invalid("public_key", e.to_string()))?;
    if *key.as_bytes() == [0; 32] {
        let why = "32 zero bytes are no public key";
        return Err(invalid("public_key", why));
    }
    Ok(key)
}

/// Networks, each once, in the order given.
pub(super) fn networks(field: &str, texts: &[String]) -> Result<Vec<AllowedIp>, Status> {
    refuse_long(field, texts.len(), MAX_ENTRIES)?;
    let mut networks = Vec::with_capacity(texts.len());
    for text in texts {
        let network: AllowedIp =
            text.trim()
                .parse()
                .map_err(|e: wire_contract::allowed_ip::InvalidAllowedIp| {
                    invalid(field, e.to_string())
                })?;
        if !networks.contains(&network) {
            networks.push(network);
        }
    }
    Ok(networks)
}

/// Seconds; 0 is off.
pub(super) fn keepalive(seconds: u32) -> Result<Keepalive, Status> {
    u16::try_from(seconds)
        .map(Keepalive::from_secs)
        .map_err(|_| {
            let why = format!("{seconds} is not in 0 to 65535 seconds, 0 being off");
            invalid("persistent_keepalive", why)
        })
}

/// Bytes.
pub(super) fn mtu(bytes: u32) -> Result<u32, Status> {
    if MTU_BYTES.contains(&bytes) {
        return Ok(bytes);
    }
    let why = format!("{bytes} is not in 576 to 65535 bytes");
    Err(invalid("mtu", why))
}

/// Servers by address and search domains, as wg-quick takes them.
pub(super) fn dns(texts: &[String]) -> Result<Vec<String>, Status> {
    refuse_long("dns", texts.len(), MAX_DNS)?;
    let entry = |text: &String| {
        let text = text.trim();
        let is_server = text.parse::<IpAddr>().is_ok();
        if is_server || is_domain(text) {
            return Ok(text.to_owned());
        }
        let shown: String = text.chars().take(64).collect();
        let why = format!("{shown:?} is neither an IP address nor a domain");
        Err(invalid("dns", why))
    };
    texts.iter().map(entry).collect()
}

/// Unix seconds, yet to come.
pub(super) fn expiry(at_s: i64, now_s: i64) -> Result<i64, Status> {
    if at_s > now_s {
        return Ok(at_s);
    }
    let why = format!("{at_s} is not in the future; it is Unix seconds, and now is {now_s}");
    Err(invalid("expires_at", why))
}

/// Labels, or a selector.
pub(super) fn labels(field: &str, labels: &BTreeMap<String, String>) -> Result<(), Status> {
    check_labels(labels).map_err(|e| invalid(field, e.to_string()))
}

/// A node that may be left out.
pub(super) fn optional_node(text: &str) -> Result<Option<NodeId>, Status> {
    if text.is_empty() {
        return Ok(None);
    }
    let parsed = text.parse();
    parsed
        .map(Some)
        .map_err(|_| crate::services::status::no_such_node())
}

/// A filter by state.
pub(super) fn sync_filter(number: i32) -> Result<Option<SyncState>, Status> {
    match ProtoSync::try_from(number) {
        Ok(ProtoSync::Unspecified) => Ok(None),
        Ok(ProtoSync::Applied) => Ok(Some(SyncState::Applied)),
        Ok(ProtoSync::Pending) => Ok(Some(SyncState::Pending)),
        Ok(ProtoSync::Failed) => Ok(Some(SyncState::Failed)),
        Err(_) => Err(invalid("sync", "there is no such sync state")),
    }
}

/// A filter by whether peers are let in.
pub(super) fn state_filter(number: i32) -> Result<Option<Admission>, Status> {
    match PeerState::try_from(number) {
        Ok(PeerState::Unspecified) => Ok(None),
        Ok(PeerState::Expired) => Ok(Some(Admission::Expired)),
        Ok(PeerState::Active) => Ok(Some(Admission::Active)),
        Ok(PeerState::QuotaUsedUp) => Ok(Some(Admission::QuotaUsedUp)),
        Ok(PeerState::Disabled) => Ok(Some(Admission::Disabled)),
        Err(_) => Err(invalid("state", "there is no such state of a peer")),
    }
}

fn refuse_long(field: &str, count: usize, max: usize) -> Result<(), Status> {
    if count <= max {
        return Ok(());
    }
    Err(invalid(
        field,
        format!("{count} entries are too many; {max} is the most"),
    ))
}

fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // All digits and dots is a mistyped address.
    let has_letter = text.bytes().any(|b| b.is_ascii_alphabetic());
    text.len() <= MAX_DOMAIN_CHARS
        && has_letter
        && text.strip_suffix('.').unwrap_or(text).split('.').all(label)
}
