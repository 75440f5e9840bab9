//! What the agent is told at start: flags, `WGFLEET_…` variables and a TOML file, in this order of
//! precedence.

mod metrics;
mod secrets;
mod tls;

use std::{
    collections::BTreeSet,
    ffi::OsString,
    num::NonZeroU32,
    path::{Path, PathBuf},
};

use clap::{CommandFactory, Parser, ValueEnum};
use serde::Deserialize;
use wire_contract::InterfaceName;

use crate::http::{ListenAddr, Tls, TlsError};
pub use metrics::MetricsConfig;
pub use secrets::{SecretError, Secrets};

/// Exit code for a bad flag, variable, file or secret.
pub const EXIT_USAGE: u8 = 64;

const DEFAULT_LISTEN: &str = "127.0.0.1:8080";
const DEFAULT_STATE_DIR: &str = "/var/lib/wgfleet-agent";
const DEFAULT_SIMULATED_INTERFACE: &str = "wg0";
const DEFAULT_MAX_CONNECTIONS: usize = 1024;
/// Fewer connections than this and strangers could keep a controller out.
const MIN_CONNECTIONS: usize = 16;

/// Drives the WireGuard interfaces of one host and serves the wgfleet wire contract.
#[derive(Debug, Default, Parser)]
#[command(name = "wgfleet-agent", version, about, long_about = None)]
struct Flags {
    /// Where to listen: ADDR:PORT or unix:PATH; may be given more than once [default: 127.0.0.1:8080]
    #[arg(
        long,
        env = "WGFLEET_LISTEN",
        value_name = "ADDR",
        value_delimiter = ','
    )]
    listen: Option<Vec<String>>,

    /// File with the shared secret: one a line, the first current, the second next; 0600.
    /// WGFLEET_SECRET works in its place
    #[arg(long, env = "WGFLEET_SECRET_FILE", value_name = "FILE")]
    secret_file: Option<PathBuf>,

    /// Certificate to speak https on TCP with, and those that lead to its authority, in PEM; read
    /// again at SIGHUP, as the secrets are
    #[arg(long, env = "WGFLEET_TLS_CERT", value_name = "FILE")]
    tls_cert: Option<PathBuf>,

    /// Private key of the certificate, in PEM; 0600
    #[arg(long, env = "WGFLEET_TLS_KEY", value_name = "FILE")]
    tls_key: Option<PathBuf>,

    #[command(flatten)]
    metrics: metrics::MetricsFlags,

    /// What drives WireGuard [default: kernel]
    #[arg(long, env = "WGFLEET_BACKEND")]
    backend: Option<BackendChoice>,

    /// Serve this interface only; may be given more than once [default: every WireGuard interface]
    #[arg(
        long,
        env = "WGFLEET_INTERFACE",
        value_name = "NAME",
        value_delimiter = ','
    )]
    interface: Option<Vec<String>>,

    /// Where the agent keeps what must outlive it [default: /var/lib/wgfleet-agent]
    #[arg(long, env = "WGFLEET_STATE_DIR", value_name = "DIR")]
    state_dir: Option<PathBuf>,

    /// Form of the log on standard error [default: text]
    #[arg(long, env = "WGFLEET_LOG_FORMAT")]
    log_format: Option<LogFormat>,

    /// Authentic requests a second that one source may send [default: no limit]
    #[arg(long, env = "WGFLEET_RATE_LIMIT", value_name = "N")]
    rate_limit: Option<u32>,

    /// Most connections at a time [default: 1024]
    #[arg(long, env = "WGFLEET_MAX_CONNECTIONS", value_name = "N")]
    max_connections: Option<usize>,

    /// TOML file with any of these settings, named as the flags with _ for -
    #[arg(long, env = "WGFLEET_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,

    /// Name of the simulated interface (with --backend simulated) [default: wg0]
    #[arg(long, env = "WGFLEET_SIMULATED_INTERFACE", value_name = "NAME")]
    simulated_interface: Option<String>,

    /// Peers of the simulated interface (with --backend simulated) [default: 0]
    #[arg(long, env = "WGFLEET_SIMULATED_PEERS", value_name = "N")]
    simulated_peers: Option<usize>,
}

/// The same settings in the file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    listen: Option<Vec<String>>,
    secret_file: Option<PathBuf>,
    tls_cert: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    metrics_listen: Option<String>,
    metrics_per_peer: Option<bool>,
    backend: Option<BackendChoice>,
    interface: Option<Vec<String>>,
    state_dir: Option<PathBuf>,
    log_format: Option<LogFormat>,
    rate_limit: Option<u32>,
    max_connections: Option<usize>,
    simulated_interface: Option<String>,
    simulated_peers: Option<usize>,
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

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
enum BackendChoice {
    /// WireGuard in the kernel
    #[default]
    Kernel,
    /// wireguard-go, boringtun and the like, over the sockets in /var/run/wireguard
    Userspace,
    /// Made-up interfaces in memory, for demonstrations and tests
    Simulated,
}

/// What drives WireGuard, and what only that needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BackendConfig {
    /// The Linux kernel.
    Kernel,
    /// Daemons that speak the UAPI.
    Userspace,
    /// In memory.
    Simulated {
        /// The one interface there is.
        interface: InterfaceName,
        /// How many peers it has at start.
        peers: usize,
    },
}

/// Everything the agent is told, checked.
#[derive(Debug)]
pub struct Config {
    /// Where to listen; never empty.
    pub listen: Vec<ListenAddr>,
    /// Whose signatures to accept.
    pub secrets: Secrets,
    /// What TCP is secured with; plain http when `None`.
    pub tls: Option<Tls>,
    /// Where numbers are shown; nowhere when `None`.
    pub metrics: Option<MetricsConfig>,
    /// What drives WireGuard.
    pub backend: BackendConfig,
    /// The interfaces to serve; all when `None`.
    pub interfaces: Option<BTreeSet<InterfaceName>>,
    /// Where state is kept.
    pub state_dir: PathBuf,
    /// Form of the log.
    pub log_format: LogFormat,
    /// Authentic requests a second from one source.
    pub rate_limit: Option<NonZeroU32>,
    /// Most connections at a time.
    pub max_connections: usize,
}

/// The agent was told something it can't do.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The command line itself; clap says it best, `--help` and `--version` included.
    #[error(transparent)]
    Flags(#[from] clap::Error),
    /// The file can't be read.
    #[error("--config {path}: {reason}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A value that is not allowed.
    #[error("{name}: {reason}")]
    Value {
        /// The setting, as a flag.
        name: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The secret.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The certificate or its key.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// The command line, for what describes it elsewhere: manual pages.
#[must_use]
pub fn command() -> clap::Command {
    Flags::command()
}

impl Config {
    /// Reads flags, the environment and the file they may name.
    ///
    /// # Errors
    /// See [`ConfigError`].
    pub fn load(args: impl IntoIterator<Item = OsString>) -> Result<Self, ConfigError> {
        let flags = Flags::try_parse_from(args)?;
        let file = flags
            .config
            .as_deref()
            .map_or_else(|| Ok(File::default()), read_file)?;
        Self::merged(flags, file)
    }

    fn merged(flags: Flags, file: File) -> Result<Self, ConfigError> {
        let listen = flags
            .listen
            .or(file.listen)
            .unwrap_or_else(|| vec![DEFAULT_LISTEN.into()]);
        let interfaces = flags.interface.or(file.interface);
        let rate_limit = flags.rate_limit.or(file.rate_limit);
        let max_connections = flags
            .max_connections
            .or(file.max_connections)
            .unwrap_or(DEFAULT_MAX_CONNECTIONS);
        if max_connections < MIN_CONNECTIONS {
            let reason = format!("at least {MIN_CONNECTIONS}");
            return Err(ConfigError::Value {
                name: "--max-connections",
                reason,
            });
        }
        let backend = backend(
            flags.backend.or(file.backend).unwrap_or_default(),
            flags.simulated_interface.or(file.simulated_interface),
            flags.simulated_peers.or(file.simulated_peers),
        )?;
        Ok(Self {
            listen: parsed("--listen", &listen)?,
            tls: tls::load(
                flags.tls_cert.or(file.tls_cert),
                flags.tls_key.or(file.tls_key),
            )?,
            metrics: flags
                .metrics
                .merged(file.metrics_listen, file.metrics_per_peer)?,
            backend,
            interfaces: interfaces
                .map(|names| parsed("--interface", &names))
                .transpose()?,
            state_dir: flags
                .state_dir
                .or(file.state_dir)
                .unwrap_or_else(|| DEFAULT_STATE_DIR.into()),
            log_format: flags.log_format.or(file.log_format).unwrap_or_default(),
            rate_limit: rate_limit.map(positive).transpose()?,
            max_connections,
            secrets: Secrets::load(flags.secret_file.as_deref(), file.secret_file.as_deref())?,
        })
    }
}

fn backend(
    choice: BackendChoice,
    interface: Option<String>,
    peers: Option<usize>,
) -> Result<BackendConfig, ConfigError> {
    match choice {
        BackendChoice::Kernel | BackendChoice::Userspace
            if interface.is_some() || peers.is_some() =>
        {
            Err(ConfigError::Value {
                name: "--simulated-interface, --simulated-peers",
                reason: "only with --backend simulated".into(),
            })
        }
        BackendChoice::Kernel => Ok(BackendConfig::Kernel),
        BackendChoice::Userspace => Ok(BackendConfig::Userspace),
        BackendChoice::Simulated => {
            let name = interface.unwrap_or_else(|| DEFAULT_SIMULATED_INTERFACE.into());
            let name: Vec<_> = parsed("--simulated-interface", &[name])?;
            let interface = name.into_iter().next().expect("one in, one out");
            Ok(BackendConfig::Simulated {
                interface,
                peers: peers.unwrap_or(0),
            })
        }
    }
}

/// Parses each value, or says which is wrong and why.
fn parsed<T, C>(name: &'static str, values: &[String]) -> Result<C, ConfigError>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
    C: FromIterator<T>,
{
    if values.is_empty() {
        return Err(ConfigError::Value {
            name,
            reason: "give at least one".into(),
        });
    }
    let parse = |value: &String| {
        value.parse().map_err(|e| ConfigError::Value {
            name,
            reason: format!("{e} ({value:?})"),
        })
    };
    values.iter().map(parse).collect()
}

fn positive(rate: u32) -> Result<NonZeroU32, ConfigError> {
    NonZeroU32::new(rate).ok_or_else(|| ConfigError::Value {
        name: "--rate-limit",
        reason: "at least 1; leave it out for no limit".into(),
    })
}

fn read_file(path: &Path) -> Result<File, ConfigError> {
    let failed = |reason: String| ConfigError::File {
        path: path.to_owned(),
        reason,
    };
    let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    toml::from_str(&text).map_err(|error| failed(error.to_string()))
}
