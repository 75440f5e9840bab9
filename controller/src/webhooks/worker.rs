//! One webhook's life: it waits for events, sends them one after the other, and tries again.

use std::{sync::Arc, time::Duration};

use ring::rand::{SecureRandom as _, SystemRandom};
use tokio::sync::watch;

use super::{
    Inner, READ_AGAIN,
    send::{Endpoint, Message, Sent},
};
use crate::{
    domain::backoff::delivery_delay,
    events,
    facade::event_json,
    failpoint,
    store::{
        DeliveryOutcome, NodeId, StoreError, WebhookId,
        events::EventRow,
        webhooks::{self, WebhookRow, deliveries, deliveries::DeliveryRow},
    },
};

/// How long an event is tried, counted from when it happened. Everyone gets one try at least.
const GIVE_UP_AFTER_S: i64 = 24 * 3600;
/// The longest wait for another try, whatever a clock that was set back says.
const MAX_WAIT_S: i64 = 15 * 60;
/// Events that were passed over before the position is written down for them alone: so many are
/// looked at again after a restart.
const UNWRITTEN: i64 = 256;

/// Why a worker stopped what it was doing.
#[derive(Debug)]
pub(super) enum Ended {
    /// Something else is declared now.
    Declared,
    /// The controller stops.
    Stopped,
    /// The store.
    Store(StoreError),
}

impl From<StoreError> for Ended {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// The worker of one webhook.
pub(super) struct Worker {
    shared: Arc<Inner>,
    id: WebhookId,
    declared: watch::Receiver<u64>,
    last_event: watch::Receiver<i64>,
}

/// What a worker knows of its webhook until it is declared anew.
struct Outbox {
    row: WebhookRow,
    endpoint: Result<Endpoint, String>,
    /// As it stands in the store.
    written: i64,
}

impl Worker {
    pub(super) fn new(shared: Arc<Inner>, id: WebhookId) -> Self {
        let declared = shared.declared.subscribe();
        let last_event = shared.store.last_event();
        Self {
            shared,
            id,
            declared,
            last_event,
        }
    }

    /// Works until the webhook is deleted or the controller stops.
    pub(super) async fn run(mut self) -> WebhookId {
        loop {
            self.declared.mark_unchanged();
            match self.deliver().await {
                Ended::Declared => {}
                Ended::Stopped | Ended::Store(StoreError::NotFound { .. } | StoreError::Closed) => {
                    return self.id;
                }
                Ended::Store(error) => {
                    tracing::warn!(webhook = %self.id, %error, "the store failed a webhook");
                    tokio::time::sleep(READ_AGAIN).await;
                }
            }
        }
    }

    async fn deliver(&mut self) -> Ended {
        match self.try_deliver().await {
            Err(ended) => ended,
            Ok(never) => match never {},
        }
    }

    async fn try_deliver(&mut self) -> Result<std::convert::Infallible, Ended> {
        let (row, endpoint) = self.shared.load(self.id).await?;
        if !row.settings.enabled {
            return Err(self.redeclared().await);
        }
        let mut outbox = Outbox {
            written: row.position,
            row,
            endpoint,
        };
        loop {
            if let Some(at) = outbox.row.retry_at {
                let wait_s = at.saturating_sub(self.shared.now_s()).clamp(0, MAX_WAIT_S);
                self.sleep(Duration::from_secs(wait_s.unsigned_abs()))
                    .await?;
            }
            match self.next(&mut outbox).await? {
                Some(event) => self.try_once(&mut outbox, &event).await?,
                None => self.await_events().await?,
            }
        }
    }

    /// The next event the webhook takes; `None` when there is none yet.
    async fn next(&mut self, outbox: &mut Outbox) -> Result<Option<EventRow>, Ended> {
        loop {
            // Before reading: what comes meanwhile is noticed.
            self.last_event.mark_unchanged();
            let Some(page) = self.shared.log.page(outbox.row.position).await? else {
                self.skip(outbox).await?;
                continue;
            };
            let Some(last) = page.last().map(|row| row.id) else {
                return Ok(None);
            };
            let settings = &outbox.row.settings;
            let takes = |row: &EventRow| {
                (settings.kinds.is_empty() || settings.kinds.contains(&row.kind))
                    && settings.node_id.is_none_or(|node| is_about(row, node))
            };
            let found = page.into_iter().find(takes);
            let passed_over = found.as_ref().map_or(last, |row| row.id - 1);
            outbox.row.position = passed_over;
            if found.is_some() {
                return Ok(found);
            }
            if passed_over - outbox.written >= UNWRITTEN {
                self.advance(outbox, None).await?;
            }
        }
    }

    /// What follows the position is not all kept any more.
    async fn skip(&self, outbox: &mut Outbox) -> Result<(), Ended> {
        let position = self.shared.log.before_first().await?;
        let gone = position - outbox.row.position;
        let error = if gone > 0 {
            format!("{gone} events were removed before they could be sent")
        } else {
            "the store was put back from a backup; what happened since is not known".to_owned()
        };
        tracing::warn!(webhook = %self.id, "{error}");
        let sent = Sent::not_sent(error);
        let name = format!("{}-{}", self.id, outbox.row.position + 1);
        let row = sent.row(
            Some(outbox.row.position + 1),
            (&name, ""),
            (self.shared.now_s(), 0),
            DeliveryOutcome::Skipped,
        );
        outbox.row.position = position;
        self.advance(outbox, Some(row)).await
    }

    async fn try_once(&self, outbox: &mut Outbox, event: &EventRow) -> Result<(), Ended> {
        let (now_s, attempt) = (self.shared.now_s(), outbox.row.attempts + 1);
        let delivery_id = format!("{}-{}", self.id, event.id);
        let sent = match &outbox.endpoint {
            Ok(endpoint) => {
                let message = Message {
                    kind: &event.kind,
                    delivery_id: &delivery_id,
                    body: event_json(&events::message(event)?).into(),
                    at: now_s,
                };
                tokio::select! {
                    sent = endpoint.send(message) => sent,
                    // It may have arrived: then it arrives once more, under the same id.
                    () = self.shared.stop.cancelled() => return Err(Ended::Stopped),
                }
            }
            Err(why) => Sent::not_sent(why.clone()),
        };
        failpoint!("webhooks.sent");
        let outcome = match () {
            () if sent.is_taken() => DeliveryOutcome::Delivered,
            () if now_s.saturating_sub(event.at) >= GIVE_UP_AFTER_S => DeliveryOutcome::GivenUp,
            () => DeliveryOutcome::Failed,
        };
        let names = (delivery_id.as_str(), event.kind.as_str());
        let row = sent.row(Some(event.id), names, (now_s, attempt), outcome);
        if outcome == DeliveryOutcome::Failed {
            return self.retry_later(outbox, attempt, row).await;
        }
        outbox.row.position = event.id;
        self.advance(outbox, Some(row)).await
    }

    async fn advance(&self, outbox: &mut Outbox, row: Option<DeliveryRow>) -> Result<(), Ended> {
        let (id, before, position) = (self.id, outbox.written, outbox.row.position);
        let write = self.shared.store.write(move |tx| {
            if let Some(row) = row {
                deliveries::append(tx, id, &row)?;
            }
            webhooks::advance(tx, id, (before, position))
        });
        Self::unless_moved(write.await?)?;
        outbox.written = position;
        outbox.row.attempts = 0;
        outbox.row.retry_at = None;
        Ok(())
    }

    async fn retry_later(
        &self,
        outbox: &mut Outbox,
        attempts: u32,
        row: DeliveryRow,
    ) -> Result<(), Ended> {
        let mut random = [0; 8];
        // Without randomness endpoints are tried in step: no reason to fail.
        let _ = SystemRandom::new().fill(&mut random);
        let delay = delivery_delay(attempts - 1, u64::from_ne_bytes(random));
        let delay_s = i64::try_from(delay.as_secs()).unwrap_or(i64::MAX).max(1);
        let retry_at = self.shared.now_s().saturating_add(delay_s);
        let (id, before, position) = (self.id, outbox.written, outbox.row.position);
        let write = self.shared.store.write(move |tx| {
            deliveries::append(tx, id, &row)?;
            webhooks::retry_later(tx, id, (before, position), attempts, retry_at)
        });
        Self::unless_moved(write.await?)?;
        outbox.written = position;
        outbox.row.attempts = attempts;
        outbox.row.retry_at = Some(retry_at);
        Ok(())
    }

    /// Somebody declared another position meanwhile: that one holds.
    const fn unless_moved(is_written: bool) -> Result<(), Ended> {
        if is_written {
            Ok(())
        } else {
            Err(Ended::Declared)
        }
    }

    async fn await_events(&mut self) -> Result<(), Ended> {
        tokio::select! {
            () = self.shared.stop.cancelled() => Err(Ended::Stopped),
            _ = self.declared.changed() => Err(Ended::Declared),
            changed = self.last_event.changed() => match changed {
                Ok(()) => Ok(()),
                Err(_) => Err(Ended::Stopped),
            }
        }
    }

    async fn sleep(&mut self, duration: Duration) -> Result<(), Ended> {
        tokio::select! {
            ended = self.redeclared() => Err(ended),
            () = tokio::time::sleep(duration) => Ok(()),
        }
    }

    async fn redeclared(&mut self) -> Ended {
        tokio::select! {
            () = self.shared.stop.cancelled() => Ended::Stopped,
            _ = self.declared.changed() => Ended::Declared,
        }
    }
}

fn is_about(row: &EventRow, node: NodeId) -> bool {
    row.node_id == Some(node) || row.from_node_id == Some(node)
}
