//! Forgetting, a little at a time.

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    agent_client::WallClock,
    services::history::Kept,
    store::{NodeId, Store, StoreError, nodes, samples, status_changes},
};

/// Rows in one write.
const AT_ONCE: u32 = 2000;
/// Between two rounds.
const ROUND: Duration = Duration::from_secs(60);
/// A clock that has jumped ahead by more is not believed at once: what it makes old can't be had
/// back when it returns.
const JUMP_S: i64 = 3600;
/// For so long.
const DOUBT: Duration = Duration::from_secs(24 * 3600);
/// Status changes are few.
const STATUS_KEPT_S: i64 = 400 * 86_400;

#[cfg(test)]
mod tests;

pub(super) struct Pruner {
    store: Store,
    clock: WallClock,
    /// When the clock was last looked at, and what it said.
    last: (Instant, i64),
    doubt_until: Option<Instant>,
}

impl Pruner {
    pub(super) fn new(store: Store, clock: WallClock) -> Self {
        let last = (Instant::now(), now_s(&clock));
        Self {
            store,
            clock,
            last,
            doubt_until: None,
        }
    }

    pub(super) async fn run(mut self, stop: &CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(ROUND) => {}
            }
            self.round(stop).await;
        }
    }

    async fn round(&mut self, stop: &CancellationToken) {
        let Some(now_s) = self.believed_now_s() else {
            return;
        };
        if let Err(error) = self.prune(now_s, stop).await {
            tracing::warn!(%error, "old history could not be deleted");
        }
    }

    /// The time, unless the clock has jumped ahead not long ago.
    fn believed_now_s(&mut self) -> Option<i64> {
        let (instant, now_s) = (Instant::now(), now_s(&self.clock));
        let elapsed = instant.duration_since(self.last.0).as_secs();
        let expected_s = self
            .last
            .1
            .saturating_add(i64::try_from(elapsed).unwrap_or(i64::MAX));
        if now_s.saturating_sub(expected_s) > JUMP_S {
            tracing::warn!("the clock has jumped ahead: no history is deleted for a day");
            self.doubt_until = Some(instant + DOUBT);
        }
        self.last = (instant, now_s);
        self.doubt_until
            .is_none_or(|until| instant >= until)
            .then_some(now_s)
    }

    /// Deletes what is too old at `now_s`, as many writes as it takes.
    async fn prune(&self, now_s: i64, stop: &CancellationToken) -> Result<(), StoreError> {
        for node in self.store.read(nodes::list).await? {
            self.prune_node(node.id, now_s, stop).await?;
        }
        for (resolution_s, kept_s) in Kept::PEERS.resolutions {
            let (resolution_s, before_s) = (*resolution_s, now_s.saturating_sub(*kept_s));
            while !stop.is_cancelled() {
                let prune = self
                    .store
                    .write(move |tx| samples::prune_peers(tx, resolution_s, before_s, AT_ONCE));
                if prune.await? < AT_ONCE as usize {
                    break;
                }
            }
        }
        Ok(())
    }

    async fn prune_node(
        &self,
        node: NodeId,
        now_s: i64,
        stop: &CancellationToken,
    ) -> Result<(), StoreError> {
        while !stop.is_cancelled() {
            let prune = self.store.write(move |tx| {
                let mut most = 0;
                for (resolution_s, kept_s) in Kept::NODES.resolutions {
                    let before_s = now_s.saturating_sub(*kept_s);
                    most = most.max(samples::prune_node(
                        tx,
                        node,
                        *resolution_s,
                        before_s,
                        AT_ONCE,
                    )?);
                }
                status_changes::prune(tx, node, now_s.saturating_sub(STATUS_KEPT_S))?;
                Ok(most)
            });
            if prune.await? < AT_ONCE as usize {
                return Ok(());
            }
        }
        Ok(())
    }
}

fn now_s(clock: &WallClock) -> i64 {
    i64::try_from(clock.now().as_secs()).unwrap_or(i64::MAX)
}
