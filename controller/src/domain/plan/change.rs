//! One change of a plan: the call to make, and what it is about.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;
use wire_contract::{
    AllowedIp, Keepalive, PublicKey,
    dto::{AddPeer, DumpPeer, UpdatePeer},
};

use super::DesiredPeer;

/// When a change comes. Those of one phase do not depend on each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    /// Peers go.
    Remove = 1,
    /// Allowed IPs are let go of.
    Shrink = 2,
    /// Peers come, allowed IPs are taken, settings are mended.
    Grow = 3,
}

/// A call of the contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// `POST /wg/{interface}/peers`
    Add(AddPeer),
    /// `PUT /wg/{interface}/peers/{public_key}`
    Update(PublicKey, UpdatePeer),
    /// `DELETE /wg/{interface}/peers/{public_key}`
    Remove(PublicKey),
}

impl Call {
    /// Whose call it is.
    #[must_use]
    pub const fn public_key(&self) -> PublicKey {
        match self {
            Self::Add(peer) => peer.public_key,
            Self::Update(key, _) | Self::Remove(key) => *key,
        }
    }

    /// `add`, `update` or `remove`.
    #[must_use]
    pub const fn action(&self) -> &'static str {
        match self {
            Self::Add(_) => "add",
            Self::Update(..) => "update",
            Self::Remove(_) => "remove",
        }
    }
}

/// One step towards the desired state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// When.
    pub phase: Phase,
    /// What to send.
    pub call: Call,
    /// What differs, by the contract's field name.
    pub fields: BTreeMap<&'static str, FieldDrift>,
    /// Why it waits for an operator, if it does.
    pub hold: Option<Hold>,
}

/// Why a change waits for an operator's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Hold {
    /// It removes a peer that nobody declared.
    #[error(
        "the peer was not declared here; its removal waits for an operator to confirm the plan"
    )]
    RemovesUndeclared,
    /// It wants an address of such a peer.
    #[error("waits for the removal of the undeclared peer {owner}, which has {address}")]
    AfterRemoval {
        /// Whose removal it waits for.
        owner: PublicKey,
        /// What it wants of it.
        address: AllowedIp,
    },
}

/// A change that can't be made as things stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocked {
    /// What would be sent.
    pub change: Change,
    /// One sentence for a person.
    pub reason: String,
}

/// A field as it is and as it should be; `None` where there is no such peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldDrift {
    /// What the dump shows.
    pub observed: Option<FieldValue>,
    /// What the change makes of it.
    pub desired: Option<FieldValue>,
}

/// The value of a field, as the contract writes it. A preshared key is a word about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum FieldValue {
    /// Sorted, each once.
    AllowedIps(Vec<AllowedIp>),
    /// Seconds; 0 is off.
    Keepalive(Keepalive),
    /// `set`, `none` or `unknown`.
    PresharedKey(&'static str),
}

impl fmt::Display for FieldValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AllowedIps(list) => {
                let texts: Vec<String> = list.iter().map(AllowedIp::to_string).collect();
                f.write_str(&texts.join(", "))
            }
            Self::Keepalive(keepalive) => keepalive.fmt(f),
            Self::PresharedKey(word) => f.write_str(word),
        }
    }
}

impl Change {
    pub(super) fn removal(observed: &DumpPeer, hold: Option<Hold>) -> Self {
        let gone = |value| FieldDrift {
            observed: Some(value),
            desired: None,
        };
        let allowed_ips = AllowedIp::normalized(observed.allowed_ips.clone());
        Self {
            phase: Phase::Remove,
            call: Call::Remove(observed.public_key),
            fields: BTreeMap::from([
                ("allowed_ips", gone(FieldValue::AllowedIps(allowed_ips))),
                (
                    "persistent_keepalive",
                    gone(FieldValue::Keepalive(observed.persistent_keepalive)),
                ),
            ]),
            hold,
        }
    }

    pub(super) fn addition(peer: &DesiredPeer) -> Self {
        let new = |value| FieldDrift {
            observed: None,
            desired: Some(value),
        };
        let add = peer.addition();
        let word = peer.preshared_key.word();
        Self {
            phase: Phase::Grow,
            fields: BTreeMap::from([
                (
                    "allowed_ips",
                    new(FieldValue::AllowedIps(add.allowed_ips.clone())),
                ),
                (
                    "persistent_keepalive",
                    new(FieldValue::Keepalive(add.persistent_keepalive)),
                ),
                ("preshared_key", new(FieldValue::PresharedKey(word))),
            ]),
            call: Call::Add(add),
            hold: None,
        }
    }

    /// An update of what `update` holds, which always says the preshared key too.
    pub(super) fn update(phase: Phase, peer: &DesiredPeer, update: UpdateFields) -> Self {
        let UpdateFields {
            allowed_ips,
            keepalive,
            preshared_key_drifts,
        } = update;
        let drift = |observed, desired| FieldDrift {
            observed: Some(observed),
            desired,
        };
        let mut fields = BTreeMap::new();
        if let Some((from, to)) = &allowed_ips {
            let to = Some(FieldValue::AllowedIps(to.clone()));
            fields.insert(
                "allowed_ips",
                drift(FieldValue::AllowedIps(from.clone()), to),
            );
        }
        if let Some((from, to)) = keepalive {
            let to = Some(FieldValue::Keepalive(to));
            fields.insert(
                "persistent_keepalive",
                drift(FieldValue::Keepalive(from), to),
            );
        }
        if preshared_key_drifts {
            let to = Some(FieldValue::PresharedKey(peer.preshared_key.word()));
            fields.insert(
                "preshared_key",
                drift(FieldValue::PresharedKey("unknown"), to),
            );
        }
        let call = Call::Update(
            peer.public_key,
            UpdatePeer {
                allowed_ips: allowed_ips.map(|(_, to)| to),
                preshared_key: peer.preshared_key.change(),
                persistent_keepalive: keepalive.map(|(_, to)| to),
                endpoint: None,
            },
        );
        Self {
            phase,
            call,
            fields,
            hold: None,
        }
    }
}

/// What an update changes, each as (from, to).
#[derive(Default)]
pub(super) struct UpdateFields {
    pub(super) allowed_ips: Option<(Vec<AllowedIp>, Vec<AllowedIp>)>,
    pub(super) keepalive: Option<(Keepalive, Keepalive)>,
    pub(super) preshared_key_drifts: bool,
}
