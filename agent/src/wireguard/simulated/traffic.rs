//! What a simulated peer has sent and received: a function of its key and the time, so that nothing
//! has to run for counters to move.
//!
//! A peer that is alive goes through periods. For the first part of each it exchanges bytes at a
//! steady rate and shakes hands every two minutes, for the rest it is silent. Its totals therefore
//! never shrink.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use wire_contract::PublicKey;

/// As often as WireGuard renews a session that is in use.
const REKEY_AFTER_MS: u64 = 120_000;
/// Lengths of a handshake's two messages.
const HANDSHAKE_RX_BYTES: u64 = 148;
const HANDSHAKE_TX_BYTES: u64 = 92;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// The traffic of one peer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Traffic {
    seed: u64,
    life: Life,
}

/// When a peer was there, since the Unix epoch.
#[derive(Debug, Clone, Copy)]
enum Life {
    Never,
    Since(Duration),
    /// Gone again after so long.
    For(Duration, Duration),
}

/// What is known of a peer that has been heard from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) endpoint: SocketAddr,
    /// Unix seconds.
    pub(super) latest_handshake: i64,
    pub(super) rx_bytes: u64,
    pub(super) tx_bytes: u64,
}

impl Traffic {
    /// Of a peer added at `now`: silent at first, alive a few seconds later.
    pub(super) fn of_joining(key: &PublicKey, now: Duration) -> Self {
        let seed = seed(key);
        let delay = Duration::from_millis(between(seed, 0, 2_000, 5_000));
        Self {
            seed,
            life: Life::Since(now + delay),
        }
    }

    /// Of a peer that was there when the simulation began at `now`: one in eight was never seen, one
    /// in eight came and went, the others have been around for hours or days.
    pub(super) fn of_settled(key: &PublicKey, now: Duration) -> Self {
        let seed = seed(key);
        let age = Duration::from_secs(between(seed, 1, HOUR, 3 * DAY));
        let since = now.saturating_sub(age);
        let life = match between(seed, 2, 0, 8) {
            0 => Life::Never,
            1 => Life::For(since, age / 2),
            _ => Life::Since(since),
        };
        Self { seed, life }
    }

    /// What is known of the peer at `now`; `None` while it has never been heard from.
    pub(super) fn seen(&self, now: Duration) -> Option<Seen> {
        let (since, longest) = match self.life {
            Life::Never => return None,
            Life::Since(since) => (since, Duration::MAX),
            Life::For(since, longest) => (since, longest),
        };
        let age_ms = millis(now.checked_sub(since)?.min(longest));
        let period_ms = 1000 * between(self.seed, 3, MINUTE, 30 * MINUTE);
        let active_ms = period_ms * between(self.seed, 4, 20, 95) / 100;
        let (periods, within_ms) = (age_ms / period_ms, age_ms % period_ms);
        let busy_ms = periods * active_ms + within_ms.min(active_ms);
        let renewed_ms = within_ms.min(active_ms) / REKEY_AFTER_MS * REKEY_AFTER_MS;
        let handshake = since + Duration::from_millis(periods * period_ms + renewed_ms);
        let tx_rate = 1_u64 << between(self.seed, 5, 8, 21);
        let rx_rate = tx_rate / between(self.seed, 6, 2, 9);
        Some(Seen {
            endpoint: self.endpoint(),
            latest_handshake: i64::try_from(handshake.as_secs()).unwrap_or(i64::MAX),
            rx_bytes: HANDSHAKE_RX_BYTES + bytes(rx_rate, busy_ms),
            tx_bytes: HANDSHAKE_TX_BYTES + bytes(tx_rate, busy_ms),
        })
    }

    /// Out of 198.18.0.0/15, which no real peer has.
    fn endpoint(&self) -> SocketAddr {
        let host = u32::try_from(between(self.seed, 7, 1, 1 << 17)).expect("17 bits");
        let address = Ipv4Addr::from_bits(Ipv4Addr::new(198, 18, 0, 0).to_bits() | host);
        let port = u16::try_from(between(self.seed, 8, 1024, 65536)).expect("16 bits");
        (address, port).into()
    }
}

fn bytes(rate_per_second: u64, ms: u64) -> u64 {
    rate_per_second.saturating_mul(ms) / 1000
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn seed(key: &PublicKey) -> u64 {
    let (first, _) = key.as_bytes().split_first_chunk().expect("32 bytes");
    u64::from_le_bytes(*first)
}

/// A number from `low` up to but not including `high` that follows from `seed`, another one for each
/// `trait_number`. (The mixing is splitmix64's: keys of a test may differ in one bit only.)
fn between(seed: u64, trait_number: u64, low: u64, high: u64) -> u64 {
    let mut mixed = seed.wrapping_add((trait_number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    low + (mixed ^ (mixed >> 31)) % (high - low)
}
