//! Any list of changes, split into messages and read back by the oracle, is the list.

use std::collections::BTreeMap;

use netlink_packet_wireguard::{WireguardAllowedIpFlags, WireguardPeerFlags};
use proptest::prelude::*;
use wire_contract::PresharedKey;

use super::{
    super::encode::{Cursor, Encoder, MAX_MESSAGE_BYTES, Shrinking, Target},
    *,
};
use crate::wireguard::{AllowedIpsChange, PeerAction, PeerChange, PeerSettings};

/// A peer as the messages tell it, its parts put together.
#[derive(Debug, Default, PartialEq)]
struct Told {
    key: [u8; 32],
    flags: u32,
    preshared_key: Option<[u8; 32]>,
    endpoint: Option<SocketAddr>,
    keepalive: Option<u16>,
    allowed_ips: Vec<(AllowedIp, u32)>,
}

fn messages(changes: &[PeerChange], shrinking: Shrinking) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new();
    let mut cursor = Cursor::default();
    let mut messages = Vec::new();
    while cursor.change < changes.len() {
        let target = Target {
            family: FAMILY,
            sequence: 1,
            ifindex: 3,
        };
        let next = encoder.fill(target, changes, cursor, shrinking);
        assert_ne!(next, cursor, "every message goes on");
        cursor = next;
        messages.push(encoder.message().to_vec());
    }
    messages
}

/// What messages tell, read by the oracle. A part that goes on with the peer before it in another
/// message is one that may only add to its list.
fn told(messages: &[Vec<u8>]) -> Vec<Told> {
    let mut told: Vec<Told> = Vec::new();
    for message in messages {
        assert!(message.len() <= MAX_MESSAGE_BYTES);
        let mut attributes = read_by_oracle(message);
        let Some(WireguardAttribute::Peers(peers)) = attributes.pop() else {
            panic!("peers last")
        };
        assert_eq!(attributes, [WireguardAttribute::IfIndex(3)]);
        for (at, peer) in peers.into_iter().enumerate() {
            let part = told_of(peer);
            let may_go_on = at == 0 && part.flags == abi::peer::UPDATE_ONLY && is_bare(&part);
            match told.last_mut() {
                Some(last) if may_go_on && last.key == part.key => {
                    last.allowed_ips.extend(part.allowed_ips);
                }
                _ => told.push(part),
            }
        }
    }
    told
}

fn is_bare(part: &Told) -> bool {
    part.preshared_key.is_none() && part.endpoint.is_none() && part.keepalive.is_none()
}

fn told_of(peer: WireguardPeer) -> Told {
    let mut told = Told::default();
    for attribute in peer.0 {
        match attribute {
            WireguardPeerAttribute::PublicKey(key) => told.key = key,
            WireguardPeerAttribute::Flags(flags) => told.flags = WireguardPeerFlags::bits(&flags),
            WireguardPeerAttribute::PresharedKey(key) => told.preshared_key = Some(key),
            WireguardPeerAttribute::Endpoint(endpoint) => told.endpoint = Some(endpoint),
            WireguardPeerAttribute::PersistentKeepalive(seconds) => told.keepalive = Some(seconds),
            WireguardPeerAttribute::AllowedIps(list) => {
                told.allowed_ips = list.into_iter().map(told_of_entry).collect();
            }
            other => panic!("{other:?}"),
        }
    }
    told
}

fn told_of_entry(entry: WireguardAllowedIp) -> (AllowedIp, u32) {
    let (mut address, mut prefix_len, mut flags) = (None, None, 0);
    for attribute in entry.0 {
        match attribute {
            WireguardAllowedIpAttr::IpAddr(is) => address = Some(is),
            WireguardAllowedIpAttr::Cidr(is) => prefix_len = Some(is),
            WireguardAllowedIpAttr::Flags(is) => flags = WireguardAllowedIpFlags::bits(&is),
            WireguardAllowedIpAttr::Family(_) => {}
            WireguardAllowedIpAttr::Other(other) => panic!("{other:?}"),
            _ => panic!("unknown"),
        }
    }
    let (address, prefix_len) = (address.expect("an address"), prefix_len.expect("a length"));
    (
        AllowedIp::new(address, prefix_len).expect("a network"),
        flags,
    )
}

/// What the messages should tell.
fn expected(change: &PeerChange, shrinking: Shrinking) -> Told {
    let key = *change.public_key.as_bytes();
    let PeerAction::Set(settings) = &change.action else {
        return Told {
            key,
            flags: abi::peer::REMOVE_ME,
            ..Told::default()
        };
    };
    let kept = |list: &[AllowedIp]| list.iter().map(|ip| (*ip, 0)).collect::<Vec<_>>();
    let mut flags = if settings.update_only {
        abi::peer::UPDATE_ONLY
    } else {
        0
    };
    let allowed_ips = match &settings.allowed_ips {
        AllowedIpsChange::Unchanged => Vec::new(),
        AllowedIpsChange::Add(added) => kept(added),
        AllowedIpsChange::Replace { all, removed, .. }
            if shrinking == Shrinking::ByReplacing && !removed.is_empty() =>
        {
            flags |= abi::peer::REPLACE_ALLOWED_IPS;
            kept(all)
        }
        AllowedIpsChange::Replace { removed, added, .. } => {
            let removed = removed.iter().map(|ip| (*ip, abi::allowed_ip::REMOVE_ME));
            kept(added).into_iter().chain(removed).collect()
        }
    };
    Told {
        key,
        flags,
        preshared_key: settings.preshared_key.as_ref().map(|key| *key.expose()),
        endpoint: settings.endpoint,
        keepalive: settings.persistent_keepalive.map(Keepalive::as_secs),
        allowed_ips,
    }
}

fn assert_told(changes: &[PeerChange], shrinking: Shrinking) -> usize {
    let messages = messages(changes, shrinking);
    let expected: Vec<_> = changes
        .iter()
        .map(|change| expected(change, shrinking))
        .collect();
    let told = told(&messages);
    assert_eq!(told.len(), expected.len());
    for (told, expected) in told.iter().zip(&expected) {
        assert_eq!(told, expected);
    }
    messages.len()
}

fn numbered_key(number: u32) -> PublicKey {
    let mut key = [7; 32];
    key[..4].copy_from_slice(&number.to_ne_bytes());
    PublicKey::from_bytes(key)
}

fn numbered_ip(number: u32) -> AllowedIp {
    AllowedIp::new(IpAddr::V4(number.into()), 32).expect("a network")
}

fn adding(key: u32, allowed_ips: Vec<AllowedIp>) -> PeerChange {
    let allowed_ips = AllowedIpsChange::Add(allowed_ips);
    let action = PeerAction::Set(PeerSettings {
        allowed_ips,
        ..PeerSettings::default()
    });
    PeerChange {
        public_key: numbered_key(key),
        action,
    }
}

#[test]
fn thousands_of_peers_fill_their_messages() {
    let changes: Vec<_> = (0..10_000)
        .map(|n| adding(n, vec![numbered_ip(n)]))
        .collect();
    // 72 bytes a peer, and 910 of those to a message.
    assert_eq!(assert_told(&changes, Shrinking::ByEntry), 11);
}

#[test]
fn a_peer_too_large_for_a_message_is_split_and_no_other() {
    let many: Vec<_> = (0..5_000).map(numbered_ip).collect();
    let changes = [
        adding(1, vec![numbered_ip(1)]),
        adding(2, many),
        adding(3, vec![numbered_ip(3)]),
    ];
    // 140 kB of entries take three messages; the peer begins in the first of its own.
    assert_eq!(assert_told(&changes, Shrinking::ByEntry), 4);
}

#[test]
fn a_split_list_is_replaced_by_its_first_part_only() {
    let all: Vec<_> = (0..5_000).map(numbered_ip).collect();
    let replace = AllowedIpsChange::Replace {
        all,
        removed: vec![numbered_ip(9_999)],
        added: Vec::new(),
    };
    let settings = PeerSettings {
        allowed_ips: replace,
        ..PeerSettings::default()
    };
    let change = PeerChange {
        public_key: numbered_key(1),
        action: PeerAction::Set(settings),
    };
    let messages = messages(&[change], Shrinking::ByReplacing);
    let flags: Vec<_> = messages
        .iter()
        .map(|message| match read_by_oracle(message).pop() {
            Some(WireguardAttribute::Peers(mut peers)) => told_of(peers.remove(0)).flags,
            other => panic!("{other:?}"),
        })
        .collect();
    let (replacing, going_on) = (abi::peer::REPLACE_ALLOWED_IPS, abi::peer::UPDATE_ONLY);
    assert_eq!(flags, [replacing, going_on, going_on]);
}

#[test]
fn nothing_is_left_in_the_buffer() {
    let settings = PeerSettings {
        preshared_key: Some(PresharedKey::from_bytes(PRESHARED_KEY)),
        ..PeerSettings::default()
    };
    let change = PeerChange {
        public_key: numbered_key(1),
        action: PeerAction::Set(settings),
    };
    let mut encoder = Encoder::new();
    let target = Target {
        family: FAMILY,
        sequence: 1,
        ifindex: 3,
    };
    encoder.fill(target, &[change], Cursor::default(), Shrinking::ByEntry);
    assert!(
        encoder
            .message()
            .windows(32)
            .any(|window| window == PRESHARED_KEY)
    );
    encoder.wipe();
    assert!(encoder.message().is_empty());
}

fn any_ip() -> impl Strategy<Value = AllowedIp> {
    let v4 = (any::<[u8; 4]>(), 0..=32_u8)
        .prop_map(|(address, len)| AllowedIp::new(address.into(), len).expect("a network"));
    let v6 = (any::<[u8; 16]>(), 0..=128_u8)
        .prop_map(|(address, len)| AllowedIp::new(address.into(), len).expect("a network"));
    prop_oneof![v4, v6]
}

fn any_list() -> impl Strategy<Value = Vec<AllowedIp>> {
    let short = proptest::collection::vec(any_ip(), 0..4).boxed();
    let long = (any_ip(), 0..4_000_usize)
        .prop_map(|(ip, len)| vec![ip; len])
        .boxed();
    prop_oneof![12 => short, 1 => long]
}

fn any_change() -> impl Strategy<Value = AllowedIpsChange> {
    prop_oneof![
        Just(AllowedIpsChange::Unchanged),
        any_list().prop_map(AllowedIpsChange::Add),
        (any_list(), any_list(), any_list()).prop_map(|(all, removed, added)| {
            AllowedIpsChange::Replace {
                all,
                removed,
                added,
            }
        }),
    ]
}

fn any_settings() -> impl Strategy<Value = PeerSettings> {
    // The oracle drops flow label and scope of an IPv6 endpoint: left 0.
    let endpoint = (any::<IpAddr>(), any::<u16>()).prop_map(SocketAddr::from);
    let preshared_key = any::<[u8; 32]>().prop_map(PresharedKey::from_bytes);
    let keepalive = any::<u16>().prop_map(Keepalive::from_secs);
    let options = (
        proptest::option::of(preshared_key),
        proptest::option::of(endpoint),
        proptest::option::of(keepalive),
    );
    (any::<bool>(), options, any_change()).prop_map(
        |(update_only, (preshared_key, endpoint, persistent_keepalive), allowed_ips)| {
            PeerSettings {
                update_only,
                preshared_key,
                endpoint,
                persistent_keepalive,
                allowed_ips,
            }
        },
    )
}

fn any_changes() -> impl Strategy<Value = Vec<PeerChange>> {
    let action = prop_oneof![
        1 => Just(PeerAction::Remove),
        4 => any_settings().prop_map(PeerAction::Set),
    ];
    proptest::collection::vec(action, 0..60).prop_map(|actions| {
        let numbered: BTreeMap<_, _> = (0..).zip(actions).collect();
        let changes = numbered.into_iter().map(|(number, action)| PeerChange {
            public_key: numbered_key(number),
            action,
        });
        changes.collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_changes_are_told_whole(changes in any_changes(), by_entry in any::<bool>()) {
        let shrinking = if by_entry { Shrinking::ByEntry } else { Shrinking::ByReplacing };
        assert_told(&changes, shrinking);
    }
}
