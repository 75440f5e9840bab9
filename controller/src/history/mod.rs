//! Keeps the history of the fleet: what nodes have moved goes to the store every ten seconds, and
//! what is too old goes away.
//!
//! What peers have moved goes with the checkpoints of their counters, which their node's worker
//! writes ([`dispatch`](crate::dispatch)).
//!
//! Read first: [`sampling`].

mod pruning;
mod sampling;

use tokio_util::sync::CancellationToken;

use crate::{agent_client::WallClock, dispatch::Dispatch, store::Store};

/// Keeps the history until told to stop.
pub async fn keep(
    store: Store,
    dispatch: Dispatch,
    clock: WallClock,
    stop: CancellationToken,
) -> &'static str {
    let sampling = sampling::Sampler::new(store.clone(), dispatch, clock.clone());
    let pruning = pruning::Pruner::new(store, clock);
    tokio::join!(sampling.run(&stop), pruning.run(&stop));
    "the keeper of the history"
}
