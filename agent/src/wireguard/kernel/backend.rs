//! The kernel as a [`Backend`].

use std::future::Future;

use tokio::sync::broadcast;
use wire_contract::InterfaceName;

use super::{
    device::{EntryRemoval, KernelDevice},
    socket::GenericSocket,
};
use crate::{
    link::{self, LinkKind, Links},
    wireguard::{
        Backend, BackendError, BackendKind, BoxFuture, Device, Link, LinkEvent, boot_id,
        fingerprint::Fingerprinter,
    },
};

/// The Linux kernel of this network namespace.
#[derive(Debug)]
pub struct KernelBackend {
    boot_id: String,
    links: Links,
    fingerprinter: Fingerprinter,
    entry_removal: EntryRemoval,
}

impl KernelBackend {
    /// Begins to watch links. The future does the watching and never ends: the caller runs it as long
    /// as it uses the backend, on a runtime of tokio.
    ///
    /// # Errors
    /// When rtnetlink can't be listened to, or this boot has no identity.
    pub fn start(
        fingerprinter: Fingerprinter,
    ) -> Result<(Self, impl Future<Output = ()> + Send + use<>), BackendError> {
        let boot_id = boot_id::of_this_host()?;
        let (links, watcher) = link::start(LinkKind::WireGuard)?;
        let backend = Self {
            boot_id,
            links,
            fingerprinter,
            entry_removal: EntryRemoval::default(),
        };
        Ok((backend, watcher))
    }
}

impl Backend for KernelBackend {
    fn kind(&self) -> BackendKind {
        BackendKind::Kernel
    }

    fn boot_id(&self) -> &str {
        &self.boot_id
    }

    fn interfaces(&self) -> BoxFuture<'_, Result<Vec<InterfaceName>, BackendError>> {
        Box::pin(self.links.interfaces())
    }

    fn link<'a>(&'a self, name: &'a InterfaceName) -> BoxFuture<'a, Result<Link, BackendError>> {
        Box::pin(self.links.link(name))
    }

    fn link_events(&self) -> broadcast::Receiver<LinkEvent> {
        self.links.events()
    }

    fn open(&self, name: &InterfaceName) -> Result<Box<dyn Device>, BackendError> {
        let socket = GenericSocket::open().map_err(|source| BackendError::Io {
            doing: "opening netlink",
            source,
        })?;
        let device = KernelDevice::new(name.clone(), socket, self.fingerprinter.clone());
        Ok(Box::new(device.sharing(self.entry_removal.clone())))
    }
}
