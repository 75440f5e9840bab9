//! Peers as callers see them: declared in the store, observed by the workers.

use tonic::Status;
use wgfleet_proto::v1::{Peer, Sync, SyncState as ProtoSync};

use crate::{
    dispatch::ObservedPeer,
    services::{Core, auth::Caller, etag},
    store::{
        NodeStatus, PeerId, SyncState,
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
pub(in crate::services) fn committed(row: PeerRow) -> Peer {
    let sync = Sync {
        state: ProtoSync::Pending.into(),
        reason: String::new(),
    };
    join(row, sync, &ObservedPeer::default())
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
    let dump = core.dispatch.observed(row.node_id);
    let seen = dump.peer(&row.public_key);
    let sync = sync(core, node, row.sync_state, row.sync_reason.clone());
    join(row, sync, seen.unwrap_or(&ObservedPeer::default()))
}

fn join(row: PeerRow, sync: Sync, seen: &ObservedPeer) -> Peer {
    let settings = row.settings;
    let mut peer = Peer {
        id: row.id.to_string(),
        name: settings.name,
        node_id: row.node_id.to_string(),
        public_key: row.public_key.to_string(),
        has_preshared_key: row.has_preshared_key,
        preshared_key_known: row.psk_confirmed,
        allowed_ips: texts(&row.allowed_ips),
        persistent_keepalive: settings.persistent_keepalive.as_secs().into(),
        labels: settings.labels,
        enabled: settings.enabled,
        disabled_reason: settings.disabled_reason,
        expires_at: settings.expires_at,
        dns: settings.dns,
        mtu: settings.mtu,
        client_allowed_ips: texts(&settings.client_allowed_ips),
        private_key_kept: row.has_private_key,
        sync: Some(sync),
        online: seen.online,
        endpoint: seen.endpoint.map(|at| at.to_string()).unwrap_or_default(),
        latest_handshake: seen.latest_handshake,
        rx_bytes: seen.rx_bytes,
        tx_bytes: seen.tx_bytes,
        rx_bytes_total: seen.rx_bytes_total,
        tx_bytes_total: seen.tx_bytes_total,
        created_at: row.created_at,
        updated_at: row.updated_at,
        etag: String::new(),
    };
    peer.etag = etag::of_peer(&peer);
    peer
}

/// A sync state with a reason whenever it is not applied: the worker's, or else why the worker has
/// not got there.
pub(in crate::services) fn sync(
    core: &Core,
    node: &NodeRow,
    state: SyncState,
    reason: String,
) -> Sync {
    let reason = match state {
        SyncState::Applied => String::new(),
        SyncState::Pending if reason.is_empty() => waiting(core, node),
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

fn waiting(core: &Core, node: &NodeRow) -> String {
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
    let error = core
        .dispatch
        .worker(node.id)
        .map(|worker| worker.last_error);
    match error.filter(|error| !error.is_empty()) {
        Some(error) => error,
        None => format!("not yet seen on {name}"),
    }
}

fn texts<T: ToString>(values: &[T]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}
