//! The agent on the controller's own host.

use std::{
    fmt, fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use super::ConfigError;
use crate::agent_client::AgentUrl;

/// Where the agent of this host is, and the secret shared with it.
pub struct LocalAgent {
    /// Its URL in its one form.
    pub url: AgentUrl,
    /// The secret it accepts now.
    pub secret: Zeroizing<String>,
}

impl fmt::Debug for LocalAgent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalAgent({})", self.url)
    }
}

pub(super) fn agent(
    url: Option<String>,
    secret_file: Option<PathBuf>,
) -> Result<Option<LocalAgent>, ConfigError> {
    match (url, secret_file) {
        (None, None) => Ok(None),
        (Some(url), Some(file)) => {
            let parsed = url.parse();
            let url = parsed.map_err(|error| {
                ConfigError::value("--local-agent", format!("{error} ({url:?})"))
            })?;
            let secret = secret(&file)?;
            Ok(Some(LocalAgent { url, secret }))
        }
        (Some(_), None) => Err(ConfigError::value(
            "--local-secret-file",
            "needed with --local-agent",
        )),
        (None, Some(_)) => Err(ConfigError::value(
            "--local-agent",
            "needed with --local-secret-file",
        )),
    }
}

/// The first line: agents keep the secret they accept now there, and the next below it.
fn secret(path: &Path) -> Result<Zeroizing<String>, ConfigError> {
    let place = path.display();
    let refused = |reason: String| ConfigError::value("--local-secret-file", reason);
    let failed = |error: std::io::Error| refused(format!("{place}: {error}"));
    let mode = fs::metadata(path).map_err(failed)?.mode() & 0o7777;
    // An agent of another user shares the file with the group of the controller.
    if mode & 0o027 != 0 {
        let reason = format!("{place} has mode {mode:04o}; run chmod 600 (or 640) on it");
        return Err(refused(reason));
    }
    let text = Zeroizing::new(fs::read_to_string(path).map_err(failed)?);
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.next();
    first
        .map(|line| Zeroizing::new(line.to_owned()))
        .ok_or_else(|| refused(format!("{place} is empty")))
}
