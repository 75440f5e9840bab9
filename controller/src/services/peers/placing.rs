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
    services::status::refuse,
    store::{
        NodeId, NodeStatus, WriteTx,
        nodes::{self, NodeRow},
        pools,
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

/// Chooses the node. `needs_addresses` says whether its pools are to give them.
///
/// # Errors
/// `no_node_fits` with what was wrong with each; of a given node `node_not_found` or `node_full`.
pub(in crate::services) fn choose(
    tx: &WriteTx<'_>,
    target: &Target,
    counts: &Counts,
    needs_addresses: bool,
) -> Result<Chosen, Status> {
    match target {
        Target::Given(id) => {
            let node = nodes::get(tx, *id)?;
            refuse_full(&node, counts)?;
            let why = format!("{}: asked for", node.settings.name);
            Ok(Chosen { node, why })
        }
        Target::Picked(selector) => pick(tx, (selector, None), counts, needs_addresses),
        Target::AnyBut(id) => pick(tx, (&BTreeMap::new(), Some(*id)), counts, needs_addresses),
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

fn pick(
    tx: &WriteTx<'_>,
    (selector, except): (&BTreeMap<String, String>, Option<NodeId>),
    counts: &Counts,
    needs_addresses: bool,
) -> Result<Chosen, Status> {
    let mut nodes = nodes::list(tx)?;
    nodes.retain(|node| Some(node.id) != except);
    let families = families(tx, counts)?;
    let candidates: Vec<_> = nodes
        .iter()
        .map(|node| candidate(node, counts, &families))
        .collect();
    let request = Request {
        selector,
        needs_addresses,
    };
    let placement = place(&request, &candidates)?;
    let is_chosen = |node: &NodeRow| *node.id.as_uuid() == placement.node_id;
    let at = nodes.iter().position(is_chosen).expect("one of them");
    Ok(Chosen {
        node: nodes.swap_remove(at),
        why: placement.why,
    })
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
        let family = Family::of(pool.cidr.network());
        let has_room = pools::has_room(tx, &pool, &in_use(counts, pool.node_id))?;
        let families = of_nodes.entry(pool.node_id).or_default();
        match families.iter_mut().find(|(known, _)| *known == family) {
            Some((_, room)) => *room |= has_room,
            None => families.push((family, has_room)),
        }
    }
    Ok(of_nodes)
}

const fn status_of(status: NodeStatus) -> status::NodeStatus {
    match status {
        NodeStatus::Online => status::NodeStatus::Online,
        NodeStatus::Offline => status::NodeStatus::Offline,
        NodeStatus::Error => status::NodeStatus::Error,
        NodeStatus::Disabled => status::NodeStatus::Disabled,
    }
}
