//! Moving a peer: put on the target at once, taken off the source when it was seen on the target.

use tonic::Status;
use wgfleet_proto::v1::{Peer, PeerChanged};
use wire_contract::AllowedIp;

use super::{
    addresses::Place,
    create::refuse_own_key,
    placing::{Counts, in_use, refuse_full},
};
use crate::{
    services::auth::Caller,
    store::{
        NodeId, WriteTx, generation, moves,
        peer_nodes::{self, Placement},
        peers::{self, PeerRow},
    },
};

/// Places the peer on the target and lets it leave every other node once it was seen there. Its own
/// addresses go with it where they fit; `wanted` replaces them.
///
/// # Errors
/// `node_not_found`, `node_full`, `public_key_taken`, or what is wrong with an address.
pub(in crate::services) fn start(
    tx: &WriteTx<'_>,
    caller: &Caller,
    row: &PeerRow,
    (target, counts): (NodeId, &Counts),
    wanted: Option<&[AllowedIp]>,
    now_s: i64,
) -> Result<(), Status> {
    let node = caller.node(tx, target)?;
    refuse_own_key(&node, &row.public_key)?;
    // On its way back it is there already, and takes no more room.
    if !peer_nodes::nodes_of(tx, row.id)?.contains(&target) {
        refuse_full(&node, counts)?;
    }
    let in_use = in_use(counts, target);
    let place = Place::new(tx, &node, row.id, &in_use)?;
    let allowed_ips = match wanted {
        Some(wanted) => place.take(wanted)?,
        None => place.carry_over(&row.allowed_ips)?,
    };
    let placement = Placement {
        node_id: target,
        public_key: row.public_key,
        peer_id: row.id,
        allowed_ips: &allowed_ips,
        psk_confirmed: row.psk_confirmed,
        generation: generation::bump(tx, target)?,
    };
    peer_nodes::place(tx, &placement)?;
    moves::leave_for(tx, row.id, target)?;
    Ok(peers::set_node(tx, row.id, target, now_s)?)
}

/// What is told of a peer that was on the node `before`.
pub(in crate::services) fn changed(before: NodeId, peer: Peer) -> PeerChanged {
    let before = before.to_string();
    let previous_node_id = if before == peer.node_id {
        String::new()
    } else {
        before
    };
    PeerChanged {
        peer: Some(peer),
        previous_node_id,
    }
}
