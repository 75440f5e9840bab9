//! Peers keep their places whatever order a daemon tells them in.

use wire_contract::PublicKey;

use super::super::{answer::Peer, order::Order};
use crate::wireguard::{PeerAction, PeerChange, PeerSettings};

fn key(byte: u8) -> PublicKey {
    PublicKey::from_bytes([byte; 32])
}

fn arranged(order: &mut Order, told: &[u8]) -> Vec<u8> {
    let mut peers: Vec<_> = told.iter().map(|byte| Peer::new(key(*byte))).collect();
    order.arrange(&mut peers);
    let bytes = peers.iter().map(|peer| peer.facts.public_key.as_bytes()[0]);
    bytes.collect()
}

fn change(byte: u8, action: PeerAction) -> PeerChange {
    PeerChange {
        public_key: key(byte),
        action,
    }
}

fn adding(byte: u8) -> PeerChange {
    change(byte, PeerAction::Set(PeerSettings::default()))
}

#[test]
fn strangers_go_by_key_and_then_stay() {
    let mut order = Order::default();
    assert_eq!(arranged(&mut order, &[7, 3, 9]), [3, 7, 9]);
    assert_eq!(arranged(&mut order, &[9, 1, 7, 3]), [3, 7, 9, 1]);
    assert_eq!(arranged(&mut order, &[1, 3, 9, 7, 0]), [3, 7, 9, 1, 0]);
}

#[test]
fn those_we_add_go_to_the_end_in_their_order() {
    let mut order = Order::default();
    arranged(&mut order, &[5]);
    order.expect(&[adding(9), adding(2), adding(5)]);
    assert_eq!(arranged(&mut order, &[2, 5, 9]), [5, 9, 2]);
}

#[test]
fn one_that_was_removed_comes_back_at_the_end() {
    let mut order = Order::default();
    arranged(&mut order, &[1, 2, 3]);
    order.expect(&[change(1, PeerAction::Remove), adding(1)]);
    assert_eq!(arranged(&mut order, &[1, 2, 3]), [2, 3, 1]);
    // By others, seen by a dump in between.
    assert_eq!(arranged(&mut order, &[1, 3]), [3, 1]);
    assert_eq!(arranged(&mut order, &[1, 2, 3]), [3, 1, 2]);
}

#[test]
fn an_update_makes_no_place() {
    let mut order = Order::default();
    let update = PeerSettings {
        update_only: true,
        ..PeerSettings::default()
    };
    order.expect(&[change(9, PeerAction::Set(update)), adding(5)]);
    assert_eq!(arranged(&mut order, &[5, 9]), [5, 9]);
}
