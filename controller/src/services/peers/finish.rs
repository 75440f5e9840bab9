//! What follows a commit: the workers are woken, the caller kept for a short while.

use std::time::Duration;

use tonic::Status;
use wgfleet_proto::v1::Peer;

use super::view;
use crate::{
    dispatch::WorkerState,
    failpoint,
    services::Core,
    store::{NodeId, PeerId},
};

/// A node whose peers are others now, and its generation with that change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Touched {
    pub(super) node: NodeId,
    pub(super) generation: u64,
}

/// Wakes the nodes, waits until the nodes agree or the caller was kept long
/// enough, and reads the peer as it stands then.
///
/// # Errors
/// When the store can't be read: the change holds all the same.
pub(super) async fn settle(core: &Core, id: PeerId, touched: &[Touched]) -> Result<Peer, Status> {
    failpoint!("services.peer.committed");
    wake(core, touched);
    if !touched.is_empty() {
        wait(core, touched).await;
    }
    let settled = view::read(core, id).await;
    failpoint!("services.peer.answering");
    settled
}

/// Lets the workers look at the store.
pub(super) fn wake(core: &Core, touched: &[Touched]) {
    for Touched { node, .. } in touched {
        core.dispatch.wake(*node);
    }
}

/// Waits for all nodes at once, and no longer than the caller may be kept. A node that can't be
/// written to now is not waited for.
pub(super) async fn wait(core: &Core, touched: &[Touched]) {
    let settled = touched.iter().map(|Touched { node, generation }| {
        let within = patience(core, *node);
        core.dispatch.settled(*node, *generation, within)
    });
    futures_util::future::join_all(settled).await;
}

fn patience(core: &Core, node: NodeId) -> Duration {
    match core.dispatch.worker(node).map(|worker| worker.state) {
        Some(WorkerState::BackingOff | WorkerState::Held | WorkerState::Stopped) => Duration::ZERO,
        Some(WorkerState::Idle | WorkerState::Working) | None => core.options.apply_wait,
    }
}
