//! Deleting a peer: gone from the store at once, and from its nodes for as long as it takes.

use tonic::Status;
use wgfleet_proto::v1::{PeerDeleted, Sync, event::Kind};
use wire_contract::PublicKey;

use super::{
    finish::{self, Touched},
    record, view,
};
use crate::{
    events, failpoint,
    services::{Core, auth::Caller, etag},
    store::{
        NodeId, PeerId, SyncState, WriteTx, audit, generation, nodes, peer_nodes, peers, tombstones,
    },
};

/// Deletes a peer. Its addresses are free from here on: a plan takes peers away before it adds any,
/// so the kernel never sees an address twice. Whether its node is rid of it already.
///
/// # Errors
/// `peer_not_found`.
pub(super) async fn delete(
    core: &Core,
    caller: Caller,
    id: PeerId,
    if_match: Vec<String>,
) -> Result<Sync, Status> {
    let now_s = core.now_s();
    let gone = core
        .change(move |tx| remove(tx, (id, &if_match), &caller, now_s))
        .await?;
    failpoint!("services.peer.deleted");
    finish::wake(core, &gone.touched);
    finish::wait(core, &gone.touched).await;
    standing(core, gone.node, gone.public_key).await
}

/// A peer that is gone from the store.
pub(super) struct Gone {
    pub(super) node: NodeId,
    pub(super) public_key: PublicKey,
    pub(super) touched: Vec<Touched>,
}

/// Deletes a peer in the store.
///
/// # Errors
/// `peer_not_found`, or `etag_mismatch`.
pub(super) fn remove(
    tx: &WriteTx<'_>,
    (id, if_match): (PeerId, &[String]),
    caller: &Caller,
    now_s: i64,
) -> Result<Gone, Status> {
    let row = caller.peer(tx, id)?;
    etag::check(if_match, &view::committed(row.clone(), now_s).etag)?;
    let mut touched = Vec::new();
    for node in peer_nodes::nodes_of(tx, id)? {
        let generation = generation::bump(tx, node)?;
        touched.push(Touched { node, generation });
    }
    peers::delete(tx, id, now_s)?;
    let before = record::describe(&row);
    let object = ("peer", id.to_string());
    let entry = caller.audit(now_s, "peer.delete", object, Some(before.into()), None);
    audit::append(tx, &entry)?;
    let deleted = PeerDeleted {
        peer_id: id.to_string(),
        node_id: row.node_id.to_string(),
        public_key: row.public_key.to_string(),
    };
    events::record(tx, now_s, Kind::PeerDeleted(deleted))?;
    Ok(Gone {
        node: row.node_id,
        public_key: row.public_key,
        touched,
    })
}

/// Whether the key was seen off the node. A node that was deleted meanwhile has no keys at all.
async fn standing(core: &Core, id: NodeId, key: PublicKey) -> Result<Sync, Status> {
    let read = move |conn: &_| {
        let mut tombstones = tombstones::list(conn, id)?.into_iter();
        let state = tombstones.find(|tombstone| tombstone.public_key == key);
        let state = state.map_or(SyncState::Applied, |tombstone| tombstone.sync_state);
        let nodes = nodes::list(conn)?;
        Ok((state, nodes.into_iter().find(|node| node.id == id)))
    };
    let (state, node) = core.store.read(read).await?;
    Ok(match node {
        Some(node) => view::sync(core, &node, state, String::new()),
        None => Sync {
            state: wgfleet_proto::v1::SyncState::Applied.into(),
            reason: String::new(),
        },
    })
}
