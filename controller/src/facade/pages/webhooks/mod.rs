//! `/webhooks`: endpoints elsewhere that are told of events, and how telling them goes.

mod edit;
mod view;

use askama::Template;
use axum::{
    Router,
    extract::State,
    response::Response,
    routing::{get, post},
};
use wgfleet_proto::v1::{self, DeliveryOutcome};

use self::view::{Hook, Try};
use super::{
    page::{Nav, Page, SignedIn, html, see_other},
    show, text,
};
use crate::facade::{Answer, Facade, input::Id, query::Parameters, webhooks::OfWebhook};

const PATH: &str = "/webhooks";
/// Tries on one page of the log.
const PAGE_SIZE: u32 = 25;

pub(super) fn routes() -> Router<Facade> {
    Router::new()
        .route(PATH, get(show))
        .route("/webhooks/rows", get(show_rows))
        .route("/webhooks/new", get(edit::show_new).post(edit::create))
        .route("/webhooks/{id}", get(show_one))
        .route("/webhooks/{id}/now", get(show_now))
        .route("/webhooks/{id}/edit", get(edit::show).post(edit::update))
        .route("/webhooks/{id}/ping", post(ping))
        .route("/webhooks/{id}/enable", post(enable))
        .route("/webhooks/{id}/disable", post(disable))
        .route("/webhooks/{id}/delete", get(confirm).post(delete))
}

#[derive(Template)]
#[template(path = "webhooks.html")]
struct WebhooksPage {
    page: Page,
    hooks: Vec<Hook>,
}

#[derive(Template)]
#[template(path = "webhooks_rows.html")]
struct Rows {
    hooks: Vec<Hook>,
}

#[derive(Template)]
#[template(path = "webhook.html")]
struct WebhookPage {
    page: Page,
    hook: Hook,
    log: Log,
}

#[derive(Template)]
#[template(path = "webhook_now.html")]
struct NowPart {
    hook: Hook,
    log: Log,
}

/// A page of the tries.
struct Log {
    tries: Vec<Try>,
    /// Where this part is asked for again.
    here: String,
    first: String,
    next: String,
    total: String,
}

#[derive(Template)]
#[template(path = "webhook_delete.html")]
struct DeletePage {
    page: Page,
    hook: Hook,
}

async fn show(State(mut facade): State<Facade>, signed: SignedIn) -> Answer<Response> {
    let hooks = all(&mut facade, &signed).await?;
    let page = Page::new(&signed, Nav::Webhooks, "Webhooks");
    html(&WebhooksPage { page, hooks })
}

async fn show_rows(State(mut facade): State<Facade>, signed: SignedIn) -> Answer<Response> {
    let hooks = all(&mut facade, &signed).await?;
    html(&Rows { hooks })
}

async fn all(facade: &mut Facade, signed: &SignedIn) -> Answer<Vec<Hook>> {
    let asked = signed.caller.request(v1::ListWebhooksRequest {});
    let found = facade.webhooks.list(asked).await?.into_inner();
    let now = show::now_s();
    let hooks = found.items.into_iter();
    Ok(hooks.map(|hook| Hook::new(hook, now)).collect())
}

async fn one(facade: &mut Facade, signed: &SignedIn, id: String) -> Answer<v1::Webhook> {
    let asked = signed.caller.request(v1::GetWebhookRequest { id });
    Ok(facade.webhooks.get(asked).await?.into_inner())
}

async fn show_one(
    State(mut facade): State<Facade>,
    signed: SignedIn,
    Id { id, .. }: Id<OfWebhook>,
    query: Parameters,
) -> Answer<Response> {
    let (hook, log) = look(&mut facade, &signed, id, query).await?;
    html(&WebhookPage {
        page: Page::new(&signed, Nav::Webhooks, &hook.name),
        hook,
        log,
    })
}

async fn show_now(
    State(mut facade): State<Facade>,
    signed: SignedIn,
    Id { id, .. }: Id<OfWebhook>,
    query: Parameters,
) -> Answer<Response> {
    let (hook, log) = look(&mut facade, &signed, id, query).await?;
    html(&NowPart { hook, log })
}

async fn look(
    facade: &mut Facade,
    signed: &SignedIn,
    id: String,
    mut query: Parameters,
) -> Answer<(Hook, Log)> {
    let cursor = query.text("cursor")?.unwrap_or_default();
    query.finish()?;
    let hook = one(facade, signed, id.clone()).await?;
    let asked = v1::ListWebhookDeliveriesRequest {
        id: id.clone(),
        page: Some(v1::PageRequest {
            page_size: PAGE_SIZE,
            cursor: cursor.clone(),
        }),
    };
    let asked = signed.caller.request(asked);
    let found = facade.webhooks.list_deliveries(asked).await?.into_inner();
    let node = node_name(facade, signed, &hook.node_id).await;
    let (info, now) = (found.page.unwrap_or_default(), show::now_s());
    let log = Log {
        tries: found
            .items
            .into_iter()
            .map(|it| Try::new(it, now))
            .collect(),
        here: with_cursor(&format!("{PATH}/{id}/now"), &cursor),
        first: format!("{PATH}/{id}"),
        next: match info.next_cursor.as_str() {
            "" => String::new(),
            cursor => with_cursor(&format!("{PATH}/{id}"), cursor),
        },
        total: show::count(info.total),
    };
    let mut hook = Hook::new(hook, now);
    hook.node = node;
    Ok((hook, log))
}

fn with_cursor(path: &str, cursor: &str) -> String {
    if cursor.is_empty() {
        return path.to_owned();
    }
    let cursor: String = form_urlencoded::byte_serialize(cursor.as_bytes()).collect();
    format!("{path}?cursor={cursor}")
}

/// Its name, or its id when it is gone.
async fn node_name(facade: &mut Facade, signed: &SignedIn, id: &str) -> String {
    if id.is_empty() {
        return String::new();
    }
    let asked = signed.caller.request(v1::GetNodeRequest { id: id.into() });
    let node = facade.nodes.get(asked).await;
    node.map_or_else(|_| id.to_owned(), |node| node.into_inner().name)
}

async fn ping(
    State(mut facade): State<Facade>,
    signed: SignedIn,
    Id { id, .. }: Id<OfWebhook>,
) -> Answer<Response> {
    let asked = v1::TestWebhookRequest { id: id.clone() };
    let sent = facade.webhooks.test(signed.caller.request(asked)).await?;
    let sent = sent.into_inner();
    let is_well = sent.outcome() == DeliveryOutcome::Delivered;
    signed.flash(text::pinged(is_well, sent.latency_ms, &sent.error));
    Ok(see_other(&format!("{PATH}/{id}")))
}

async fn enable(
    facade: State<Facade>,
    signed: SignedIn,
    Id { id, .. }: Id<OfWebhook>,
) -> Answer<Response> {
    switch(facade, signed, id, true).await
}

async fn disable(
    facade: State<Facade>,
    signed: SignedIn,
    Id { id, .. }: Id<OfWebhook>,
) -> Answer<Response> {
    switch(facade, signed, id, false).await
}

async fn switch(
    State(mut facade): State<Facade>,
    signed: SignedIn,
    id: String,
    enabled: bool,
) -> Answer<Response> {
    let asked = v1::UpdateWebhookRequest {
        id: id.clone(),
        enabled: Some(enabled),
        ..Default::default()
    };
    facade.webhooks.update(signed.caller.request(asked)).await?;
    signed.flash(if enabled {
        text::WEBHOOK_ENABLED
    } else {
        text::WEBHOOK_DISABLED
    });
    Ok(see_other(&format!("{PATH}/{id}")))
}

async fn confirm(
    State(mut facade): State<Facade>,
    signed: SignedIn,
    Id { id, .. }: Id<OfWebhook>,
) -> Answer<Response> {
    let hook = one(&mut facade, &signed, id).await?;
    html(&DeletePage {
        page: Page::new(&signed, Nav::Webhooks, "Delete a webhook"),
        hook: Hook::new(hook, show::now_s()),
    })
}

async fn delete(
    State(mut facade): State<Facade>,
    signed: SignedIn,
    Id { id, .. }: Id<OfWebhook>,
) -> Answer<Response> {
    let asked = signed.caller.request(v1::DeleteWebhookRequest { id });
    facade.webhooks.delete(asked).await?;
    signed.flash(text::WEBHOOK_DELETED);
    Ok(see_other(PATH))
}
