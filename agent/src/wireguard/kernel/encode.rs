//! Writes changes of peers as `WG_CMD_SET_DEVICE` messages, as few as the format allows.
//!
//! A message takes one `WGDEVICE_A_PEERS` attribute, whose 16-bit length counts its own header. Of
//! two, the kernel would apply the last and acknowledge both.

use std::net::{IpAddr, SocketAddr};

use wire_contract::{AllowedIp, PublicKey};
use zeroize::{Zeroize, Zeroizing};

use super::{
    abi::{
        self, AF_INET, AF_INET6, ATTRIBUTE_HEADER_BYTES, GENERIC_HEADER_BYTES,
        MESSAGE_HEADER_BYTES, SOCKADDR_IN_BYTES, SOCKADDR_IN6_BYTES,
    },
    message::{Head, Writer},
};
use crate::wireguard::{AllowedIpsChange, PeerAction, PeerChange, PeerSettings};

/// The longest nest of peers, its header included: the last multiple of 4 in 16 bits.
pub(super) const MAX_PEERS_BYTES: usize = 65_532;
/// The longest message: headers, interface number and a full nest of peers.
pub(super) const MAX_MESSAGE_BYTES: usize =
    MESSAGE_HEADER_BYTES + GENERIC_HEADER_BYTES + 8 + MAX_PEERS_BYTES;

/// Bytes of an attribute of 1 to 4 bytes.
const SMALL_ATTRIBUTE_BYTES: usize = ATTRIBUTE_HEADER_BYTES + 4;
const KEY_ATTRIBUTE_BYTES: usize = ATTRIBUTE_HEADER_BYTES + 32;

/// How a shrinking list of allowed IPs is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shrinking {
    /// Entry by entry, with `WGALLOWEDIP_F_REMOVE_ME`.
    ByEntry,
    /// The whole list anew: packets of the peer may be dropped for an instant.
    ByReplacing,
}

/// How far a list of changes has been written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Cursor {
    /// Changes written whole.
    pub(super) change: usize,
    /// Allowed IPs written of the next one; none is written of its settings while this is 0.
    pub(super) allowed_ip: usize,
}

/// Where a message goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target {
    pub(super) family: u16,
    pub(super) sequence: u32,
    pub(super) ifindex: u32,
}

/// Writes messages into one buffer, allocated once, so that no copy of a preshared key is left behind
/// where a buffer grew.
pub(super) struct Encoder {
    buffer: Zeroizing<Vec<u8>>,
}

impl Encoder {
    pub(super) fn new() -> Self {
        Self {
            buffer: Zeroizing::new(Vec::with_capacity(MAX_MESSAGE_BYTES)),
        }
    }

    /// The message written last.
    pub(super) fn message(&self) -> &[u8] {
        &self.buffer
    }

    /// Forgets the keys written.
    pub(super) fn wipe(&mut self) {
        self.buffer.as_mut_slice().zeroize();
        self.buffer.clear();
    }

    /// Writes as much from `cursor` on as one message takes, at least a part of one change, and
    /// returns how far that is. A peer is split only if it fits in no message.
    pub(super) fn fill(
        &mut self,
        target: Target,
        changes: &[PeerChange],
        mut cursor: Cursor,
        shrinking: Shrinking,
    ) -> Cursor {
        self.write(target, |writer| {
            let limit = writer.len() + MAX_PEERS_BYTES;
            let peers = writer.begin_nest(abi::device::PEERS);
            let empty = writer.len();
            while let Some(change) = changes.get(cursor.change) {
                let part = Part::of(change, shrinking, cursor.allowed_ip);
                let room = limit - writer.len();
                let count = part.allowed_ips_within(room);
                let fits = count == Some(part.allowed_ips.len());
                if !fits && writer.len() > empty {
                    break;
                }
                let count = count.expect("an empty message has room for a part of any peer");
                part.write(writer, count);
                if !fits {
                    cursor.allowed_ip += count;
                    break;
                }
                cursor = Cursor {
                    change: cursor.change + 1,
                    allowed_ip: 0,
                };
            }
            writer.end_nest(peers);
        });
        cursor
    }

    /// Writes a message that gives a peer that is there one allowed IP with a flag no kernel has.
    pub(super) fn probe(&mut self, target: Target, peer: PublicKey, allowed_ip: AllowedIp) {
        self.write(target, |writer| {
            let peers = writer.begin_nest(abi::device::PEERS);
            let nest = writer.begin_nest(0);
            writer.put(abi::peer::PUBLIC_KEY, peer.as_bytes());
            writer.put(abi::peer::FLAGS, &abi::peer::UPDATE_ONLY.to_ne_bytes());
            let list = writer.begin_nest(abi::peer::ALLOWED_IPS);
            put_allowed_ip(writer, allowed_ip, abi::allowed_ip::UNDEFINED);
            writer.end_nest(list);
            writer.end_nest(nest);
            writer.end_nest(peers);
        });
    }

    fn write(&mut self, target: Target, peers: impl FnOnce(&mut Writer<'_>)) {
        let head = Head {
            family: target.family,
            flags: abi::FLAG_REQUEST | abi::FLAG_ACK,
            sequence: target.sequence,
            command: abi::SET_DEVICE,
            version: abi::WIREGUARD_VERSION,
        };
        let mut writer = Writer::begin(&mut self.buffer, head);
        writer.put(abi::device::IFINDEX, &target.ifindex.to_ne_bytes());
        peers(&mut writer);
        writer.finish();
    }
}

/// A peer, or what is left of one after its first messages, as it will be written.
struct Part<'a> {
    public_key: &'a PublicKey,
    flags: u32,
    /// `None` when they are written already, or the peer goes.
    settings: Option<&'a PeerSettings>,
    allowed_ips: Entries<'a>,
}

impl<'a> Part<'a> {
    fn of(change: &'a PeerChange, shrinking: Shrinking, from: usize) -> Self {
        let public_key = &change.public_key;
        let PeerAction::Set(settings) = &change.action else {
            let (flags, allowed_ips) = (abi::peer::REMOVE_ME, Entries::default());
            return Self {
                public_key,
                flags,
                settings: None,
                allowed_ips,
            };
        };
        let (is_replacing, entries) = Entries::of(&settings.allowed_ips, shrinking);
        if from > 0 {
            // The first part made the peer if anything did, and replaced what was to be replaced.
            let (flags, allowed_ips) = (abi::peer::UPDATE_ONLY, entries.from(from));
            return Self {
                public_key,
                flags,
                settings: None,
                allowed_ips,
            };
        }
        let update_only = if settings.update_only {
            abi::peer::UPDATE_ONLY
        } else {
            0
        };
        let replace = if is_replacing {
            abi::peer::REPLACE_ALLOWED_IPS
        } else {
            0
        };
        let flags = update_only | replace;
        Self {
            public_key,
            flags,
            settings: Some(settings),
            allowed_ips: entries,
        }
    }

    /// How many allowed IPs fit behind everything else in `room` bytes; `None` when not even the rest
    /// fits, or nothing of a list that is not empty.
    fn allowed_ips_within(&self, room: usize) -> Option<usize> {
        let mut room = room.checked_sub(self.fixed_bytes())?;
        let len = self.allowed_ips.len();
        // Nearly every peer: no need to add up its entries one by one.
        if len * MAX_ENTRY_BYTES <= room {
            return Some(len);
        }
        let mut count = 0;
        for (allowed_ip, flags) in self.allowed_ips.iter() {
            match room.checked_sub(entry_bytes(allowed_ip, flags)) {
                Some(rest) => room = rest,
                None => break,
            }
            count += 1;
        }
        (count > 0).then_some(count)
    }

    fn fixed_bytes(&self) -> usize {
        let flags = if self.flags == 0 {
            0
        } else {
            SMALL_ATTRIBUTE_BYTES
        };
        let list = if self.allowed_ips.len() == 0 {
            0
        } else {
            ATTRIBUTE_HEADER_BYTES
        };
        let settings = self.settings.map_or(0, |settings| {
            let preshared_key = settings
                .preshared_key
                .as_ref()
                .map_or(0, |_| KEY_ATTRIBUTE_BYTES);
            let keepalive = settings
                .persistent_keepalive
                .map_or(0, |_| SMALL_ATTRIBUTE_BYTES);
            let endpoint = settings.endpoint.map_or(0, |endpoint| match endpoint {
                SocketAddr::V4(_) => ATTRIBUTE_HEADER_BYTES + SOCKADDR_IN_BYTES,
                SocketAddr::V6(_) => ATTRIBUTE_HEADER_BYTES + SOCKADDR_IN6_BYTES,
            });
            preshared_key + keepalive + endpoint
        });
        ATTRIBUTE_HEADER_BYTES + KEY_ATTRIBUTE_BYTES + flags + settings + list
    }

    fn write(&self, writer: &mut Writer<'_>, count: usize) {
        let nest = writer.begin_nest(0);
        writer.put(abi::peer::PUBLIC_KEY, self.public_key.as_bytes());
        if self.flags != 0 {
            writer.put(abi::peer::FLAGS, &self.flags.to_ne_bytes());
        }
        if let Some(settings) = self.settings {
            put_settings(writer, settings);
        }
        if count > 0 {
            let list = writer.begin_nest(abi::peer::ALLOWED_IPS);
            for (allowed_ip, flags) in self.allowed_ips.iter().take(count) {
                put_allowed_ip(writer, allowed_ip, flags);
            }
            writer.end_nest(list);
        }
        writer.end_nest(nest);
    }
}

/// Allowed IPs to write: those that come, then those that go, so that no packet of a network that is
/// merely cut differently finds neither.
#[derive(Clone, Copy, Default)]
struct Entries<'a> {
    added: &'a [AllowedIp],
    removed: &'a [AllowedIp],
}

impl<'a> Entries<'a> {
    /// And whether they replace the whole list.
    fn of(change: &'a AllowedIpsChange, shrinking: Shrinking) -> (bool, Self) {
        match change {
            AllowedIpsChange::Unchanged => (false, Self::default()),
            AllowedIpsChange::Add(added) => (
                false,
                Self {
                    added,
                    removed: &[],
                },
            ),
            AllowedIpsChange::Replace {
                all,
                removed,
                added,
            } => match shrinking {
                Shrinking::ByReplacing if !removed.is_empty() => (
                    true,
                    Self {
                        added: all,
                        removed: &[],
                    },
                ),
                _ => (false, Self { added, removed }),
            },
        }
    }

    fn len(&self) -> usize {
        self.added.len() + self.removed.len()
    }

    fn from(self, from: usize) -> Self {
        let into_removed = from.saturating_sub(self.added.len());
        Self {
            added: self.added.get(from..).unwrap_or_default(),
            removed: self.removed.get(into_removed..).unwrap_or_default(),
        }
    }

    fn iter(&self) -> impl Iterator<Item = (AllowedIp, u32)> + use<'a> {
        let added = self.added.iter().map(|allowed_ip| (*allowed_ip, 0));
        let removed = self
            .removed
            .iter()
            .map(|allowed_ip| (*allowed_ip, abi::allowed_ip::REMOVE_ME));
        added.chain(removed)
    }
}

/// Nest, family, IPv6 address, prefix length, flags.
const MAX_ENTRY_BYTES: usize = ATTRIBUTE_HEADER_BYTES + 3 * SMALL_ATTRIBUTE_BYTES + 4 + 16;

fn entry_bytes(allowed_ip: AllowedIp, flags: u32) -> usize {
    let address = if allowed_ip.is_ipv4() { 4 } else { 16 };
    let flags = if flags == 0 { 0 } else { SMALL_ATTRIBUTE_BYTES };
    2 * ATTRIBUTE_HEADER_BYTES + 2 * SMALL_ATTRIBUTE_BYTES + address + flags
}

fn put_settings(writer: &mut Writer<'_>, settings: &PeerSettings) {
    if let Some(preshared_key) = &settings.preshared_key {
        writer.put(abi::peer::PRESHARED_KEY, preshared_key.expose());
    }
    match settings.endpoint {
        Some(SocketAddr::V4(endpoint)) => {
            let mut bytes = [0; SOCKADDR_IN_BYTES];
            bytes[..2].copy_from_slice(&AF_INET.to_ne_bytes());
            bytes[2..4].copy_from_slice(&endpoint.port().to_be_bytes());
            bytes[4..8].copy_from_slice(&endpoint.ip().octets());
            writer.put(abi::peer::ENDPOINT, &bytes);
        }
        Some(SocketAddr::V6(endpoint)) => {
            let mut bytes = [0; SOCKADDR_IN6_BYTES];
            bytes[..2].copy_from_slice(&AF_INET6.to_ne_bytes());
            bytes[2..4].copy_from_slice(&endpoint.port().to_be_bytes());
            bytes[4..8].copy_from_slice(&endpoint.flowinfo().to_ne_bytes());
            bytes[8..24].copy_from_slice(&endpoint.ip().octets());
            bytes[24..].copy_from_slice(&endpoint.scope_id().to_ne_bytes());
            writer.put(abi::peer::ENDPOINT, &bytes);
        }
        None => {}
    }
    if let Some(keepalive) = settings.persistent_keepalive {
        writer.put(
            abi::peer::PERSISTENT_KEEPALIVE,
            &keepalive.as_secs().to_ne_bytes(),
        );
    }
}

#[inline]
fn put_allowed_ip(writer: &mut Writer<'_>, allowed_ip: AllowedIp, flags: u32) {
    let nest = writer.begin_nest(0);
    match allowed_ip.network() {
        IpAddr::V4(network) => {
            writer.put(abi::allowed_ip::FAMILY, &AF_INET.to_ne_bytes());
            writer.put(abi::allowed_ip::ADDRESS, &network.octets());
        }
        IpAddr::V6(network) => {
            writer.put(abi::allowed_ip::FAMILY, &AF_INET6.to_ne_bytes());
            writer.put(abi::allowed_ip::ADDRESS, &network.octets());
        }
    }
    writer.put(abi::allowed_ip::PREFIX_LEN, &[allowed_ip.prefix_len()]);
    if flags != 0 {
        writer.put(abi::allowed_ip::FLAGS, &flags.to_ne_bytes());
    }
    writer.end_nest(nest);
}
