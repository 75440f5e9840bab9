//! What was gained between two polls, laid out over the spans of a history.
//!
//! Polls and spans have about the same beat and never the same phase: counted where the poll ends,
//! one span would get nothing and the next one twice as much.

use super::counters::Traffic;

/// Gained over a longer time, bytes count in the span of the poll that saw them: nothing is known
/// of when they were moved.
pub const LONGEST_MS: i64 = 60_000;

/// How much of what was gained from `from_ms` to `to_ms` (Unix) belongs to each span of
/// `step_s`: (start of the span in Unix seconds, bytes), in order. Adds up to `gained`.
#[must_use]
pub fn spread(from_ms: i64, to_ms: i64, gained: Traffic, step_s: i64) -> Vec<(i64, Traffic)> {
    let step_ms = step_s.max(1).saturating_mul(1000);
    let last = to_ms.div_euclid(step_ms);
    let took_ms = to_ms.saturating_sub(from_ms);
    if !(1..=LONGEST_MS).contains(&took_ms) {
        return vec![(last * step_s, gained)];
    }
    let mut parts = Vec::new();
    let mut given = Traffic::default();
    for span in from_ms.div_euclid(step_ms)..=last {
        let until_ms = ((span + 1) * step_ms).min(to_ms) - from_ms;
        // What all spans up to this one get, less what was given: so nothing is lost in rounding.
        let so_far = Traffic {
            rx_bytes: part(gained.rx_bytes, until_ms, took_ms),
            tx_bytes: part(gained.tx_bytes, until_ms, took_ms),
        };
        let here = Traffic {
            rx_bytes: so_far.rx_bytes - given.rx_bytes,
            tx_bytes: so_far.tx_bytes - given.tx_bytes,
        };
        given = so_far;
        if here != Traffic::default() {
            parts.push((span * step_s, here));
        }
    }
    parts
}

/// `bytes * of / all`, for `of` from 0 to `all`.
fn part(bytes: u64, of: i64, all: i64) -> u64 {
    let product = u128::from(bytes) * u128::from(of.unsigned_abs());
    u64::try_from(product / u128::from(all.unsigned_abs())).unwrap_or(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn traffic(rx_bytes: u64, tx_bytes: u64) -> Traffic {
        Traffic { rx_bytes, tx_bytes }
    }

    #[test]
    fn each_span_gets_its_share() {
        assert_eq!(
            spread(5_000, 15_000, traffic(100, 11), 10),
            [(0, traffic(50, 5)), (10, traffic(50, 6))]
        );
        assert_eq!(
            spread(9_000, 31_000, traffic(220, 0), 10),
            [
                (0, traffic(10, 0)),
                (10, traffic(100, 0)),
                (20, traffic(100, 0)),
                (30, traffic(10, 0)),
            ]
        );
    }

    #[test]
    fn after_a_gap_it_counts_where_it_was_seen() {
        assert_eq!(spread(0, 90_000, traffic(5, 5), 10), [(90, traffic(5, 5))]);
        assert_eq!(
            spread(7_000, 7_000, traffic(5, 5), 10),
            [(0, traffic(5, 5))]
        );
        assert_eq!(
            spread(9_000, 7_000, traffic(5, 5), 10),
            [(0, traffic(5, 5))]
        );
    }

    proptest! {
        #[test]
        fn it_adds_up(
            from_ms in -1_000_000_i64..1_000_000,
            took_ms in -5_000_i64..100_000,
            rx in any::<u64>(),
            tx in any::<u64>(),
        ) {
            let parts = spread(from_ms, from_ms + took_ms, traffic(rx, tx), 10);
            let sum = |of: fn(&Traffic) -> u64| parts.iter().map(|(_, t)| u128::from(of(t))).sum::<u128>();
            prop_assert_eq!(sum(|t| t.rx_bytes), u128::from(rx));
            prop_assert_eq!(sum(|t| t.tx_bytes), u128::from(tx));
            for pair in parts.windows(2) {
                prop_assert!(pair[0].0 < pair[1].0);
            }
            for (at, _) in &parts {
                prop_assert_eq!(at.rem_euclid(10), 0);
            }
        }
    }
}
