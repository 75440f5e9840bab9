//! Which node a peer goes to, decided inside the transaction that puts it there.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    net::IpAddr,
    sync::Arc,
};

use tonic::{Code, Status};

use super::kernel::KernelCount;
use crate::{
    domain::{
        allocation::Family,
        placement::{Candidate, Request, place},
        status,
    },
    services::{
        auth::Caller,
        status::{no_such_node, refuse},
    },
    store::{
        NodeId, NodeStatus, WriteTx,
        nodes::NodeRow,
        pools::{self, PoolRow},
    },
};

/// Where a peer is to go.
#[derive(Debug, Clone)]
pub(in crate::services) enum Target {
    /// The caller says where.
    Given(NodeId),
    /// The node that would carry the least, among those with these labels.
    Picked(BTreeMap<String, String>),
    /// The same among all nodes but this one, which goes.
    AnyBut(NodeId),
}

impl Target {
    /// The node, when the caller said which.
    pub(in crate::services) const fn given(&self) -> Option<NodeId> {
        match self {
            Self::Given(id) => Some(*id),
            Self::Picked(_) | Self::AnyBut(_) => None,
        }
    }
}

/// The node, and why it.
pub(in crate::services) struct Chosen {
    pub(in crate::services) node: NodeRow,
    pub(in crate::services) why: String,
}

/// What the last dumps count, by node.
pub(in crate::services) type Counts = HashMap<NodeId, KernelCount>;

/// The addresses a node's last dump shows with peers that nobody declared.
pub(in crate::services) fn in_use(counts: &Counts, node: NodeId) -> Arc<HashSet<IpAddr>> {
    let of_node = counts.get(&node);
    of_node
        .map(|kernel| Arc::clone(&kernel.undeclared_addresses))
        .unwrap_or_default()
}

/// All nodes of the caller as one transaction sees them, with what it has placed on them itself.
pub(in crate::services) struct Placer<'a> {
    counts: &'a Counts,
    nodes: Vec<NodeRow>,
    families: HashMap<NodeId, Vec<(Family, bool)>>,
}

impl<'a> Placer<'a> {
    /// Reads the nodes.
    ///
    /// # Errors
    /// When they can't be read.
    pub(in crate::services) fn read(
        tx: &WriteTx<'_>,
        caller: &Caller,
        counts: &'a Counts,
    ) -> Result<Self, Status> {
        Ok(Self {
            counts,
            nodes: caller.nodes(tx)?,
            families: families(tx, counts)?,
        })
    }

    /// Chooses the node. `needs_addresses` says whether its pools are to give them.
    ///
    /// # Errors
    /// `no_node_fits` with what was wrong with each; of a given node `node_not_found` or
    /// `node_full`.
    pub(in crate::services) fn choose(
        &self,
        target: &Target,
        needs_addresses: bool,
    ) -> Result<Chosen, Status> {
        match target {
            Target::Given(id) => {
                let node = self.nodes.iter().find(|node| node.id == *id);
                let node = node.ok_or_else(no_such_node)?.clone();
                refuse_full(&node, self.counts)?;
                let why = format!("{}: asked for", node.settings.name);
                Ok(Chosen { node, why })
            }
            Target::Picked(selector) => self.pick(selector, None, needs_addresses),
            Target::AnyBut(id) => self.pick(&BTreeMap::new(), Some(*id), needs_addresses),
        }
    }

    /// Takes note of a peer that was put on a node: it may have got the last address.
    ///
    /// # Errors
    /// When the node's pools can't be read.
    pub(in crate::services) fn placed(
        &mut self,
        tx: &WriteTx<'_>,
        node: NodeId,
    ) -> Result<(), Status> {
        if let Some(row) = self.nodes.iter_mut().find(|row| row.id == node) {
            row.peer_count += 1;
        }
        let mut families = Vec::new();
        for pool in pools::list(tx, node)? {
            note_room(tx, &pool, self.counts, &mut families)?;
        }
        self.families.insert(node, families);
        Ok(())
    }

    fn pick(
        &self,
        selector: &BTreeMap<String, String>,
        except: Option<NodeId>,
        needs_addresses: bool,
    ) -> Result<Chosen, Status> {
        let nodes = self.nodes.iter().filter(|node| Some(node.id) != except);
        let candidates: Vec<_> = nodes
            .map(|node| candidate(node, self.counts, &self.families))
            .collect();
        let request = Request {
            selector,
            needs_addresses,
        };
        let placement = place(&request, &candidates)?;
        let is_chosen = |node: &&NodeRow| *node.id.as_uuid() == placement.node_id;
        let node = self.nodes.iter().find(is_chosen).expect("one of them");
        Ok(Chosen {
            node: node.clone(),
            why: placement.why,
        })
    }
}

/// A given node may be offline, of any weight and disabled, but never beyond what it may hold.
///
/// # Errors
/// `node_full`.
pub(in crate::services) fn refuse_full(node: &NodeRow, counts: &Counts) -> Result<(), Status> {
    let kernel = counts.get(&node.id).cloned().unwrap_or_default();
    let declared_and_not = node.peer_count.saturating_add(kernel.undeclared);
    let (peers, max_peers) = (declared_and_not.max(kernel.peers), node.settings.max_peers);
    if max_peers == 0 || peers < max_peers {
        return Ok(());
    }
    let name = &node.settings.name;
    let message = format!("{name} is full: {peers} of {max_peers} peers");
    let code = Code::ResourceExhausted;
    Err(refuse(code, "node_full", Some("node_id"), message))
}

fn candidate<'a>(
    node: &'a NodeRow,
    counts: &Counts,
    families: &'a HashMap<NodeId, Vec<(Family, bool)>>,
) -> Candidate<'a> {
    let kernel = counts.get(&node.id).cloned().unwrap_or_default();
    Candidate {
        id: *node.id.as_uuid(),
        name: &node.settings.name,
        enabled: node.settings.enabled,
        status: status_of(node.state.status),
        status_reason: &node.state.status_reason,
        weight: node.settings.weight,
        max_peers: node.settings.max_peers,
        peers_in_store: node.peer_count,
        peers_in_kernel: kernel.peers,
        undeclared_in_kernel: kernel.undeclared,
        families: families.get(&node.id).map_or(&[], Vec::as_slice),
        labels: &node.settings.labels,
    }
}

/// For each node the families of its pools, and whether one of those has an address left.
fn families(
    tx: &WriteTx<'_>,
    counts: &Counts,
) -> Result<HashMap<NodeId, Vec<(Family, bool)>>, Status> {
    let mut of_nodes: HashMap<NodeId, Vec<(Family, bool)>> = HashMap::new();
    for (_, pool) in pools::list_all(tx)? {
        note_room(tx, &pool, counts, of_nodes.entry(pool.node_id).or_default())?;
    }
    Ok(of_nodes)
}

fn note_room(
    tx: &WriteTx<'_>,
    pool: &PoolRow,
    counts: &Counts,
    families: &mut Vec<(Family, bool)>,
) -> Result<(), Status> {
    let family = Family::of(pool.cidr.network());
    let has_room = pools::has_room(tx, pool, &in_use(counts, pool.node_id))?;
    match families.iter_mut().find(|(known, _)| *known == family) {
        Some((_, room)) => *room |= has_room,
        None => families.push((family, has_room)),
    }
    Ok(())
}

const fn status_of(status: NodeStatus) -> status::NodeStatus {
    match status {
        NodeStatus::Online => status::NodeStatus::Online,
        NodeStatus::Offline => status::NodeStatus::Offline,
        NodeStatus::Error => status::NodeStatus::Error,
        NodeStatus::Disabled => status::NodeStatus::Disabled,
    }
}
