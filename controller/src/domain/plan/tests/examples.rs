//! One example of each rule.

use wire_contract::{
    AllowedIp, Keepalive,
    dto::{DumpPeer, PresharedKeyChange},
};

use super::{super::*, model::*};

fn peer(number: u8, addresses: &[u8]) -> DesiredPeer {
    DesiredPeer {
        public_key: key(number),
        preshared_key: psk(9).into(),
        preshared_key_confirmed: true,
        allowed_ips: addresses.iter().copied().map(ip).collect(),
        persistent_keepalive: Keepalive::OFF,
        endpoint: None,
    }
}

fn dumped(number: u8, addresses: &[u8]) -> DumpPeer {
    let peer = KernelPeer {
        allowed_ips: addresses.iter().copied().map(ip).collect(),
        ..KernelPeer::default()
    };
    Kernel([(key(number), peer)].into()).dump().remove(0)
}

fn node(peers: Vec<DesiredPeer>) -> DesiredNode {
    DesiredNode {
        peers,
        ..DesiredNode::default()
    }
}

fn steps(plan: &Plan) -> Vec<(Phase, &'static str, PublicKey)> {
    plan.changes
        .iter()
        .map(|c| (c.phase, c.call.action(), c.call.public_key()))
        .collect()
}

#[test]
fn equal_is_nothing_to_do_whatever_is_merely_observed() {
    let desired = node(vec![peer(1, &[1, 2, 3])]);
    let mut observed = dumped(1, &[2, 3, 1]);
    assert!(plan(&desired, &[observed.clone()]).is_in_sync());
    observed.endpoint = None;
    observed.transfer_rx = 0;
    observed.latest_handshake = 0;
    assert!(plan(&desired, &[observed]).changes.is_empty());
    assert!(plan(&DesiredNode::default(), &[]).is_in_sync());
}

#[test]
fn a_swap_shrinks_both_first() {
    let desired = node(vec![peer(1, &[2]), peer(2, &[1])]);
    let plan = plan(&desired, &[dumped(1, &[1]), dumped(2, &[2])]);
    let expected = [
        (Phase::Shrink, "update", key(1)),
        (Phase::Shrink, "update", key(2)),
        (Phase::Grow, "update", key(1)),
        (Phase::Grow, "update", key(2)),
    ];
    assert_eq!(steps(&plan), expected);
}

#[test]
fn losing_and_gaining_what_nobody_has_is_one_update() {
    let plan = plan(&node(vec![peer(1, &[2])]), &[dumped(1, &[1])]);
    assert_eq!(steps(&plan), [(Phase::Shrink, "update", key(1))]);
}

#[test]
fn removals_come_first_and_additions_last() {
    let mut desired = node(vec![peer(1, &[1]), peer(2, &[2])]);
    desired.tombstones = [key(3), key(4), key(2)].into();
    let plan = plan(&desired, &[dumped(3, &[1]), dumped(2, &[2, 5])]);
    let expected = [
        (Phase::Remove, "remove", key(3)),
        (Phase::Shrink, "update", key(2)),
        (Phase::Grow, "add", key(1)),
    ];
    assert_eq!(steps(&plan), expected);
}

#[test]
fn letting_go_does_not_wait_for_a_removal() {
    let mut desired = node(vec![peer(1, &[2])]);
    desired.tombstones = [key(3)].into();
    let plan = plan(&desired, &[dumped(1, &[1]), dumped(3, &[2])]);
    let expected = [
        (Phase::Remove, "remove", key(3)),
        (Phase::Shrink, "update", key(1)),
        (Phase::Grow, "update", key(1)),
    ];
    assert_eq!(
        steps(&plan),
        expected,
        "should the removal fail, address 1 is free all the same"
    );
}

#[test]
fn ten_thousand_peers_at_once() {
    let number = |n: u16| {
        let mut bytes = [7; 32];
        bytes[..2].copy_from_slice(&n.to_be_bytes());
        PublicKey::from_bytes(bytes)
    };
    let numbered = |n: u16| {
        let [high, low] = n.to_be_bytes();
        let address = AllowedIp::new([10, 9, high, low].into(), 32).unwrap();
        DesiredPeer {
            public_key: number(n),
            allowed_ips: vec![address],
            ..peer(1, &[])
        }
    };
    let desired = node((0..10_000).map(numbered).collect());
    let wiped = plan(&desired, &[]);
    assert_eq!(wiped.changes.len(), 10_000);
    let mut kernel = Kernel::default();
    for wanted in &desired.peers {
        kernel.0.insert(wanted.public_key, as_kernel_peer(wanted));
    }
    assert!(plan(&desired, &kernel.dump()).is_in_sync());
}

#[test]
fn every_update_carries_the_preshared_key() {
    let keepalive = DesiredPeer {
        persistent_keepalive: Keepalive::from_secs(25),
        ..peer(1, &[1])
    };
    let cases = [
        (psk(7).into(), PresharedKeyChange::Set(psk(7).unwrap())),
        (DesiredPresharedKey::None, PresharedKeyChange::Remove),
        (DesiredPresharedKey::Unknown, PresharedKeyChange::Unchanged),
    ];
    for (preshared_key, expected) in cases {
        let desired = node(vec![DesiredPeer {
            preshared_key,
            ..keepalive.clone()
        }]);
        let plan = plan(&desired, &[dumped(1, &[1])]);
        let [
            Change {
                call: Call::Update(_, update),
                ..
            },
        ] = &plan.changes[..]
        else {
            panic!("one update: {plan:?}");
        };
        assert_eq!(update.preshared_key, expected);
        assert_eq!(update.persistent_keepalive, Some(Keepalive::from_secs(25)));
        assert_eq!(update.allowed_ips, None, "what agrees is left alone");
    }
}

#[test]
fn an_unconfirmed_preshared_key_is_written() {
    let unconfirmed = DesiredPeer {
        preshared_key_confirmed: false,
        ..peer(1, &[1])
    };
    let adopted = DesiredPeer {
        preshared_key: DesiredPresharedKey::Unknown,
        ..unconfirmed.clone()
    };
    let plan_of = |peer| plan(&node(vec![peer]), &[dumped(1, &[1])]);
    assert_eq!(
        steps(&plan_of(unconfirmed)),
        [(Phase::Grow, "update", key(1))]
    );
    assert!(
        plan_of(adopted).is_in_sync(),
        "an adopted peer's key is nobody's to write"
    );
}

#[test]
fn an_undeclared_owner_blocks_unless_it_is_to_go() {
    let mut desired = node(vec![peer(1, &[5])]);
    let observed = [dumped(9, &[5])];
    let ignoring = plan(&desired, &observed);
    assert!(ignoring.changes.is_empty() && !ignoring.is_in_sync());
    let reason = &ignoring.blocked[0].reason;
    assert_eq!(
        *reason,
        format!("10.8.0.5/32 belongs to the undeclared peer {}", key(9))
    );

    desired.unmanaged = UnmanagedPolicy::Remove;
    let removing = plan(&desired, &observed);
    let expected = [
        (Phase::Remove, "remove", key(9)),
        (Phase::Grow, "add", key(1)),
    ];
    assert_eq!(steps(&removing), expected);
    assert_eq!(removing.to_send(Consent::Everything).count(), 2);
    assert_eq!(removing.to_send(Consent::Declared).count(), 0);
    assert_eq!(removing.held(Consent::Declared).count(), 2);
    assert_eq!(removing.to_send(Consent::Nothing).count(), 0);
    assert_eq!(removing.unmanaged.len(), 1);
}

#[test]
fn what_can_be_mended_of_a_blocked_peer_is_mended() {
    let wanted = DesiredPeer {
        persistent_keepalive: Keepalive::from_secs(25),
        ..peer(1, &[1, 5])
    };
    let plan = plan(
        &node(vec![wanted, peer(2, &[2])]),
        &[dumped(1, &[1, 2]), dumped(9, &[5])],
    );
    let expected = [
        (Phase::Shrink, "update", key(1)),
        (Phase::Grow, "add", key(2)),
    ];
    assert_eq!(steps(&plan), expected);
    let Call::Update(_, update) = &plan.changes[0].call else {
        panic!("an update")
    };
    assert_eq!(update.allowed_ips, Some(vec![ip(1)]));
    assert_eq!(update.persistent_keepalive, Some(Keepalive::from_secs(25)));
    assert_eq!(plan.blocked.len(), 1);
}

#[test]
fn two_that_want_one_address_do_not_fight_over_it() {
    let desired = node(vec![peer(1, &[1]), peer(2, &[1])]);
    let fresh = plan(&desired, &[]);
    assert_eq!(steps(&fresh), [(Phase::Grow, "add", key(1))]);
    assert!(fresh.blocked[0].reason.contains("is wanted by the peer"));
    let owned = plan(&desired, &[dumped(2, &[1])]);
    assert!(owned.changes.is_empty(), "who has it keeps it");
    assert!(owned.blocked[0].reason.contains("which keeps it"));
}

#[test]
fn shown_as_documented_and_without_secrets() {
    let mut desired = node(vec![DesiredPeer {
        preshared_key_confirmed: false,
        ..peer(1, &[1])
    }]);
    desired.unmanaged = UnmanagedPolicy::Remove;
    let plan = plan(&desired, &[dumped(1, &[2]), dumped(9, &[7])]);
    let shown = serde_json::to_value(plan.shown(Consent::Declared)).unwrap();
    assert_eq!(shown["in_sync"], false);
    assert_eq!(shown["changes"][0]["action"], "remove");
    assert!(
        shown["changes"][0]["reason"]
            .as_str()
            .unwrap()
            .contains("confirm")
    );
    let update = &shown["changes"][1];
    assert_eq!(update["action"], "update");
    assert_eq!(update["public_key"], key(1).to_string());
    assert_eq!(
        update["fields"]["allowed_ips"]["observed"][0],
        "10.8.0.2/32"
    );
    assert_eq!(update["fields"]["allowed_ips"]["desired"][0], "10.8.0.1/32");
    assert_eq!(update["fields"]["preshared_key"]["desired"], "set");
    assert_eq!(shown["unmanaged"][0]["allowed_ips"][0], "10.8.0.7/32");
    let secret = psk(9).unwrap().expose_base64();
    assert!(!shown.to_string().contains(secret.as_str()));
    assert!(!format!("{plan:?}").contains(secret.as_str()));
}

#[test]
fn the_hash_names_what_is_asked_for() {
    let mut desired = node(vec![peer(1, &[1])]);
    desired.unmanaged = UnmanagedPolicy::Remove;
    let (undeclared, other) = (dumped(9, &[7]), dumped(8, &[8]));
    let before = plan(&desired, std::slice::from_ref(&undeclared));
    let after = plan(&desired, &[undeclared.clone(), dumped(1, &[1])]);
    assert_eq!(
        before.hash(Consent::Declared),
        after.hash(Consent::Declared)
    );
    assert_ne!(before.hash(Consent::Nothing), after.hash(Consent::Nothing));
    let more = plan(&desired, &[undeclared, other]);
    assert_ne!(before.hash(Consent::Declared), more.hash(Consent::Declared));
    let held = after.shown(Consent::Nothing);
    let shown = serde_json::to_value(held).unwrap();
    assert_eq!(
        shown["changes"][0]["reason"],
        "waits for an operator to confirm the plan"
    );
}

#[test]
fn families_and_prefixes_are_networks_of_their_own() {
    let networks = ["10.8.0.0/24", "10.8.0.5/32", "fd00::5/128"];
    let parsed: Vec<AllowedIp> = networks.iter().map(|text| text.parse().unwrap()).collect();
    let desired = node(vec![DesiredPeer {
        allowed_ips: parsed,
        ..peer(1, &[])
    }]);
    let plan = plan(&desired, &[dumped(2, &[6])]);
    assert_eq!(steps(&plan), [(Phase::Grow, "add", key(1))]);
}
