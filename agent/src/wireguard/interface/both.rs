//! One dump for several who want it.

use wire_contract::AllowedIp;

use crate::wireguard::{DeviceFacts, DumpSink, PeerFacts};

/// Reports one dump to two.
pub(super) struct Both<'a, A, B>(pub(super) &'a mut A, pub(super) &'a mut B);

impl<A: DumpSink, B: DumpSink> DumpSink for Both<'_, A, B> {
    fn device(&mut self, device: &DeviceFacts) {
        self.0.device(device);
        self.1.device(device);
    }

    fn peer(&mut self, peer: &PeerFacts) {
        self.0.peer(peer);
        self.1.peer(peer);
    }

    fn allowed_ip(&mut self, allowed_ip: AllowedIp) {
        self.0.allowed_ip(allowed_ip);
        self.1.allowed_ip(allowed_ip);
    }
}
