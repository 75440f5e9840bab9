//! Where a value can come from: flags, `WGFLEET_…` variables, or the file.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use clap::{Parser, ValueEnum};
use serde::Deserialize;

use super::ConfigError;

/// Knows what the peers of every node should be, and makes it so.
#[derive(Debug, Default, Parser)]
#[command(
    name = "wgfleet-controller",
    version,
    about,
    long_about = None,
    override_usage = "wgfleet-controller [serve] [OPTIONS]\n       \
                      wgfleet-controller backup FILE [--force] [--data-dir DIR]\n       \
                      wgfleet-controller restore FILE [--data-dir DIR]"
)]
pub(super) struct Flags {
    /// Where the REST API listens: ADDR:PORT [default: 127.0.0.1:10086]
    #[arg(long, env = "WGFLEET_LISTEN", value_name = "ADDR:PORT")]
    pub(super) listen: Option<String>,

    /// Where everything is kept [default: /var/lib/wgfleet-controller]
    #[arg(long, env = "WGFLEET_DATA_DIR", value_name = "DIR")]
    pub(super) data_dir: Option<PathBuf>,

    /// The key that opens the secrets in the store; made at first start when absent
    /// [default: master-key in the data directory]
    #[arg(long, env = "WGFLEET_MASTER_KEY_FILE", value_name = "FILE")]
    pub(super) master_key_file: Option<PathBuf>,

    /// From one look at a node to the next, such as 10s or 500ms [default: 10s]
    #[arg(long, env = "WGFLEET_POLL_INTERVAL", value_name = "DURATION")]
    pub(super) poll_interval: Option<String>,

    /// A peer whose last handshake is no older is online [default: 180s]
    #[arg(long, env = "WGFLEET_ONLINE_WINDOW", value_name = "DURATION")]
    pub(super) online_window: Option<String>,

    /// Offer the inner services too: a loopback ADDR:PORT or unix:PATH [default: off]
    #[arg(long, env = "WGFLEET_GRPC_LISTEN", value_name = "ADDR")]
    pub(super) grpc_listen: Option<String>,

    /// Serve metrics for Prometheus at /metrics there: ADDR:PORT [default: off]
    #[arg(long, env = "WGFLEET_METRICS_LISTEN", value_name = "ADDR:PORT")]
    pub(super) metrics_listen: Option<String>,

    /// Form of the log on standard error [default: text]
    #[arg(long, env = "WGFLEET_LOG_FORMAT")]
    pub(super) log_format: Option<LogFormat>,

    /// The agent on this host, which becomes the node `local`
    #[arg(long, env = "WGFLEET_LOCAL_AGENT", value_name = "URL")]
    pub(super) local_agent: Option<String>,

    /// File with that agent's secret
    #[arg(long, env = "WGFLEET_LOCAL_SECRET_FILE", value_name = "FILE")]
    pub(super) local_secret_file: Option<PathBuf>,

    /// Certificate for the REST API, PEM; with --tls-key
    #[arg(long, env = "WGFLEET_TLS_CERT", value_name = "FILE")]
    pub(super) tls_cert: Option<PathBuf>,

    /// Its private key, PEM
    #[arg(long, env = "WGFLEET_TLS_KEY", value_name = "FILE")]
    pub(super) tls_key: Option<PathBuf>,

    /// Requests a token may make, a second; 0 is no limit [default: 200]
    #[arg(long, env = "WGFLEET_TOKEN_RATE", value_name = "N")]
    pub(super) token_rate: Option<u32>,

    /// Requests a token may make at once [default: twice the rate]
    #[arg(long, env = "WGFLEET_TOKEN_BURST", value_name = "N")]
    pub(super) token_burst: Option<u32>,

    /// Requests without a valid token an address may make, a second; 0 is no limit
    /// [default: 10]
    #[arg(long, env = "WGFLEET_AUTH_FAILURE_RATE", value_name = "N")]
    pub(super) auth_failure_rate: Option<u32>,

    /// Requests without a valid token an address may make at once [default: twice the rate]
    #[arg(long, env = "WGFLEET_AUTH_FAILURE_BURST", value_name = "N")]
    pub(super) auth_failure_burst: Option<u32>,

    /// Connections to the REST API at a time [default: 1024]
    #[arg(long, env = "WGFLEET_MAX_CONNECTIONS", value_name = "N")]
    pub(super) max_connections: Option<usize>,

    /// Largest body of a request [default: 262144]
    #[arg(long, env = "WGFLEET_MAX_BODY_BYTES", value_name = "BYTES")]
    pub(super) max_body_bytes: Option<usize>,

    /// How long the head of a request may take, idle time before it included [default: 10s]
    #[arg(long, env = "WGFLEET_HEAD_TIMEOUT", value_name = "DURATION")]
    pub(super) head_timeout: Option<String>,

    /// How long the body of a request may take [default: 10s]
    #[arg(long, env = "WGFLEET_BODY_TIMEOUT", value_name = "DURATION")]
    pub(super) body_timeout: Option<String>,

    /// Changes that may wait to be written; more are answered 503 [default: 1024]
    #[arg(long, env = "WGFLEET_STORE_QUEUE", value_name = "N")]
    pub(super) store_queue: Option<usize>,

    /// TOML file with any of these settings, named as the flags with _ for -
    #[arg(long, env = "WGFLEET_CONFIG", value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
}

/// The same settings in the file.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct File {
    listen: Option<String>,
    pub(super) data_dir: Option<PathBuf>,
    pub(super) master_key_file: Option<PathBuf>,
    poll_interval: Option<String>,
    online_window: Option<String>,
    grpc_listen: Option<String>,
    metrics_listen: Option<String>,
    log_format: Option<LogFormat>,
    local_agent: Option<String>,
    local_secret_file: Option<PathBuf>,
    tls_cert: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    token_rate: Option<u32>,
    token_burst: Option<u32>,
    auth_failure_rate: Option<u32>,
    auth_failure_burst: Option<u32>,
    max_connections: Option<usize>,
    max_body_bytes: Option<usize>,
    head_timeout: Option<String>,
    body_timeout: Option<String>,
    store_queue: Option<usize>,
}

/// Form of the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl Flags {
    /// What is said on the command line, then in the environment, then in the file.
    pub(super) fn load(args: impl IntoIterator<Item = OsString>) -> Result<Self, ConfigError> {
        let flags = Self::try_parse_from(without_command(args))?;
        let file = match flags.config.as_deref() {
            Some(path) => read_file(path)?,
            None => File::default(),
        };
        Ok(Self {
            listen: flags.listen.or(file.listen),
            data_dir: flags.data_dir.or(file.data_dir),
            master_key_file: flags.master_key_file.or(file.master_key_file),
            poll_interval: flags.poll_interval.or(file.poll_interval),
            online_window: flags.online_window.or(file.online_window),
            grpc_listen: flags.grpc_listen.or(file.grpc_listen),
            metrics_listen: flags.metrics_listen.or(file.metrics_listen),
            log_format: flags.log_format.or(file.log_format),
            local_agent: flags.local_agent.or(file.local_agent),
            local_secret_file: flags.local_secret_file.or(file.local_secret_file),
            tls_cert: flags.tls_cert.or(file.tls_cert),
            tls_key: flags.tls_key.or(file.tls_key),
            token_rate: flags.token_rate.or(file.token_rate),
            token_burst: flags.token_burst.or(file.token_burst),
            auth_failure_rate: flags.auth_failure_rate.or(file.auth_failure_rate),
            auth_failure_burst: flags.auth_failure_burst.or(file.auth_failure_burst),
            max_connections: flags.max_connections.or(file.max_connections),
            max_body_bytes: flags.max_body_bytes.or(file.max_body_bytes),
            head_timeout: flags.head_timeout.or(file.head_timeout),
            body_timeout: flags.body_timeout.or(file.body_timeout),
            store_queue: flags.store_queue.or(file.store_queue),
            config: flags.config,
        })
    }
}

/// `serve` is what the program does anyway.
fn without_command(args: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut args: Vec<_> = args.into_iter().collect();
    if args.get(1).is_some_and(|arg| arg == "serve") {
        args.remove(1);
    }
    args
}

pub(super) fn read_file(path: &Path) -> Result<File, ConfigError> {
    let failed = |reason: String| ConfigError::File {
        path: path.to_owned(),
        reason,
    };
    let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    toml::from_str(&text).map_err(|error| failed(error.to_string()))
}
