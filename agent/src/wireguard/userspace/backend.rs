//! Daemons as a [`Backend`].

use std::future::Future;

use tokio::sync::broadcast;
use wire_contract::InterfaceName;

use super::{device::UserspaceDevice, socket::SocketDirectory};
use crate::{
    link::{self, LinkKind, Links},
    wireguard::{
        Backend, BackendError, BackendKind, BoxFuture, Device, Link, LinkEvent, boot_id,
        fingerprint::Fingerprinter,
    },
};

/// The daemons that serve tun devices of this network namespace.
#[derive(Debug)]
pub struct UserspaceBackend {
    boot_id: String,
    links: Links,
    directory: SocketDirectory,
    fingerprinter: Fingerprinter,
}

impl UserspaceBackend {
    /// Begins to watch links. The future does the watching and never ends: the caller runs it as long
    /// as it uses the backend, on a runtime of tokio.
    ///
    /// # Errors
    /// When rtnetlink can't be listened to, or this boot has no identity.
    pub fn start(
        fingerprinter: Fingerprinter,
    ) -> Result<(Self, impl Future<Output = ()> + Send + use<>), BackendError> {
        let boot_id = boot_id::of_this_host()?;
        let (links, watcher) = link::start(LinkKind::Tun)?;
        let backend = Self {
            boot_id,
            links,
            directory: SocketDirectory::default(),
            fingerprinter,
        };
        Ok((backend, watcher))
    }

    async fn served_links(&self) -> Result<Vec<InterfaceName>, BackendError> {
        let mut names = self.links.interfaces().await?;
        names.retain(|name| self.directory.is_served(name));
        Ok(names)
    }

    /// The link of an interface that has a socket. Whether anybody listens on it is found out by
    /// whoever has something to say.
    async fn link_with_socket(&self, name: &InterfaceName) -> Result<Link, BackendError> {
        match self.directory.identity(name) {
            Some(_) => self.links.link(name).await,
            None => Err(BackendError::InterfaceNotFound),
        }
    }
}

impl Backend for UserspaceBackend {
    fn kind(&self) -> BackendKind {
        BackendKind::Userspace
    }

    /// The host's. A daemon that is started again makes a new tun device, which has another number.
    fn boot_id(&self) -> &str {
        &self.boot_id
    }

    fn interfaces(&self) -> BoxFuture<'_, Result<Vec<InterfaceName>, BackendError>> {
        Box::pin(self.served_links())
    }

    fn link<'a>(&'a self, name: &'a InterfaceName) -> BoxFuture<'a, Result<Link, BackendError>> {
        Box::pin(self.link_with_socket(name))
    }

    fn link_events(&self) -> broadcast::Receiver<LinkEvent> {
        self.links.events()
    }

    fn open(&self, name: &InterfaceName) -> Result<Box<dyn Device>, BackendError> {
        let device = UserspaceDevice::new(
            name.clone(),
            self.directory.clone(),
            self.fingerprinter.clone(),
        );
        Ok(Box::new(device))
    }
}
