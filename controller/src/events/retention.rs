//! How long events are kept.

use std::time::Duration;

use crate::{
    agent_client::WallClock,
    store::{Store, StoreError, events},
};

/// A week: a reader that was away over a long weekend goes on where it was.
const MAX_AGE_S: i64 = 7 * 24 * 3600;
/// About 300 MB at 600 bytes each, the most that history may take of a small host's disk.
const MAX_ROWS: i64 = 500_000;
/// Forgotten in one transaction: no change waits longer than that takes.
const STEP: u32 = 1000;
/// Between two looks.
const INTERVAL: Duration = Duration::from_secs(60);

/// Forgets old events for as long as it is polled. Not at once: a start has other things to write.
pub(super) async fn keep(store: &Store, clock: &WallClock) {
    loop {
        tokio::time::sleep(INTERVAL).await;
        loop {
            match step(store, clock).await {
                Ok(forgotten) if forgotten == STEP as usize => {}
                Ok(_) | Err(StoreError::Closed) => break,
                Err(error) => {
                    tracing::warn!(%error, "old events could not be removed");
                    break;
                }
            }
        }
    }
}

async fn step(store: &Store, clock: &WallClock) -> Result<usize, StoreError> {
    let now_s = i64::try_from(clock.now().as_secs()).unwrap_or(i64::MAX);
    let before_s = now_s.saturating_sub(MAX_AGE_S);
    store
        .write(move |tx| events::prune(tx, before_s, MAX_ROWS, STEP))
        .await
}
