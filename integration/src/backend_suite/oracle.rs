//! Other eyes for the suite: `wg show NAME dump`.

use std::collections::HashMap;

use wgfleet_agent::wireguard::fingerprint::Fingerprinter;
use wire_contract::{InterfaceName, PresharedKey};

use super::{PeerSnapshot, Snapshot};
use crate::wg;

/// Our own reading of the interface and that of `wg` must be one, the order of peers included.
///
/// # Panics
/// When they are not.
pub fn compare(name: &InterfaceName, ours: &Snapshot, fingerprinter: &Fingerprinter) {
    compare_with(&wg::show(name.as_str()), ours, fingerprinter);
}

/// The same for an implementation that tells `wg` its peers in any order.
///
/// # Panics
/// When they are not one.
pub fn compare_in_any_order(name: &InterfaceName, ours: &Snapshot, fingerprinter: &Fingerprinter) {
    let mut theirs = wg::show(name.as_str());
    let positions: HashMap<String, usize> = ours
        .keys()
        .into_iter()
        .enumerate()
        .map(|(position, key)| (key.to_string(), position))
        .collect();
    theirs
        .peers
        .sort_by_key(|peer| positions.get(&peer.public_key).copied());
    compare_with(&theirs, ours, fingerprinter);
}

fn compare_with(theirs: &wg::Interface, ours: &Snapshot, fingerprinter: &Fingerprinter) {
    let device = ours.device();
    let public_key = device.public_key.map(|key| key.to_string());
    assert_eq!(public_key, theirs.public_key);
    assert_eq!(
        (device.listen_port, device.fwmark),
        (theirs.listen_port, theirs.fwmark)
    );
    assert_eq!(ours.peers.len(), theirs.peers.len());
    for (ours, theirs) in ours.peers.iter().zip(&theirs.peers) {
        compare_peer(ours, theirs, fingerprinter);
    }
}

fn compare_peer(ours: &PeerSnapshot, theirs: &wg::Peer, fingerprinter: &Fingerprinter) {
    let facts = &ours.facts;
    let key = facts.public_key.to_string();
    assert_eq!(key, theirs.public_key);
    assert_eq!(facts.endpoint, theirs.endpoint, "{key}");
    assert_eq!(ours.networks(), theirs.allowed_ips, "{key}");
    assert_eq!(
        facts.persistent_keepalive.as_secs(),
        theirs.persistent_keepalive,
        "{key}"
    );
    assert_eq!(
        u64::try_from(facts.latest_handshake),
        Ok(theirs.latest_handshake),
        "{key}"
    );
    assert_eq!(
        (facts.rx_bytes, facts.tx_bytes),
        (theirs.transfer_rx, theirs.transfer_tx),
        "{key}"
    );
    let preshared = theirs.preshared_key.as_deref();
    let preshared: Option<PresharedKey> = preshared.map(|key| key.parse().expect("a key"));
    let fingerprint = preshared.and_then(|key| fingerprinter.of(&key));
    assert!(
        facts.preshared_key == fingerprint,
        "{key}: another preshared key"
    );
}
