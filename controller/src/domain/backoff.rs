//! How long to wait before sending again to a node or a webhook that did not take it.

use std::time::Duration;

/// The longest wait.
pub const MAX_DELAY: Duration = Duration::from_millis(MAX_MS);

const FIRST_MS: u64 = 1_000;
const MAX_MS: u64 = 60_000;
const MAX_DELIVERY_MS: u64 = 900_000;

/// The wait after failed attempt number `attempt` (0 is the first): doubles from one to sixty
/// seconds, and `random` (uniform over all of `u64`) takes up to half of it off, so that nodes that
/// failed together do not come back together.
#[must_use]
pub fn write_delay(attempt: u32, random: u64) -> Duration {
    delay(attempt, random, MAX_MS)
}

/// The wait after a delivery to a webhook failed: as [`write_delay`], up to a quarter of an hour.
#[must_use]
pub fn delivery_delay(attempt: u32, random: u64) -> Duration {
    delay(attempt, random, MAX_DELIVERY_MS)
}

fn delay(attempt: u32, random: u64, max_ms: u64) -> Duration {
    // Ten doublings are past the longest wait already.
    let ceiling_ms = (FIRST_MS << attempt.min(10)).min(max_ms);
    let half_ms = ceiling_ms / 2;
    Duration::from_millis(half_ms + random % (half_ms + 1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn never_hasty_never_forever(attempt: u32, random: u64) {
            let delay = write_delay(attempt, random);
            prop_assert!(delay >= Duration::from_millis(500));
            prop_assert!(delay <= MAX_DELAY);
            if attempt >= 6 {
                prop_assert!(delay >= MAX_DELAY / 2);
            }
        }

        #[test]
        fn the_first_is_under_a_second(random: u64) {
            prop_assert!(write_delay(0, random) <= Duration::from_secs(1));
        }
    }

    #[test]
    fn doubles_until_the_cap() {
        let delays: Vec<Duration> = (0..8).map(|attempt| write_delay(attempt, 500)).collect();
        assert!(delays.is_sorted());
        assert_eq!(write_delay(1, 0), Duration::from_secs(1));
        assert_eq!(write_delay(2, 0), Duration::from_secs(2));
        assert_eq!(write_delay(u32::MAX, 0), Duration::from_secs(30));
    }
}
