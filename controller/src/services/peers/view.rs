//! Peers as callers see them: declared in the store, observed by the workers.

use tonic::Status;
use wgfleet_proto::v1::{Peer, Sync, SyncState as ProtoSync};

use crate::{
    dispatch::{Dispatch, ObservedPeer},
    events::shown_peer,
    services::{Core, auth::Caller},
    store::{
        Connection, NodeStatus, PeerId, StoreError, SyncState,
        nodes::{self, NodeRow},
        peers::{self, PeerRow},
    },
};

/// One peer as it stands now.
///
/// # Errors
/// `peer_not_found`.
pub(in crate::services) async fn read(core: &Core, id: PeerId) -> Result<Peer, Status> {
    let (row, node) = core
        .look(move |conn| {
            let row = peers::get(conn, id)?;
            let node = nodes::get(conn, row.node_id)?;
            Ok((row, node))
        })
        .await?;
    Ok(present(core, row, &node))
}

/// A row as it was just committed: not yet seen anywhere.
pub(in crate::services) fn committed(row: PeerRow, now_s: i64) -> Peer {
    let sync = Sync {
        state: ProtoSync::Pending.into(),
        reason: String::new(),
    };
    shown_peer(row, sync, &ObservedPeer::default(), now_s)
}

/// The same, when it is this caller's to see.
///
/// # Errors
/// `peer_not_found`.
pub(in crate::services) async fn read_for(
    core: &Core,
    caller: &Caller,
    id: PeerId,
) -> Result<Peer, Status> {
    let caller = caller.clone();
    core.look(move |conn| Ok(caller.peer(conn, id)?)).await?;
    read(core, id).await
}

/// A row with what was last seen of it.
pub(in crate::services) fn present(core: &Core, row: PeerRow, node: &NodeRow) -> Peer {
    present_by(&core.dispatch, row, node, core.now_s())
}

/// One peer for an event, from within the transaction that changes it.
///
/// # Errors
/// When it can't be read.
pub(in crate::services) fn within(
    conn: &Connection,
    dispatch: &Dispatch,
    id: PeerId,
    now_s: i64,
) -> Result<Peer, StoreError> {
    let row = peers::get(conn, id)?;
    let node = nodes::get(conn, row.node_id)?;
    Ok(present_by(dispatch, row, &node, now_s))
}

fn present_by(dispatch: &Dispatch, row: PeerRow, node: &NodeRow, now_s: i64) -> Peer {
    let dump = dispatch.observed(row.node_id);
    let seen = dump.peer(&row.public_key);
    let sync = sync_by(dispatch, node, row.sync_state, row.sync_reason.clone());
    shown_peer(row, sync, seen.unwrap_or(&ObservedPeer::default()), now_s)
}

/// A sync state with a reason whenever it is not applied: the worker's, or else why the worker has
/// not got there.
pub(in crate::services) fn sync(
    core: &Core,
    node: &NodeRow,
    state: SyncState,
    reason: String,
) -> Sync {
    sync_by(&core.dispatch, node, state, reason)
}

fn sync_by(dispatch: &Dispatch, node: &NodeRow, state: SyncState, reason: String) -> Sync {
    let reason = match state {
        SyncState::Applied => String::new(),
        SyncState::Pending if reason.is_empty() => waiting(dispatch, node),
        SyncState::Pending | SyncState::Failed => reason,
    };
    let state = match state {
        SyncState::Applied => ProtoSync::Applied,
        SyncState::Pending => ProtoSync::Pending,
        SyncState::Failed => ProtoSync::Failed,
    };
    Sync {
        state: state.into(),
        reason,
    }
}

fn waiting(dispatch: &Dispatch, node: &NodeRow) -> String {
    let name = &node.settings.name;
    if !node.settings.enabled {
        return format!("{name} is disabled");
    }
    if node.writes_held {
        return format!("nothing is written to {name} until its plan is confirmed");
    }
    let status = match node.state.status {
        NodeStatus::Offline => Some("offline"),
        NodeStatus::Error => Some("in error"),
        NodeStatus::Online | NodeStatus::Disabled => None,
    };
    if let Some(status) = status {
        let separator = if node.state.status_reason.is_empty() {
            ""
        } else {
            ": "
        };
        return format!("{name} is {status}{separator}{}", node.state.status_reason);
    }
    let error = dispatch.worker(node.id).map(|worker| worker.last_error);
    match error.filter(|error| !error.is_empty()) {
        Some(error) => error,
        None => format!("not yet seen on {name}"),
    }
}
