//! Sums over an interface's peers, for those who watch it.

use std::sync::Arc;

use wire_contract::{AllowedIp, PublicKey};

use crate::wireguard::{DeviceFacts, DumpSink, PeerFacts};

/// A peer is active while its last handshake is no older: WireGuard makes a new one every 2 minutes
/// while there is traffic, and gives a session up after 3.
const ACTIVE_SECS: i64 = 180;

/// What an interface held at its last dump.
#[derive(Debug, Clone)]
pub struct Survey {
    /// How many peers it has.
    pub peers: u64,
    /// Those with a handshake in the last 3 minutes.
    pub active_peers: u64,
    /// Received from all peers, bytes. Goes on growing when a peer is removed.
    pub received_bytes: u64,
    /// Sent to all peers, bytes, likewise.
    pub sent_bytes: u64,
    /// Each peer by itself, if that was asked for.
    pub each: Arc<[PeerTraffic]>,
}

/// What a dump says of a peer's traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerTraffic {
    /// Who.
    pub public_key: PublicKey,
    /// Bytes.
    pub received_bytes: u64,
    /// Bytes.
    pub sent_bytes: u64,
    /// Unix seconds; 0 is never.
    pub latest_handshake: i64,
}

/// The sums of one dump.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sums {
    /// Unix seconds.
    now: i64,
    pub(super) active_peers: u64,
    received_bytes: u64,
    sent_bytes: u64,
}

impl Sums {
    /// Of a dump that begins now (Unix seconds).
    pub(super) fn at(now: i64) -> Self {
        Self {
            now,
            ..Self::default()
        }
    }
}

impl DumpSink for Sums {
    fn device(&mut self, _device: &DeviceFacts) {
        *self = Self::at(self.now);
    }

    fn peer(&mut self, peer: &PeerFacts) {
        let is_active = peer.latest_handshake > 0
            && self.now.saturating_sub(peer.latest_handshake) <= ACTIVE_SECS;
        self.active_peers += u64::from(is_active);
        self.received_bytes = self.received_bytes.wrapping_add(peer.rx_bytes);
        self.sent_bytes = self.sent_bytes.wrapping_add(peer.tx_bytes);
    }

    fn allowed_ip(&mut self, _allowed_ip: AllowedIp) {}
}

/// Totals that only grow. The sum over the peers there are falls when one of them is removed, and who
/// watches a counter takes a fall for a restart: all that is left would count as new traffic.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Traffic {
    pub(super) received: Growing,
    pub(super) sent: Growing,
}

impl Traffic {
    pub(super) fn follow(&mut self, sums: &Sums) {
        self.received.follow(sums.received_bytes);
        self.sent.follow(sums.sent_bytes);
    }
}

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Growing {
    pub(super) total: u64,
    last: u64,
}

impl Growing {
    fn follow(&mut self, sum: u64) {
        self.total = self.total.wrapping_add(sum.saturating_sub(self.last));
        self.last = sum;
    }
}

/// Lists every peer of a dump.
#[derive(Debug, Default)]
pub(super) struct TrafficList(pub(super) Vec<PeerTraffic>);

impl DumpSink for TrafficList {
    fn device(&mut self, _device: &DeviceFacts) {
        self.0.clear();
    }

    fn peer(&mut self, peer: &PeerFacts) {
        self.0.push(PeerTraffic {
            public_key: peer.public_key,
            received_bytes: peer.rx_bytes,
            sent_bytes: peer.tx_bytes,
            latest_handshake: peer.latest_handshake,
        });
    }

    fn allowed_ip(&mut self, _allowed_ip: AllowedIp) {}
}

#[cfg(test)]
mod tests {
    use wire_contract::Keepalive;

    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn device() -> DeviceFacts {
        DeviceFacts {
            ifindex: 7,
            public_key: None,
            listen_port: 0,
            fwmark: 0,
        }
    }

    fn peer(latest_handshake: i64) -> PeerFacts {
        PeerFacts {
            public_key: PublicKey::from_bytes([1; 32]),
            preshared_key: None,
            endpoint: None,
            latest_handshake,
            rx_bytes: 10,
            tx_bytes: 1,
            persistent_keepalive: Keepalive::OFF,
        }
    }

    #[test]
    fn a_peer_is_active_for_three_minutes() {
        let mut sums = Sums::at(NOW);
        for (handshake, active) in [
            (0, 0),
            (NOW - 181, 0),
            (NOW - 180, 1),
            (NOW, 1),
            (NOW + 5, 1),
        ] {
            sums.device(&device());
            sums.peer(&peer(handshake));
            assert_eq!(sums.active_peers, active, "{handshake}");
        }
    }

    #[test]
    fn a_dump_that_begins_again_is_not_counted_twice() {
        let (mut sums, mut list) = (Sums::at(NOW), TrafficList::default());
        for _ in 0..2 {
            sums.device(&device());
            list.device(&device());
            for _ in 0..3 {
                sums.peer(&peer(NOW));
                list.peer(&peer(NOW));
            }
        }
        assert_eq!((sums.active_peers, sums.received_bytes), (3, 30));
        assert_eq!(list.0.len(), 3);
    }

    #[test]
    fn a_total_never_falls() {
        let mut growing = Growing::default();
        for (sum, total) in [
            (100, 100),
            (130, 130),
            (30, 130),
            (40, 140),
            (40, 140),
            (0, 140),
            (5, 145),
        ] {
            growing.follow(sum);
            assert_eq!(growing.total, total, "{sum}");
        }
    }
}
