//! Moving all peers of a node that goes to other nodes: all of them find a place, or none moves.

use serde_json::json;
use tokio::time::Instant;
use tonic::{Code, Status};
use wgfleet_proto::v1::event::Kind;

use super::delete::{self, Gone};
use crate::{
    dispatch::Dispatch,
    events, failpoint,
    services::{
        Core,
        auth::Caller,
        peers::{
            kernel::KernelCounts,
            moving,
            placing::{Counts, Placer, Target},
            view,
        },
        status::refuse,
    },
    store::{
        NodeId, WriteTx, allocations, audit, generation, moves,
        nodes::{self, NodeRow},
        peer_nodes, peers,
    },
};

pub(super) async fn move_all(
    core: &Core,
    caller: &Caller,
    source: &NodeRow,
) -> Result<Gone, Status> {
    let (id, now_s, caller) = (source.id, core.now_s(), caller.clone());
    let dispatch = core.dispatch.clone();
    let counts = KernelCounts::default().read(core, None).await?;
    let moved = core
        .change(move |tx| place_all(tx, id, (&counts, &dispatch), &caller, now_s))
        .await?;
    failpoint!("nodes.peers_placed");
    let targets = see_them_arrive(core, id).await?;
    take_off_source(core, source, &targets).await?;
    Ok(Gone {
        count: moved,
        elsewhere: targets,
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
    (counts, dispatch): (&Counts, &Dispatch),
    caller: &Caller,
    now_s: i64,
) -> Result<u32, Status> {
    let mut placer = Placer::read(tx, caller, counts)?;
    let mut moved = 0_u32;
    for on_node in peer_nodes::desired(tx, tx.sealer(), source)? {
        if on_node.moving_to.is_some() {
            continue;
        }
        let peer = peers::get(tx, on_node.peer_id)?;
        let needs_addresses = !allocations::of_peer(tx, peer.id)?.is_empty();
        let chosen = placer.choose(&Target::AnyBut(source), needs_addresses)?;
        moving::start(tx, caller, &peer, (chosen.node.id, counts), None, now_s)?;
        placer.placed(tx, chosen.node.id)?;
        let changed = moving::changed(source, view::within(tx, dispatch, peer.id, now_s)?);
        events::record(tx, now_s, Kind::PeerChanged(changed))?;
        moved += 1;
    }
    generation::bump(tx, source)?;
    let object = ("node", source.to_string());
    let after = json!({ "peers_moved": moved });
    let entry = caller.audit(now_s, "node.move_peers", object, None, Some(after));
    audit::append(tx, &entry)?;
    Ok(moved)
}
