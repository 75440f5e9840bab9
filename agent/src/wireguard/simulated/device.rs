//! The owner's view of one simulated interface.

use std::sync::Arc;

use rustix::io::Errno;
use wire_contract::InterfaceName;

use super::{
    peers::TooManyPeers,
    registry::{Entry, Registry},
};
use crate::wireguard::{BackendError, Device, DeviceFacts, DumpSink, PeerChange};

pub(super) struct SimulatedDevice {
    registry: Arc<Registry>,
    name: InterfaceName,
}

impl SimulatedDevice {
    pub(super) fn new(registry: Arc<Registry>, name: InterfaceName) -> Self {
        Self { registry, name }
    }

    fn entry(&self) -> Result<Entry, BackendError> {
        self.registry
            .find(&self.name)
            .ok_or(BackendError::InterfaceNotFound)
    }
}

impl Device for SimulatedDevice {
    fn dump(&mut self, sink: &mut dyn DumpSink) -> Result<(), BackendError> {
        let entry = self.entry()?;
        let mut interface = entry.lock();
        let inconsistent = interface.faults.next_dump_fails();
        sink.device(&DeviceFacts {
            ifindex: entry.ifindex,
            public_key: Some(interface.plan.public_key()),
            listen_port: interface.plan.listen_port(),
            fwmark: 0,
        });
        interface.peers.report(self.registry.clock.now(), sink);
        if inconsistent {
            // Only now, so that whoever trusts what the sink was told is found out.
            return Err(BackendError::Inconsistent {
                attempts: 10,
                last: "the simulation was told to fail".to_owned(),
            });
        }
        Ok(())
    }

    fn is_still(&mut self, ifindex: u32) -> bool {
        self.registry
            .find(&self.name)
            .is_some_and(|entry| entry.ifindex == ifindex)
    }

    fn set(&mut self, ifindex: u32, changes: &[PeerChange]) -> Result<(), BackendError> {
        let entry = self.entry()?;
        if entry.ifindex != ifindex {
            return Err(BackendError::InterfaceNotFound);
        }
        let mut interface = entry.lock();
        let failing_at = interface.faults.next_set_fails_at(changes.len());
        let (applied, failed) = changes.split_at(failing_at);
        let now = self.registry.clock.now();
        for change in applied {
            interface
                .peers
                .apply(change, &self.registry.fingerprinter, now)?;
        }
        if failed.is_empty() {
            Ok(())
        } else {
            Err(refused(Errno::NOMEM))
        }
    }
}

impl From<TooManyPeers> for BackendError {
    fn from(_: TooManyPeers) -> Self {
        refused(Errno::NOMEM)
    }
}

fn refused(errno: Errno) -> BackendError {
    BackendError::Refused(errno.into())
}
