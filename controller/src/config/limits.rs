//! How much callers may ask.

use std::time::Duration;

use super::{ConfigError, flags::Flags};
use crate::{
    facade::{BodyLimits, ServerLimits},
    services::auth::AccessLimits,
};

/// Changes that may wait for the writer.
const DEFAULT_STORE_QUEUE: usize = 1024;
/// What one caller may do at once, in seconds of its rate, unless told otherwise.
const BURST_S: u32 = 2;
const MIN_TIMEOUT: Duration = Duration::from_millis(100);
/// Below it not even a small node can be added.
const MIN_BODY_BYTES: usize = 1024;
/// A body is held in memory, once for each connection.
const MAX_BODY_BYTES: usize = 1 << 30;

/// The limits of one controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// On connections and bodies.
    pub server: ServerLimits,
    /// On tokens, and on those who have none.
    pub access: AccessLimits,
    /// Changes that may wait to be written.
    pub store_queue: usize,
}

impl Limits {
    pub(super) fn checked(flags: &Flags) -> Result<Self, ConfigError> {
        let (server, access) = (ServerLimits::default(), AccessLimits::default());
        let token_rate = flags.token_rate.unwrap_or(access.token_rate);
        let failure_rate = flags.auth_failure_rate.unwrap_or(access.auth_failure_rate);
        let max_connections = flags.max_connections.unwrap_or(server.max_connections);
        let body = BodyLimits {
            max_bytes: flags.max_body_bytes.unwrap_or(server.body.max_bytes),
            timeout: timeout("--body-timeout", flags.body_timeout.clone())?
                .unwrap_or(server.body.timeout),
        };
        let store_queue = flags.store_queue.unwrap_or(DEFAULT_STORE_QUEUE);
        at_least_one("--max-connections", max_connections)?;
        at_least_one("--store-queue", store_queue)?;
        if !(MIN_BODY_BYTES..=MAX_BODY_BYTES).contains(&body.max_bytes) {
            let reason = format!(
                "{} is not between {MIN_BODY_BYTES} and {MAX_BODY_BYTES}",
                body.max_bytes
            );
            return Err(ConfigError::value("--max-body-bytes", reason));
        }
        Ok(Self {
            server: ServerLimits {
                max_connections,
                head_timeout: timeout("--head-timeout", flags.head_timeout.clone())?
                    .unwrap_or(server.head_timeout),
                body,
            },
            access: AccessLimits {
                token_rate,
                token_burst: burst("--token-burst", token_rate, flags.token_burst)?,
                auth_failure_rate: failure_rate,
                auth_failure_burst: burst(
                    "--auth-failure-burst",
                    failure_rate,
                    flags.auth_failure_burst,
                )?,
            },
            store_queue,
        })
    }
}

fn timeout(name: &'static str, text: Option<String>) -> Result<Option<Duration>, ConfigError> {
    super::duration(name, text, MIN_TIMEOUT)
}

fn burst(name: &'static str, rate: u32, given: Option<u32>) -> Result<u32, ConfigError> {
    match given {
        Some(0) => Err(ConfigError::value(name, "at least 1")),
        Some(burst) => Ok(burst),
        None => Ok(rate.saturating_mul(BURST_S)),
    }
}

fn at_least_one(name: &'static str, value: usize) -> Result<(), ConfigError> {
    if value == 0 {
        return Err(ConfigError::value(name, "at least 1"));
    }
    Ok(())
}
