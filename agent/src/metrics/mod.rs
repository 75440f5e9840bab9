//! What the agent counts, and the page it shows it on.
//!
//! Whoever does the work counts it, in atomics that are handed to it: [`Metrics`] to connections, gate
//! and service, an [`InterfaceMetrics`] to each owner of an interface. What the interfaces hold is asked
//! of their owners when somebody looks ([`Scrape`]): from a dump at most 2 s old, or else a fresh one
//! that is shared with all who ask for one meanwhile. An interface that does not answer is shown as down;
//! the rest of the page stands.
//!
//! Series are bounded: routes, methods, statuses and reasons come from fixed lists, interfaces are those
//! of the host. Only `--metrics-per-peer` makes a series for each peer.

mod connections;
mod exposition;
mod interface;
mod requests;
mod scrape;
mod server;

use std::sync::atomic::{AtomicU64, Ordering};

use wire_contract::signing::AuthFailure;

pub use connections::OpenConnections;
pub use interface::InterfaceMetrics;
pub use requests::{RequestCounters, Route};
pub use scrape::Scrape;
pub use server::{MetricsBindError, MetricsListener};

/// Why an authentication can fail, as [`AuthFailure::reason`] names it.
const REASONS: [&str; 6] = [
    "signature_count",
    "signature_shape",
    "timestamp_count",
    "timestamp_shape",
    "outside_window",
    "wrong_signature",
];

/// What is counted for the agent as a whole. Nothing here blocks or allocates.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Answers given.
    pub requests: RequestCounters,
    /// Connections of the contract's listeners.
    pub connections: OpenConnections,
    authentication_failures: [AtomicU64; REASONS.len()],
}

impl Metrics {
    /// Counts a request that was not authentic.
    pub fn authentication_failed(&self, failure: AuthFailure) {
        let at = REASONS.iter().position(|name| *name == failure.reason());
        if let Some(at) = at {
            self.authentication_failures[at].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Each reason, and how often it was the reason.
    fn authentication_failures(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        let counts = self.authentication_failures.iter();
        REASONS
            .into_iter()
            .zip(counts.map(|count| count.load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_has_its_reason() {
        let metrics = Metrics::default();
        let failures = [
            AuthFailure::SignatureCount(0),
            AuthFailure::SignatureShape,
            AuthFailure::TimestampCount(2),
            AuthFailure::TimestampShape,
            AuthFailure::OutsideWindow(301),
            AuthFailure::WrongSignature,
        ];
        for failure in failures {
            metrics.authentication_failed(failure);
        }
        let counted: Vec<_> = metrics.authentication_failures().collect();
        assert_eq!(counted, REASONS.map(|reason| (reason, 1)));
    }
}
