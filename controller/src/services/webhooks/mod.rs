//! Webhooks: endpoints elsewhere that are told of events. All of it is for administrators.

mod input;
mod view;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde_json::json;
use tonic::{Code, Request, Response, Status};
use wgfleet_proto::v1::{self, webhook_service_server::WebhookService};

use self::input::GivenSecret;
use super::{
    Core,
    auth::{Caller, authorize},
    once,
    status::{invalid, parse_id, refuse},
};
use crate::{
    store::{
        Role, WebhookId, audit, events,
        webhooks::{self, deliveries},
    },
    webhooks::{Ping, Webhooks},
};

/// Each costs a worker that follows all events.
const MAX_WEBHOOKS: usize = 32;
const DEFAULT_PAGE: u32 = 100;
const MAX_PAGE: u32 = 1000;

/// The service of webhooks.
#[derive(Clone)]
pub struct WebhooksService {
    core: Arc<Core>,
    deliveries: Webhooks,
}

type Answer<T> = Result<Response<T>, Status>;

impl WebhooksService {
    /// The service, which tells `deliveries` of what is declared.
    #[must_use]
    pub const fn new(core: Arc<Core>, deliveries: Webhooks) -> Self {
        Self { core, deliveries }
    }

    async fn admit<T>(&self, request: Request<T>) -> Result<(Caller, T), Status> {
        let caller = authorize(&self.core, request.metadata(), Role::Admin).await?;
        Ok((caller, request.into_inner()))
    }

    async fn read(&self, id: WebhookId) -> Result<v1::Webhook, Status> {
        let read = self.core.look(move |conn| Ok(view::within(conn, id)?));
        read.await
    }

    async fn add(
        &self,
        caller: Caller,
        mut request: v1::CreateWebhookRequest,
    ) -> Result<v1::CreateWebhookResponse, Status> {
        let secret = GivenSecret::new(request.secret.take())?;
        let settings = input::created(request)?;
        let (id, now_s) = (WebhookId::generate(), self.core.now_s());
        let once = once::current();
        let work = self.core.change(move |tx| {
            if webhooks::list(tx)?.len() >= MAX_WEBHOOKS {
                let message =
                    format!("there are {MAX_WEBHOOKS} webhooks already: delete one first");
                let code = "too_many_webhooks";
                return Err(refuse(Code::FailedPrecondition, code, None, message));
            }
            input::check_node(tx, &settings)?;
            let position = events::last_id(tx)?;
            webhooks::create(tx, id, &settings, &secret.text, position, now_s)?;
            let after = view::audited(&settings);
            let object = ("webhook", id.to_string());
            let entry = caller.audit(now_s, "webhook.create", object, None, Some(after));
            audit::append(tx, &entry)?;
            let answer = v1::CreateWebhookResponse {
                webhook: Some(view::within(tx, id)?),
                secret: secret.to_answer(),
            };
            once::record(once.as_ref(), tx, &answer)?;
            Ok(answer)
        });
        let answer = work.await?;
        self.deliveries.reload();
        Ok(answer)
    }

    async fn ping(&self, caller: Caller, id: WebhookId) -> Result<v1::WebhookDelivery, Status> {
        let now_s = self.core.now_s();
        let ping = self.begin_ping(id).await?;
        let sent = self.deliveries.ping(id, &ping).await?;
        let after = json!({ "outcome": sent.outcome.as_str() });
        let object = ("webhook", id.to_string());
        let entry = caller.audit(now_s, "webhook.test", object, None, Some(after));
        let (answer, once) = (view::delivery(sent), once::current());
        let kept = answer.clone();
        let noted = self.core.store.write(move |tx| {
            audit::append(tx, &entry)?;
            once::record(once.as_ref(), tx, &kept)
        });
        noted.await?;
        Ok(answer)
    }

    /// The ping to send. With a key it is noted before it goes out, so that the same request goes out
    /// as the same ping after a crash that left it without an answer.
    async fn begin_ping(&self, id: WebhookId) -> Result<Ping, Status> {
        let ping = Ping::new(self.core.now_s());
        let Some(begun) = once::current().map(|once| once.part(0)) else {
            return Ok(ping);
        };
        let known: Option<v1::WebhookDelivery> = begun.known(&self.core).await?;
        if let Some(known) = known {
            return Ok(Ping {
                delivery_id: known.delivery_id,
                asked_at: known.at,
            });
        }
        let noted = v1::WebhookDelivery {
            delivery_id: ping.delivery_id.clone(),
            at: ping.asked_at,
            ..v1::WebhookDelivery::default()
        };
        let note = self.core.change(move |tx| {
            webhooks::get(tx, id)?;
            Ok(begun.record(tx, &noted)?)
        });
        note.await?;
        Ok(ping)
    }
}

fn no_such_webhook() -> Status {
    refuse(Code::NotFound, "webhook_not_found", None, "no such webhook")
}

fn webhook_id(text: &str) -> Result<WebhookId, Status> {
    parse_id(text, no_such_webhook)
}

#[tonic::async_trait]
impl WebhookService for WebhooksService {
    async fn list(
        &self,
        request: Request<v1::ListWebhooksRequest>,
    ) -> Answer<v1::ListWebhooksResponse> {
        self.admit(request).await?;
        let read = self.core.look(|conn| {
            let rows = webhooks::list(conn)?.into_iter();
            let shown = rows.map(|row| view::show(conn, row));
            Ok(shown.collect::<Result<_, _>>()?)
        });
        let items = read.await?;
        Ok(Response::new(v1::ListWebhooksResponse { items }))
    }

    async fn create(
        &self,
        request: Request<v1::CreateWebhookRequest>,
    ) -> Answer<v1::CreateWebhookResponse> {
        let (caller, request) = self.admit(request).await?;
        let created = self.add(caller.clone(), request.clone());
        once::run(&self.core, &caller, "webhooks.create", &request, created)
            .await
            .map(Response::new)
    }

    async fn get(&self, request: Request<v1::GetWebhookRequest>) -> Answer<v1::Webhook> {
        let (_, request) = self.admit(request).await?;
        let id = webhook_id(&request.id)?;
        self.read(id).await.map(Response::new)
    }

    async fn update(&self, request: Request<v1::UpdateWebhookRequest>) -> Answer<v1::Webhook> {
        let (caller, patch) = self.admit(request).await?;
        let (id, now_s) = (webhook_id(&patch.id)?, self.core.now_s());
        let work = self.core.change(move |tx| {
            let before = webhooks::get(tx, id)?.settings;
            let after = input::patched(before.clone(), patch)?;
            if after == before {
                return Ok(());
            }
            if after.node_id != before.node_id {
                input::check_node(tx, &after)?;
            }
            webhooks::update(tx, id, &after, now_s)?;
            if after.enabled && !before.enabled {
                webhooks::move_to(tx, id, events::last_id(tx)?)?;
            } else {
                // What was in the way may be what was changed.
                webhooks::retry_now(tx, id)?;
            }
            let object = ("webhook", id.to_string());
            let (before, after) = view::difference(&before, &after);
            let entry = caller.audit(now_s, "webhook.update", object, Some(before), Some(after));
            audit::append(tx, &entry)?;
            Ok(())
        });
        work.await?;
        self.deliveries.reload();
        self.read(id).await.map(Response::new)
    }

    async fn delete(
        &self,
        request: Request<v1::DeleteWebhookRequest>,
    ) -> Answer<v1::DeleteWebhookResponse> {
        let (caller, request) = self.admit(request).await?;
        let (id, now_s) = (webhook_id(&request.id)?, self.core.now_s());
        let work = self.core.change(move |tx| {
            let before = view::audited(&webhooks::get(tx, id)?.settings);
            webhooks::delete(tx, id)?;
            let object = ("webhook", id.to_string());
            let entry = caller.audit(now_s, "webhook.delete", object, Some(before), None);
            audit::append(tx, &entry)?;
            Ok(())
        });
        work.await?;
        self.deliveries.reload();
        Ok(Response::new(v1::DeleteWebhookResponse {}))
    }

    async fn test(&self, request: Request<v1::TestWebhookRequest>) -> Answer<v1::WebhookDelivery> {
        let (caller, request) = self.admit(request).await?;
        let id = webhook_id(&request.id)?;
        let tested = self.ping(caller.clone(), id);
        once::run(&self.core, &caller, "webhooks.test", &request, tested)
            .await
            .map(Response::new)
    }

    async fn list_deliveries(
        &self,
        request: Request<v1::ListWebhookDeliveriesRequest>,
    ) -> Answer<v1::ListWebhookDeliveriesResponse> {
        let (_, request) = self.admit(request).await?;
        let id = webhook_id(&request.id)?;
        let page = request.page.unwrap_or_default();
        let limit = match page.page_size {
            0 => DEFAULT_PAGE,
            size => size.min(MAX_PAGE),
        };
        let before = match page.cursor.as_str() {
            "" => None,
            cursor => Some(
                cursor
                    .parse::<i64>()
                    .map_err(|_| invalid("cursor", "the cursor is not one of this list"))?,
            ),
        };
        let read = self.core.look(move |conn| {
            webhooks::get(conn, id)?;
            let rows = deliveries::list(conn, id, before, limit)?;
            Ok((rows, deliveries::count(conn, id)?))
        });
        let (rows, total) = read.await?;
        let is_full = rows.len() == usize::try_from(limit).unwrap_or(usize::MAX);
        let next = rows
            .last()
            .filter(|_| is_full)
            .map(|(id, _)| id.to_string());
        let items = rows.into_iter().map(|(_, row)| view::delivery(row));
        Ok(Response::new(v1::ListWebhookDeliveriesResponse {
            items: items.collect(),
            page: Some(v1::PageInfo {
                next_cursor: next.unwrap_or_default(),
                total,
            }),
        }))
    }
}
