//! SIGHUP: secrets and certificate are read again, while connections go on.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::signal::unix::Signal;
use wire_contract::signing::Verifier;

use crate::{config::Secrets, http::Tls};

/// What is read again. Each of the two by itself: a bad file leaves in use what was, and does not
/// keep the other from being exchanged.
pub struct Reload {
    secrets: Secrets,
    verifier: Arc<ArcSwap<Verifier>>,
    tls: Option<Tls>,
}

impl Reload {
    /// Exchanges what `verifier` accepts and what `tls` shows.
    #[must_use]
    pub fn new(secrets: Secrets, verifier: Arc<ArcSwap<Verifier>>, tls: Option<Tls>) -> Self {
        Self {
            secrets,
            verifier,
            tls,
        }
    }

    /// Reads everything again whenever one of `hangups` comes. Ends only if they can't come any more.
    pub async fn at_each(mut self, mut hangups: Signal) {
        while hangups.recv().await.is_some() {
            // Files may be slow, and requests go on.
            let again = tokio::task::spawn_blocking(move || {
                self.now();
                self
            });
            self = match again.await {
                Ok(reload) => reload,
                Err(error) => {
                    tracing::error!(%error, "reading again panicked");
                    return;
                }
            };
        }
    }

    /// Reads everything again, and logs one line for each of the two. Blocks on files.
    pub fn now(&mut self) {
        match self.secrets.reread() {
            Ok(secrets) => {
                self.verifier.store(Arc::new(secrets.verifier()));
                self.secrets = secrets;
                tracing::info!("the secrets were read again");
                warn(self.secrets.warning());
            }
            Err(error) => tracing::error!("the secrets in use stay: {error}"),
        }
        let Some(tls) = &self.tls else { return };
        match tls.reload() {
            Ok(()) => {
                tracing::info!("certificate and key were read again");
                warn(tls.warning());
            }
            Err(error) => tracing::error!("the certificate in use stays: {error}"),
        }
    }
}

fn warn(warning: Option<String>) {
    if let Some(warning) = warning {
        tracing::warn!("{warning}");
    }
}
