//! The name of a plan: what an operator confirms.

use std::fmt::Write as _;

use ring::digest::{Context, SHA256};
use wire_contract::{AllowedIp, Keepalive, dto::PresharedKeyChange};

use super::{Call, Change};

/// SHA-256, in hex, of what the changes do. Preshared keys count only as to be set, removed or left
/// alone: whoever sees the hash learns nothing of them.
pub(super) fn hash<'a>(changes: impl Iterator<Item = &'a Change>) -> String {
    let mut encoding = Encoding(Context::new(&SHA256));
    encoding.bytes(b"wgfleet plan 1");
    changes.for_each(|change| encoding.change(change));
    let mut hex = String::with_capacity(64);
    for byte in encoding.0.finish().as_ref() {
        write!(hex, "{byte:02x}").expect("writing to a string");
    }
    hex
}

/// Everything of varying length is led by its length, so no two plans encode alike.
struct Encoding(Context);

impl Encoding {
    fn count(&mut self, count: usize) {
        self.0
            .update(&u64::try_from(count).unwrap_or(u64::MAX).to_be_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.0.update(bytes);
    }

    fn change(&mut self, change: &Change) {
        self.bytes(change.call.action().as_bytes());
        self.0
            .update(&[change.phase as u8, u8::from(change.hold.is_some())]);
        self.0.update(change.call.public_key().as_bytes());
        match &change.call {
            Call::Remove(_) => {}
            Call::Add(peer) => {
                self.allowed_ips(Some(&peer.allowed_ips));
                self.keepalive(Some(peer.persistent_keepalive));
                self.bytes(if peer.preshared_key.is_some() {
                    b"set"
                } else {
                    b"remove"
                });
            }
            Call::Update(_, update) => {
                self.allowed_ips(update.allowed_ips.as_deref());
                self.keepalive(update.persistent_keepalive);
                self.bytes(match update.preshared_key {
                    PresharedKeyChange::Set(_) => b"set",
                    PresharedKeyChange::Remove => b"remove",
                    PresharedKeyChange::Unchanged => b"keep",
                });
            }
        }
    }

    fn allowed_ips(&mut self, list: Option<&[AllowedIp]>) {
        self.0.update(&[u8::from(list.is_some())]);
        let list = list.unwrap_or_default();
        self.count(list.len());
        list.iter()
            .for_each(|item| self.bytes(item.to_string().as_bytes()));
    }

    fn keepalive(&mut self, keepalive: Option<Keepalive>) {
        self.0.update(&[u8::from(keepalive.is_some())]);
        self.0
            .update(&keepalive.unwrap_or_default().as_secs().to_be_bytes());
    }
}
