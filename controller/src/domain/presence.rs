//! Whether a peer is there, by its last handshake.

/// A handshake this young means the peer is online, unless configured otherwise: WireGuard makes a
/// new one every two minutes while there is traffic, and gives a session up after three.
pub const DEFAULT_WINDOW_S: u32 = 180;

/// A node's clock may be this far ahead of ours (its agent would refuse us beyond it).
const MAX_AHEAD_S: i64 = 300;

/// Whether the latest handshake (Unix seconds on the node's clock, 0 for never) lies within the
/// last `window_s` seconds.
#[must_use]
pub fn peer_online(latest_handshake_s: i64, now_s: i64, window_s: u32) -> bool {
    let age_s = now_s.saturating_sub(latest_handshake_s);
    latest_handshake_s > 0 && (-MAX_AHEAD_S..=i64::from(window_s)).contains(&age_s)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn online_is_a_recent_handshake() {
        let online = |handshake| peer_online(handshake, 1_000_000, DEFAULT_WINDOW_S);
        assert!(online(1_000_000) && online(999_820) && online(1_000_200));
        assert!(!online(999_819) && !online(0) && !online(-1) && !online(2_000_000));
        assert!(!peer_online(i64::MIN, i64::MAX, 180) && !peer_online(i64::MAX, i64::MIN, 180));
        assert!(
            !peer_online(0, 100, 180),
            "never is never, also right after 1970"
        );
    }
}
