//! The interface under test, and short ways to change it.

use wgfleet_agent::wireguard::{
    AllowedIpsChange, Backend, Device, PeerAction, PeerChange, PeerSettings,
    fingerprint::Fingerprinter,
};
use wire_contract::{AllowedIp, InterfaceName, PublicKey};

use super::Snapshot;

/// Looks at what a dump said with other eyes, and panics when they see something else.
type Oracle<'a> = Box<dyn FnMut(&InterfaceName, &Snapshot) + 'a>;

/// An interface of a backend.
pub struct Subject<'a> {
    pub(super) backend: &'a dyn Backend,
    pub(super) name: InterfaceName,
    pub(super) fingerprinter: &'a Fingerprinter,
    device: Box<dyn Device>,
    oracle: Oracle<'a>,
}

impl<'a> Subject<'a> {
    /// The interface `name`, which exists and has a private key. `fingerprinter` is the one the
    /// backend was made with.
    ///
    /// # Panics
    /// When it can't be opened.
    #[must_use]
    pub fn new(
        backend: &'a dyn Backend,
        name: &InterfaceName,
        fingerprinter: &'a Fingerprinter,
    ) -> Self {
        Self {
            backend,
            name: name.clone(),
            fingerprinter,
            device: backend.open(name).expect("the interface opens"),
            oracle: Box::new(|_, _| {}),
        }
    }

    /// Has every dump checked by `oracle`, such as `wg show NAME dump`.
    #[must_use]
    pub fn with_oracle(self, oracle: impl FnMut(&InterfaceName, &Snapshot) + 'a) -> Self {
        Self {
            oracle: Box::new(oracle),
            ..self
        }
    }

    /// What is there.
    pub(super) fn dump(&mut self) -> Snapshot {
        let mut snapshot = Snapshot::default();
        self.device.dump(&mut snapshot).expect("a consistent dump");
        (self.oracle)(&self.name, &snapshot);
        snapshot
    }

    /// Applies changes in one call.
    pub(super) fn set(&mut self, changes: &[PeerChange]) {
        let ifindex = self.dump().device().ifindex;
        self.device
            .set(ifindex, changes)
            .expect("the changes are taken");
    }

    /// The device, for calls that are to fail.
    pub(super) fn device(&mut self) -> &mut dyn Device {
        &mut *self.device
    }

    /// Removes every peer.
    pub(super) fn empty(&mut self) {
        let present: Vec<_> = self.dump().keys().into_iter().map(removal).collect();
        self.set(&present);
    }
}

/// A key that no test confuses with another.
pub(super) fn key(number: u16) -> PublicKey {
    let mut bytes = [0x42; 32];
    bytes[..2].copy_from_slice(&number.to_be_bytes());
    PublicKey::from_bytes(bytes)
}

pub(super) fn removal(public_key: PublicKey) -> PeerChange {
    PeerChange {
        public_key,
        action: PeerAction::Remove,
    }
}

pub(super) fn setting(public_key: PublicKey, settings: PeerSettings) -> PeerChange {
    PeerChange {
        public_key,
        action: PeerAction::Set(settings),
    }
}

/// A peer that is there, with these networks beside those it has.
pub(super) fn adding(public_key: PublicKey, networks: &[&str]) -> PeerChange {
    let allowed_ips = AllowedIpsChange::Add(parsed(networks));
    setting(
        public_key,
        PeerSettings {
            allowed_ips,
            ..PeerSettings::default()
        },
    )
}

pub(super) fn parsed(networks: &[&str]) -> Vec<AllowedIp> {
    networks
        .iter()
        .map(|text| text.parse().expect("a network"))
        .collect()
}
