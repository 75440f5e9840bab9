//! The hand behind the agent's back. For tests.

use std::sync::Arc;

use wire_contract::InterfaceName;

use super::registry::{Entry, Registry};
use crate::wireguard::PeerChange;

/// Does to a simulated host what an administrator, another program or bad luck does to a real one.
/// For tests: the agent itself has no use for it.
#[derive(Clone)]
pub struct SimulatedControl {
    registry: Arc<Registry>,
}

/// How often an interface was read and written through its devices.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Calls {
    /// Dumps, failed ones included.
    pub dumps: u64,
    /// Calls that set something, failed ones included.
    pub sets: u64,
    /// Changes those calls carried.
    pub changes: u64,
}

impl SimulatedControl {
    pub(super) fn new(registry: Arc<Registry>) -> Self {
        Self { registry }
    }

    /// Makes an interface with so many peers and returns its number, a new one. One that has the
    /// name goes first, with its event.
    pub fn create(&self, name: &InterfaceName, peers: usize) -> u32 {
        self.registry.create(name, peers)
    }

    /// Deletes an interface. Devices open on it find nothing from now on.
    ///
    /// # Panics
    /// When there is none of that name.
    pub fn delete(&self, name: &InterfaceName) {
        assert!(self.registry.delete(name), "no interface {name} to delete");
    }

    /// Changes peers as `wg set` would: past the agent, and past faults and [`Calls`].
    ///
    /// # Panics
    /// When there is no interface of that name, or no room for another peer.
    pub fn set_externally(&self, name: &InterfaceName, changes: &[PeerChange]) {
        let (fingerprinter, now) = (&self.registry.fingerprinter, self.registry.clock.now());
        let entry = self.entry(name);
        let mut interface = entry.lock();
        for change in changes {
            let applied = interface.peers.apply(change, fingerprinter, now);
            applied.expect("room for another peer");
        }
    }

    /// Makes the next so many dumps inconsistent. They report every peer first.
    ///
    /// # Panics
    /// When there is no interface of that name.
    pub fn fail_dumps(&self, name: &InterfaceName, times: u32) {
        self.entry(name).lock().faults.dumps_to_fail = times;
    }

    /// Makes the next call that carries more than `applied` changes fail after it has applied so
    /// many.
    ///
    /// # Panics
    /// When there is no interface of that name.
    pub fn fail_set_after(&self, name: &InterfaceName, applied: usize) {
        self.entry(name).lock().faults.set_fails_after = Some(applied);
    }

    /// What was done to an interface since it was made.
    ///
    /// # Panics
    /// When there is no interface of that name.
    #[must_use]
    pub fn calls(&self, name: &InterfaceName) -> Calls {
        self.entry(name).lock().faults.calls
    }

    fn entry(&self, name: &InterfaceName) -> Entry {
        let entry = self.registry.find(name);
        entry.unwrap_or_else(|| panic!("no interface {name}"))
    }
}

/// What is to go wrong on an interface, and what was asked of it.
#[derive(Default)]
pub(super) struct Faults {
    dumps_to_fail: u32,
    set_fails_after: Option<usize>,
    calls: Calls,
}

impl Faults {
    /// Counts a dump; whether it fails.
    pub(super) fn next_dump_fails(&mut self) -> bool {
        self.calls.dumps += 1;
        let fails = self.dumps_to_fail > 0;
        self.dumps_to_fail = self.dumps_to_fail.saturating_sub(1);
        fails
    }

    /// Counts a call that carries so many changes; how many of them it applies.
    pub(super) fn next_set_fails_at(&mut self, changes: usize) -> usize {
        self.calls.sets += 1;
        self.calls.changes += changes as u64;
        self.set_fails_after
            .take_if(|applied| *applied < changes)
            .unwrap_or(changes)
    }
}
