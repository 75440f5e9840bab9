//! Which interfaces there are.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::broadcast;
use wire_contract::InterfaceName;

use super::{
    Clock,
    control::Faults,
    generate::{HostSeed, Plan},
    peers::PeerTable,
};
use crate::wireguard::{LinkEvent, fingerprint::Fingerprinter};

/// The first number of an interface; 1 is the loopback's.
const FIRST_IFINDEX: u32 = 2;
/// A receiver this far behind has missed events, as on a netlink socket that overflowed.
const EVENTS_KEPT: usize = 64;

/// All interfaces of a simulated host.
pub(super) struct Registry {
    pub(super) fingerprinter: Fingerprinter,
    pub(super) clock: Clock,
    pub(super) seed: HostSeed,
    interfaces: Mutex<Interfaces>,
    events: broadcast::Sender<LinkEvent>,
}

struct Interfaces {
    by_name: BTreeMap<InterfaceName, Entry>,
    next_ifindex: u32,
}

/// One interface. Whoever holds it keeps what is behind it, also when the name is gone.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) ifindex: u32,
    pub(super) interface: Arc<Mutex<Interface>>,
}

/// What is behind an interface's lock.
pub(super) struct Interface {
    pub(super) plan: Plan,
    pub(super) peers: PeerTable,
    pub(super) faults: Faults,
}

impl Entry {
    pub(super) fn lock(&self) -> MutexGuard<'_, Interface> {
        locked(&self.interface)
    }
}

/// A panic elsewhere leaves tables that are whole: every change is made of infallible steps.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Registry {
    pub(super) fn new(fingerprinter: Fingerprinter, clock: Clock, seed: HostSeed) -> Self {
        let interfaces = Interfaces {
            by_name: BTreeMap::new(),
            next_ifindex: FIRST_IFINDEX,
        };
        Self {
            fingerprinter,
            clock,
            seed,
            interfaces: Mutex::new(interfaces),
            events: broadcast::Sender::new(EVENTS_KEPT),
        }
    }

    pub(super) fn names(&self) -> Vec<InterfaceName> {
        locked(&self.interfaces).by_name.keys().cloned().collect()
    }

    pub(super) fn find(&self, name: &InterfaceName) -> Option<Entry> {
        locked(&self.interfaces).by_name.get(name).cloned()
    }

    pub(super) fn events(&self) -> broadcast::Receiver<LinkEvent> {
        self.events.subscribe()
    }

    /// Makes an interface with so many peers, in place of one that has the name, and returns its
    /// number. No number is given twice.
    pub(super) fn create(&self, name: &InterfaceName, peers: usize) -> u32 {
        self.delete(name);
        let plan = Plan::of(self.seed, name);
        let interface = Arc::new(Mutex::new(Interface {
            peers: plan.populated(peers, &self.fingerprinter, self.clock.now()),
            plan,
            faults: Faults::default(),
        }));
        let mut interfaces = locked(&self.interfaces);
        let ifindex = interfaces.next_ifindex;
        interfaces.next_ifindex += 1;
        interfaces
            .by_name
            .insert(name.clone(), Entry { ifindex, interface });
        let name = name.clone();
        self.announce(LinkEvent::Appeared { name, ifindex });
        ifindex
    }

    /// Whether there was one.
    pub(super) fn delete(&self, name: &InterfaceName) -> bool {
        let mut interfaces = locked(&self.interfaces);
        let Some(Entry { ifindex, .. }) = interfaces.by_name.remove(name) else {
            return false;
        };
        let name = name.clone();
        self.announce(LinkEvent::Gone { name, ifindex });
        true
    }

    /// Under the lock, so that events come in the order of what they tell.
    fn announce(&self, event: LinkEvent) {
        // Nobody listening is no error.
        drop(self.events.send(event));
    }
}
