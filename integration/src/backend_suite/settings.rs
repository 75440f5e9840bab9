//! Endpoint, keepalive and preshared key.

use std::net::SocketAddr;

use wgfleet_agent::wireguard::{PeerFacts, PeerSettings};
use wire_contract::{Keepalive, PresharedKey};

use super::{
    Subject,
    subject::{adding, key, setting},
};

/// Applies settings to the one peer of these cases and looks at it.
fn after(subject: &mut Subject<'_>, settings: PeerSettings) -> PeerFacts {
    subject.set(&[setting(key(1), settings)]);
    subject.dump().peer(&key(1)).facts
}

fn endpoint(text: &str) -> SocketAddr {
    text.parse().expect("an endpoint")
}

pub(super) fn the_endpoint_is_set_and_stays(subject: &mut Subject<'_>) {
    for text in [
        "192.0.2.1:51820",
        "[2001:db8::1]:1",
        "255.255.255.254:65535",
        "[fd00::2]:51820",
    ] {
        let endpoint = Some(endpoint(text));
        let set = after(
            subject,
            PeerSettings {
                endpoint,
                ..PeerSettings::default()
            },
        );
        assert_eq!(set.endpoint, endpoint);
        assert_eq!(after(subject, PeerSettings::default()).endpoint, endpoint);
    }
}

pub(super) fn the_keepalive_is_set_and_turned_off(subject: &mut Subject<'_>) {
    for seconds in [25, 1, 65535, 0, 256] {
        let keepalive = Keepalive::from_secs(seconds);
        let persistent_keepalive = Some(keepalive);
        let set = after(
            subject,
            PeerSettings {
                persistent_keepalive,
                ..PeerSettings::default()
            },
        );
        assert_eq!(set.persistent_keepalive, keepalive);
        let left = after(subject, PeerSettings::default());
        assert_eq!(left.persistent_keepalive, keepalive);
    }
}

pub(super) fn the_preshared_key_is_set_and_removed(subject: &mut Subject<'_>) {
    for bytes in [[1; 32], [2; 32], [0; 32], [3; 32], [0; 32]] {
        let preshared_key = PresharedKey::from_bytes(bytes);
        let expected = subject.fingerprinter.of(&preshared_key);
        assert_eq!(expected.is_none(), bytes == [0; 32]);
        let preshared_key = Some(preshared_key);
        let set = after(
            subject,
            PeerSettings {
                preshared_key,
                ..PeerSettings::default()
            },
        );
        assert_eq!(set.preshared_key, expected);
        assert_eq!(
            after(subject, PeerSettings::default()).preshared_key,
            expected
        );
    }
}

pub(super) fn what_is_not_named_stays(subject: &mut Subject<'_>) {
    let full = PeerSettings {
        preshared_key: Some(PresharedKey::from_bytes([7; 32])),
        endpoint: Some(endpoint("192.0.2.1:51820")),
        persistent_keepalive: Some(Keepalive::from_secs(25)),
        ..PeerSettings::default()
    };
    subject.set(&[setting(key(1), full), adding(key(1), &["10.0.0.1/32"])]);
    let before = subject.dump();
    let update_only = PeerSettings {
        update_only: true,
        ..PeerSettings::default()
    };
    subject.set(&[
        setting(key(1), update_only),
        setting(key(1), PeerSettings::default()),
    ]);
    assert_eq!(subject.dump(), before);
}
