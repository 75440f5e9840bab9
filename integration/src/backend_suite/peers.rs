//! Peers come, stay in their order, and go.

use wgfleet_agent::wireguard::{AllowedIpsChange, PeerSettings};
use wire_contract::{Keepalive, PresharedKey};

use super::{
    Subject,
    subject::{adding, key, parsed, removal, setting},
};

pub(super) fn an_added_peer_has_defaults(subject: &mut Subject<'_>) {
    subject.set(&[adding(key(1), &[])]);
    let dump = subject.dump();
    assert_eq!(dump.keys(), [key(1)]);
    let peer = dump.peer(&key(1));
    assert_eq!(peer.facts.preshared_key, None);
    assert_eq!(peer.facts.endpoint, None);
    assert_eq!(peer.facts.latest_handshake, 0);
    assert_eq!((peer.facts.rx_bytes, peer.facts.tx_bytes), (0, 0));
    assert_eq!(peer.facts.persistent_keepalive, Keepalive::OFF);
    assert_eq!(peer.allowed_ips, []);
}

pub(super) fn a_removed_peer_is_gone(subject: &mut Subject<'_>) {
    subject.set(&[
        adding(key(1), &["10.0.0.1/32"]),
        adding(key(2), &["10.0.0.2/32"]),
    ]);
    subject.set(&[removal(key(1))]);
    let dump = subject.dump();
    assert_eq!(dump.keys(), [key(2)]);
    assert_eq!(dump.peer(&key(2)).networks(), ["10.0.0.2/32"]);
}

pub(super) fn absent_peers_are_left_absent(subject: &mut Subject<'_>) {
    subject.set(&[adding(key(1), &["10.0.0.1/32"])]);
    let before = subject.dump();
    let update = PeerSettings {
        update_only: true,
        allowed_ips: AllowedIpsChange::Add(parsed(&["10.0.0.1/32"])),
        ..PeerSettings::default()
    };
    let update = setting(key(2), update);
    subject.set(&[removal(key(3)), update, removal(key(3))]);
    assert_eq!(subject.dump(), before);
    subject.set(&[]);
    assert_eq!(subject.dump(), before);
}

pub(super) fn the_own_key_is_ignored(subject: &mut Subject<'_>) {
    subject.set(&[adding(key(1), &["10.0.0.1/32"])]);
    let before = subject.dump();
    let own = before.device().public_key.expect("a private key is set");
    subject.set(&[adding(own, &["10.0.0.1/32"]), adding(key(2), &[])]);
    let dump = subject.dump();
    assert_eq!(dump.keys(), [key(1), key(2)]);
    assert_eq!(dump.peer(&key(1)), before.peer(&key(1)));
}

pub(super) fn new_peers_go_to_the_end(subject: &mut Subject<'_>) {
    // Not in the order of their keys.
    let order = [7, 3, 9, 1, 8].map(key);
    subject.set(&order.map(|key| adding(key, &[])));
    assert_eq!(subject.dump().keys(), order);
    // A changed peer keeps its place, one that comes back goes to the end.
    subject.set(&[adding(key(3), &["10.0.0.3/32"]), removal(key(9))]);
    subject.set(&[adding(key(9), &[])]);
    assert_eq!(subject.dump().keys(), [7, 3, 1, 8, 9].map(key));
}

pub(super) fn changes_apply_in_order(subject: &mut Subject<'_>) {
    let networks = ["10.0.0.1/32"];
    subject.set(&[
        adding(key(1), &networks),
        removal(key(1)),
        adding(key(2), &networks),
        adding(key(1), &networks),
        removal(key(2)),
    ]);
    let dump = subject.dump();
    assert_eq!(dump.keys(), [key(1)]);
    assert_eq!(dump.peer(&key(1)).networks(), networks);
}

pub(super) fn a_peer_added_again_starts_anew(subject: &mut Subject<'_>) {
    let full = PeerSettings {
        preshared_key: Some(PresharedKey::from_bytes([9; 32])),
        endpoint: Some("192.0.2.1:51820".parse().expect("an endpoint")),
        persistent_keepalive: Some(Keepalive::from_secs(25)),
        ..PeerSettings::default()
    };
    subject.set(&[setting(key(1), full), adding(key(1), &["10.0.0.1/32"])]);
    // In one call, where an implementation could be tempted to see no change.
    subject.set(&[removal(key(1)), adding(key(1), &[])]);
    let again = subject.dump();
    subject.set(&[removal(key(1))]);
    subject.set(&[adding(key(1), &[])]);
    assert_eq!(subject.dump(), again);
    let peer = again.peer(&key(1));
    assert_eq!((peer.facts.rx_bytes, peer.facts.tx_bytes), (0, 0));
    assert_eq!(
        (peer.facts.endpoint, peer.facts.preshared_key),
        (None, None)
    );
    assert_eq!(peer.facts.persistent_keepalive, Keepalive::OFF);
    assert_eq!(peer.allowed_ips, []);
}

pub(super) fn many_peers_arrive_in_one_call(subject: &mut Subject<'_>) {
    // More than one netlink message takes.
    let order: Vec<_> = (0..1500).map(|number| key(number ^ 0x155)).collect();
    let changes: Vec<_> = order.iter().map(|key| adding(*key, &[])).collect();
    subject.set(&changes);
    assert_eq!(subject.dump().keys(), order);
}

pub(super) fn many_peers_with_several_networks_each(subject: &mut Subject<'_>) {
    // Peers of uneven length, so that messages of a dump end within one.
    let networks = |number: u16| -> Vec<String> {
        let [high, low] = number.to_be_bytes();
        let v4 = (0..number % 40).map(|host| format!("10.{high}.{low}.{host}/32"));
        v4.chain([format!("fd00::2:{number:x}/128")]).collect()
    };
    let changes: Vec<_> = (0..300)
        .map(|number| {
            let networks = networks(number);
            adding(
                key(number),
                &networks.iter().map(String::as_str).collect::<Vec<_>>(),
            )
        })
        .collect();
    subject.set(&changes);
    let dump = subject.dump();
    assert_eq!(dump.keys(), (0..300).map(key).collect::<Vec<_>>());
    for number in 0..300 {
        assert_eq!(
            dump.peer(&key(number)).networks(),
            networks(number),
            "peer {number}"
        );
    }
}
