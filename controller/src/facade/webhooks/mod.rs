//! `/api/v1/webhooks`.

mod answer;
mod describe;
mod request;

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::{get, post},
};
use wgfleet_proto::v1;

pub(super) use self::answer::OUTCOMES;
pub(super) use self::describe::operations;
use self::{
    answer::{Created, Delivery, Webhook},
    request::{CreateWebhook, PatchWebhook},
};
use super::{
    Answer, Facade,
    caller::Caller,
    input::{Id, Input, Kind},
    query::Parameters,
    shape::Page,
};

/// A webhook.
pub(super) struct OfWebhook;

impl Kind for OfWebhook {
    const NOT_FOUND: &'static str = "webhook_not_found";
    const NAME: &'static str = "webhook";
}

pub(super) fn routes() -> Router<Facade> {
    Router::new()
        .route("/webhooks", get(list).post(create))
        .route("/webhooks/{id}", get(read).patch(update).delete(delete))
        .route("/webhooks/{id}/test", post(test))
        .route("/webhooks/{id}/deliveries", get(deliveries))
}

async fn list(
    State(mut facade): State<Facade>,
    caller: Caller,
    query: Parameters,
) -> Answer<Json<Page<Webhook>>> {
    query.finish()?;
    let message = v1::ListWebhooksRequest {};
    let answer = facade.webhooks.list(caller.request(message)).await?;
    let items = answer.into_inner().items;
    let total = items.len().try_into().unwrap_or(u64::MAX);
    let info = v1::PageInfo {
        next_cursor: String::new(),
        total,
    };
    Ok(Json(Page::new(items, Some(info))))
}

async fn create(
    State(mut facade): State<Facade>,
    caller: Caller,
    Input(webhook): Input<CreateWebhook>,
) -> Answer<impl IntoResponse> {
    let message = webhook.try_into()?;
    let answer = facade.webhooks.create(caller.request(message)).await?;
    let created = Created::from(answer.into_inner());
    let location = format!("/api/v1/webhooks/{}", created.id());
    let headers = [(header::LOCATION, location)];
    Ok((StatusCode::CREATED, headers, Json(created)))
}

async fn read(
    State(mut facade): State<Facade>,
    caller: Caller,
    Id { id, .. }: Id<OfWebhook>,
) -> Answer<Json<Webhook>> {
    let message = v1::GetWebhookRequest { id };
    let webhook = facade.webhooks.get(caller.request(message)).await?;
    Ok(Json(webhook.into_inner().into()))
}

async fn update(
    State(mut facade): State<Facade>,
    caller: Caller,
    Id { id, .. }: Id<OfWebhook>,
    Input(patch): Input<PatchWebhook>,
) -> Answer<Json<Webhook>> {
    let message = patch.message(id);
    let webhook = facade.webhooks.update(caller.request(message)).await?;
    Ok(Json(webhook.into_inner().into()))
}

async fn delete(
    State(mut facade): State<Facade>,
    caller: Caller,
    Id { id, .. }: Id<OfWebhook>,
) -> Answer<StatusCode> {
    let message = v1::DeleteWebhookRequest { id };
    facade.webhooks.delete(caller.request(message)).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn test(
    State(mut facade): State<Facade>,
    caller: Caller,
    Id { id, .. }: Id<OfWebhook>,
) -> Answer<Json<Delivery>> {
    let message = v1::TestWebhookRequest { id };
    let sent = facade.webhooks.test(caller.request(message)).await?;
    Ok(Json(sent.into_inner().into()))
}

async fn deliveries(
    State(mut facade): State<Facade>,
    caller: Caller,
    Id { id, .. }: Id<OfWebhook>,
    mut query: Parameters,
) -> Answer<Json<Page<Delivery>>> {
    let page = Some(query.page()?);
    query.finish()?;
    let message = v1::ListWebhookDeliveriesRequest { id, page };
    let answer = facade.webhooks.list_deliveries(caller.request(message));
    let answer = answer.await?.into_inner();
    Ok(Json(Page::new(answer.items, answer.page)))
}
