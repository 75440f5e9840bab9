//! Keys, addresses and names have one form.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;
use wire_contract::{AllowedIp, InterfaceName, PresharedKey, PublicKey};

fn address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<u32>().prop_map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits))),
        any::<u128>().prop_map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits))),
    ]
}

/// The host bits, cleared one by one: an oracle too simple to be wrong.
fn cleared(address: IpAddr, prefix_len: u8) -> IpAddr {
    let clear = |octets: &mut [u8]| {
        for bit in usize::from(prefix_len)..octets.len() * 8 {
            octets[bit / 8] &= !(0x80 >> (bit % 8));
        }
    };
    match address {
        IpAddr::V4(v4) => {
            let mut octets = v4.octets();
            clear(&mut octets);
            octets.into()
        }
        IpAddr::V6(v6) => {
            let mut octets = v6.octets();
            clear(&mut octets);
            octets.into()
        }
    }
}

proptest! {
    #[test]
    fn host_bits_are_cleared(address in address(), prefix_len in 0..=128_u8) {
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let parsed = format!("{address}/{prefix_len}").parse::<AllowedIp>();
        if prefix_len > longest {
            prop_assert!(parsed.is_err());
            prop_assert_eq!(AllowedIp::new(address, prefix_len), None);
        } else {
            let parsed = parsed.unwrap();
            prop_assert_eq!(parsed.network(), cleared(address, prefix_len));
            prop_assert_eq!(parsed.prefix_len(), prefix_len);
            prop_assert_eq!(parsed.to_string().parse::<AllowedIp>(), Ok(parsed));
        }
    }

    #[test]
    fn an_address_alone_is_itself(address in address()) {
        let parsed: AllowedIp = address.to_string().parse().unwrap();
        prop_assert_eq!(parsed.network(), address);
        prop_assert_eq!(parsed.prefix_len(), if parsed.is_ipv4() { 32 } else { 128 });
    }

    #[test]
    fn arbitrary_addresses_never_panic(text in "[0-9a-f:./ %+-]{0,24}") {
        if let Ok(parsed) = text.parse::<AllowedIp>() {
            prop_assert_eq!(parsed.to_string().parse::<AllowedIp>(), Ok(parsed));
        }
    }

    #[test]
    fn keys_have_one_form(bytes in any::<[u8; 32]>(), at in 0..44_usize, with in "[ -~]") {
        let key = PublicKey::from_bytes(bytes);
        let text = key.to_string();
        prop_assert_eq!(text.parse::<PublicKey>(), Ok(key));
        let mut other = text.clone();
        other.replace_range(at..=at, &with);
        match other.parse::<PublicKey>() {
            Ok(parsed) => prop_assert_eq!(parsed.to_string(), other),
            Err(_) => prop_assert_ne!(other, text),
        }
    }

    #[test]
    fn a_preshared_key_is_never_shown(bytes in any::<[u8; 32]>()) {
        let key = PresharedKey::from_bytes(bytes);
        prop_assert_eq!(format!("{key:?}"), "PresharedKey(redacted)");
        let text = key.expose_base64();
        prop_assert_eq!(text.parse::<PresharedKey>(), Ok(key));
        let longer = format!("{}A", *text);
        let error = longer.parse::<PresharedKey>().unwrap_err();
        let shown = format!("{error} {error:?}");
        prop_assert!(!shown.contains(&text[..8]));
    }

    #[test]
    fn interface_names_are_taken_as_they_are(name in "\\PC{0,16}") {
        if let Ok(parsed) = name.parse::<InterfaceName>() {
            prop_assert_eq!(parsed.as_str(), name);
            prop_assert!(parsed.as_str().len() <= 15);
        }
    }
}

#[test]
fn trailing_bits_of_a_key_must_be_zero() {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    // The last character carries four bits of the key and two that must be zero.
    for (value, last) in ALPHABET.chars().enumerate() {
        let text = format!("{}{last}=", "A".repeat(42));
        assert_eq!(text.parse::<PublicKey>().is_ok(), value % 4 == 0, "{text}");
    }
}

#[test]
fn keys_of_another_length_or_alphabet_are_refused() {
    for text in [
        "",
        "AAAA",
        &"A".repeat(43),
        &"A".repeat(44),
        &format!("{}==", "A".repeat(42)),
        &format!("{}A=\n", "A".repeat(42)),
        &format!("{}-A=", "A".repeat(41)),
        &format!("{}_A=", "A".repeat(41)),
    ] {
        assert!(text.parse::<PublicKey>().is_err(), "{text:?}");
    }
}

#[test]
fn addresses_that_are_none_are_refused() {
    for text in [
        "",
        "/",
        "10.0.0.1/",
        "10.0.0.256",
        "10.0.0",
        "010.0.0.1",
        "10.0.0.1/33",
        "10.0.0.1/-1",
        "10.0.0.1/+8",
        "10.0.0.1/08",
        "10.0.0.1/8/8",
        "10.0.0.1/٨",
        " 10.0.0.1",
        "10.0.0.1/256",
        "fd00::/129",
        "fd00:::/64",
        "fe80::1%eth0",
        "[fd00::1]",
        "0x0a.0.0.1",
        "(none)",
    ] {
        assert!(text.parse::<AllowedIp>().is_err(), "{text:?}");
    }
    let long = "x"
        .repeat(100_000)
        .parse::<AllowedIp>()
        .unwrap_err()
        .to_string();
    assert!(long.len() < 200);
}
