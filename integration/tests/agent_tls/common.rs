//! An agent with a certificate of its own.

use std::{sync::Arc, time::Duration};

use rustls::ClientConfig;
use tempfile::TempDir;
use wgfleet_integration::{
    agent::{Agent, Config},
    client::Client,
    eventually,
    tls::{Authority, CertificateFiles, believing},
};

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Secured {
    pub(crate) agent: Agent,
    pub(crate) authority: Authority,
    pub(crate) files: CertificateFiles,
    pub(crate) directory: TempDir,
}

impl Secured {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    pub(crate) fn start_with(arguments: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let authority = Authority::new();
        let files = CertificateFiles::new(directory.path(), &authority.issue());
        let agent = Config::simulated("wg0", 3)
            .arguments(&files.arguments())
            .arguments(arguments)
            .start();
        Self {
            agent,
            authority,
            files,
            directory,
        }
    }

    /// What believes its first certificate.
    pub(crate) fn trust(&self) -> Arc<ClientConfig> {
        believing(&[&self.authority])
    }

    pub(crate) fn client(&self) -> Client {
        self.agent.client().secured(&self.trust())
    }

    /// Sends SIGHUP and waits until both parts have been judged.
    #[track_caller]
    pub(crate) fn hang_up(&self) {
        let judged = || {
            let log = self.agent.log();
            let secrets = ["the secrets were read again", "the secrets in use stay"];
            let certificate = ["key were read again", "the certificate in use stays"];
            let count = |lines: [&str; 2]| lines.map(|line| log.matches(line).count());
            [count(secrets), count(certificate)].map(|counts| counts.iter().sum::<usize>())
        };
        let before = judged();
        self.agent.signal(rustix::process::Signal::HUP);
        let after = before.map(|count| count + 1);
        eventually(PATIENCE, "both are read again", || {
            (judged() == after).then_some(())
        });
    }
}
