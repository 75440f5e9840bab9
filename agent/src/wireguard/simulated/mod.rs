//! An in-memory fake with the quirks of the kernel: for demonstrations, fleets on one machine, and
//! tests.
//!
//! Its interfaces and the peers on them follow from their names, so that two runs show the same
//! ones. Nothing runs in the background: counters, handshakes and endpoints are functions of time,
//! worked out when somebody looks ([`traffic`](self::traffic)). What it shares with the kernel is
//! held by the suite that runs on both; [`peers`](self::peers) is where the quirks are.

mod clock;
mod control;
mod device;
mod generate;
mod peers;
mod registry;
mod traffic;

use std::sync::Arc;

use ring::rand::{SecureRandom, SystemRandom};
use tokio::sync::broadcast;
use wire_contract::InterfaceName;

use super::{
    Backend, BackendError, BackendKind, BoxFuture, Device, Link, LinkEvent,
    fingerprint::Fingerprinter,
};
use device::SimulatedDevice;
use registry::Registry;

pub use clock::Clock;
pub use control::{Calls, SimulatedControl};
pub use generate::HostSeed;

const MTU: u32 = 1420;

/// WireGuard interfaces that exist in this process only.
pub struct SimulatedBackend {
    registry: Arc<Registry>,
    boot_id: String,
}

impl SimulatedBackend {
    /// One interface for each name, with so many peers on it.
    ///
    /// # Panics
    /// When the system has no random numbers to give.
    #[must_use]
    pub fn new(fingerprinter: Fingerprinter, interfaces: &[(InterfaceName, usize)]) -> Self {
        Self::with_clock(fingerprinter, interfaces, Clock::system())
    }

    /// The same on a host of its own: another seed makes other keys, addresses and peers.
    ///
    /// # Panics
    /// When the system has no random numbers to give.
    #[must_use]
    pub fn on_host(
        seed: HostSeed,
        fingerprinter: Fingerprinter,
        interfaces: &[(InterfaceName, usize)],
    ) -> Self {
        Self::made(seed, fingerprinter, interfaces, Clock::system())
    }

    /// The same under a clock of the caller's: what a dump shows is a function of its time.
    ///
    /// # Panics
    /// When the system has no random numbers to give.
    #[must_use]
    pub fn with_clock(
        fingerprinter: Fingerprinter,
        interfaces: &[(InterfaceName, usize)],
        clock: Clock,
    ) -> Self {
        Self::made(HostSeed::default(), fingerprinter, interfaces, clock)
    }

    fn made(
        seed: HostSeed,
        fingerprinter: Fingerprinter,
        interfaces: &[(InterfaceName, usize)],
        clock: Clock,
    ) -> Self {
        let registry = Registry::new(fingerprinter, clock, seed);
        for (name, peers) in interfaces {
            registry.create(name, *peers);
        }
        Self {
            registry: Arc::new(registry),
            boot_id: random_uuid(),
        }
    }

    /// What tests do behind the agent's back.
    #[must_use]
    pub fn control(&self) -> SimulatedControl {
        SimulatedControl::new(Arc::clone(&self.registry))
    }
}

impl Backend for SimulatedBackend {
    fn kind(&self) -> BackendKind {
        BackendKind::Simulated
    }

    fn boot_id(&self) -> &str {
        &self.boot_id
    }

    fn interfaces(&self) -> BoxFuture<'_, Result<Vec<InterfaceName>, BackendError>> {
        Box::pin(std::future::ready(Ok(self.registry.names())))
    }

    fn link<'a>(&'a self, name: &'a InterfaceName) -> BoxFuture<'a, Result<Link, BackendError>> {
        let link = self.registry.find(name).map(|entry| Link {
            ifindex: entry.ifindex,
            mtu: MTU,
            up: true,
            addresses: generate::Plan::of(self.registry.seed, name).addresses(),
        });
        Box::pin(std::future::ready(
            link.ok_or(BackendError::InterfaceNotFound),
        ))
    }

    fn link_events(&self) -> broadcast::Receiver<LinkEvent> {
        self.registry.events()
    }

    fn open(&self, name: &InterfaceName) -> Result<Box<dyn Device>, BackendError> {
        Ok(Box::new(SimulatedDevice::new(
            Arc::clone(&self.registry),
            name.clone(),
        )))
    }
}

/// A version 4 UUID, as the kernel writes its boot id.
fn random_uuid() -> String {
    let mut bytes = [0; 16];
    SystemRandom::new()
        .fill(&mut bytes)
        .expect("the system gives random numbers");
    let bits = u128::from_be_bytes(bytes);
    let bits = bits & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
    let text = format!("{bits:032x}");
    let (a, b, c, d, e) = (
        &text[..8],
        &text[8..12],
        &text[12..16],
        &text[16..20],
        &text[20..],
    );
    format!("{a}-{b}-{c}-{d}-{e}")
}

#[cfg(test)]
mod tests;
