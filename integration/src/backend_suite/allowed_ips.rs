//! Allowed IPs: one owner each, in the order they were given.

use wgfleet_agent::wireguard::{AllowedIpsChange, PeerChange, PeerSettings};
use wire_contract::{AllowedIp, PublicKey};

use super::{
    Subject,
    subject::{adding, key, parsed, removal, setting},
};

/// What an owner of the interface would send to lead the list from `present` to `all`.
fn replacing(public_key: PublicKey, present: &[&str], all: &[&str]) -> PeerChange {
    let (present, all) = (parsed(present), parsed(all));
    let without = |list: &[AllowedIp], others: &[AllowedIp]| -> Vec<AllowedIp> {
        list.iter()
            .filter(|ip| !others.contains(ip))
            .copied()
            .collect()
    };
    let (removed, added) = (without(&present, &all), without(&all, &present));
    let allowed_ips = AllowedIpsChange::Replace {
        all,
        removed,
        added,
    };
    setting(
        public_key,
        PeerSettings {
            allowed_ips,
            ..PeerSettings::default()
        },
    )
}

fn networks(subject: &mut Subject<'_>, number: u16) -> Vec<String> {
    subject.dump().peer(&key(number)).networks()
}

/// Where the order is the implementation's own.
fn networks_sorted(subject: &mut Subject<'_>, number: u16) -> Vec<String> {
    let mut networks = networks(subject, number);
    networks.sort();
    networks
}

pub(super) fn they_are_added_at_the_end(subject: &mut Subject<'_>) {
    let first = [
        "10.0.0.9/32",
        "fd00::1/128",
        "10.0.0.1/32",
        "192.168.0.0/16",
    ];
    subject.set(&[adding(key(1), &first)]);
    assert_eq!(networks(subject, 1), first);
    let then = ["fd00:1::/64", "10.0.0.0/24"];
    subject.set(&[adding(key(1), &then)]);
    assert_eq!(networks(subject, 1), [&first[..], &then].concat());
}

pub(super) fn one_given_again_moves_to_the_end(subject: &mut Subject<'_>) {
    subject.set(&[adding(
        key(1),
        &["10.0.0.1/32", "10.0.0.2/32", "10.0.0.3/32"],
    )]);
    subject.set(&[adding(key(1), &["10.0.0.1/32"])]);
    assert_eq!(
        networks(subject, 1),
        ["10.0.0.2/32", "10.0.0.3/32", "10.0.0.1/32"]
    );
}

pub(super) fn one_given_twice_is_kept_once(subject: &mut Subject<'_>) {
    subject.set(&[adding(
        key(1),
        &["10.0.0.1/32", "10.0.0.2/32", "10.0.0.1", "10.0.0.9/24"],
    )]);
    assert_eq!(
        networks(subject, 1),
        ["10.0.0.2/32", "10.0.0.1/32", "10.0.0.0/24"]
    );
}

pub(super) fn a_list_is_replaced(subject: &mut Subject<'_>) {
    let before = ["10.0.0.1/32", "10.0.0.2/32", "fd00::1/128"];
    let after = ["10.0.0.2/32", "10.0.0.7/32", "fd00::/64"];
    subject.set(&[adding(key(1), &before), adding(key(2), &["10.0.0.8/32"])]);
    subject.set(&[replacing(key(1), &before, &after)]);
    assert_eq!(networks_sorted(subject, 1), after);
    assert_eq!(networks(subject, 2), ["10.0.0.8/32"]);
    // A peer that is new with it.
    subject.set(&[replacing(key(3), &[], &["10.0.0.3/32"])]);
    assert_eq!(networks(subject, 3), ["10.0.0.3/32"]);
}

pub(super) fn a_list_is_emptied(subject: &mut Subject<'_>) {
    let before = ["10.0.0.1/32", "fd00::1/128"];
    subject.set(&[adding(key(1), &before)]);
    subject.set(&[replacing(key(1), &before, &[])]);
    assert!(networks(subject, 1).is_empty());
}

pub(super) fn one_given_to_another_peer_moves(subject: &mut Subject<'_>) {
    subject.set(&[
        adding(key(1), &["10.0.0.1/32", "10.0.0.2/32", "fd00::1/128"]),
        adding(key(2), &["10.0.1.1/32"]),
    ]);
    subject.set(&[adding(key(2), &["10.0.0.2/32", "fd00::1/128"])]);
    assert_eq!(networks(subject, 1), ["10.0.0.1/32"]);
    assert_eq!(
        networks(subject, 2),
        ["10.0.1.1/32", "10.0.0.2/32", "fd00::1/128"]
    );
    // A network is not the same as a smaller one within it.
    subject.set(&[adding(key(2), &["10.0.0.0/24"])]);
    assert_eq!(networks(subject, 1), ["10.0.0.1/32"]);
}

pub(super) fn a_cycle_of_moves_ends_where_it_should(subject: &mut Subject<'_>) {
    let (one, two) = (["10.0.0.1/32"], ["10.0.0.2/32"]);
    subject.set(&[adding(key(1), &one), adding(key(2), &two)]);
    // The lists change places: shrink first, then grow.
    subject.set(&[
        replacing(key(1), &one, &[]),
        replacing(key(2), &two, &[]),
        adding(key(1), &two),
        adding(key(2), &one),
    ]);
    assert_eq!(networks(subject, 1), two);
    assert_eq!(networks(subject, 2), one);
}

pub(super) fn those_of_a_removed_peer_are_free(subject: &mut Subject<'_>) {
    subject.set(&[adding(key(1), &["10.0.0.1/32"])]);
    subject.set(&[removal(key(1)), adding(key(2), &["10.0.0.1/32"])]);
    assert_eq!(networks(subject, 2), ["10.0.0.1/32"]);
}

pub(super) fn a_whole_family_is_a_network(subject: &mut Subject<'_>) {
    let all = [
        "0.0.0.0/0",
        "::/0",
        "0.0.0.0/32",
        "::/128",
        "255.255.255.255/32",
    ];
    subject.set(&[adding(key(1), &all)]);
    assert_eq!(networks(subject, 1), all);
}

pub(super) fn thousands_stay_with_one_peer(subject: &mut Subject<'_>) {
    // More than one message holds, written or read.
    let host = |number: u16| {
        let [high, low] = number.to_be_bytes();
        format!("10.7.{high}.{low}/32")
    };
    let many: Vec<String> = (0..2000).map(|number| host(number ^ 0x2a)).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    subject.set(&[
        adding(key(1), &["10.8.0.1/32"]),
        adding(key(2), &many),
        adding(key(3), &["10.8.0.3/32"]),
    ]);
    let dump = subject.dump();
    assert_eq!(dump.keys(), [1, 2, 3].map(key));
    assert_eq!(dump.peer(&key(2)).networks(), many);
    let (kept, _) = many.split_at(1000);
    subject.set(&[replacing(key(2), &many, kept)]);
    let mut kept = kept.to_vec();
    kept.sort_unstable();
    assert_eq!(networks_sorted(subject, 2), kept);
    assert_eq!(networks(subject, 3), ["10.8.0.3/32"]);
}
