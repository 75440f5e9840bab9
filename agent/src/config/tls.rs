//! The certificate, where both of its files are named.

use std::path::PathBuf;

use super::ConfigError;
use crate::http::{Tls, TlsFiles};

/// Both files or neither.
pub(super) fn load(
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
) -> Result<Option<Tls>, ConfigError> {
    let alone = |name, missing| ConfigError::Value {
        name,
        reason: format!("only together with {missing}"),
    };
    match (certificate, key) {
        (None, None) => Ok(None),
        (Some(_), None) => Err(alone("--tls-cert", "--tls-key")),
        (None, Some(_)) => Err(alone("--tls-key", "--tls-cert")),
        (Some(certificate), Some(key)) => Ok(Some(Tls::load(TlsFiles { certificate, key })?)),
    }
}
