//! Moving all peers of a node that goes to other nodes: all of them find a place, or none moves.

use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
};

use serde_json::json;
use tokio::time::Instant;
use tonic::{Code, Status};
use wire_contract::AllowedIp;

use super::delete::{self, Gone};
use crate::{
    domain::{
        allocation::Family,
        labels::Labels,
        placement::{self, Candidate, Request},
        status,
    },
    failpoint,
    services::{Core, auth::Caller, status::refuse},
    store::{
        Connection, NodeId, PeerId, StoreError, WriteTx, allocations, audit, generation, moves,
        nodes::{self, NodeRow},
        peer_nodes::{self, Placement},
        peers::{self, PeerRow},
        pools::{self, PoolRow},
    },
};

/// What the nodes' last dumps showed.
type InKernel = HashMap<NodeId, Shown>;

/// Of one node.
#[derive(Default)]
struct Shown {
    peers: u32,
    /// Those that nobody declared.
    undeclared: u32,
    /// The single addresses those have.
    in_use: HashSet<IpAddr>,
}

pub(super) async fn move_all(
    core: &Core,
    caller: &Caller,
    source: &NodeRow,
) -> Result<Gone, Status> {
    let (id, now_s, caller) = (source.id, core.now_s(), caller.clone());
    let in_kernel = in_kernel(core, id).await?;
    let moved = core
        .change(move |tx| place_all(tx, id, &in_kernel, &caller, now_s))
        .await?;
    failpoint!("nodes.peers_placed");
    let targets = see_them_arrive(core, id).await?;
    take_off_source(core, source, &targets).await?;
    Ok(Gone {
        count: moved.len().try_into().unwrap_or(u32::MAX),
        elsewhere: targets,
        events: Vec::new(),
    })
}

/// Waits for the targets; then lets the source go of what arrived there.
async fn see_them_arrive(core: &Core, source: NodeId) -> Result<Vec<NodeId>, Status> {
    let targets = core
        .look(move |conn| Ok(peer_nodes::targets(conn, source)?))
        .await?;
    let deadline = delete::deadline(core);
    targets
        .iter()
        .for_each(|target| core.dispatch.wake(*target));
    for target in &targets {
        let left = deadline.saturating_duration_since(Instant::now());
        delete::settled(core, *target, left).await?;
    }
    Ok(targets)
}

async fn take_off_source(core: &Core, source: &NodeRow, targets: &[NodeId]) -> Result<(), Status> {
    let (id, now_s, targets) = (source.id, core.now_s(), targets.to_vec());
    let left = core
        .change(move |tx| {
            // The targets' workers do the same; whoever comes second finds nothing to do.
            for target in targets {
                moves::finish(tx, target, now_s)?;
            }
            Ok(nodes::get(tx, id)?.peer_count)
        })
        .await?;
    failpoint!("nodes.peers_moved");
    if left > 0 {
        let message = format!(
            "{left} peers of the node {} were not seen on their new nodes yet, so it stays until they \
             are: delete it again later",
            source.settings.name
        );
        return Err(refuse(Code::Unavailable, "node_not_settled", None, message));
    }
    if source.settings.enabled {
        // A source that still lives should not let them in any more; one that is down may not be
        // waited for.
        core.dispatch.wake(id);
        delete::settled(core, id, core.options.apply_wait).await?;
    }
    Ok(())
}

fn place_all(
    tx: &WriteTx<'_>,
    source: NodeId,
    in_kernel: &InKernel,
    caller: &Caller,
    now_s: i64,
) -> Result<Vec<(PeerId, NodeId)>, Status> {
    let mut targets = Targets::read(tx, source, in_kernel)?;
    let mut moved = Vec::new();
    for on_node in peer_nodes::desired(tx, tx.sealer(), source)? {
        if on_node.moving_to.is_some() {
            continue;
        }
        let peer = peers::get(tx, on_node.peer_id)?;
        let held = allocations::of_peer(tx, peer.id)?;
        let target = targets.choose(tx, !held.is_empty())?;
        let held: Vec<_> = held.iter().map(|given| given.address).collect();
        let in_use = in_kernel.get(&target).map(|shown| &shown.in_use);
        move_peer(tx, &peer, (&held, in_use), target, now_s)?;
        moved.push((peer.id, target));
    }
    generation::bump(tx, source)?;
    let object = ("node", source.to_string());
    let after = json!({ "peers_moved": moved.len() });
    let entry = caller.audit(now_s, "node.move_peers", object, None, Some(after));
    audit::append(tx, &entry)?;
    Ok(moved)
}

/// Puts one peer on another node too, and means it to leave all others.
fn move_peer(
    tx: &WriteTx<'_>,
    peer: &PeerRow,
    (held, in_use): (&[IpAddr], Option<&HashSet<IpAddr>>),
    target: NodeId,
    now_s: i64,
) -> Result<(), Status> {
    let nothing = HashSet::new();
    let allowed_ips = addresses_on(tx, peer, (held, in_use.unwrap_or(&nothing)), target)?;
    let placement = Placement {
        node_id: target,
        public_key: peer.public_key,
        peer_id: peer.id,
        allowed_ips: &allowed_ips,
        psk_confirmed: peer.psk_confirmed,
        generation: generation::bump(tx, target)?,
    };
    peer_nodes::place(tx, &placement)?;
    peers::set_node(tx, peer.id, target, now_s)?;
    Ok(moves::leave_for(tx, peer.id, target)?)
}

/// What it brought itself it keeps; of what it was given it keeps what fits, and gets the rest anew.
fn addresses_on(
    tx: &WriteTx<'_>,
    peer: &PeerRow,
    (held, in_use): (&[IpAddr], &HashSet<IpAddr>),
    target: NodeId,
) -> Result<Vec<AllowedIp>, Status> {
    let is_held = |cidr: &AllowedIp| is_host(cidr) && held.contains(&cidr.network());
    let brought = peer.allowed_ips.iter().filter(|cidr| !is_held(cidr));
    let mut list: Vec<_> = brought.copied().collect();
    if held.is_empty() {
        return Ok(list);
    }
    let pools = pools::list(tx, target)?;
    for family in Family::ALL {
        let of_family = |pool: &&PoolRow| Family::of(pool.cidr.network()) == family;
        let pools: Vec<_> = pools.iter().filter(of_family).cloned().collect();
        if pools.is_empty() {
            continue;
        }
        let old = held.iter().copied().find(|it| Family::of(*it) == family);
        list.extend(host(take(tx, &pools, (old, in_use), peer.id)?));
    }
    Ok(list)
}

fn take(
    tx: &WriteTx<'_>,
    pools: &[PoolRow],
    (old, in_use): (Option<IpAddr>, &HashSet<IpAddr>),
    peer: PeerId,
) -> Result<IpAddr, StoreError> {
    if let Some(old) = old.filter(|old| !in_use.contains(old)) {
        match allocations::allocate_exact(tx, pools, old, peer) {
            Ok(given) => return Ok(given.address),
            Err(StoreError::Conflict { .. } | StoreError::AddressRefused { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(allocations::allocate_next_except(tx, pools, peer, in_use)?.address)
}

fn host(address: IpAddr) -> Option<AllowedIp> {
    AllowedIp::new(address, Family::of(address).bits())
}

fn is_host(cidr: &AllowedIp) -> bool {
    Family::of(cidr.network()).bits() == cidr.prefix_len()
}

/// The nodes peers could go to, as they fill up.
struct Targets<'a> {
    rows: Vec<NodeRow>,
    pools: HashMap<NodeId, Vec<PoolRow>>,
    placed: HashMap<NodeId, u32>,
    in_kernel: &'a InKernel,
}

impl<'a> Targets<'a> {
    fn read(
        conn: &Connection,
        source: NodeId,
        in_kernel: &'a InKernel,
    ) -> Result<Self, StoreError> {
        let mut rows = nodes::list(conn)?;
        rows.retain(|row| row.id != source);
        let mut all = HashMap::new();
        for row in &rows {
            all.insert(row.id, pools::list(conn, row.id)?);
        }
        Ok(Self {
            rows,
            pools: all,
            placed: HashMap::new(),
            in_kernel,
        })
    }

    fn choose(&mut self, conn: &Connection, needs_addresses: bool) -> Result<NodeId, Status> {
        let mut families = Vec::with_capacity(self.rows.len());
        for row in &self.rows {
            families.push(self.families(conn, row.id)?);
        }
        let candidates: Vec<_> = self
            .rows
            .iter()
            .zip(&families)
            .map(|(row, families)| self.candidate(row, families))
            .collect();
        let any = Labels::new();
        let request = Request {
            selector: &any,
            needs_addresses,
        };
        let chosen = placement::place(&request, &candidates)?.node_id;
        let row = self.rows.iter().find(|row| *row.id.as_uuid() == chosen);
        let id = row.map(|row| row.id).expect("chosen among these rows");
        *self.placed.entry(id).or_default() += 1;
        Ok(id)
    }

    fn families(&self, conn: &Connection, id: NodeId) -> Result<Vec<(Family, bool)>, StoreError> {
        let mut families: Vec<(Family, bool)> = Vec::new();
        for pool in &self.pools[&id] {
            let (family, has_room) = (
                Family::of(pool.cidr.network()),
                pools::has_room(conn, pool.id)?,
            );
            match families.iter_mut().find(|(known, _)| *known == family) {
                Some((_, room)) => *room |= has_room,
                None => families.push((family, has_room)),
            }
        }
        Ok(families)
    }

    fn candidate<'b>(&self, row: &'b NodeRow, families: &'b [(Family, bool)]) -> Candidate<'b> {
        let shown = self.in_kernel.get(&row.id);
        let placed = self.placed.get(&row.id).copied().unwrap_or_default();
        let status = status::NodeStatus::from_name(row.state.status.as_str());
        Candidate {
            id: *row.id.as_uuid(),
            name: &row.settings.name,
            enabled: row.settings.enabled,
            status: status.unwrap_or(status::NodeStatus::Offline),
            status_reason: &row.state.status_reason,
            weight: row.settings.weight,
            max_peers: row.settings.max_peers,
            peers_in_store: row.peer_count + placed,
            peers_in_kernel: shown.map_or(0, |shown| shown.peers),
            undeclared_in_kernel: shown.map_or(0, |shown| shown.undeclared),
            families,
            labels: &row.settings.labels,
        }
    }
}

async fn in_kernel(core: &Core, source: NodeId) -> Result<InKernel, Status> {
    let rows = core.look(|conn| Ok(nodes::list(conn)?)).await?;
    let mut counts = InKernel::new();
    for id in rows.iter().map(|row| row.id).filter(|id| *id != source) {
        let seen = core.dispatch.observed(id);
        if seen.peers.is_empty() {
            continue;
        }
        let sealer = core.store.sealer();
        let declared: HashSet<_> = core
            .look(move |conn| {
                let declared = peer_nodes::desired(conn, &sealer, id)?;
                Ok(declared.iter().map(|peer| peer.public_key).collect())
            })
            .await?;
        let undeclared = seen.peers.iter();
        let undeclared: Vec<_> = undeclared
            .filter(|(key, _)| !declared.contains(key))
            .collect();
        let networks = undeclared.iter().flat_map(|(_, peer)| &peer.allowed_ips);
        let hosts = networks.filter(|cidr| is_host(cidr));
        let shown = Shown {
            peers: u32::try_from(seen.peers.len()).unwrap_or(u32::MAX),
            undeclared: u32::try_from(undeclared.len()).unwrap_or(u32::MAX),
            in_use: hosts.map(AllowedIp::network).collect(),
        };
        counts.insert(id, shown);
    }
    Ok(counts)
}
