//! Answers read and requests written, without a daemon.

use proptest::prelude::*;
use wire_contract::{AllowedIp, Keepalive, PresharedKey, PublicKey};

use super::super::{
    answer::{Interface, Malformed, Peer, Progress, Reader},
    request,
};
use crate::wireguard::{
    AllowedIpsChange, PeerAction, PeerChange, PeerSettings, fingerprint::Fingerprinter,
};

fn hex(bytes: &[u8; 32]) -> String {
    faster_hex::hex_string(bytes)
}

/// What an answer comes to: the interface and the errno, or what is wrong; `None` if it goes on.
fn read(text: &[u8], by: &Fingerprinter) -> Result<Option<(Interface, i32)>, Malformed> {
    let mut reader = Reader::new(by);
    for line in text.split(|byte| *byte == b'\n') {
        if let Progress::Complete { errno } = reader.line(line)? {
            return Ok(Some((reader.finish(), errno)));
        }
    }
    Ok(None)
}

fn whole(text: &str) -> Interface {
    let answer = read(text.as_bytes(), &Fingerprinter::new());
    let (interface, errno) = answer.expect("well formed").expect("whole");
    assert_eq!(errno, 0);
    interface
}

fn key(byte: u8) -> PublicKey {
    PublicKey::from_bytes([byte; 32])
}

#[test]
fn the_example_of_the_protocol_is_read() {
    let fingerprinter = Fingerprinter::new();
    let (one, two, preshared) = (hex(&[1; 32]), hex(&[2; 32]), hex(&[9; 32]));
    let text = format!(
        "private_key=e84b5a6d2717c1003a13b431570353dbaca9146cf150c5f8575680feba52027a\n\
         listen_port=12912\nfwmark=51966\npublic_key={one}\npreshared_key={preshared}\n\
         protocol_version=1\nendpoint=[abcd:23::33%2]:51820\nlast_handshake_time_sec=1700000000\n\
         last_handshake_time_nsec=5\ntx_bytes=38333\nrx_bytes=18446744073709551615\n\
         persistent_keepalive_interval=111\nallowed_ip=192.168.4.4/32\nallowed_ip=fd00::/64\n\
         public_key={two}\npreshared_key={none}\nendpoint=182.122.22.19:3233\nerrno=0\n\n",
        none = hex(&[0; 32]),
    );
    let (interface, errno) = read(text.as_bytes(), &fingerprinter).unwrap().unwrap();
    assert_eq!(errno, 0);
    assert_eq!((interface.listen_port, interface.fwmark), (12912, 51966));
    assert!(interface.public_key.is_some());
    let [first, second] = &interface.peers[..] else {
        panic!("{interface:?}")
    };
    let facts = &first.facts;
    assert_eq!(facts.public_key, key(1));
    let preshared = PresharedKey::from_bytes([9; 32]);
    assert!(facts.preshared_key == fingerprinter.of(&preshared));
    let endpoint = facts.endpoint.expect("given").to_string();
    assert_eq!(endpoint, "[abcd:23::33%2]:51820");
    assert_eq!(facts.latest_handshake, 1_700_000_000);
    assert_eq!((facts.tx_bytes, facts.rx_bytes), (38333, u64::MAX));
    assert_eq!(facts.persistent_keepalive.as_secs(), 111);
    let networks: Vec<_> = first.allowed_ips.iter().map(ToString::to_string).collect();
    assert_eq!(networks, ["192.168.4.4/32", "fd00::/64"]);
    assert_eq!(second.facts.preshared_key, None);
    assert_eq!(
        second.facts.endpoint,
        Some("182.122.22.19:3233".parse().unwrap())
    );
}

#[test]
fn the_public_key_follows_from_the_private_one() {
    // As `wg genkey` made the one, and `wg pubkey` the other of it.
    let private = "807d3e0b82da75ea9319fd8e2ea5d761a3efb37ce1e206d070c15c081c62fe5d";
    let public = "a3707905489287e4b154e8e85029ef47b241c3d19eaa76ab35bf547d29fc9d56";
    let interface = whole(&format!("private_key={private}\nerrno=0\n\n"));
    let key = interface.public_key.expect("a key");
    assert_eq!(hex(key.as_bytes()), public);
}

#[test]
fn an_interface_without_a_key_has_none() {
    assert_eq!(whole("errno=0\n\n"), Interface::default());
    let zeros = format!("private_key={}\nerrno=0\n\n", hex(&[0; 32]));
    assert_eq!(whole(&zeros).public_key, None);
    let own = format!("own_public_key={}\nerrno=0\n\n", hex(&[3; 32]));
    assert_eq!(whole(&own).public_key, Some(key(3)));
}

#[test]
fn unknown_keys_are_passed_over() {
    let text = format!(
        "shiny=\nlisten_port=7\npublic_key={}\nshiny==\u{fffd}\nrx_bytes=5\nerrno=0\n\n",
        hex(&[1; 32])
    );
    let interface = whole(&text);
    assert_eq!(interface.listen_port, 7);
    assert_eq!(interface.peers[0].facts.rx_bytes, 5);
    let bytes = b"shiny=\xff\xfe\nerrno=0\n\n";
    assert!(matches!(read(bytes, &Fingerprinter::new()), Ok(Some(_))));
}

#[test]
fn a_peer_told_in_parts_is_one_peer() {
    let (one, two) = (hex(&[1; 32]), hex(&[2; 32]));
    let interface = whole(&format!(
        "public_key={one}\nrx_bytes=5\nallowed_ip=10.0.0.1/32\nallowed_ip=10.0.0.2/32\n\
         public_key={two}\nallowed_ip=10.0.0.3/32\n\
         public_key={one}\nallowed_ip=10.0.0.2/32\nallowed_ip=10.0.0.4/32\ntx_bytes=6\nerrno=0\n\n"
    ));
    assert_eq!(interface.peers.len(), 2);
    let first = &interface.peers[0];
    assert_eq!((first.facts.rx_bytes, first.facts.tx_bytes), (5, 6));
    let networks: Vec<_> = first.allowed_ips.iter().map(ToString::to_string).collect();
    assert_eq!(networks, ["10.0.0.1/32", "10.0.0.2/32", "10.0.0.4/32"]);
}

#[test]
fn errors_come_with_either_sign() {
    for (text, expected) in [
        ("errno=22", 22),
        ("errno=-22", 22),
        ("errno=-9223372036854775808", i32::MAX),
    ] {
        let answer = read(format!("{text}\n\n").as_bytes(), &Fingerprinter::new());
        assert_eq!(answer, Ok(Some((Interface::default(), expected))));
    }
}

#[test]
fn what_breaks_the_protocol_is_refused_without_being_repeated() {
    let one = hex(&[1; 32]);
    let in_peer = |line: &str| format!("public_key={one}\n{line}\nerrno=0\n\n");
    let answers = [
        "\n".to_owned(),
        "listen_port=7\n\n".to_owned(),
        "errno=0\nlisten_port=7\n\n".to_owned(),
        "errno=\n\n".to_owned(),
        "no equals\nerrno=0\n\n".to_owned(),
        "listen_port=65536\nerrno=0\n\n".to_owned(),
        "fwmark=-1\nerrno=0\n\n".to_owned(),
        "private_key=5ec2e7\nerrno=0\n\n".to_owned(),
        format!("public_key={one}0\nerrno=0\n\n"),
        format!("public_key={}\nerrno=0\n\n", "g".repeat(64)),
        in_peer("preshared_key=5ec2e7"),
        in_peer("endpoint=5ec2e7"),
        in_peer("endpoint=[fe80::1%eth0]"),
        in_peer("endpoint=fe80::1%eth0]:7"),
        in_peer("rx_bytes=18446744073709551616"),
        in_peer("allowed_ip=5ec2e7"),
        in_peer("allowed_ip=10.0.0.0/33"),
        in_peer("persistent_keepalive_interval=65536"),
        in_peer("last_handshake_time_sec=never"),
    ];
    for answer in answers {
        let outcome = read(answer.as_bytes(), &Fingerprinter::new());
        let error = outcome.expect_err(&answer);
        assert!(!error.to_string().contains("5ec2e7"), "{error}");
    }
}

#[test]
fn a_zone_with_a_name_is_dropped() {
    let one = hex(&[1; 32]);
    let text = format!("public_key={one}\nendpoint=[fe80::1%eth0]:7\nerrno=0\n\n");
    let endpoint = whole(&text).peers[0].facts.endpoint;
    assert_eq!(endpoint, Some("[fe80::1]:7".parse().unwrap()));
}

#[test]
fn changes_are_one_request() {
    let changes = [
        PeerChange {
            public_key: key(1),
            action: PeerAction::Remove,
        },
        PeerChange {
            public_key: key(2),
            action: PeerAction::Set(PeerSettings {
                update_only: true,
                preshared_key: Some(PresharedKey::from_bytes([0; 32])),
                endpoint: Some("[fd00::1]:7".parse().unwrap()),
                persistent_keepalive: Some(Keepalive::OFF),
                allowed_ips: AllowedIpsChange::Replace {
                    all: vec!["10.0.0.0/8".parse().unwrap()],
                    removed: vec!["10.0.0.1".parse().unwrap()],
                    added: Vec::new(),
                },
            }),
        },
        PeerChange {
            public_key: key(3),
            action: PeerAction::Set(PeerSettings {
                allowed_ips: AllowedIpsChange::Add(vec!["fd00::/64".parse().unwrap()]),
                ..PeerSettings::default()
            }),
        },
    ];
    let [one, two, three, none] = [1, 2, 3, 0].map(|byte| hex(&[byte; 32]));
    let expected = format!(
        "set=1\npublic_key={one}\nremove=true\n\
         public_key={two}\nupdate_only=true\npreshared_key={none}\nendpoint=[fd00::1]:7\n\
         persistent_keepalive_interval=0\nreplace_allowed_ips=true\nallowed_ip=10.0.0.0/8\n\
         public_key={three}\nallowed_ip=fd00::/64\n\n"
    );
    let written = request::set(&changes);
    assert_eq!(std::str::from_utf8(&written), Ok(expected.as_str()));
}

fn any_allowed_ip() -> impl Strategy<Value = AllowedIp> {
    (any::<std::net::IpAddr>(), 0..=128_u8).prop_map(|(address, prefix_len)| {
        let longest = if address.is_ipv4() { 32 } else { 128 };
        AllowedIp::new(address, prefix_len.min(longest)).expect("short enough")
    })
}

fn any_endpoint() -> impl Strategy<Value = std::net::SocketAddr> {
    (any::<std::net::IpAddr>(), any::<u16>()).prop_map(Into::into)
}

prop_compose! {
    fn any_settings()(
        preshared_key in any::<Option<[u8; 32]>>(),
        endpoint in proptest::option::of(any_endpoint()),
        keepalive in any::<u16>(),
        allowed_ips in proptest::collection::vec(any_allowed_ip(), 0..20),
    ) -> PeerSettings {
        PeerSettings {
            update_only: false,
            preshared_key: preshared_key.map(PresharedKey::from_bytes),
            endpoint,
            persistent_keepalive: Some(Keepalive::from_secs(keepalive)),
            allowed_ips: AllowedIpsChange::Add(allowed_ips),
        }
    }
}

proptest! {
    /// A request to make peers reads like the answer that tells of them.
    #[test]
    fn what_is_written_is_read(settings in proptest::collection::vec(any_settings(), 0..8)) {
        let fingerprinter = Fingerprinter::new();
        let numbered = (1..).map(key).zip(settings);
        let (changes, expected): (Vec<_>, Vec<_>) = numbered.map(|(public_key, settings)| {
            let mut peer = Peer::new(public_key);
            peer.facts.preshared_key = settings.preshared_key.as_ref().and_then(|key| fingerprinter.of(key));
            peer.facts.endpoint = settings.endpoint;
            peer.facts.persistent_keepalive = settings.persistent_keepalive.expect("given");
            if let AllowedIpsChange::Add(added) = &settings.allowed_ips {
                peer.allowed_ips.clone_from(added);
            }
            (PeerChange { public_key, action: PeerAction::Set(settings) }, peer)
        }).unzip();
        let written = request::set(&changes);
        let body = written.strip_prefix(b"set=1\n").and_then(|rest| rest.strip_suffix(b"\n"));
        let answer = [body.expect("a request"), b"errno=0\n\n"].concat();
        let (interface, errno) = read(&answer, &fingerprinter).unwrap().unwrap();
        prop_assert_eq!(errno, 0);
        prop_assert_eq!(interface.peers, expected);
    }

    /// Whatever comes, it is read or refused.
    #[test]
    fn anything_is_answered(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        let _ = read(&bytes, &Fingerprinter::new());
    }

    /// The same for what looks like an answer.
    #[test]
    fn anything_like_an_answer_is_answered(
        lines in proptest::collection::vec(
            "(public_key|private_key|preshared_key|endpoint|allowed_ip|rx_bytes|fwmark)=[0-9a-f.:/\\[\\]%]{0,66}",
            0..12,
        ),
    ) {
        let text = lines.join("\n") + "\nerrno=0\n\n";
        let _ = read(text.as_bytes(), &Fingerprinter::new());
    }
}
