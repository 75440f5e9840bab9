//! A small kernel behind an agent that keeps the contract, and states to put it in.

use std::collections::BTreeMap;

use proptest::prelude::*;
use wire_contract::{
    AllowedIp, Keepalive, PresharedKey, PublicKey,
    dto::{DumpPeer, PresharedKeyChange},
};

use super::super::*;

/// How many peers and how many addresses there are in the small world.
pub(super) const SIZE: u8 = 6;

pub(super) fn key(n: u8) -> PublicKey {
    PublicKey::from_bytes([n; 32])
}

pub(super) fn psk(n: u8) -> Option<PresharedKey> {
    (n != 0).then(|| PresharedKey::from_bytes([n + 100; 32]))
}

pub(super) fn ip(n: u8) -> AllowedIp {
    format!("10.8.0.{n}/32").parse().unwrap()
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct KernelPeer {
    pub(super) preshared_key: Option<PresharedKey>,
    pub(super) allowed_ips: Vec<AllowedIp>,
    pub(super) keepalive: Keepalive,
}

/// What an agent answers when it does not do as it was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    Exists,
    Missing,
    Conflict,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Kernel(pub(super) BTreeMap<PublicKey, KernelPeer>);

impl Kernel {
    pub(super) fn dump(&self) -> Vec<DumpPeer> {
        let peer = |(key, peer): (&PublicKey, &KernelPeer)| DumpPeer {
            public_key: *key,
            endpoint: Some(([192, 0, 2, 1], 51820).into()),
            // Not in our order.
            allowed_ips: peer.allowed_ips.iter().rev().copied().collect(),
            latest_handshake: 1_700_000_000,
            transfer_rx: 12,
            transfer_tx: 34,
            persistent_keepalive: peer.keepalive,
        };
        self.0.iter().map(peer).collect()
    }

    pub(super) fn apply(&mut self, call: &Call) -> Result<(), Refused> {
        match call {
            Call::Remove(key) => self.0.remove(key).map(drop).ok_or(Refused::Missing),
            Call::Add(add) => {
                let peer = KernelPeer {
                    preshared_key: add.preshared_key.clone(),
                    allowed_ips: add.allowed_ips.clone(),
                    keepalive: add.persistent_keepalive,
                };
                match self.0.get(&add.public_key) {
                    Some(there) if *there == peer => Ok(()),
                    Some(_) => Err(Refused::Exists),
                    None => self.put(add.public_key, peer),
                }
            }
            Call::Update(key, update) => {
                let mut peer = self.0.get(key).ok_or(Refused::Missing)?.clone();
                peer.allowed_ips = update.allowed_ips.clone().unwrap_or(peer.allowed_ips);
                peer.keepalive = update.persistent_keepalive.unwrap_or(peer.keepalive);
                match &update.preshared_key {
                    PresharedKeyChange::Unchanged => {}
                    PresharedKeyChange::Remove => peer.preshared_key = None,
                    PresharedKeyChange::Set(key) => peer.preshared_key = Some(key.clone()),
                }
                self.put(*key, peer)
            }
        }
    }

    fn put(&mut self, key: PublicKey, peer: KernelPeer) -> Result<(), Refused> {
        let others = self.0.iter().filter(|(other, _)| **other != key);
        let owned: Vec<&AllowedIp> = others.flat_map(|(_, p)| &p.allowed_ips).collect();
        if peer.allowed_ips.iter().any(|item| owned.contains(&item)) {
            return Err(Refused::Conflict);
        }
        self.0.insert(key, peer);
        Ok(())
    }
}

/// A peer of the small world: (number, preshared key, keepalive).
type Peer = (u8, u8, u16);

fn peers() -> impl Strategy<Value = Vec<Peer>> {
    let numbers: Vec<u8> = (1..=SIZE).collect();
    prop::sample::subsequence(numbers, 0..=usize::from(SIZE)).prop_flat_map(|numbers| {
        let settings = (0_u8..3, prop::sample::select(vec![0_u16, 25]));
        let peer = |n| {
            settings
                .clone()
                .prop_map(move |(psk, keepalive)| (n, psk, keepalive))
        };
        numbers.into_iter().map(peer).collect::<Vec<_>>()
    })
}

/// For each address the number of its owner; 0 is nobody.
fn ownership() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(0..=SIZE, usize::from(SIZE))
}

fn owned_by(number: u8, ownership: &[u8]) -> Vec<AllowedIp> {
    let owned = ownership
        .iter()
        .zip(1..)
        .filter(|(owner, _)| **owner == number);
    owned.map(|(_, address)| ip(address)).collect()
}

/// Any state of the kernel.
pub(super) fn kernels() -> impl Strategy<Value = Kernel> {
    (peers(), ownership()).prop_map(|(peers, ownership)| {
        let peer = |(number, secret, keepalive)| {
            let peer = KernelPeer {
                preshared_key: psk(secret),
                allowed_ips: owned_by(number, &ownership),
                keepalive: Keepalive::from_secs(keepalive),
            };
            (key(number), peer)
        };
        Kernel(peers.into_iter().map(peer).collect())
    })
}

/// Any wish that can be had; every preshared key still unconfirmed.
pub(super) fn wishes() -> impl Strategy<Value = DesiredNode> {
    let policies = vec![
        UnmanagedPolicy::Ignore,
        UnmanagedPolicy::Adopt,
        UnmanagedPolicy::Remove,
    ];
    let deleted = prop::collection::hash_set((1..=SIZE).prop_map(key), 0..3);
    (
        peers(),
        ownership(),
        deleted,
        prop::sample::select(policies),
    )
        .prop_map(|(peers, ownership, tombstones, unmanaged)| {
            let peer = |(number, secret, keepalive)| DesiredPeer {
                public_key: key(number),
                preshared_key: psk(secret).into(),
                preshared_key_confirmed: false,
                allowed_ips: owned_by(number, &ownership),
                persistent_keepalive: Keepalive::from_secs(keepalive),
                endpoint: None,
            };
            let peers = peers.into_iter().map(peer).collect();
            DesiredNode {
                peers,
                tombstones,
                unmanaged,
            }
        })
}

/// The kernel's view of a wish.
pub(super) fn as_kernel_peer(peer: &DesiredPeer) -> KernelPeer {
    KernelPeer {
        preshared_key: match &peer.preshared_key {
            DesiredPresharedKey::Key(key) => Some(key.clone()),
            _ => None,
        },
        allowed_ips: AllowedIp::normalized(peer.allowed_ips.clone()),
        keepalive: peer.persistent_keepalive,
    }
}
