//! What one dump says about a node as a whole, so that nobody has to go through its peers for it.

use std::time::Duration;

use wire_contract::PublicKey;

use crate::domain::counters::Traffic;

/// Peers that are named.
const TOP: usize = 5;

/// A node as a whole, by its last two dumps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Peers with a handshake within the online window.
    pub online: u32,
    /// Bytes per second between the two dumps.
    pub rate: Traffic,
    /// The peers that moved most, with their bytes per second; the busiest first.
    pub top: Vec<(PublicKey, Traffic)>,
}

/// What peers gained from one dump to the next.
pub(super) struct Gains {
    elapsed: Option<Duration>,
    traffic: Traffic,
    online: u32,
    /// Busiest first.
    top: Vec<(PublicKey, Traffic)>,
}

impl Gains {
    /// `elapsed` is `None` at a first dump.
    pub(super) fn new(elapsed: Option<Duration>) -> Self {
        Self {
            elapsed,
            traffic: Traffic::default(),
            online: 0,
            top: Vec::with_capacity(TOP + 1),
        }
    }

    pub(super) fn elapsed_ms(&self) -> u64 {
        let elapsed = self.elapsed.unwrap_or_default();
        u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
    }

    pub(super) const fn traffic(&self) -> Traffic {
        self.traffic
    }

    pub(super) fn add(&mut self, key: PublicKey, gained: Traffic, online: bool) {
        self.online += u32::from(online);
        self.traffic = self.traffic.saturating_add(gained);
        let least = self.top.get(TOP - 1).map_or(0, |(_, least)| least.sum());
        if gained.sum() <= least {
            return;
        }
        let at = self
            .top
            .partition_point(|(_, more)| more.sum() >= gained.sum());
        self.top.insert(at, (key, gained));
        self.top.truncate(TOP);
    }
}

impl From<Gains> for Summary {
    fn from(gains: Gains) -> Self {
        let ms = gains.elapsed_ms();
        let rate = |traffic| per_second(traffic, ms);
        let top = gains.top.iter().map(|(key, gained)| (*key, rate(*gained)));
        Self {
            online: gains.online,
            rate: rate(gains.traffic),
            top: top.filter(|(_, rate)| rate.sum() > 0).collect(),
        }
    }
}

/// Nothing at a first dump: there is no time it was gained in.
fn per_second(gained: Traffic, ms: u64) -> Traffic {
    let rate = |bytes: u64| {
        let rate = u128::from(bytes) * 1000 / u128::from(ms.max(1));
        u64::try_from(rate).unwrap_or(u64::MAX)
    };
    if ms == 0 {
        return Traffic::default();
    }
    Traffic {
        rx_bytes: rate(gained.rx_bytes),
        tx_bytes: rate(gained.tx_bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u8) -> PublicKey {
        PublicKey::from_bytes([number; 32])
    }

    fn traffic(bytes: u64) -> Traffic {
        Traffic {
            rx_bytes: bytes,
            tx_bytes: 0,
        }
    }

    #[test]
    fn the_busiest_are_named_in_order() {
        let mut gains = Gains::new(Some(Duration::from_secs(2)));
        for number in [3, 9, 1, 7, 0, 5, 8, 2, 6, 4] {
            gains.add(key(number), traffic(u64::from(number) * 2), number % 2 == 0);
        }
        let summary = Summary::from(gains);
        assert_eq!((summary.online, summary.rate), (5, traffic(45)));
        let top: Vec<_> = [9, 8, 7, 6, 5]
            .map(|number| (key(number), traffic(number.into())))
            .into();
        assert_eq!(summary.top, top);
    }

    #[test]
    fn one_dump_alone_says_nothing_of_speed() {
        let mut gains = Gains::new(None);
        gains.add(key(1), traffic(1_000_000), true);
        let summary = Summary::from(gains);
        assert_eq!(summary.rate, Traffic::default());
        assert_eq!((summary.online, summary.top), (1, Vec::new()));
    }
}
