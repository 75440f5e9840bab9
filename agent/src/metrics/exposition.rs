//! The page in Prometheus' text format 0.0.4.
//!
//! `prometheus-client` writes OpenMetrics, which differs in the names of counters: there `# TYPE` names
//! them without the `_total` their samples have. Here counters carry the whole name and are written as
//! gauges are, which is what Prometheus' own format, and every tool that reads it, expects.

use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
};

use prometheus_client::{
    encoding::{EncodeMetric, MetricEncoder, text::encode_registry},
    metrics::MetricType,
    registry::Registry,
};

use super::{
    InterfaceMetrics,
    scrape::{Findings, Report},
};
use crate::wireguard::interface::{PeerTraffic, Survey};

const PREFIX: &str = "wgfleet_agent";

/// Writes everything that was found.
pub(super) fn page(findings: Findings) -> String {
    let mut registry = Registry::with_prefix(PREFIX);
    let findings = Arc::new(findings);
    add_agent(&mut registry, &findings);
    add_interfaces(&mut registry, &findings);
    add_reads_and_writes(&mut registry, &findings);
    if findings.per_peer {
        add_peers(&mut registry, &findings);
    }
    let mut page = String::new();
    encode_registry(&mut page, &registry).expect("a string takes any text");
    page
}

fn add_agent(registry: &mut Registry, findings: &Arc<Findings>) {
    let add = &mut Adding(registry, findings);
    add.gauge("build_info", "What runs, always 1", |findings, encoder| {
        let labels = [
            ("version", env!("CARGO_PKG_VERSION")),
            ("backend", &findings.backend),
        ];
        encoder.encode_family(&labels)?.encode_gauge(&1_u64)
    });
    add.counter(
        "http_requests_total",
        "Answers given, by route, method and status",
        |findings, encoder| {
            for counted in findings.metrics.requests.counted() {
                let status = counted.status.to_string();
                let labels = [
                    ("route", counted.route),
                    ("method", counted.method),
                    ("status", &status),
                ];
                encoder
                    .encode_family(&labels)?
                    .encode_gauge(&counted.requests)?;
            }
            Ok(())
        },
    );
    add.counter(
        "authentication_failures_total",
        "Requests that were not authentic, by what was wrong with them",
        |findings, encoder| {
            for (reason, count) in findings.metrics.authentication_failures() {
                let labels = [("reason", reason)];
                encoder.encode_family(&labels)?.encode_gauge(&count)?;
            }
            Ok(())
        },
    );
    add.gauge(
        "open_connections",
        "Connections to the listeners of the contract",
        |findings, encoder| encoder.encode_gauge(&findings.metrics.connections.count()),
    );
    add.gauge(
        "replay_memory_entries",
        "Changes remembered so that none is made twice",
        |findings, encoder| encoder.encode_gauge(&findings.replay_entries),
    );
}

fn add_interfaces(registry: &mut Registry, findings: &Arc<Findings>) {
    let add = &mut Adding(registry, findings);
    add.gauge(
        "interface_up",
        "Whether the interface could be read (1) or not (0)",
        |findings, encoder| {
            for report in &findings.interfaces {
                let up = u64::from(report.survey.is_some());
                encoder.encode_family(&report.labels())?.encode_gauge(&up)?;
            }
            Ok(())
        },
    );
    add.surveyed(
        MetricType::Gauge,
        "interface_peers",
        "Peers of the interface",
        |survey| survey.peers,
    );
    add.surveyed(
        MetricType::Gauge,
        "interface_active_peers",
        "Peers with a handshake in the last 3 minutes",
        |survey| survey.active_peers,
    );
    add.surveyed(
        MetricType::Counter,
        "interface_receive_bytes_total",
        "Bytes received from peers, those removed since included",
        |survey| survey.received_bytes,
    );
    add.surveyed(
        MetricType::Counter,
        "interface_transmit_bytes_total",
        "Bytes sent to peers, those removed since included",
        |survey| survey.sent_bytes,
    );
}

fn add_reads_and_writes(registry: &mut Registry, findings: &Arc<Findings>) {
    let add = &mut Adding(registry, findings);
    add.each_owned(
        MetricType::Histogram,
        "interface_dump_duration_seconds",
        "Time it took to read the interface, retries included",
        |counted, encoder| counted.dump_duration.encode(encoder),
    );
    add.each_owned(
        MetricType::Counter,
        "interface_dump_retries_total",
        "Dumps begun again because the kernel's answer was not consistent",
        |counted, mut encoder| encoder.encode_gauge(&counted.dump_retries.load(Ordering::Relaxed)),
    );
    add.each_owned(
        MetricType::Counter,
        "interface_dump_failures_total",
        "Dumps that were given up",
        |counted, mut encoder| encoder.encode_gauge(&counted.dump_failures.load(Ordering::Relaxed)),
    );
    add.each_owned(
        MetricType::Counter,
        "interface_writes_total",
        "Writes to the interface, of one change or many",
        |counted, mut encoder| encoder.encode_gauge(&counted.writes.load(Ordering::Relaxed)),
    );
    add.each_owned(
        MetricType::Counter,
        "interface_write_failures_total",
        "Writes that did not succeed as a whole",
        |counted, mut encoder| {
            encoder.encode_gauge(&counted.write_failures.load(Ordering::Relaxed))
        },
    );
    add.each_owned(
        MetricType::Histogram,
        "interface_write_batch_size",
        "Changes that one write carried",
        |counted, encoder| counted.batch_size.encode(encoder),
    );
}

fn add_peers(registry: &mut Registry, findings: &Arc<Findings>) {
    let add = &mut Adding(registry, findings);
    add.each_peer(
        MetricType::Counter,
        "peer_receive_bytes_total",
        "Bytes received from the peer",
        |peer| peer.received_bytes,
    );
    add.each_peer(
        MetricType::Counter,
        "peer_transmit_bytes_total",
        "Bytes sent to the peer",
        |peer| peer.sent_bytes,
    );
    add.each_peer(
        MetricType::Gauge,
        "peer_last_handshake_timestamp_seconds",
        "Unix time of the last handshake, 0 if there was none",
        |peer| u64::try_from(peer.latest_handshake).unwrap_or(0),
    );
}

impl Report {
    fn labels(&self) -> [(&'static str, &str); 1] {
        [("interface", self.name.as_str())]
    }
}

/// What writes a metric's samples.
type Write = dyn Fn(&Findings, &mut MetricEncoder<'_>) -> fmt::Result + Send + Sync;

/// A metric, written when the page is.
struct Family {
    kind: MetricType,
    findings: Arc<Findings>,
    write: Box<Write>,
}

impl EncodeMetric for Family {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        (self.write)(&self.findings, &mut encoder)
    }

    fn metric_type(&self) -> MetricType {
        self.kind
    }
}

impl fmt::Debug for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Family").finish_non_exhaustive()
    }
}

/// Adds metrics of what was found to a registry.
struct Adding<'a>(&'a mut Registry, &'a Arc<Findings>);

impl Adding<'_> {
    fn family(
        &mut self,
        kind: MetricType,
        name: &str,
        help: &str,
        write: impl Fn(&Findings, &mut MetricEncoder<'_>) -> fmt::Result + Send + Sync + 'static,
    ) {
        let family = Family {
            kind,
            findings: Arc::clone(self.1),
            write: Box::new(write),
        };
        self.0.register(name, help, family);
    }

    fn gauge(
        &mut self,
        name: &str,
        help: &str,
        write: impl Fn(&Findings, &mut MetricEncoder<'_>) -> fmt::Result + Send + Sync + 'static,
    ) {
        self.family(MetricType::Gauge, name, help, write);
    }

    /// See the module's page for why its samples are written as a gauge's.
    fn counter(
        &mut self,
        name: &str,
        help: &str,
        write: impl Fn(&Findings, &mut MetricEncoder<'_>) -> fmt::Result + Send + Sync + 'static,
    ) {
        self.family(MetricType::Counter, name, help, write);
    }

    /// A sample for each interface that answered.
    fn surveyed(
        &mut self,
        kind: MetricType,
        name: &str,
        help: &str,
        value: impl Fn(&Survey) -> u64 + Send + Sync + 'static,
    ) {
        self.family(kind, name, help, move |findings, encoder| {
            for report in &findings.interfaces {
                if let Some(survey) = &report.survey {
                    encoder
                        .encode_family(&report.labels())?
                        .encode_gauge(&value(survey))?;
                }
            }
            Ok(())
        });
    }

    /// Samples for each interface that has an owner.
    fn each_owned(
        &mut self,
        kind: MetricType,
        name: &str,
        help: &str,
        write: impl Fn(&InterfaceMetrics, MetricEncoder<'_>) -> fmt::Result + Send + Sync + 'static,
    ) {
        self.family(kind, name, help, move |findings, encoder| {
            for report in &findings.interfaces {
                if let Some(counted) = &report.counted {
                    write(counted, encoder.encode_family(&report.labels())?)?;
                }
            }
            Ok(())
        });
    }

    /// A sample for each peer of each interface that answered.
    fn each_peer(
        &mut self,
        kind: MetricType,
        name: &str,
        help: &str,
        value: impl Fn(&PeerTraffic) -> u64 + Send + Sync + 'static,
    ) {
        self.family(kind, name, help, move |findings, encoder| {
            for report in &findings.interfaces {
                for peer in report.survey.iter().flat_map(|survey| survey.each.iter()) {
                    let key = peer.public_key.to_base64();
                    let labels = [
                        ("interface", report.name.as_str()),
                        ("public_key", key.as_str()),
                    ];
                    encoder.encode_family(&labels)?.encode_gauge(&value(peer))?;
                }
            }
            Ok(())
        });
    }
}
