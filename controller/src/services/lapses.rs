//! Peers that expire, use up their quota and come back: at the moment they do, whatever their node
//! is up to.
//!
//! Once a second, and whenever a worker has seen a quota used up, the store is asked what is due.
//! That costs three look-ups in indexes that hold only what is yet to come, needs no timer for each
//! peer, and goes right when the clock jumps or the controller was down in between.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;
use tonic::Status;
use wgfleet_proto::v1::{PeerChanged, PeerExpired, event::Kind};

use super::{Core, peers::view};
use crate::{
    dispatch::Dispatch,
    events,
    store::{Connection, NodeId, PeerId, StoreError, WriteTx, lapses, peers, quotas},
};

/// Peers in one transaction.
const AT_ONCE: u32 = 200;

/// What became of a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lapse {
    Expired,
    UsedUp,
    Back,
}

/// A peer that is another one now, and its nodes.
type Lapsed = (Lapse, PeerId, Vec<NodeId>);

/// Does what is due until told to stop.
pub async fn keep(core: Arc<Core>, stop: CancellationToken) -> &'static str {
    loop {
        if let Err(status) = do_what_is_due(&core).await {
            tracing::warn!(error = status.message(), "expiries and quotas have to wait");
        }
        tokio::select! {
            () = stop.cancelled() => return "the keeper of expiries and quotas",
            () = core.dispatch.quota_used_up() => {}
            () = tokio::time::sleep(until_next_second(&core)) => {}
        }
    }
}

fn until_next_second(core: &Core) -> Duration {
    Duration::from_secs(1) - Duration::from_nanos(core.clock.now().subsec_nanos().into())
}

pub(super) async fn do_what_is_due(core: &Core) -> Result<(), Status> {
    loop {
        let now_s = core.now_s();
        let due = core.store.read(move |conn| due(conn, now_s)).await?;
        if due.is_empty() {
            return Ok(());
        }
        let dispatch = core.dispatch.clone();
        let lapsed = core
            .store
            .write(move |tx| settle(tx, &dispatch, due, now_s))
            .await?;
        if lapsed.is_empty() {
            return Ok(());
        }
        for (lapse, peer, nodes) in lapsed {
            tracing::info!(%peer, ?lapse, "a peer is let in otherwise now");
            for node in nodes {
                core.dispatch.wake(node);
            }
        }
    }
}

fn due(conn: &Connection, now_s: i64) -> Result<Vec<(Lapse, PeerId)>, StoreError> {
    let named = |lapse, peers: Vec<PeerId>| peers.into_iter().map(move |peer| (lapse, peer));
    let expired = lapses::expired(conn, now_s, AT_ONCE)?;
    let back = quotas::reset(conn, now_s, AT_ONCE)?;
    let used_up = quotas::used_up(conn, AT_ONCE)?;
    Ok(named(Lapse::Expired, expired)
        .chain(named(Lapse::Back, back))
        .chain(named(Lapse::UsedUp, used_up))
        .collect())
}

fn settle(
    tx: &WriteTx<'_>,
    dispatch: &Dispatch,
    due: Vec<(Lapse, PeerId)>,
    now_s: i64,
) -> Result<Vec<Lapsed>, StoreError> {
    let mut lapsed = Vec::with_capacity(due.len());
    for (lapse, peer) in due {
        let nodes = match lapse {
            Lapse::Expired => lapses::expire(tx, peer, now_s)?,
            Lapse::UsedUp => lapses::hold(tx, peer, now_s)?,
            Lapse::Back => lapses::release(tx, peer, now_s)?,
        };
        let Some(nodes) = nodes else { continue };
        tell(tx, dispatch, (lapse, peer), now_s)?;
        lapsed.push((lapse, peer, nodes));
    }
    Ok(lapsed)
}

/// Records what became of a peer, for those who listen.
fn tell(
    tx: &WriteTx<'_>,
    dispatch: &Dispatch,
    (lapse, id): (Lapse, PeerId),
    now_s: i64,
) -> Result<(), StoreError> {
    let kind = match lapse {
        Lapse::Expired => Kind::PeerExpired(PeerExpired {
            peer_id: id.to_string(),
            node_id: peers::get(tx, id)?.node_id.to_string(),
        }),
        Lapse::UsedUp | Lapse::Back => Kind::PeerChanged(PeerChanged {
            peer: Some(view::within(tx, dispatch, id, now_s)?),
            previous_node_id: String::new(),
        }),
    };
    events::record(tx, now_s, kind).map(drop)
}
