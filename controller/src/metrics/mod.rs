//! What the controller counts and measures, for Prometheus.
//!
//! The parts that work hold a [`Metrics`] and count as they go; what can be looked up (how many
//! nodes, how many peers wait) is looked up when somebody asks. No name, key or address is a label:
//! the number of series does not grow with the fleet.
//!
//! Read first: [`Metrics`], then [`fleet`] for what is looked up.

pub mod fleet;
mod labels;
mod page;

use std::{sync::Arc, time::Duration};

pub use labels::{Outcome, PollOutcome, WriteKind};
pub use page::router;

use prometheus_client::{
    metrics::{counter::Counter, family::Family, histogram::Histogram, info::Info},
    registry::{Registry, Unit},
};

use labels::{PollLabels, RequestLabels, WriteLabels};

/// From half a millisecond to half a minute, in seconds: an answer from memory, a sync of a slow
/// disk, a node that hangs.
const SECONDS: [f64; 14] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0,
];

/// Everything that is counted. Cheap to clone.
#[derive(Clone)]
pub struct Metrics(Arc<Counted>);

struct Counted {
    registry: Registry,
    polls: Family<PollLabels, Histogram, fn() -> Histogram>,
    poll_lateness: Histogram,
    writes: Family<WriteLabels, Counter>,
    store_commits: Histogram,
    requests: Family<RequestLabels, Histogram, fn() -> Histogram>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Nothing counted yet.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("wgfleet_controller");
        let polls = Family::new_with_constructor(seconds as fn() -> Histogram);
        let (poll_lateness, store_commits) = (seconds(), seconds());
        let requests = Family::new_with_constructor(seconds as fn() -> Histogram);
        let writes = Family::<WriteLabels, Counter>::default();
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "What runs", version);
        let mut timed = |name, help, metric: &Histogram| {
            registry.register_with_unit(name, help, Unit::Seconds, metric.clone());
        };
        timed(
            "poll_lateness",
            "How long after its beat a poll began",
            &poll_lateness,
        );
        timed(
            "store_commit",
            "How long the store took to commit a group of changes, the disk's sync included",
            &store_commits,
        );
        registry.register_with_unit(
            "poll_duration",
            "How long polls of nodes took, by what came of them",
            Unit::Seconds,
            polls.clone(),
        );
        registry.register_with_unit(
            "http_request_duration",
            "How long requests took, by route and status",
            Unit::Seconds,
            requests.clone(),
        );
        registry.register(
            "agent_writes",
            "Changes sent to agents, by what they do and what came of them",
            writes.clone(),
        );
        Self(Arc::new(Counted {
            registry,
            polls,
            poll_lateness,
            writes,
            store_commits,
            requests,
        }))
    }

    /// A poll ended.
    pub fn polled(&self, outcome: PollOutcome, took: Duration) {
        let labels = PollLabels { outcome };
        self.0
            .polls
            .get_or_create(&labels)
            .observe(took.as_secs_f64());
    }

    /// A poll began, so long after its beat.
    pub fn poll_began(&self, late: Duration) {
        self.0.poll_lateness.observe(late.as_secs_f64());
    }

    /// A change was sent to an agent.
    pub fn wrote(&self, kind: WriteKind, outcome: Outcome) {
        let labels = WriteLabels { kind, outcome };
        self.0.writes.get_or_create(&labels).inc();
    }

    /// The store committed a group of changes.
    pub fn committed(&self, took: Duration) {
        self.0.store_commits.observe(took.as_secs_f64());
    }

    /// A request was answered. `route` is the pattern it matched, never its path.
    pub fn answered(&self, method: &axum::http::Method, route: &str, status: u16, took: Duration) {
        let labels = RequestLabels::new(method, route, status);
        let requests = self.0.requests.get_or_create(&labels);
        requests.observe(took.as_secs_f64());
    }

    /// What was counted, in Prometheus' text format, without the closing line.
    ///
    /// # Errors
    /// When it can't be formatted: a bug.
    pub fn encode(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode_registry(&mut text, &self.0.registry)?;
        Ok(text)
    }
}

fn seconds() -> Histogram {
    Histogram::new(SECONDS)
}

#[cfg(test)]
mod tests {
    use axum::http::Method;

    use super::*;

    #[test]
    fn what_is_counted_is_shown() {
        let metrics = Metrics::new();
        metrics.polled(PollOutcome::Good, Duration::from_millis(3));
        metrics.poll_began(Duration::ZERO);
        metrics.wrote(WriteKind::Add, Outcome::Applied);
        metrics.committed(Duration::from_millis(2));
        let (route, took) = ("/api/v1/peers/{id}", Duration::from_millis(1));
        metrics.answered(&Method::GET, route, 200, took);
        let made_up = Method::from_bytes(b"MADE-UP").expect("a token");
        metrics.answered(&made_up, "unmatched", 404, took);
        let text = metrics.encode().expect("text");
        for line in [
            "wgfleet_controller_poll_duration_seconds_count{outcome=\"good\"} 1",
            "wgfleet_controller_poll_lateness_seconds_count 1",
            "wgfleet_controller_agent_writes_total{kind=\"add\",outcome=\"applied\"} 1",
            "wgfleet_controller_store_commit_seconds_bucket{le=\"0.0025\"} 1",
            "wgfleet_controller_http_request_duration_seconds_count{method=\"GET\",route=\"/api/v1/peers/{id}\",status=\"200\"} 1",
            "wgfleet_controller_http_request_duration_seconds_count{method=\"other\",route=\"unmatched\",status=\"404\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
    }
}
