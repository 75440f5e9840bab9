//! How the fleet is, for the metrics.

use crate::{
    dispatch::WorkerState,
    metrics::fleet::Fleet,
    services::Core,
    store::{Connection, NodeStatus, StoreError, nodes, peer_nodes, peer_nodes::SyncCounts},
};

/// `None` when the store can't be read just now; the log says why.
pub(super) async fn look(core: &Core) -> Option<Fleet> {
    match core.store.read(read).await {
        Ok((nodes, sync)) => Some(count(core, &nodes, sync)),
        Err(error) => {
            tracing::warn!(%error, "the metrics lack how the fleet is");
            None
        }
    }
}

fn read(conn: &Connection) -> Result<(Vec<nodes::NodeRow>, SyncCounts), StoreError> {
    Ok((nodes::list(conn)?, peer_nodes::sync_counts(conn)?))
}

fn count(core: &Core, nodes: &[nodes::NodeRow], sync: SyncCounts) -> Fleet {
    let mut fleet = Fleet {
        peers: [
            ("applied", sync.applied),
            ("pending", sync.pending),
            ("failed", sync.failed),
        ],
        queued: sync.queued,
        oldest_queued_s: sync.oldest_change_at.map_or(0, |at| {
            u64::try_from(core.now_s().saturating_sub(at)).unwrap_or(0)
        }),
        ..Fleet::default()
    };
    let statuses = [
        NodeStatus::Online,
        NodeStatus::Offline,
        NodeStatus::Error,
        NodeStatus::Disabled,
    ];
    let now = |node: &nodes::NodeRow| {
        let seen = core.dispatch.seen(node.id);
        seen.map_or(node.state.status, |seen| seen.status)
    };
    fleet.nodes = statuses.map(|status| {
        let count = nodes.iter().filter(|node| now(node) == status).count();
        (status.as_str(), count as u64)
    });
    let online = |node: &nodes::NodeRow| {
        let dump = core.dispatch.observed(node.id);
        dump.peers.values().filter(|peer| peer.online).count() as u64
    };
    fleet.peers_online = nodes.iter().map(online).sum();
    for (_, worker) in core.dispatch.workers_now() {
        match worker.state {
            WorkerState::BackingOff => fleet.backing_off += 1,
            WorkerState::Held => fleet.held += 1,
            WorkerState::Idle | WorkerState::Working | WorkerState::Stopped => {}
        }
    }
    fleet
}
