//! The network side of WireGuard interfaces, over rtnetlink: which there are, their addresses, and
//! when they come and go.
//!
//! [`Links`] asks anew each time; the future that [`start`] returns keeps a [`table`] of the links it
//! was told about and turns what it hears into [`LinkEvent`]s. Keys never pass through here: the
//! libraries used log the bytes they do not understand.

mod query;
mod table;
mod watch;

use std::future::Future;

use tokio::sync::broadcast;
use wire_contract::InterfaceName;

use crate::wireguard::{BackendError, Link, LinkEvent};

/// Events a slow receiver may fall behind before it misses some.
const EVENT_BACKLOG: usize = 256;

/// Answers questions about WireGuard links, and hands out their events.
#[derive(Debug, Clone)]
pub struct Links {
    events: broadcast::Sender<LinkEvent>,
}

/// Subscribes to links. The future does the listening and never ends; it must run within a runtime of
/// tokio, and so must this call.
///
/// Links that are there already are reported as [`LinkEvent::Appeared`] once: whoever listed them
/// before can't have missed one in between.
///
/// # Errors
/// When rtnetlink can't be opened.
pub fn start() -> Result<(Links, impl Future<Output = ()> + Send + use<>), BackendError> {
    let (events, _) = broadcast::channel(EVENT_BACKLOG);
    let subscription = watch::Subscription::open().map_err(|source| BackendError::Io {
        doing: "subscribing to rtnetlink",
        source,
    })?;
    let watcher = watch::run(subscription, events.clone());
    Ok((Links { events }, watcher))
}

impl Links {
    /// The names of all WireGuard interfaces, sorted.
    ///
    /// # Errors
    /// When the kernel does not answer or refuses.
    pub async fn interfaces(&self) -> Result<Vec<InterfaceName>, BackendError> {
        let mut names: Vec<_> = query::wireguard_links()
            .await?
            .into_iter()
            .map(|(_, name)| name)
            .collect();
        names.sort_unstable();
        Ok(names)
    }

    /// One interface.
    ///
    /// # Errors
    /// [`BackendError::InterfaceNotFound`] when it is absent or not WireGuard's; else when the kernel
    /// does not answer or refuses.
    pub async fn link(&self, name: &InterfaceName) -> Result<Link, BackendError> {
        query::link(name).await
    }

    /// Events from now on.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<LinkEvent> {
        self.events.subscribe()
    }
}
