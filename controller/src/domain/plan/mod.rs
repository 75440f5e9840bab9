//! What a node must be told: `plan(desired, observed)`, a pure function.
//!
//! Desired is what the store says now, observed is the node's dump. A node that agrees gets an empty
//! plan, hence no write. The changes come in three phases; those of one phase do not depend on each
//! other and may be sent in any order or at once:
//!
//! 1. removals: peers with a tombstone, and undeclared peers where the node's policy is `remove`;
//! 2. updates that take allowed IPs away (and nothing that somebody else still has). This breaks
//!    cycles: of two peers that swap addresses, each first lets go of its own;
//! 3. additions, and updates that bring allowed IPs.
//!
//! An agent refuses an allowed IP that another peer owns, and so does the plan's order avoid it: a
//! peer whose list both loses and gains gets two updates if what it gains has an owner at present.
//! A wanted address whose owner stays makes the change [`Blocked`], with the reason; what can be
//! mended of such a peer is mended all the same.
//!
//! Read first: [`DesiredPeer`], [`Change`], then `diff.rs`.

mod change;
mod desired;
mod diff;
mod hash;
mod view;

pub use change::{Blocked, Call, Change, FieldDrift, FieldValue, Hold, Phase};
pub use desired::{DesiredNode, DesiredPeer, DesiredPresharedKey, UnmanagedPolicy};
pub use diff::plan;
pub use view::ShownPlan;

use wire_contract::{AllowedIp, Keepalive, PublicKey};

/// A peer the node has and nobody declared.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct UnmanagedPeer {
    /// Who.
    pub public_key: PublicKey,
    /// What is routed to it.
    pub allowed_ips: Vec<AllowedIp>,
    /// How often the node calls it.
    pub persistent_keepalive: Keepalive,
}

/// What would bring a node to its desired state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// In the order in which they are to be sent, by phase and then by key; also those that wait for
    /// an operator.
    pub changes: Vec<Change>,
    /// What can't be done, whoever agrees.
    pub blocked: Vec<Blocked>,
    /// Peers nobody declared, whatever the policy.
    pub unmanaged: Vec<UnmanagedPeer>,
}

/// How much of a plan may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// Nothing: the store was restored from a backup and nobody has looked yet.
    Nothing,
    /// All but the removal of undeclared peers, and what depends on it.
    Declared,
    /// Everything: an operator has seen the plan.
    Everything,
}

impl Plan {
    /// Whether the node is as it should be.
    #[must_use]
    pub const fn is_in_sync(&self) -> bool {
        self.changes.is_empty() && self.blocked.is_empty()
    }

    /// The changes to send, in order.
    pub fn to_send(&self, consent: Consent) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(move |change| match consent {
            Consent::Nothing => false,
            Consent::Declared => change.hold.is_none(),
            Consent::Everything => true,
        })
    }

    /// The changes that wait for an operator.
    pub fn held(&self, consent: Consent) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(move |change| match consent {
            Consent::Nothing => true,
            Consent::Declared => change.hold.is_some(),
            Consent::Everything => false,
        })
    }

    /// Names what an operator who confirms agrees to: SHA-256 in hex, without any secret in it.
    ///
    /// Where only removals of undeclared peers wait, it names these alone: what is sent meanwhile
    /// must not outdate the plan that the operator is reading. Otherwise it names every change.
    #[must_use]
    pub fn hash(&self, consent: Consent) -> String {
        let is_asked_for = |change: &&Change| {
            consent != Consent::Declared || change.hold == Some(Hold::RemovesUndeclared)
        };
        hash::hash(self.changes.iter().filter(is_asked_for))
    }

    /// The plan as the API shows it to somebody who may let `consent` of it be sent so far.
    #[must_use]
    pub const fn shown(&self, consent: Consent) -> ShownPlan<'_> {
        ShownPlan {
            plan: self,
            consent,
        }
    }
}

#[cfg(test)]
mod tests;
