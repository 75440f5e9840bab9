//! What the controller is told at start: flags, `WGFLEET_…` variables and a TOML file, in this order
//! of precedence.

mod copying;
mod duration;
mod flags;
mod limits;
mod local;
#[cfg(test)]
mod tests;

use std::{ffi::OsString, net::SocketAddr, path::PathBuf, time::Duration};

use clap::CommandFactory;
pub use copying::Copying;
use flags::Flags;
pub use flags::LogFormat;
pub use limits::Limits;
pub use local::LocalAgent;

use crate::{
    facade::TlsFiles,
    store::{MasterKeySource, open::MASTER_KEY_FILE},
};

/// Exit code for a bad flag, variable or file.
pub const EXIT_USAGE: u8 = 64;

const DEFAULT_LISTEN: &str = "127.0.0.1:10086";
const DEFAULT_DATA_DIR: &str = "/var/lib/wgfleet-controller";
const DEFAULT_POLL_INTERVAL: Duration = Duration::from_secs(10);
const DEFAULT_ONLINE_WINDOW: Duration = Duration::from_secs(180);
/// More often than this and polling is all an agent does.
const MIN_POLL_INTERVAL: Duration = Duration::from_millis(100);
const MIN_ONLINE_WINDOW: Duration = Duration::from_secs(1);
/// Less often than this and "online" means nothing any more.
const MAX_DURATION: Duration = Duration::from_secs(24 * 3600);

/// Everything the controller is told, checked.
#[derive(Debug)]
pub struct Config {
    /// Where the REST API listens.
    pub listen: SocketAddr,
    /// Its certificate; plain HTTP without.
    pub tls: Option<TlsFiles>,
    /// Where everything is kept.
    pub data_dir: PathBuf,
    /// The key that opens the secrets in the store.
    pub master_key: MasterKeySource,
    /// From the beginning of one poll of a node to that of the next.
    pub poll_interval: Duration,
    /// A peer whose last handshake is no older is online.
    pub online_window: Duration,
    /// Where the inner services listen too.
    pub grpc_listen: Option<GrpcListen>,
    /// Where Prometheus finds the metrics.
    pub metrics_listen: Option<SocketAddr>,
    /// The agent on this host.
    pub local_agent: Option<LocalAgent>,
    /// How much callers may ask.
    pub limits: Limits,
    /// Form of the log.
    pub log_format: LogFormat,
}

/// What the program is told to do.
#[derive(Debug)]
pub enum Command {
    /// Be the controller.
    Serve(Box<Config>),
    /// Copy the store; the second tells whether it may replace another file.
    Backup(Copying, bool),
    /// Put a copy in the place of the store.
    Restore(Copying),
}

impl Command {
    /// Reads the command line, the environment and the file that either may name.
    ///
    /// # Errors
    /// See [`ConfigError`].
    pub fn load(args: impl IntoIterator<Item = OsString>) -> Result<Self, ConfigError> {
        let mut args: Vec<_> = args.into_iter().collect();
        let command = args.get(1).and_then(|arg| arg.to_str());
        match command {
            Some("backup") => {
                args.remove(1);
                copying::backup(args).map(|(copying, force)| Self::Backup(copying, force))
            }
            Some("restore") => {
                args.remove(1);
                copying::restore(args).map(Self::Restore)
            }
            _ => Config::load(args).map(|config| Self::Serve(Box::new(config))),
        }
    }
}

/// The command lines, for what describes them elsewhere: manual pages. The first is the controller's,
/// the others those of its commands that have flags of their own.
#[must_use]
pub fn commands() -> Vec<clap::Command> {
    let mut commands = vec![Flags::command()];
    commands.extend(copying::commands());
    commands
}

/// Where the inner services can be offered: not beyond this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GrpcListen {
    /// An address of the loopback interface.
    Loopback(SocketAddr),
    /// A unix socket.
    Unix(PathBuf),
}

/// The controller was told something it can't do.
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
}

impl ConfigError {
    fn value(name: &'static str, reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self::Value { name, reason }
    }
}

impl Config {
    /// Reads flags, the environment and the file they may name.
    ///
    /// # Errors
    /// See [`ConfigError`].
    pub fn load(args: impl IntoIterator<Item = OsString>) -> Result<Self, ConfigError> {
        Self::checked(Flags::load(args)?)
    }

    fn checked(flags: Flags) -> Result<Self, ConfigError> {
        let limits = Limits::checked(&flags)?;
        let data_dir = flags.data_dir.unwrap_or_else(|| DEFAULT_DATA_DIR.into());
        let master_key = flags.master_key_file;
        let master_key = master_key.unwrap_or_else(|| data_dir.join(MASTER_KEY_FILE));
        let master_key = master_key_source(master_key);
        Ok(Self {
            listen: listen(
                "--listen",
                flags.listen.as_deref().unwrap_or(DEFAULT_LISTEN),
            )?,
            tls: tls(flags.tls_cert, flags.tls_key)?,
            data_dir,
            master_key,
            poll_interval: duration("--poll-interval", flags.poll_interval, MIN_POLL_INTERVAL)?
                .unwrap_or(DEFAULT_POLL_INTERVAL),
            online_window: duration("--online-window", flags.online_window, MIN_ONLINE_WINDOW)?
                .unwrap_or(DEFAULT_ONLINE_WINDOW),
            grpc_listen: flags.grpc_listen.as_deref().map(grpc_listen).transpose()?,
            metrics_listen: flags
                .metrics_listen
                .as_deref()
                .map(|text| listen("--metrics-listen", text))
                .transpose()?,
            local_agent: local::agent(flags.local_agent, flags.local_secret_file)?,
            limits,
            log_format: flags.log_format.unwrap_or_default(),
        })
    }
}

/// Where systemd puts what a unit's `LoadCredential=` names.
const CREDENTIALS_VARIABLE: &str = "CREDENTIALS_DIRECTORY";

/// The service manager guards what is in its directory; anything else is a file of this user.
fn master_key_source(path: PathBuf) -> MasterKeySource {
    let directory = std::env::var_os(CREDENTIALS_VARIABLE);
    let guarded = directory.is_some_and(|it| !it.is_empty() && path.starts_with(it));
    if guarded {
        MasterKeySource::Credential(path)
    } else {
        MasterKeySource::File(path)
    }
}

fn listen(name: &'static str, text: &str) -> Result<SocketAddr, ConfigError> {
    text.parse().map_err(|_| {
        let reason =
            format!("{text:?} is no place to listen; give ADDRESS:PORT, such as 127.0.0.1:10086");
        ConfigError::value(name, reason)
    })
}

fn grpc_listen(text: &str) -> Result<GrpcListen, ConfigError> {
    let refused = |reason: String| ConfigError::value("--grpc-listen", reason);
    match text.strip_prefix("unix:") {
        Some("") => return Err(refused("unix: needs a path after it".into())),
        Some(path) => return Ok(GrpcListen::Unix(path.into())),
        None => {}
    }
    let address: SocketAddr = text.parse().map_err(|_| {
        refused(format!(
            "{text:?} is no place to listen; give ADDRESS:PORT, such as 127.0.0.1:10087, or unix:PATH"
        ))
    })?;
    if !address.ip().to_canonical().is_loopback() {
        return Err(refused(format!(
            "{address} can be reached from other hosts, and the inner services are not encrypted; \
             give a loopback address or unix:PATH"
        )));
    }
    Ok(GrpcListen::Loopback(address))
}

fn duration(
    name: &'static str,
    text: Option<String>,
    min: Duration,
) -> Result<Option<Duration>, ConfigError> {
    let Some(text) = text else {
        return Ok(None);
    };
    let value = duration::parse(&text).ok_or_else(|| {
        let reason = format!("{text:?} is no duration; give one such as 10s, 500ms or 2m");
        ConfigError::value(name, reason)
    })?;
    if value < min || value > MAX_DURATION {
        let reason = format!("{text} is not between {min:?} and {MAX_DURATION:?}");
        return Err(ConfigError::value(name, reason));
    }
    Ok(Some(value))
}

fn tls(
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
) -> Result<Option<TlsFiles>, ConfigError> {
    match (certificate, key) {
        (None, None) => Ok(None),
        (Some(certificate), Some(key)) => Ok(Some(TlsFiles { certificate, key })),
        (Some(_), None) => Err(ConfigError::value("--tls-key", "needed with --tls-cert")),
        (None, Some(_)) => Err(ConfigError::value("--tls-cert", "needed with --tls-key")),
    }
}
