//! What is the simulation's own: determinism, traffic, and the hand behind it. What it shares with
//! the kernel is tested by the suite that runs on both.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use wire_contract::{AllowedIp, InterfaceName, PublicKey};

use super::{Calls, Clock, SimulatedBackend};
use crate::wireguard::{
    Backend, BackendError, Device, DeviceFacts, DumpSink, LinkEvent, PeerAction, PeerChange,
    PeerFacts, PeerSettings, fingerprint::Fingerprinter,
};

const START: u64 = 1_700_000_000;

#[derive(Default, PartialEq, Debug)]
struct Collected {
    devices: Vec<DeviceFacts>,
    peers: Vec<(PeerFacts, Vec<AllowedIp>)>,
}

impl DumpSink for Collected {
    fn device(&mut self, device: &DeviceFacts) {
        self.devices.push(*device);
    }

    fn peer(&mut self, peer: &PeerFacts) {
        self.peers.push((*peer, Vec::new()));
    }

    fn allowed_ip(&mut self, allowed_ip: AllowedIp) {
        self.peers
            .last_mut()
            .expect("a peer before")
            .1
            .push(allowed_ip);
    }
}

/// A simulated host with one interface under a clock the test moves.
struct Host {
    backend: SimulatedBackend,
    seconds: Arc<AtomicU64>,
}

fn wg0() -> InterfaceName {
    "wg0".parse().unwrap()
}

impl Host {
    fn with_peers(peers: usize) -> Self {
        let seconds = Arc::new(AtomicU64::new(START));
        let shown = Arc::clone(&seconds);
        let clock = Clock::new(move || Duration::from_secs(shown.load(Ordering::Relaxed)));
        let interfaces = [(wg0(), peers)];
        let backend = SimulatedBackend::with_clock(Fingerprinter::new(), &interfaces, clock);
        Self { backend, seconds }
    }

    fn wait(&self, seconds: u64) {
        self.seconds.fetch_add(seconds, Ordering::Relaxed);
    }

    fn device(&self) -> Box<dyn Device> {
        self.backend.open(&wg0()).unwrap()
    }

    fn dump(&self) -> Collected {
        let mut collected = Collected::default();
        self.device().dump(&mut collected).unwrap();
        collected
    }

    fn ifindex(&self) -> u32 {
        self.dump().devices[0].ifindex
    }
}

fn addition(number: u8) -> PeerChange {
    PeerChange {
        public_key: PublicKey::from_bytes([number; 32]),
        action: PeerAction::Set(PeerSettings::default()),
    }
}

#[test]
fn the_same_name_shows_the_same_peers() {
    let (one, other) = (Host::with_peers(200).dump(), Host::with_peers(200).dump());
    assert_eq!(one.devices[0].public_key, other.devices[0].public_key);
    let settled = |dump: &Collected| {
        let peers = dump.peers.iter();
        peers
            .map(|(peer, ips)| {
                (
                    PeerFacts {
                        preshared_key: None,
                        ..*peer
                    },
                    ips.clone(),
                )
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(settled(&one), settled(&other));
}

#[test]
fn peers_differ_and_own_what_they_are_given() {
    let dump = Host::with_peers(100_000).dump();
    assert_eq!(dump.peers.len(), 100_000);
    let keys: HashSet<_> = dump.peers.iter().map(|(peer, _)| peer.public_key).collect();
    assert_eq!(keys.len(), 100_000);
    assert!(dump.peers.iter().all(|(_, ips)| ips.len() >= 2));
    let never = dump
        .peers
        .iter()
        .filter(|(peer, _)| peer.latest_handshake == 0)
        .count();
    assert!((10_000..15_000).contains(&never), "{never} never seen");
    for (peer, _) in &dump.peers {
        assert_eq!(peer.endpoint.is_some(), peer.latest_handshake != 0);
        assert_eq!(peer.rx_bytes == 0, peer.latest_handshake == 0);
        assert!(peer.latest_handshake <= i64::try_from(START).unwrap());
    }
}

#[test]
fn counters_move_and_never_shrink() {
    let host = Host::with_peers(500);
    let mut before = host.dump();
    let mut moved = 0;
    for _ in 0..200 {
        host.wait(37);
        let after = host.dump();
        for ((old, _), (new, _)) in before.peers.iter().zip(&after.peers) {
            assert!(new.rx_bytes >= old.rx_bytes && new.tx_bytes >= old.tx_bytes);
            assert!(new.latest_handshake >= old.latest_handshake);
            moved += usize::from(new.tx_bytes > old.tx_bytes);
        }
        before = after;
    }
    assert!(moved > 10_000, "{moved} of 100,000");
}

#[test]
fn an_added_peer_comes_alive_a_few_seconds_later() {
    let host = Host::with_peers(0);
    host.device().set(host.ifindex(), &[addition(1)]).unwrap();
    let silent = host.dump().peers[0].0;
    assert_eq!(
        (silent.latest_handshake, silent.rx_bytes, silent.endpoint),
        (0, 0, None)
    );
    host.wait(1);
    assert_eq!(host.dump().peers[0].0, silent);
    host.wait(5);
    let alive = host.dump().peers[0].0;
    assert!(alive.rx_bytes > 0 && alive.endpoint.is_some());
    assert!(alive.latest_handshake > i64::try_from(START).unwrap());
}

#[test]
fn a_failing_set_has_applied_the_first_part() {
    let host = Host::with_peers(0);
    let changes = [addition(1), addition(2), addition(3)];
    host.backend.control().fail_set_after(&wg0(), 2);
    host.device().set(host.ifindex(), &changes[..2]).unwrap();
    let failed = host.device().set(host.ifindex(), &changes);
    assert!(matches!(failed, Err(BackendError::Refused(_))));
    assert_eq!(host.dump().peers.len(), 2);
    host.device().set(host.ifindex(), &changes).unwrap();
    assert_eq!(host.dump().peers.len(), 3);
}

#[test]
fn a_failing_dump_has_reported_everything() {
    let host = Host::with_peers(3);
    host.backend.control().fail_dumps(&wg0(), 1);
    let mut collected = Collected::default();
    let failed = host.device().dump(&mut collected);
    assert!(matches!(failed, Err(BackendError::Inconsistent { .. })));
    assert_eq!(collected, host.dump());
    let calls = Calls {
        dumps: 2,
        sets: 0,
        changes: 0,
    };
    assert_eq!(host.backend.control().calls(&wg0()), calls);
}

#[test]
fn an_interface_made_again_is_another_one() {
    let host = Host::with_peers(3);
    let (control, mut events) = (host.backend.control(), host.backend.link_events());
    let (mut device, old) = (host.device(), host.ifindex());
    control.delete(&wg0());
    let gone = device.set(old, &[addition(1)]);
    assert!(matches!(gone, Err(BackendError::InterfaceNotFound)));
    let new = control.create(&wg0(), 0);
    assert_ne!(old, new);
    let stale = device.set(old, &[addition(1)]);
    assert!(matches!(stale, Err(BackendError::InterfaceNotFound)));
    assert_eq!(host.dump().peers, []);
    assert_eq!(
        events.try_recv().unwrap(),
        LinkEvent::Gone {
            name: wg0(),
            ifindex: old
        }
    );
    assert_eq!(
        events.try_recv().unwrap(),
        LinkEvent::Appeared {
            name: wg0(),
            ifindex: new
        }
    );
}

#[test]
fn changes_from_outside_are_seen_and_not_counted() {
    let host = Host::with_peers(0);
    host.backend
        .control()
        .set_externally(&wg0(), &[addition(1)]);
    assert_eq!(host.backend.control().calls(&wg0()), Calls::default());
    assert_eq!(host.dump().peers.len(), 1);
}

#[test]
fn boot_ids_look_like_the_kernels_and_differ() {
    let (one, other) = (Host::with_peers(0), Host::with_peers(0));
    assert_ne!(one.backend.boot_id(), other.backend.boot_id());
    let lengths: Vec<_> = one.backend.boot_id().split('-').map(str::len).collect();
    assert_eq!(lengths, [8, 4, 4, 4, 12]);
    assert_eq!(&one.backend.boot_id()[14..15], "4");
}
