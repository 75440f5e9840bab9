//! What is looked up when somebody asks: how the fleet is.

use std::fmt::{self, Write as _};

/// How the fleet is at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fleet {
    /// Nodes by status: online, offline, error, disabled.
    pub nodes: [(&'static str, u64); 4],
    /// Peers by sync state: applied, pending, failed.
    pub peers: [(&'static str, u64); 3],
    /// Peers that are online.
    pub peers_online: u64,
    /// Keys that are not yet as declared, deleted ones among them.
    pub queued: u64,
    /// Age of the oldest change among them, in seconds.
    pub oldest_queued_s: u64,
    /// Workers that wait before they try again.
    pub backing_off: u64,
    /// Workers whose writes wait for an operator.
    pub held: u64,
}

impl Fleet {
    /// In Prometheus' text format, after what is counted.
    ///
    /// # Errors
    /// When it can't be formatted: a bug.
    pub fn encode(&self, text: &mut String) -> fmt::Result {
        by_label(text, "nodes", "Nodes by status", "status", &self.nodes)?;
        by_label(text, "peers", "Peers by sync state", "sync", &self.peers)?;
        for (name, help, value) in [
            (
                "peers_online",
                "Peers with a recent handshake",
                self.peers_online,
            ),
            (
                "dispatch_queue",
                "Keys that are not yet as declared, deleted ones among them",
                self.queued,
            ),
            (
                "dispatch_queue_age_seconds",
                "Age of the oldest change that is not applied",
                self.oldest_queued_s,
            ),
            (
                "dispatch_backing_off",
                "Nodes whose writes failed and are tried again later",
                self.backing_off,
            ),
            (
                "dispatch_held",
                "Nodes whose writes wait for an operator",
                self.held,
            ),
        ] {
            head(text, name, help)?;
            writeln!(text, "wgfleet_controller_{name} {value}")?;
        }
        Ok(())
    }
}

fn by_label(
    text: &mut String,
    name: &str,
    help: &str,
    label: &str,
    values: &[(&str, u64)],
) -> fmt::Result {
    head(text, name, help)?;
    values.iter().try_for_each(|(value, count)| {
        writeln!(
            text,
            "wgfleet_controller_{name}{{{label}=\"{value}\"}} {count}"
        )
    })
}

fn head(text: &mut String, name: &str, help: &str) -> fmt::Result {
    writeln!(text, "# HELP wgfleet_controller_{name} {help}.")?;
    writeln!(text, "# TYPE wgfleet_controller_{name} gauge")
}
