//! No way of writing a target leads to another peer than the one that was signed for.

use proptest::prelude::*;
use wire_contract::{
    InterfaceName, PublicKey,
    path::{InvalidTarget, Resource, check_target},
};

fn key() -> impl Strategy<Value = PublicKey> {
    any::<[u8; 32]>().prop_map(PublicKey::from_bytes)
}

fn interface() -> impl Strategy<Value = InterfaceName> {
    let names = prop_oneof!["[a-z]{1,8}[0-9]{0,7}", "[!-.0-9;-~]{1,15}", "[à-ÿ☃]{1,5}"];
    names.prop_filter_map("not a name", |name| name.parse().ok())
}

/// Every byte as `%XX`, as the most cautious client writes it.
fn fully_encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

fn wg0() -> InterfaceName {
    "wg0".parse().unwrap()
}

proptest! {
    #[test]
    fn every_resource_comes_back(interface in interface(), key in key()) {
        let resources = [
            Resource::Health,
            Resource::Interfaces,
            Resource::Device(interface.clone()),
            Resource::Dump(interface.clone()),
            Resource::Peers(interface.clone()),
            Resource::Peer(interface, key),
        ];
        for resource in resources {
            let target = resource.to_target();
            prop_assert_eq!(check_target(&target), Ok(()));
            prop_assert_eq!(Resource::parse(&target), Ok(resource.clone()));
            let panel = format!("/v1{target}?n=7");
            prop_assert_eq!(Resource::parse(&panel), Ok(resource));
            for damaged in [format!("{target}/"), format!("/{target}"), format!("/.{target}")] {
                prop_assert!(Resource::parse(&damaged).is_err());
            }
        }
    }

    #[test]
    fn a_key_is_decoded_once(key in key()) {
        let peer = Ok(Resource::Peer(wg0(), key));
        let text = key.to_string();
        let parse = |key: &str| Resource::parse(&format!("/wg/wg0/peers/{key}"));
        prop_assert_eq!(parse(&text), peer.clone());
        prop_assert_eq!(parse(&fully_encoded(&text)), peer.clone());
        prop_assert_eq!(parse(&fully_encoded(&text).to_uppercase().replace('X', "x")), peer);
        prop_assert!(parse(&fully_encoded(&fully_encoded(&text))).is_err());
        prop_assert!(parse(&text.replace('=', "%253D")).is_err());
    }

    #[test]
    fn nothing_may_stand_beside_a_key(key in key(), beside in "[!-{}~]{1,3}") {
        prop_assume!(!beside.contains('?'));
        let target = Resource::Peer(wg0(), key).to_target();
        let after = format!("{target}{beside}");
        let before = target.replace("peers/", &format!("peers/{beside}"));
        prop_assert!(Resource::parse(&after).is_err());
        // With the key's first digits a `%` in front may become an encoded digit: the key again.
        prop_assert!(beside.contains('%') || Resource::parse(&before).is_err());
    }

    #[test]
    fn arbitrary_targets_never_panic(target in "\\PC{0,60}") {
        if let Ok(resource) = Resource::parse(&target) {
            prop_assert_eq!(Resource::parse(&resource.to_target()), Ok(resource));
        }
    }
}

#[test]
fn a_bar_can_not_move_between_target_and_body() {
    assert_eq!(
        Resource::parse("/wg/wg0/dump|"),
        Err(InvalidTarget::Malformed)
    );
    assert_eq!(check_target("/health?a|b"), Err(InvalidTarget::Malformed));
    assert_eq!(check_target("health"), Err(InvalidTarget::Malformed));
    assert_eq!(
        check_target("http://node/health"),
        Err(InvalidTarget::Malformed)
    );
    assert_eq!(check_target("*"), Err(InvalidTarget::Malformed));
    assert_eq!(
        Resource::parse("/wg/wg0%7C/dump"),
        Ok(Resource::Dump("wg0|".parse().unwrap()))
    );
}

#[test]
fn dots_nul_and_empty_parts_are_not_resolved() {
    let key = PublicKey::from_bytes([7; 32]);
    for target in [
        "//wg/wg0/dump".to_owned(),
        "/wg//wg0/dump".to_owned(),
        "/wg//dump".to_owned(),
        "/wg/wg0//dump".to_owned(),
        "/wg/./wg0/dump".to_owned(),
        "/wg/../wg/wg0/dump".to_owned(),
        "/wg/%2e%2e/dump".to_owned(),
        "/wg/%2E/dump".to_owned(),
        "/wg/wg0%00/dump".to_owned(),
        "/wg/wg0%2Fdump".to_owned(),
        "/wg/wg%zz/dump".to_owned(),
        "/wg/wg0%2/dump".to_owned(),
        "/wg/wg0%ff/dump".to_owned(),
        "/wg/sixteen-letters!/dump".to_owned(),
        format!("/wg/wg0/peers//{key}"),
        format!("/wg/wg0/peers/./{key}"),
        format!("/wg/wg0/peers/../peers/{key}"),
        format!("/wg/wg0/peers/%2e%2e/{key}"),
        format!("/wg/wg0/peers/{key}%00"),
        format!("/wg/wg0/peers/{key}/dump"),
        format!("/wg/wg0/Peers/{key}"),
    ] {
        assert!(Resource::parse(&target).is_err(), "{target}");
    }
}

#[test]
fn only_the_slash_of_a_key_is_encoded() {
    let key: PublicKey = "+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/s="
        .parse()
        .unwrap();
    let target = Resource::Peer(wg0(), key).to_target();
    assert!(target.ends_with("+%2Fv7+%2Fs="), "{target}");
}
