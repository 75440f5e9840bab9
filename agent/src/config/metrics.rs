//! Whether and where the agent shows what it counts.

use std::net::SocketAddr;

use clap::{Args, builder::BoolishValueParser};

use super::ConfigError;

/// Where numbers are shown, and how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetricsConfig {
    /// A TCP address; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// Whether each peer has series of its own.
    pub per_peer: bool,
}

/// The flags.
#[derive(Debug, Default, Args)]
pub(super) struct MetricsFlags {
    /// Where to show metrics, in Prometheus' text format: ADDR:PORT [default: nowhere]
    #[arg(long, env = "WGFLEET_METRICS_LISTEN", value_name = "ADDR:PORT")]
    metrics_listen: Option<String>,

    /// Show traffic and handshake of every peer, by its public key, as well
    #[arg(
        long,
        env = "WGFLEET_METRICS_PER_PEER",
        value_name = "BOOL",
        value_parser = BoolishValueParser::new(),
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true"
    )]
    metrics_per_peer: Option<bool>,
}

impl MetricsFlags {
    /// With what the file says for those that were not given.
    pub(super) fn merged(
        self,
        listen: Option<String>,
        per_peer: Option<bool>,
    ) -> Result<Option<MetricsConfig>, ConfigError> {
        let per_peer = self.metrics_per_peer.or(per_peer).unwrap_or(false);
        match self.metrics_listen.or(listen) {
            Some(address) => address
                .parse()
                .map(|listen| Some(MetricsConfig { listen, per_peer }))
                .map_err(|_| ConfigError::Value {
                    name: "--metrics-listen",
                    reason: format!(
                        "{address:?} is no place to listen; give ADDRESS:PORT, such as 127.0.0.1:9586"
                    ),
                }),
            None if per_peer => Err(ConfigError::Value {
                name: "--metrics-per-peer",
                reason: "only with --metrics-listen".into(),
            }),
            None => Ok(None),
        }
    }
}
