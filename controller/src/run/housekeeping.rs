//! What has to be tidied up now and then.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use crate::{services::Core, store::idempotency};

const EVERY: Duration = Duration::from_secs(600);
/// Rows of one transaction: others wait for the store meanwhile.
const AT_ONCE: u32 = 500;

/// Works until told to stop.
pub(super) async fn run(core: Arc<Core>, stop: CancellationToken) -> &'static str {
    while stop
        .run_until_cancelled(tokio::time::sleep(EVERY))
        .await
        .is_some()
    {
        forget_answers(&core).await;
    }
    "housekeeping"
}

/// Answers to requests that are too old to be sent again.
async fn forget_answers(core: &Core) {
    let now_s = core.now_s();
    loop {
        let pruned = core
            .store
            .write(move |tx| idempotency::prune(tx, now_s, AT_ONCE));
        match pruned.await {
            Ok(rows) if rows == AT_ONCE as usize => {}
            Ok(_) => return,
            Err(error) => {
                tracing::warn!(%error, "old answers could not be forgotten");
                return;
            }
        }
    }
}
