//! What a change asked for comes to: pure, against what the interface holds.

use wire_contract::{
    AllowedIp, PresharedKey, PublicKey,
    dto::{AddPeer, PresharedKeyChange, UpdatePeer},
    key::KEY_BYTES,
};

use super::index::{IndexedPeer, PeerIndex};
use crate::wireguard::{AllowedIpsChange, PeerAction, PeerChange, PeerSettings};

/// A change as a client asked for it.
#[derive(Debug, Clone)]
pub enum Mutation {
    /// `POST …/peers`
    Add(AddPeer),
    /// `PUT …/peers/{public_key}`
    Update(PublicKey, UpdatePeer),
    /// `DELETE …/peers/{public_key}`
    Remove(PublicKey),
}

/// Why a change is not made. The interface stays as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// POST of a key that is there with other settings.
    #[error("the peer {0} exists with other settings; change it with PUT")]
    PeerExists(PublicKey),
    /// PUT or DELETE of a key that is not there.
    #[error("the interface has no peer {0}")]
    PeerNotFound(PublicKey),
    /// Another peer owns the address; the kernel would move it silently.
    #[error("allowed_ips: {allowed_ip} belongs to the peer {owner}; remove it there first")]
    AllowedIpConflict {
        /// The address.
        allowed_ip: AllowedIp,
        /// Its owner, which keeps it.
        owner: PublicKey,
    },
    /// The interface's own key; the kernel would ignore it and report success.
    #[error("public_key: this is the interface's own key; a peer needs another one")]
    OwnKey,
}

/// What is to be done about a [`Mutation`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Nothing: the interface is so already.
    Holds,
    /// This.
    Apply(PeerChange),
}

impl Mutation {
    /// Who it is about.
    #[must_use]
    pub const fn public_key(&self) -> &PublicKey {
        match self {
            Self::Add(peer) => &peer.public_key,
            Self::Update(key, _) | Self::Remove(key) => key,
        }
    }

    /// What it comes to on an interface that holds what `index` says.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn plan(&self, index: &PeerIndex) -> Result<Step, Refusal> {
        let present = index.peer(self.public_key());
        match (self, present) {
            (Self::Add(add), None) => plan_add(add, index),
            (Self::Add(add), Some(peer)) if is_same(add, peer, index) => Ok(Step::Holds),
            (Self::Add(add), Some(_)) => Err(Refusal::PeerExists(add.public_key)),
            (Self::Update(key, _) | Self::Remove(key), None) => Err(Refusal::PeerNotFound(*key)),
            (Self::Update(key, update), Some(peer)) => plan_update(*key, update, peer, index),
            (Self::Remove(key), Some(_)) => Ok(Step::Apply(PeerChange {
                public_key: *key,
                action: PeerAction::Remove,
            })),
        }
    }
}

fn plan_add(add: &AddPeer, index: &PeerIndex) -> Result<Step, Refusal> {
    if index.device_facts().and_then(|device| device.public_key) == Some(add.public_key) {
        return Err(Refusal::OwnKey);
    }
    refuse_taken(&add.allowed_ips, &add.public_key, index)?;
    Ok(set(
        add.public_key,
        PeerSettings {
            update_only: false,
            preshared_key: add.preshared_key.clone(),
            endpoint: add.endpoint,
            persistent_keepalive: Some(add.persistent_keepalive),
            allowed_ips: match add.allowed_ips.as_slice() {
                [] => AllowedIpsChange::Unchanged,
                list => AllowedIpsChange::Add(list.to_vec()),
            },
        },
    ))
}

fn plan_update(
    key: PublicKey,
    update: &UpdatePeer,
    peer: &IndexedPeer,
    index: &PeerIndex,
) -> Result<Step, Refusal> {
    if let Some(list) = &update.allowed_ips {
        refuse_taken(list, &key, index)?;
    }
    let settings = PeerSettings {
        // Should the peer be removed behind our back, it must not come back half configured.
        update_only: true,
        preshared_key: preshared_key_to_set(&update.preshared_key, peer, index),
        endpoint: update.endpoint,
        persistent_keepalive: update
            .persistent_keepalive
            .filter(|keepalive| *keepalive != peer.persistent_keepalive),
        allowed_ips: match &update.allowed_ips {
            None => AllowedIpsChange::Unchanged,
            Some(wanted) => list_change(wanted, peer, index),
        },
    };
    if settings
        == (PeerSettings {
            update_only: true,
            ..PeerSettings::default()
        })
    {
        return Ok(Step::Holds);
    }
    Ok(set(key, settings))
}

fn set(public_key: PublicKey, settings: PeerSettings) -> Step {
    Step::Apply(PeerChange {
        public_key,
        action: PeerAction::Set(settings),
    })
}

/// The same settings, the endpoint left out: endpoints roam.
fn is_same(add: &AddPeer, peer: &IndexedPeer, index: &PeerIndex) -> bool {
    add.persistent_keepalive == peer.persistent_keepalive
        && index.fingerprint(add.preshared_key.as_ref()) == peer.preshared_key
        && AllowedIp::normalized(add.allowed_ips.clone())
            == AllowedIp::normalized(index.allowed_ips(peer).collect())
}

fn refuse_taken(wanted: &[AllowedIp], by: &PublicKey, index: &PeerIndex) -> Result<(), Refusal> {
    for allowed_ip in wanted {
        if let Some(owner) = index.owner(allowed_ip).filter(|owner| owner != by) {
            return Err(Refusal::AllowedIpConflict {
                allowed_ip: *allowed_ip,
                owner,
            });
        }
    }
    Ok(())
}

fn preshared_key_to_set(
    change: &PresharedKeyChange,
    peer: &IndexedPeer,
    index: &PeerIndex,
) -> Option<PresharedKey> {
    match change {
        PresharedKeyChange::Unchanged => None,
        PresharedKeyChange::Remove => peer
            .preshared_key
            .map(|_| PresharedKey::from_bytes([0; KEY_BYTES])),
        PresharedKeyChange::Set(key) => {
            (index.fingerprint(Some(key)) != peer.preshared_key).then(|| key.clone())
        }
    }
}

/// A list that only grows is added to: replacing it would drop packets for an instant.
fn list_change(wanted: &[AllowedIp], peer: &IndexedPeer, index: &PeerIndex) -> AllowedIpsChange {
    let sorted = |list: Vec<AllowedIp>| AllowedIp::normalized(list);
    let (present, wanted_set) = (
        sorted(index.allowed_ips(peer).collect()),
        sorted(wanted.to_vec()),
    );
    let missing_in = |set: &[AllowedIp], ip: &AllowedIp| set.binary_search(ip).is_err();
    let removed: Vec<_> = present
        .iter()
        .filter(|ip| missing_in(&wanted_set, ip))
        .copied()
        .collect();
    let added: Vec<_> = wanted
        .iter()
        .filter(|ip| missing_in(&present, ip))
        .copied()
        .collect();
    match (removed.is_empty(), added.is_empty()) {
        (true, true) => AllowedIpsChange::Unchanged,
        (true, false) => AllowedIpsChange::Add(added),
        (false, _) => AllowedIpsChange::Replace {
            all: wanted.to_vec(),
            removed,
            added,
        },
    }
}
