//! Delivers events to webhooks: one worker for each, so that none waits for another.
//!
//! A webhook's outbox is what follows its position in the store's events. A worker sends the first
//! of them that the webhook takes, notes how that went together with its new position, and goes on
//! to the next. A crash in between sends an event again under the same delivery id.
//!
//! Read first: `worker.rs`, then `send.rs` for what goes over the wire.

mod send;
mod url;
mod worker;

#[cfg(test)]
mod tests;

use std::{collections::HashSet, sync::Arc, time::Duration};

use tokio::{sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use wgfleet_proto::v1::Event;

pub use self::{
    send::check_trust,
    url::{InvalidWebhookUrl, WebhookUrl},
};
use self::{
    send::{Endpoint, Message},
    worker::Worker,
};
use crate::{
    agent_client::WallClock,
    events::EventLog,
    facade::event_json,
    store::{
        DeliveryOutcome, Store, StoreError, WebhookId,
        webhooks::{self, deliveries, deliveries::DeliveryRow},
    },
};

/// What the kind of a test is called.
pub const PING: &str = "ping";
/// Pause after the store could not be read.
const READ_AGAIN: Duration = Duration::from_secs(1);

/// A test of a webhook, the same however often it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ping {
    /// As in `X-Wgfleet-Delivery`.
    pub delivery_id: String,
    /// When it was asked for, Unix seconds.
    pub asked_at: i64,
}

impl Ping {
    /// Another one.
    #[must_use]
    pub fn new(now_s: i64) -> Self {
        Self {
            delivery_id: Uuid::now_v7().to_string(),
            asked_at: now_s,
        }
    }
}

/// All deliveries. Cheap to clone; all clones are the same.
#[derive(Clone)]
pub struct Webhooks(Arc<Inner>);

struct Inner {
    store: Store,
    log: EventLog,
    clock: WallClock,
    stop: CancellationToken,
    /// Counts the changes of what is declared.
    declared: watch::Sender<u64>,
}

impl Webhooks {
    /// Deliveries of `log`, made while [`Webhooks::run`] runs.
    #[must_use]
    pub fn new(store: Store, log: EventLog, clock: WallClock, stop: CancellationToken) -> Self {
        Self(Arc::new(Inner {
            store,
            log,
            clock,
            stop,
            declared: watch::Sender::new(0),
        }))
    }

    /// Webhooks were added, changed or deleted.
    pub fn reload(&self) {
        self.0.declared.send_modify(|count| *count += 1);
    }

    /// Delivers until told to stop, or until a worker panics.
    pub async fn run(self) {
        let mut declared = self.0.declared.subscribe();
        let mut workers: JoinSet<WebhookId> = JoinSet::new();
        let mut known = HashSet::new();
        loop {
            declared.mark_unchanged();
            match self.0.store.read(webhooks::list).await {
                Ok(rows) => {
                    for row in rows {
                        if known.insert(row.id) {
                            let worker = Worker::new(Arc::clone(&self.0), row.id);
                            workers.spawn(worker.run());
                        }
                    }
                }
                Err(StoreError::Closed) => return,
                Err(error) => {
                    tracing::warn!(%error, "webhooks can't be read");
                    tokio::time::sleep(READ_AGAIN).await;
                    continue;
                }
            }
            tokio::select! {
                () = self.0.stop.cancelled() => return,
                _ = declared.changed() => {}
                Some(ended) = workers.join_next() => match ended {
                    Ok(id) => drop(known.remove(&id)),
                    Err(_) => return,
                }
            }
        }
    }

    /// Sends a ping once, whether or not the webhook is enabled. How that went, which is in its log as
    /// well.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or when the store can't be read or written.
    pub async fn ping(&self, id: WebhookId, ping: &Ping) -> Result<DeliveryRow, StoreError> {
        let (_, endpoint) = self.0.load(id).await?;
        let delivery_id = ping.delivery_id.as_str();
        let now_s = self.0.now_s();
        let event = Event {
            id: delivery_id.to_owned(),
            occurred_at: ping.asked_at,
            name: PING.into(),
            kind: None,
        };
        let message = Message {
            kind: PING,
            delivery_id,
            body: event_json(&event).into(),
            at: now_s,
        };
        let sent = match &endpoint {
            Ok(endpoint) => endpoint.send(message).await,
            Err(why) => send::Sent::not_sent(why.clone()),
        };
        let outcome = if sent.is_taken() {
            DeliveryOutcome::Delivered
        } else {
            DeliveryOutcome::Failed
        };
        let row = sent.row(None, (delivery_id, PING), (now_s, 1), outcome);
        let noted = row.clone();
        let write = self
            .0
            .store
            .write(move |tx| deliveries::append(tx, id, &noted));
        write.await?;
        Ok(row)
    }
}

impl Inner {
    /// A webhook as it is declared now, and its endpoint, or why there can't be one.
    async fn load(
        &self,
        id: WebhookId,
    ) -> Result<(webhooks::WebhookRow, Result<Endpoint, String>), StoreError> {
        let sealer = self.store.sealer();
        let read = self.store.read(move |conn| {
            let row = webhooks::get(conn, id)?;
            Ok((row, webhooks::secret(conn, &sealer, id)?))
        });
        let (row, secret) = read.await?;
        let endpoint = Endpoint::new(&row.settings, &secret);
        Ok((row, endpoint))
    }

    fn now_s(&self) -> i64 {
        i64::try_from(self.clock.now().as_secs()).unwrap_or(i64::MAX)
    }
}
