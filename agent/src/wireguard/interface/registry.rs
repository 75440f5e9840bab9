//! The interfaces there are, each with its owner.

use std::{
    collections::{BTreeSet, HashMap},
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{broadcast::error::RecvError, mpsc};
use wire_contract::InterfaceName;

use super::{
    handle::Handle,
    owner::{Failure, Owner},
};
use crate::{
    clock::Clock,
    state::replay::ReplayMemory,
    wireguard::{Backend, BackendError, Link, LinkEvent, fingerprint::Fingerprinter},
};

/// An owner panicked. Its interface can't be trusted to be in any state, so the agent ends.
#[derive(Debug, thiserror::Error)]
#[error("the owner of the interface {0} died")]
pub struct OwnerDied(pub InterfaceName);

/// Finds interfaces and keeps their owners. An owner is made when its interface is first asked for,
/// and ends when the interface goes.
pub struct Interfaces {
    backend: Arc<dyn Backend>,
    fingerprinter: Fingerprinter,
    /// Only these are served; all when `None`.
    only: Option<BTreeSet<InterfaceName>>,
    owners: Mutex<HashMap<InterfaceName, Handle>>,
    replay: Arc<ReplayMemory>,
    clock: Clock,
    died: mpsc::UnboundedSender<OwnerDied>,
}

impl Interfaces {
    /// The interfaces of `backend`, or `only` these. The receiver hears of an owner that died.
    #[must_use]
    pub fn new(
        backend: Arc<dyn Backend>,
        fingerprinter: Fingerprinter,
        only: Option<BTreeSet<InterfaceName>>,
        replay: Arc<ReplayMemory>,
        clock: Clock,
    ) -> (Self, mpsc::UnboundedReceiver<OwnerDied>) {
        let (died, deaths) = mpsc::unbounded_channel();
        let owners = Mutex::default();
        (
            Self {
                backend,
                fingerprinter,
                only,
                owners,
                replay,
                clock,
                died,
            },
            deaths,
        )
    }

    /// The backend behind them.
    #[must_use]
    pub fn backend(&self) -> &Arc<dyn Backend> {
        &self.backend
    }

    /// The names of those that are there and served, sorted.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn names(&self) -> Result<Vec<InterfaceName>, Failure> {
        let mut names = self.backend.interfaces().await.map_err(|e| failure(&e))?;
        names.retain(|name| self.serves(name));
        Ok(names)
    }

    /// The names of those the agent was told to serve, there or not; none when it serves all.
    #[must_use]
    pub fn expected(&self) -> Vec<InterfaceName> {
        self.only.iter().flatten().cloned().collect()
    }

    /// The names of those that have an owner.
    #[must_use]
    pub fn owned(&self) -> Vec<InterfaceName> {
        self.lock().keys().cloned().collect()
    }

    /// The network side of an interface.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn link(&self, name: &InterfaceName) -> Result<Link, Failure> {
        if !self.serves(name) {
            return Err(Failure::InterfaceNotFound);
        }
        self.backend.link(name).await.map_err(|e| failure(&e))
    }

    /// The owner of an interface, made when there is none yet.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn owner(&self, name: &InterfaceName) -> Result<Handle, Failure> {
        if let Some(handle) = self.lock().get(name) {
            return Ok(handle.clone());
        }
        // Names come from clients: no thread is made for one that does not exist.
        self.link(name).await?;
        let mut owners = self.lock();
        if let Some(handle) = owners.get(name) {
            return Ok(handle.clone());
        }
        let handle = self.start_owner(name).map_err(|e| failure(&e))?;
        owners.insert(name.clone(), handle.clone());
        Ok(handle)
    }

    /// Follows interfaces as they come and go, for as long as the backend tells.
    pub async fn follow_links(&self) {
        let mut events = self.backend.link_events();
        loop {
            match events.recv().await {
                Ok(LinkEvent::Gone { name, ifindex }) => {
                    tracing::info!(interface = %name, ifindex, "the interface is gone");
                    self.retire(&name, ifindex);
                }
                // Its owner, if it has one from before, finds out by itself before it decides
                // anything.
                Ok(LinkEvent::Appeared { name, ifindex }) => {
                    tracing::info!(interface = %name, ifindex, "the interface appeared");
                }
                // An owner whose end was missed serves the interface should it come back.
                Err(RecvError::Lagged(missed)) => {
                    tracing::warn!(missed, "some link events were missed");
                }
                Err(RecvError::Closed) => return,
            }
        }
    }

    /// Lets the owner of an interface that is gone end, unless it serves a newer one already. There
    /// is never a second owner that may still touch the device.
    fn retire(&self, name: &InterfaceName, ifindex: u32) {
        let mut owners = self.lock();
        if owners.get(name).is_some_and(|owner| owner.retire(ifindex)) {
            owners.remove(name);
        }
    }

    fn serves(&self, name: &InterfaceName) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(name))
    }

    fn start_owner(&self, name: &InterfaceName) -> Result<Handle, BackendError> {
        let device = self.backend.open(name)?;
        let (owner, handle) = Owner::new(
            name,
            device,
            self.fingerprinter.clone(),
            Arc::clone(&self.replay),
            self.clock.clone(),
        );
        let guard = Guard {
            name: name.clone(),
            died: self.died.clone(),
        };
        std::thread::Builder::new()
            .name(format!("wg {name}"))
            .spawn(move || {
                let _guard = guard;
                owner.run();
            })
            .map_err(|source: io::Error| BackendError::Io {
                doing: "starting a thread",
                source,
            })?;
        Ok(handle)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<InterfaceName, Handle>> {
        self.owners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn failure(error: &BackendError) -> Failure {
    if !matches!(error, BackendError::InterfaceNotFound) {
        tracing::warn!(%error, "interfaces can't be looked up");
    }
    Failure::from(error)
}

/// Reports the panic of the thread that drops it.
struct Guard {
    name: InterfaceName,
    died: mpsc::UnboundedSender<OwnerDied>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // Nobody listens any more: the agent is ending anyway.
            let _ = self.died.send(OwnerDied(self.name.clone()));
        }
    }
}
