//! Deleting a node, and what becomes of its peers.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;
use tonic::{Code, Status};
use wgfleet_proto::v1::{self, DeletePeers, event::Kind};

use super::{moving, view};
use crate::{
    domain::plan::Consent,
    events, failpoint,
    services::{
        Core,
        auth::Caller,
        status::{invalid, no_such_node, parse_id, refuse},
    },
    store::{
        NodeId, WriteTx, allocations, audit, generation,
        nodes::{self, NodeRow},
        peer_nodes, peers, tombstones,
    },
};

/// How long the peers of a node that goes may take to leave, in waits for one change.
const PATIENCE: u32 = 5;
const FORGET_HINT: &str = "peers=forget deletes the node all the same and leaves them there";

/// What one transaction did to peers of the node that goes.
#[derive(Default)]
pub(super) struct Gone {
    pub(super) count: u32,
    /// Other nodes that these peers were on, too.
    pub(super) elsewhere: Vec<NodeId>,
}

pub(super) async fn delete(
    core: &Core,
    caller: Caller,
    request: v1::DeleteNodeRequest,
) -> Result<v1::DeleteNodeResponse, Status> {
    let id: NodeId = parse_id(&request.id, no_such_node)?;
    let what = DeletePeers::try_from(request.peers)
        .map_err(|_| invalid("peers", "refuse, move, delete or forget"))?;
    let (sealer, if_match) = (core.store.sealer(), request.if_match.clone());
    let asks = caller.clone();
    let row = core
        .look(move |conn| {
            let row = asks.node(conn, id)?;
            view::check_etag((conn, &sealer), &asks, &row, &if_match)?;
            Ok(row)
        })
        .await?;
    let mut gone = match what {
        _ if row.peer_count == 0 => take_leave(core, &row).await?,
        DeletePeers::Unspecified | DeletePeers::Refuse => return Err(has_peers(&row)),
        DeletePeers::Move => moving::move_all(core, &caller, &row).await?,
        DeletePeers::Delete => delete_all(core, &caller, &row).await?,
        DeletePeers::Forget => Gone::default(),
    };
    failpoint!("nodes.before_delete");
    let forget = what == DeletePeers::Forget;
    let now_s = core.now_s();
    let forgotten = core
        .change(move |tx| {
            let row = caller.node(tx, id)?;
            view::check_etag((tx, tx.sealer()), &caller, &row, &request.if_match)?;
            remove(tx, id, &caller, forget, now_s)
        })
        .await?;
    failpoint!("nodes.deleted");
    gone.count += forgotten.count;
    gone.elsewhere.extend(forgotten.elsewhere);
    core.dispatch.reload(id).await?;
    gone.wake(core);
    Ok(v1::DeleteNodeResponse {
        peer_count: gone.count,
    })
}

impl Gone {
    /// Wakes the other nodes.
    fn wake(&mut self, core: &Core) {
        self.elsewhere
            .drain(..)
            .for_each(|node| core.dispatch.wake(node));
    }
}

/// The time that peers of the node may take to leave.
pub(super) fn deadline(core: &Core) -> Instant {
    Instant::now() + core.options.apply_wait * PATIENCE
}

/// Waits until the worker has dealt with what is declared now. Whether the node was seen so.
pub(super) async fn settled(core: &Core, id: NodeId, within: Duration) -> Result<bool, Status> {
    let (desired, _) = core
        .look(move |conn| Ok(generation::get(conn, id)?))
        .await?;
    if !core.dispatch.settled(id, desired, within).await {
        return Ok(false);
    }
    let left = core.look(move |conn| Ok(peer_nodes::unsettled(conn, id)?));
    Ok(left.await?.count == 0)
}

/// Peers deleted before may still be on the node: it gets the time of one change to let them go.
async fn take_leave(core: &Core, row: &NodeRow) -> Result<Gone, Status> {
    let id = row.id;
    let left = core
        .look(move |conn| Ok(tombstones::list(conn, id)?))
        .await?;
    if row.settings.enabled && !left.is_empty() {
        core.dispatch.wake(id);
        settled(core, id, core.options.apply_wait).await?;
    }
    Ok(Gone::default())
}

/// Takes all peers off the node, in the store and then in the kernel.
async fn delete_all(core: &Core, caller: &Caller, row: &NodeRow) -> Result<Gone, Status> {
    let id = row.id;
    refuse_unreachable(core, row).await?;
    let (caller, now_s) = (caller.clone(), core.now_s());
    let mut gone = core
        .change(move |tx| {
            let gone = bury_all(tx, id, now_s)?;
            let object = ("node", id.to_string());
            let after = json!({ "peers_deleted": gone.count });
            let entry = caller.audit(now_s, "node.delete_peers", object, None, Some(after));
            audit::append(tx, &entry)?;
            Ok(gone)
        })
        .await?;
    failpoint!("nodes.peers_deleted");
    core.dispatch.wake(id);
    gone.wake(core);
    let within = deadline(core) - Instant::now();
    if settled(core, id, within).await? {
        return Ok(gone);
    }
    let message = format!(
        "the peers are deleted, but the node {} was not seen without them yet, so it stays until it \
         is: delete it again later; {FORGET_HINT}",
        row.settings.name
    );
    Err(refuse(Code::Unavailable, "node_not_settled", None, message))
}

async fn refuse_unreachable(core: &Core, row: &NodeRow) -> Result<(), Status> {
    let name = &row.settings.name;
    match core.dispatch.plan(row.id).await {
        Ok(view) if view.consent == Consent::Nothing => {
            let message = format!(
                "nothing is written to the node {name} until its plan is confirmed; {FORGET_HINT}"
            );
            let code = "node_awaits_confirmation";
            Err(refuse(Code::FailedPrecondition, code, None, message))
        }
        Ok(_) => Ok(()),
        Err(error) => {
            let message =
                format!("the peers can't be taken off the node {name}: {error}; {FORGET_HINT}");
            let code = "node_unreachable";
            Err(refuse(Code::FailedPrecondition, code, None, message))
        }
    }
}

/// Deletes what is left of the node. Its tombstones go with it: nothing is written there any more.
fn remove(
    tx: &WriteTx<'_>,
    id: NodeId,
    caller: &Caller,
    forget: bool,
    now_s: i64,
) -> Result<Gone, Status> {
    caller.node(tx, id)?;
    let gone = if forget {
        bury_all(tx, id, now_s)?
    } else {
        Gone::default()
    };
    let row = nodes::get(tx, id)?;
    if row.peer_count > 0 {
        return Err(has_peers(&row));
    }
    let pools = super::pools::text(&crate::store::pools::list(tx, id)?);
    let before = view::audited(&row.settings, &row.agent_url, &pools);
    nodes::delete(tx, id)?;
    let after = forget.then(|| json!({ "peers_forgotten": gone.count }));
    let object = ("node", id.to_string());
    let entry = caller.audit(now_s, "node.delete", object, Some(before.into()), after);
    audit::append(tx, &entry)?;
    let deleted = v1::NodeDeleted {
        node_id: id.to_string(),
        labels: row.settings.labels,
    };
    events::record(tx, now_s, Kind::NodeDeleted(deleted))?;
    Ok(gone)
}

/// Deletes every peer that is on the node, with a tombstone wherever it is; one that was leaving for
/// another node only leaves at once.
fn bury_all(tx: &WriteTx<'_>, id: NodeId, now_s: i64) -> Result<Gone, Status> {
    let mut gone = Gone::default();
    generation::bump(tx, id)?;
    for peer in peer_nodes::desired(tx, tx.sealer(), id)? {
        if peer.moving_to.is_some() {
            tombstones::bury(tx, id, &peer.public_key, now_s)?;
            allocations::release(tx, peer.peer_id, Some(id))?;
            continue;
        }
        for other in peer_nodes::nodes_of(tx, peer.peer_id)? {
            if other != id && !gone.elsewhere.contains(&other) {
                generation::bump(tx, other)?;
                gone.elsewhere.push(other);
            }
        }
        peers::delete(tx, peer.peer_id, now_s)?;
        gone.count += 1;
        let deleted = v1::PeerDeleted {
            peer_id: peer.peer_id.to_string(),
            node_id: id.to_string(),
            public_key: peer.public_key.to_string(),
        };
        events::record(tx, now_s, Kind::PeerDeleted(deleted))?;
    }
    Ok(gone)
}

fn has_peers(row: &NodeRow) -> Status {
    let message = format!(
        "the node {} has {} peers: say peers=move, peers=delete or peers=forget",
        row.settings.name, row.peer_count
    );
    refuse(
        Code::FailedPrecondition,
        "node_has_peers",
        Some("peers"),
        message,
    )
}
