//! The network side of WireGuard interfaces, over rtnetlink: which there are, their addresses, and
//! when they come and go. Which links are meant, [`LinkKind`] says.
//!
//! [`Links`] asks anew each time; the future that [`start`] returns keeps a [`table`] of the links it
//! was told about and turns what it hears into [`LinkEvent`]s. Keys never pass through here: the
//! libraries used log the bytes they do not understand.

mod query;
mod table;
mod watch;

use std::future::Future;

use rustix::{
    io::Errno,
    net::{AddressFamily, SocketFlags, SocketType, netdevice::name_to_index, socket_with},
};
use tokio::sync::broadcast;
use wire_contract::InterfaceName;

use crate::wireguard::{BackendError, Link, LinkEvent};

/// Events a slow receiver may fall behind before it misses some.
const EVENT_BACKLOG: usize = 256;

/// Which links are taken for WireGuard's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkKind {
    /// The kernel's `wireguard`.
    WireGuard,
    /// `tun`, which programs make: userspace WireGuard, and others too.
    Tun,
}

/// Answers questions about links of one kind, and hands out their events.
#[derive(Debug, Clone)]
pub struct Links {
    kind: LinkKind,
    events: broadcast::Sender<LinkEvent>,
}

/// Subscribes to links of this kind. The future does the listening and never ends; it must run within a runtime of
/// tokio, and so must this call.
///
/// Links that are there already are reported as [`LinkEvent::Appeared`] once: whoever listed them
/// before can't have missed one in between.
///
/// # Errors
/// When rtnetlink can't be opened.
pub fn start(
    kind: LinkKind,
) -> Result<(Links, impl Future<Output = ()> + Send + use<>), BackendError> {
    let (events, _) = broadcast::channel(EVENT_BACKLOG);
    let subscription = watch::Subscription::open().map_err(|source| BackendError::Io {
        doing: "subscribing to rtnetlink",
        source,
    })?;
    let watcher = watch::run(subscription, kind, events.clone());
    Ok((Links { kind, events }, watcher))
}

impl Links {
    /// The names of all of them, sorted.
    ///
    /// # Errors
    /// When the kernel does not answer or refuses.
    pub async fn interfaces(&self) -> Result<Vec<InterfaceName>, BackendError> {
        let mut names: Vec<_> = query::links(self.kind)
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
    /// [`BackendError::InterfaceNotFound`] when it is absent or of another kind; else when the kernel
    /// does not answer or refuses.
    pub async fn link(&self, name: &InterfaceName) -> Result<Link, BackendError> {
        query::link(self.kind, name).await
    }

    /// Events from now on.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<LinkEvent> {
        self.events.subscribe()
    }
}

/// The number of the interface that has this name now, of whatever kind. Asks
/// without netlink, so that threads outside the runtime may.
///
/// # Errors
/// The system's; `ENODEV` when there is none.
pub fn index_of(name: &InterfaceName) -> Result<u32, Errno> {
    let flags = SocketFlags::CLOEXEC;
    let any = socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None)?;
    name_to_index(any, name.as_str())
}
