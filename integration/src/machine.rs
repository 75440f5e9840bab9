//! A Debian machine with systemd, on a kernel with WireGuard: what a scratch root
//! ([`packages::Root`](crate::packages::Root)) only stands in for. It can be booted again and again.

use std::{path::Path, process::Command, time::Duration};

use tempfile::TempDir;

use crate::packages;

/// What one boot may take.
const WITHIN: Duration = Duration::from_secs(400);

/// A machine that is off, with its disk. Gone when dropped.
#[derive(Debug)]
pub struct Machine(TempDir);

impl Machine {
    /// A new one, nothing of ours installed.
    ///
    /// # Panics
    /// When there is no room for its disk.
    #[must_use]
    pub fn new() -> Self {
        packages::make();
        Self(TempDir::with_prefix("wgfleet-machine-").expect("a directory"))
    }

    /// Boots it, runs lines as root when all that starts by itself has been started, powers it off, and
    /// gives what they printed. Our packages lie in its `/tmp`.
    ///
    /// # Panics
    /// When a line fails, or the machine does not boot.
    #[track_caller]
    pub fn boot(&self, lines: &str) -> String {
        let copied = packages::ALL.map(packages::package);
        let copied = copied.map(|package| format!("/host{}", package.display()));
        let script = format!("cp {} /tmp/\n{lines}", copied.join(" "));
        let output = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("lab/boot"))
            .args(["-t", &WITHIN.as_secs().to_string()])
            .arg(self.0.path().join("disk"))
            .args(["bash", "-euo", "pipefail", "-c", &script])
            .output()
            .expect("the script is there");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let said = text(&output.stdout);
        assert!(
            output.status.success(),
            "{}\n--- lines ---\n{lines}\n--- output ---\n{said}{}",
            output.status,
            text(&output.stderr)
        );
        said
    }
}

impl Default for Machine {
    fn default() -> Self {
        Self::new()
    }
}
