//! Which node a new peer goes to.

use std::fmt;

use uuid::Uuid;

use super::{
    allocation::Family,
    labels::{Labels, first_mismatch},
    status::NodeStatus,
};

/// A node that might take the peer, as it stands now.
#[derive(Debug, Clone)]
pub struct Candidate<'a> {
    /// Who.
    pub id: Uuid,
    /// Its name, which decides ties.
    pub name: &'a str,
    /// Whether an operator lets it be used.
    pub enabled: bool,
    /// Only an online node takes peers by itself.
    pub status: NodeStatus,
    /// Why it has that status.
    pub status_reason: &'a str,
    /// How much it takes beside the others; 0 takes none by itself.
    pub weight: u32,
    /// The most peers it may hold; 0 is no limit.
    pub max_peers: u32,
    /// Peers the store has on it.
    pub peers_in_store: u32,
    /// Peers its last dump showed.
    pub peers_in_kernel: u32,
    /// Those of them that the store does not know. They come on top of the store's: peers placed
    /// since the last dump must not be hidden by it.
    pub undeclared_in_kernel: u32,
    /// For each family its pools have, whether an address is free.
    pub families: &'a [(Family, bool)],
    /// Its labels.
    pub labels: &'a Labels,
}

impl Candidate<'_> {
    /// The peers it has, by the larger of the two accounts.
    fn peers(&self) -> u64 {
        let declared_and_not =
            u64::from(self.peers_in_store) + u64::from(self.undeclared_in_kernel);
        declared_and_not.max(self.peers_in_kernel.into())
    }

    /// Whether it would carry less with the peer than `other` would: (peers + 1) / weight, by
    /// multiplication across.
    fn order(&self, other: &Self) -> std::cmp::Ordering {
        let load = |node: &Self, weight: u32| u128::from(node.peers() + 1) * u128::from(weight);
        load(self, other.weight)
            .cmp(&load(other, self.weight))
            .then_with(|| self.name.cmp(other.name))
            .then_with(|| self.id.cmp(&other.id))
    }

    fn why(&self) -> String {
        let Self {
            name,
            weight,
            max_peers,
            ..
        } = self;
        match max_peers {
            0 => format!("{name}: {} peers at weight {weight}", self.peers()),
            max => format!("{name}: {} of {max} peers at weight {weight}", self.peers()),
        }
    }

    fn objection(&self, request: &Request<'_>) -> Option<Objection> {
        if let Some((key, value)) = first_mismatch(request.selector, self.labels) {
            return Some(Objection::Label(format!("{key}={value}")));
        }
        if !self.enabled || self.status == NodeStatus::Disabled {
            return Some(Objection::Disabled);
        }
        if self.status != NodeStatus::Online {
            return Some(Objection::NotOnline(
                self.status,
                self.status_reason.to_owned(),
            ));
        }
        if self.weight == 0 {
            return Some(Objection::NoWeight);
        }
        if self.max_peers != 0 && self.peers() >= u64::from(self.max_peers) {
            return Some(Objection::Full {
                peers: self.peers(),
                max_peers: self.max_peers,
            });
        }
        request
            .needs_addresses
            .then(|| self.address_objection())
            .flatten()
    }

    fn address_objection(&self) -> Option<Objection> {
        if self.families.is_empty() {
            return Some(Objection::NoPool);
        }
        let exhausted = self.families.iter().find(|(_, has_free)| !has_free);
        exhausted.map(|(family, _)| Objection::NoAddress(*family))
    }
}

/// What the peer wants of its node.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Labels the node must have; empty for any.
    pub selector: &'a Labels,
    /// Whether it gets its addresses from the node's pools. A peer that brings its own does not
    /// care whether they are full.
    pub needs_addresses: bool,
}

/// Where a peer goes, and why there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// The node.
    pub node_id: Uuid,
    /// For the caller, e.g. `node-2: 3 of 100 peers at weight 200`.
    pub why: String,
}

/// What keeps a node from taking the peer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Objection {
    /// The selector asks for a label it does not have.
    #[error("does not have the label {0}")]
    Label(String),
    /// By hand.
    #[error("is disabled")]
    Disabled,
    /// Offline or in error, and why.
    #[error("is {}{}{}", match .0 { NodeStatus::Error => "in error", other => other.as_str() },
        if .1.is_empty() { "" } else { ": " }, .1)]
    NotOnline(NodeStatus, String),
    /// Weight 0.
    #[error("has weight 0, which takes peers only by name")]
    NoWeight,
    /// No room.
    #[error("is full: {peers} of {max_peers} peers")]
    Full {
        /// Peers it has.
        peers: u64,
        /// Peers it may have.
        max_peers: u32,
    },
    /// Every address of a family is in use.
    #[error("has no free {0} address")]
    NoAddress(Family),
    /// The peer needs an address and the node has no pool.
    #[error("has no address pool")]
    NoPool,
}

/// No node can take the peer; says what is wrong with each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoPlace {
    /// Node name and objection, by name.
    pub objections: Vec<(String, Objection)>,
}

impl std::error::Error for NoPlace {}

impl fmt::Display for NoPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.objections.is_empty() {
            return f.write_str("no node can take the peer: there are no nodes");
        }
        f.write_str("no node can take the peer")?;
        let mut separator = ": ";
        for (name, objection) in &self.objections {
            write!(f, "{separator}{name} {objection}")?;
            separator = "; ";
        }
        Ok(())
    }
}

/// Chooses the eligible node with the lowest (peers + 1) / weight; of equals, the first by name.
///
/// # Errors
/// [`NoPlace`] when none is eligible.
pub fn place(request: &Request<'_>, candidates: &[Candidate<'_>]) -> Result<Placement, NoPlace> {
    let eligible = candidates
        .iter()
        .filter(|node| node.objection(request).is_none());
    match eligible.min_by(|a, b| a.order(b)) {
        Some(node) => Ok(Placement {
            node_id: node.id,
            why: node.why(),
        }),
        None => Err(no_place(request, candidates)),
    }
}

fn no_place(request: &Request<'_>, candidates: &[Candidate<'_>]) -> NoPlace {
    let objection = |node: &Candidate<'_>| Some((node.name.to_owned(), node.objection(request)?));
    let mut objections: Vec<_> = candidates.iter().filter_map(objection).collect();
    objections.sort_by(|a, b| a.0.cmp(&b.0));
    NoPlace { objections }
}

#[cfg(test)]
mod tests;
