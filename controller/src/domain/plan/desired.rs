//! What the store says of a node.

use std::{collections::HashSet, net::SocketAddr};

use serde::{Deserialize, Serialize};
use wire_contract::{
    AllowedIp, Keepalive, PresharedKey, PublicKey,
    dto::{AddPeer, PresharedKeyChange},
};

/// What becomes of peers that a node has and nobody declared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnmanagedPolicy {
    /// They are shown and left alone.
    #[default]
    Ignore,
    /// They are shown here, and whoever asked for the plan declares them.
    Adopt,
    /// They are removed, once an operator has agreed.
    Remove,
}

impl UnmanagedPolicy {
    /// The policy as the API and the store write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ignore => "ignore",
            Self::Adopt => "adopt",
            Self::Remove => "remove",
        }
    }

    /// Reads what [`Self::as_str`] wrote.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Ignore, Self::Adopt, Self::Remove]
            .into_iter()
            .find(|p| p.as_str() == name)
    }
}

/// A node as it should be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DesiredNode {
    /// Its peers, each key once.
    pub peers: Vec<DesiredPeer>,
    /// Keys that must not be there: deleted, disabled, expired or moved away. A key that is also
    /// among `peers` was declared again, and stays.
    pub tombstones: HashSet<PublicKey>,
    /// What becomes of all others.
    pub unmanaged: UnmanagedPolicy,
}

/// A peer as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredPeer {
    /// Who.
    pub public_key: PublicKey,
    /// The key mixed into its handshakes.
    pub preshared_key: DesiredPresharedKey,
    /// Whether the preshared key last written to this node with success is the desired one, and no
    /// unanswered request that carries another can still arrive. A dump can't show it, so while this
    /// is false the plan writes it.
    pub preshared_key_confirmed: bool,
    /// Routed to it, in any order.
    pub allowed_ips: Vec<AllowedIp>,
    /// Seconds; 0 is off.
    pub persistent_keepalive: Keepalive,
    /// Where to reach it before it is first heard of. Sent with an addition only: an endpoint is
    /// observed, and never drifts.
    pub endpoint: Option<SocketAddr>,
}

/// What is known of a desired preshared key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum DesiredPresharedKey {
    /// There shall be none.
    #[default]
    None,
    /// This one.
    Key(PresharedKey),
    /// An adopted peer's: the node may have one, nobody can read it, and it is never touched.
    Unknown,
}

impl From<Option<PresharedKey>> for DesiredPresharedKey {
    fn from(key: Option<PresharedKey>) -> Self {
        key.filter(|key| !key.is_none())
            .map_or(Self::None, Self::Key)
    }
}

impl DesiredPresharedKey {
    /// In words that give nothing away.
    pub(super) const fn word(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Key(_) => "set",
            Self::Unknown => "unknown",
        }
    }

    /// What every update says of it, whatever it is for: a dump can't tell whether it still holds.
    pub(super) fn change(&self) -> PresharedKeyChange {
        match self {
            Self::None => PresharedKeyChange::Remove,
            Self::Key(key) => PresharedKeyChange::Set(key.clone()),
            Self::Unknown => PresharedKeyChange::Unchanged,
        }
    }
}

impl DesiredPeer {
    /// The whole peer, for a node that does not have it.
    pub(super) fn addition(&self) -> AddPeer {
        AddPeer {
            public_key: self.public_key,
            allowed_ips: AllowedIp::normalized(self.allowed_ips.clone()),
            preshared_key: match &self.preshared_key {
                DesiredPresharedKey::Key(key) => Some(key.clone()),
                DesiredPresharedKey::None | DesiredPresharedKey::Unknown => None,
            },
            persistent_keepalive: self.persistent_keepalive,
            endpoint: self.endpoint,
        }
    }

    /// Whether the preshared key has to be written, for all that is known.
    pub(super) fn must_write_preshared_key(&self) -> bool {
        !self.preshared_key_confirmed && self.preshared_key != DesiredPresharedKey::Unknown
    }
}
