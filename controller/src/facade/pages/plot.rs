//! What `app.js` draws: points over time, the same for the fleet, a node and a peer.
//!
//! A peer's view throughout: download is what nodes sent, upload what they received.

use std::collections::BTreeMap;

use serde::Serialize;
use wgfleet_proto::v1;

/// The ranges to choose from: word, seconds, and the step of a span in seconds.
pub(super) const RANGES: [(&str, Range); 4] = [
    ("hour", Range::new(3600, 60)),
    ("day", Range::new(86_400, 300)),
    ("week", Range::new(7 * 86_400, 3600)),
    ("quarter", Range::new(90 * 86_400, 86_400)),
];

/// A younger span says little: what it holds was moved between polls, partly before it began.
const YOUNGEST_S: i64 = 30;

/// How far back, and in which steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    length_s: u32,
    step_s: u32,
}

impl Range {
    const fn new(length_s: u32, step_s: u32) -> Self {
        Self { length_s, step_s }
    }

    /// A day, unless another was asked for.
    pub(super) fn or_day(chosen: Option<Self>) -> Self {
        chosen.unwrap_or(RANGES[1].1)
    }

    /// Up to `now_s`.
    pub(super) fn until(self, now_s: i64) -> v1::HistoryRange {
        v1::HistoryRange {
            from: Some(now_s - i64::from(self.length_s)),
            to: Some(now_s),
            step_s: self.step_s,
        }
    }
}

/// Points of one or of many, span by span.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    spans: BTreeMap<i64, (u64, u64)>,
}

/// Columns as the plot takes them. A span nobody looked at is `null`, and a gap in the line.
#[derive(Debug, Serialize)]
pub(super) struct Plot {
    /// First second of each span, Unix.
    at: Vec<i64>,
    /// Bytes per second to the peers.
    down: Vec<Option<u64>>,
    /// Bytes per second from the peers.
    up: Vec<Option<u64>>,
    step_s: u32,
}

impl Traffic {
    /// Adds the points of one more.
    pub(super) fn add(&mut self, points: &[v1::HistoryPoint]) {
        for point in points {
            let (down, up) = self.spans.entry(point.at).or_default();
            *down = down.saturating_add(point.tx_bytes);
            *up = up.saturating_add(point.rx_bytes);
        }
    }

    /// All spans from `from` on and before `to`, which are the edges of spans, as they are at `now_s`.
    /// The last one is divided by what has passed of it.
    pub(super) fn plot(&self, from: i64, to: i64, step_s: u32, now_s: i64) -> Plot {
        let step = i64::from(step_s.max(1));
        let spans = (from..to).step_by(usize::try_from(step).unwrap_or(usize::MAX));
        let at: Vec<_> = spans
            .filter(|at| now_s - at >= YOUNGEST_S.min(step))
            .collect();
        let per_s = |moved: fn(&(u64, u64)) -> u64| {
            let rate = |at: &i64| {
                let passed_s = (now_s - at).clamp(1, step).unsigned_abs();
                self.spans.get(at).map(|span| moved(span) / passed_s)
            };
            at.iter().map(rate).collect()
        };
        Plot {
            down: per_s(|(down, _)| *down),
            up: per_s(|(_, up)| *up),
            at,
            step_s,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use wgfleet_proto::v1::HistoryPoint;

    use super::Traffic;

    #[test]
    fn two_nodes_add_up_a_gap_stays_one_and_the_youngest_span_waits() {
        let point = |at, rx_bytes, tx_bytes| HistoryPoint {
            at,
            rx_bytes,
            tx_bytes,
            ..Default::default()
        };
        let mut traffic = Traffic::default();
        traffic.add(&[point(60, 60, 120), point(180, 0, 60)]);
        traffic.add(&[point(60, 60, 0), point(240, 9, 9)]);
        let plot = serde_json::to_value(traffic.plot(60, 300, 60, 250)).expect("JSON");
        let expected = json!({
            "at": [60, 120, 180], "down": [2, null, 1], "up": [2, null, 0], "step_s": 60
        });
        assert_eq!(plot, expected);
        let later = traffic.plot(60, 300, 60, 285);
        assert_eq!(later.at.last(), Some(&240));
    }
}
