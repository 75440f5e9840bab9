//! Request bodies are read strictly, and a refusal names the field.

use proptest::prelude::*;
use wire_contract::{
    Keepalive, PresharedKey, PublicKey,
    dto::{AddPeer, PresharedKeyChange, UpdatePeer},
};

const KEY: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
const PSK: &str = "BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU=";

fn add(body: impl AsRef<[u8]>) -> Result<AddPeer, String> {
    serde_json::from_slice(body.as_ref()).map_err(|error| error.to_string())
}

fn update(body: impl AsRef<[u8]>) -> Result<UpdatePeer, String> {
    serde_json::from_slice(body.as_ref()).map_err(|error| error.to_string())
}

/// A POST body with one more member.
fn with(member: &str) -> String {
    format!(r#"{{"public_key":"{KEY}",{member}}}"#)
}

fn refused(member: &str) -> String {
    add(with(member)).expect_err(member)
}

#[test]
fn defaults_of_an_addition() {
    let peer = add(format!(r#"{{"public_key":"{KEY}"}}"#)).unwrap();
    assert_eq!(peer.public_key, PublicKey::from_bytes([1; 32]));
    assert_eq!(peer.allowed_ips, []);
    assert_eq!(peer.preshared_key, None);
    assert_eq!(peer.persistent_keepalive, Keepalive::OFF);
    assert_eq!(peer.endpoint, None);
    let nulls =
        r#""allowed_ips":null,"preshared_key":null,"persistent_keepalive":null,"endpoint":null"#;
    assert_eq!(add(with(nulls)).unwrap(), peer);
    assert!(
        add(r#"{"public_key":null}"#)
            .unwrap_err()
            .starts_with("public_key: required")
    );
    assert!(add("{}").unwrap_err().starts_with("public_key: required"));
}

#[test]
fn null_in_an_update_is_for_the_preshared_key_only() {
    assert_eq!(update("{}").unwrap(), UpdatePeer::default());
    let removed = update(r#"{"preshared_key":null}"#).unwrap();
    assert_eq!(removed.preshared_key, PresharedKeyChange::Remove);
    for field in ["allowed_ips", "persistent_keepalive", "endpoint"] {
        let error = update(format!(r#"{{"{field}":null}}"#)).unwrap_err();
        assert!(
            error.starts_with(&format!("{field}: must not be null")),
            "{error}"
        );
    }
    let replaced = update(r#"{"allowed_ips":[]}"#).unwrap();
    assert_eq!(replaced.allowed_ips, Some(Vec::new()));
}

#[test]
fn the_all_zero_preshared_key_is_none() {
    let zeros = format!(
        r#""preshared_key":"{}""#,
        format_args!("{}=", "A".repeat(43))
    );
    assert_eq!(add(with(&zeros)).unwrap().preshared_key, None);
    let removed = update(format!("{{{zeros}}}")).unwrap();
    assert_eq!(removed.preshared_key, PresharedKeyChange::Remove);
}

#[test]
fn a_known_field_twice_is_refused() {
    for member in [
        format!(r#""public_key":"{KEY}""#),
        r#""public_key":null"#.to_owned(),
        format!(r#""public\u005fkey":"{KEY}""#),
    ] {
        assert!(
            refused(&member).starts_with("public_key: given twice"),
            "{member}"
        );
    }
    for (field, value) in [
        ("allowed_ips", "[]"),
        ("preshared_key", "null"),
        ("persistent_keepalive", "25"),
        ("endpoint", r#""192.0.2.1:51820""#),
    ] {
        let twice = format!(r#""{field}":{value},"{field}":{value}"#);
        let expected = format!("{field}: given twice");
        assert!(refused(&twice).starts_with(&expected), "{twice}");
        assert!(
            update(format!("{{{twice}}}"))
                .unwrap_err()
                .starts_with(&expected),
            "{twice}"
        );
    }
    assert!(add(with(r#""unknown":1,"unknown":2"#)).is_ok());
}

#[test]
fn refusals_name_the_field_and_the_item() {
    for (member, start) in [
        (
            r#""allowed_ips":["10.0.0.1","10.0.0.256"]"#,
            "allowed_ips: item 1: ",
        ),
        (r#""allowed_ips":["10.0.0.1/33"]"#, "allowed_ips: item 0: "),
        (r#""allowed_ips":[null]"#, "allowed_ips: item 0: "),
        (r#""allowed_ips":"10.0.0.1""#, "allowed_ips: "),
        (r#""allowed_ips":{}"#, "allowed_ips: "),
        (r#""preshared_key":"short""#, "preshared_key: "),
        (r#""preshared_key":7"#, "preshared_key: "),
        (r#""persistent_keepalive":-1"#, "persistent_keepalive: "),
        (r#""persistent_keepalive":65536"#, "persistent_keepalive: "),
        (r#""persistent_keepalive":25.5"#, "persistent_keepalive: "),
        (r#""persistent_keepalive":"25""#, "persistent_keepalive: "),
        (r#""persistent_keepalive":true"#, "persistent_keepalive: "),
        (r#""endpoint":"192.0.2.1""#, "endpoint: "),
        (r#""endpoint":"192.0.2.1:0""#, "endpoint: "),
        (r#""endpoint":"node.example:51820""#, "endpoint: "),
        (r#""endpoint":"2001:db8::1:51820""#, "endpoint: "),
    ] {
        let error = refused(member);
        assert!(error.starts_with(start), "{member}: {error}");
    }
}

#[test]
fn only_an_object_is_a_body() {
    for body in [
        "",
        " ",
        "null",
        "[]",
        "7",
        r#""text""#,
        "{",
        "{}{}",
        "\u{feff}{}",
        "{'a':1}",
    ] {
        assert!(add(body).is_err(), "{body:?}");
        assert!(update(body).is_err(), "{body:?}");
    }
}

#[test]
fn long_values_do_not_make_long_messages() {
    let long = "x".repeat(200_000);
    for field in [
        "allowed_ips",
        "persistent_keepalive",
        "endpoint",
        "preshared_key",
    ] {
        let error = refused(&format!(r#""{field}":"{long}""#));
        assert!(error.len() < 400, "{field}: {} bytes", error.len());
    }
    assert!(refused(&format!(r#""allowed_ips":["{long}"]"#)).len() < 400);
    assert!(add(format!(r#""{long}""#)).unwrap_err().len() < 400);
}

#[test]
fn deep_nesting_ends_in_an_answer() {
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let deep_objects = format!("{}1{}", r#"{"a":"#.repeat(10_000), "}".repeat(10_000));
    assert!(add(&deep).is_err());
    for nested in [&deep, &deep_objects] {
        for field in [
            "public_key",
            "allowed_ips",
            "preshared_key",
            "persistent_keepalive",
            "endpoint",
        ] {
            assert!(
                update(format!(r#"{{"{field}":{nested}}}"#)).is_err(),
                "{field}"
            );
        }
        // Skipped without recursion, so that ignoring it costs no stack.
        assert!(add(with(&format!(r#""unknown":{nested}"#))).is_ok());
    }
}

#[test]
fn text_that_is_no_unicode_is_refused_where_it_matters() {
    for value in [r#""\ud800""#, r#""\udc00\ud800""#, r#""\ud800x""#] {
        for field in ["allowed_ips", "preshared_key", "endpoint"] {
            refused(&format!(r#""{field}":{value}"#));
        }
        refused(&format!(r#""allowed_ips":[{value}]"#));
        assert!(add(with(&format!(r#""unknown":{value}"#))).is_ok());
        assert!(update(format!("{{{value}:1}}")).is_err(), "as a name");
    }
    let mut body = with(r#""endpoint":"@""#).into_bytes();
    let at = body.iter().position(|&byte| byte == b'@').unwrap();
    body[at] = 0xff;
    assert!(add(&body).unwrap_err().starts_with("endpoint: "));
}

#[test]
fn numbers_beyond_all_bounds_are_refused() {
    for number in [
        "1e400",
        "-1e400",
        "1e5",
        "99999999999999999999",
        "NaN",
        "025",
    ] {
        let error = refused(&format!(r#""persistent_keepalive":{number}"#));
        assert!(
            error.starts_with("persistent_keepalive: "),
            "{number}: {error}"
        );
    }
    refused(r#""persistent_keepalive":0x19"#);
    assert!(add(with(r#""unknown":1e400"#)).is_ok());
}

#[test]
fn a_preshared_key_is_in_no_debug_output_and_no_message() {
    let sound = add(with(&format!(r#""preshared_key":"{PSK}""#))).unwrap();
    let change = update(format!(r#"{{"preshared_key":"{PSK}"}}"#)).unwrap();
    assert!(!format!("{sound:?} {change:?}").contains(&PSK[..8]));
    for value in [
        format!(r#""{PSK}A""#),
        format!(r#"" {PSK}""#),
        format!(r#"["{PSK}"]"#),
        format!(r#"{{"key":"{PSK}"}}"#),
        format!(r#""{PSK}","preshared_key":"{PSK}""#),
        format!(r#""{PSK}"x"#),
    ] {
        let error = refused(&format!(r#""preshared_key":{value}"#));
        assert!(!error.contains(&PSK[..8]), "{error}");
    }
}

prop_compose! {
    fn any_addition()(
        key in any::<[u8; 32]>(),
        networks in prop::collection::hash_set((any::<u32>(), 0..=32_u8), 0..8),
        preshared_key in any::<Option<[u8; 32]>>(),
        keepalive in any::<u16>(),
        endpoint in any::<Option<(std::net::IpAddr, u16)>>(),
    ) -> AddPeer {
        let networks = networks.into_iter().filter_map(|(bits, prefix_len)| {
            wire_contract::AllowedIp::new(std::net::Ipv4Addr::from_bits(bits).into(), prefix_len)
        });
        AddPeer {
            public_key: PublicKey::from_bytes(key),
            allowed_ips: wire_contract::AllowedIp::normalized(networks.collect()),
            preshared_key: preshared_key.map(PresharedKey::from_bytes),
            persistent_keepalive: Keepalive::from_secs(keepalive),
            endpoint: endpoint.filter(|(_, port)| *port != 0).map(Into::into),
        }
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(peer in any_addition()) {
        let body = serde_json::to_vec(&peer).unwrap();
        prop_assert_eq!(add(body).unwrap(), peer.clone());
        let change = UpdatePeer {
            allowed_ips: Some(peer.allowed_ips),
            preshared_key: peer.preshared_key.map_or(PresharedKeyChange::Remove, PresharedKeyChange::Set),
            persistent_keepalive: Some(peer.persistent_keepalive),
            endpoint: peer.endpoint,
        };
        prop_assert_eq!(update(serde_json::to_vec(&change).unwrap()).unwrap(), change);
    }

    #[test]
    fn arbitrary_bodies_never_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        drop(add(&body));
        drop(update(&body));
    }
}
