//! Writing what a daemon is asked.

use std::io::Write;

use wire_contract::{AllowedIp, key::KEY_BYTES};
use zeroize::{Zeroize, Zeroizing};

use crate::wireguard::{AllowedIpsChange, PeerAction, PeerChange, PeerSettings};

/// Asks for everything.
pub const GET: &[u8] = b"get=1\n\n";

/// More than a change takes, its networks apart.
const CHANGE_BYTES: usize = 384;
/// More than a network takes.
const ALLOWED_IP_BYTES: usize = 64;

/// One request for all of `changes`, in their order. Holds preshared keys: wiped when dropped.
#[must_use]
pub fn set(changes: &[PeerChange]) -> Zeroizing<Vec<u8>> {
    // All at once: a buffer that grows leaves its keys behind.
    let capacity = changes.iter().map(size_bound).sum::<usize>() + CHANGE_BYTES;
    let mut text = Zeroizing::new(Vec::with_capacity(capacity));
    text.extend_from_slice(b"set=1\n");
    for change in changes {
        put_key(&mut text, "public_key", change.public_key.as_bytes());
        match &change.action {
            PeerAction::Remove => text.extend_from_slice(b"remove=true\n"),
            PeerAction::Set(settings) => put_settings(&mut text, settings),
        }
    }
    text.push(b'\n');
    debug_assert!(text.len() <= capacity, "the buffer grew");
    text
}

fn size_bound(change: &PeerChange) -> usize {
    let allowed_ips = match &change.action {
        PeerAction::Remove => &[][..],
        PeerAction::Set(settings) => listed(&settings.allowed_ips),
    };
    CHANGE_BYTES + ALLOWED_IP_BYTES * allowed_ips.len()
}

/// What is written of a change to a list. Not every daemon can remove single networks: a list that
/// shrinks is replaced.
fn listed(change: &AllowedIpsChange) -> &[AllowedIp] {
    match change {
        AllowedIpsChange::Unchanged => &[],
        AllowedIpsChange::Add(added) => added,
        AllowedIpsChange::Replace { all, .. } => all,
    }
}

fn put_settings(text: &mut Vec<u8>, settings: &PeerSettings) {
    // First: what stands before it would make the peer.
    if settings.update_only {
        text.extend_from_slice(b"update_only=true\n");
    }
    if let Some(key) = &settings.preshared_key {
        put_key(text, "preshared_key", key.expose());
    }
    if let Some(endpoint) = settings.endpoint {
        put(text, format_args!("endpoint={endpoint}"));
    }
    if let Some(keepalive) = settings.persistent_keepalive {
        let seconds = keepalive.as_secs();
        put(
            text,
            format_args!("persistent_keepalive_interval={seconds}"),
        );
    }
    if matches!(settings.allowed_ips, AllowedIpsChange::Replace { .. }) {
        text.extend_from_slice(b"replace_allowed_ips=true\n");
    }
    for allowed_ip in listed(&settings.allowed_ips) {
        put(text, format_args!("allowed_ip={allowed_ip}"));
    }
}

fn put(text: &mut Vec<u8>, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("a Vec takes all that is written");
}

fn put_key(text: &mut Vec<u8>, name: &str, key: &[u8; KEY_BYTES]) {
    let mut hex = [0; 2 * KEY_BYTES];
    faster_hex::hex_encode(key, &mut hex).expect("twice as many digits as bytes");
    text.extend_from_slice(name.as_bytes());
    text.push(b'=');
    text.extend_from_slice(&hex);
    text.push(b'\n');
    hex.zeroize();
}
