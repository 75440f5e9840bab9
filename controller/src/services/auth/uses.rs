//! When tokens were last used: noted in memory by every call, and written down now and then, so that
//! no call waits for the store because of it and none that only looks writes anything.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio_util::sync::CancellationToken;

use crate::{
    services::Core,
    store::{StoreError, TokenId, tokens},
};

/// Between two writes. A token is in at most one of each.
const EVERY: Duration = Duration::from_secs(60);

/// When tokens were last used, as far as this program saw it.
#[derive(Default)]
pub(super) struct Uses(Mutex<HashMap<TokenId, Use>>);

#[derive(Clone, Copy)]
struct Use {
    /// Unix seconds.
    at_s: i64,
    is_written: bool,
}

impl Uses {
    /// It was used just now, Unix seconds.
    pub(super) fn note(&self, token: TokenId, now_s: i64) {
        let mut uses = self.lock();
        let known = uses.get(&token).is_some_and(|last| last.at_s == now_s);
        if !known {
            let (at_s, is_written) = (now_s, false);
            uses.insert(token, Use { at_s, is_written });
        }
    }

    /// When it was last used since the program was started, Unix seconds.
    pub(super) fn of(&self, token: TokenId) -> Option<i64> {
        self.lock().get(&token).map(|last| last.at_s)
    }

    fn unwritten(&self) -> Vec<(TokenId, i64)> {
        let uses = self.lock();
        let unwritten = uses.iter().filter(|(_, last)| !last.is_written);
        unwritten.map(|(token, last)| (*token, last.at_s)).collect()
    }

    fn written(&self, uses: &[(TokenId, i64)]) {
        let mut known = self.lock();
        for (token, at_s) in uses {
            if let Some(last) = known.get_mut(token).filter(|last| last.at_s == *at_s) {
                last.is_written = true;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TokenId, Use>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes down when tokens were used, once a minute and at the end.
pub async fn keep_uses(core: Arc<Core>, stop: CancellationToken) -> &'static str {
    loop {
        let slept = stop.run_until_cancelled(tokio::time::sleep(EVERY)).await;
        if let Err(error) = write(&core).await {
            tracing::warn!(%error, "when tokens were last used can't be written down");
        }
        if slept.is_none() {
            return "the keeper of tokens' uses";
        }
    }
}

/// Writes down what is not written yet; nothing when there is nothing.
pub(super) async fn write(core: &Core) -> Result<(), StoreError> {
    let uses = core.access.uses.unwritten();
    if uses.is_empty() {
        return Ok(());
    }
    let rows = uses.clone();
    let written = core.store.write(move |tx| {
        let mut rows = rows.iter();
        rows.try_for_each(|(token, at_s)| tokens::used(tx, *token, *at_s))
    });
    written.await?;
    core.access.uses.written(&uses);
    Ok(())
}
