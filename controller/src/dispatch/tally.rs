//! What a node has moved, on its way from polls to its history.
//!
//! A tally outlives its node's workers: how far the traffic was counted is the node's, whoever
//! counted it.

use std::{
    collections::BTreeMap,
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::domain::{counters::Traffic, spread::spread};

/// Spans of a node's history, seconds.
const STEP_S: i64 = 10;
/// Spans that wait to be written. A store that takes none for so long loses none of the bytes: the
/// oldest are put together.
const MAX_WAITING: usize = 360;

/// One node's traffic.
pub(super) struct Tally(Mutex<Inner>);

struct Inner {
    /// All that was counted: what the node's samples add up to, and what waits to be written.
    total: Traffic,
    /// By the start of the span, Unix seconds.
    waiting: BTreeMap<i64, Traffic>,
    /// What of `total` no peer's counters will show after a restart, since the last
    /// [`take`](Tally::take).
    adrift: Traffic,
}

/// What waits to be written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gained {
    /// By span: its start in Unix seconds, and what was moved in it.
    pub spans: Vec<(i64, Traffic)>,
    /// What the samples add up to with these.
    pub total: Traffic,
    /// What of it no peer's counters will show after a restart, since the last time: moved by peers
    /// that nobody declared, or that are gone.
    pub adrift: Traffic,
}

impl Tally {
    /// Of a node whose samples add up to `sampled`.
    pub(super) const fn new(sampled: Traffic) -> Self {
        Self(Mutex::new(Inner {
            total: sampled,
            waiting: BTreeMap::new(),
            adrift: Traffic {
                rx_bytes: 0,
                tx_bytes: 0,
            },
        }))
    }

    /// All that was counted.
    pub(super) fn total(&self) -> Traffic {
        self.inner().total
    }

    /// Counts what was gained between two moments, Unix milliseconds.
    pub(super) fn count(&self, from_ms: i64, to_ms: i64, gained: Traffic) {
        if gained == Traffic::default() {
            return;
        }
        let mut inner = self.inner();
        inner.total = inner.total.saturating_add(gained);
        for (at, part) in spread(from_ms, to_ms, gained, STEP_S) {
            inner.wait(at, part);
        }
    }

    /// Notes that the counters of no peer will show this after a restart, though it was counted.
    pub(super) fn set_adrift(&self, traffic: Traffic) {
        let mut inner = self.inner();
        inner.adrift = inner.adrift.saturating_add(traffic);
    }

    /// What was set adrift and not taken yet.
    pub(super) fn adrift(&self) -> Traffic {
        self.inner().adrift
    }

    /// Takes what waits. What could not be written comes back by [`put_back`](Self::put_back).
    pub(super) fn take(&self) -> Gained {
        let mut inner = self.inner();
        Gained {
            spans: mem::take(&mut inner.waiting).into_iter().collect(),
            total: inner.total,
            adrift: mem::take(&mut inner.adrift),
        }
    }

    /// Lets wait again what could not be written.
    pub(super) fn put_back(&self, gained: &Gained) {
        let mut inner = self.inner();
        inner.adrift = inner.adrift.saturating_add(gained.adrift);
        for (at, part) in &gained.spans {
            inner.wait(*at, *part);
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn wait(&mut self, at: i64, part: Traffic) {
        let span = self.waiting.entry(at).or_default();
        *span = span.saturating_add(part);
        if self.waiting.len() > MAX_WAITING
            && let Some((_, oldest)) = self.waiting.pop_first()
            && let Some(mut next) = self.waiting.first_entry()
        {
            let merged = next.get().saturating_add(oldest);
            *next.get_mut() = merged;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traffic(rx_bytes: u64) -> Traffic {
        Traffic {
            rx_bytes,
            tx_bytes: 2 * rx_bytes,
        }
    }

    #[test]
    fn what_could_not_be_written_comes_again() {
        let tally = Tally::new(traffic(1000));
        tally.count(0, 20_000, traffic(100));
        let gained = tally.take();
        assert_eq!(gained.spans, [(0, traffic(50)), (10, traffic(50))]);
        assert_eq!(gained.total, traffic(1100));
        assert_eq!(tally.take().spans, []);
        tally.put_back(&gained);
        tally.count(15_000, 16_000, traffic(7));
        assert_eq!(tally.take().spans, [(0, traffic(50)), (10, traffic(57))]);
        assert_eq!(tally.total(), traffic(1107));
    }

    #[test]
    fn a_store_that_takes_nothing_costs_no_bytes_and_little_memory() {
        let tally = Tally::new(Traffic::default());
        for span in 0..10_000_i64 {
            tally.count(span * 10_000, span * 10_000 + 9_000, traffic(1));
        }
        let gained = tally.take();
        assert_eq!(gained.spans.len(), MAX_WAITING);
        let sum = gained.spans.iter().map(|(_, t)| t.rx_bytes).sum::<u64>();
        assert_eq!(sum, 10_000);
    }
}
