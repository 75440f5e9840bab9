//! The form of a webhook, for a new one and for one that is there.

use askama::Template;
use axum::{extract::State, response::Response};
use wgfleet_proto::v1;

use super::{
    super::{
        form::Form,
        page::{Nav, Page, SignedIn, html, html_with, see_other},
        refusal::Refused,
        text,
    },
    PATH, one,
};
use crate::{
    events::KINDS,
    facade::{Answer, Facade, input::Id, webhooks::OfWebhook},
};

/// Nodes to choose from.
const MAX_NODES: u32 = 1000;

#[derive(Template)]
#[template(path = "webhook_edit.html")]
struct EditPage {
    page: Page,
    refused: Option<Refused>,
    /// Empty for a new one.
    id: String,
    typed: Typed,
    kinds: [&'static str; KINDS.len()],
    nodes: Vec<Choice>,
}

impl EditPage {
    fn is_chosen(&self, kind: &str) -> bool {
        self.typed.kinds.iter().any(|chosen| chosen == kind)
    }
}

/// A node to choose.
struct Choice {
    id: String,
    name: String,
}

#[derive(Template)]
#[template(path = "webhook_made.html")]
struct MadePage {
    page: Page,
    id: String,
    name: String,
    secret: String,
}

/// The form as it was typed, but for the secret, which is never shown again.
#[derive(Default)]
struct Typed {
    name: String,
    url: String,
    enabled: bool,
    kinds: Vec<String>,
    node_id: String,
    tls_ca_pem: String,
}

impl From<&Form> for Typed {
    fn from(form: &Form) -> Self {
        Self {
            name: form.text("name").into(),
            url: form.text("url").into(),
            enabled: form.is_ticked("enabled"),
            kinds: form.all("kinds"),
            node_id: form.text("node_id").into(),
            tls_ca_pem: form.text("tls_ca_pem").into(),
        }
    }
}

impl From<v1::Webhook> for Typed {
    fn from(hook: v1::Webhook) -> Self {
        Self {
            name: hook.name,
            url: hook.url,
            enabled: hook.enabled,
            kinds: hook.kinds,
            node_id: hook.node_id,
            tls_ca_pem: hook.tls_ca_pem,
        }
    }
}

async fn form(
    facade: &mut Facade,
    signed: &SignedIn,
    id: String,
    refused: Option<Refused>,
    typed: Typed,
) -> Answer<Response> {
    let title = if id.is_empty() {
        "New webhook"
    } else {
        "Edit webhook"
    };
    let page = v1::PageRequest {
        page_size: MAX_NODES,
        cursor: String::new(),
    };
    let asked = v1::ListNodesRequest {
        page: Some(page),
        ..Default::default()
    };
    let nodes = facade.nodes.list(signed.caller.request(asked)).await?;
    let nodes = nodes.into_inner().items.into_iter();
    let mut nodes: Vec<_> = nodes
        .map(|node| Choice {
            id: node.id,
            name: node.name,
        })
        .collect();
    let chosen = &typed.node_id;
    if !chosen.is_empty() && !nodes.iter().any(|node| node.id == *chosen) {
        // Gone, or one of more than are listed: it is kept until another is chosen.
        nodes.push(Choice {
            id: chosen.clone(),
            name: chosen.clone(),
        });
    }
    let status = Refused::status(refused.as_ref());
    html_with(
        status,
        &EditPage {
            page: Page::new(signed, Nav::Webhooks, title),
            refused,
            id,
            typed,
            kinds: KINDS,
            nodes,
        },
    )
}

pub(super) async fn show_new(
    State(mut facade): State<Facade>,
    signed: SignedIn,
) -> Answer<Response> {
    // Who may not add one need not fill in a form to learn it.
    super::all(&mut facade, &signed).await?;
    let typed = Typed {
        enabled: true,
        ..Typed::default()
    };
    form(&mut facade, &signed, String::new(), None, typed).await
}

pub(super) async fn create(
    State(mut facade): State<Facade>,
    signed: SignedIn,
    sent: Form,
) -> Answer<Response> {
    let typed = Typed::from(&sent);
    let secret = sent.raw("secret");
    let asked = v1::CreateWebhookRequest {
        name: typed.name.clone(),
        url: typed.url.clone(),
        secret: (!secret.is_empty()).then(|| secret.to_owned()),
        enabled: Some(typed.enabled),
        kinds: typed.kinds.clone(),
        node_id: typed.node_id.clone(),
        tls_ca_pem: typed.tls_ca_pem.clone(),
    };
    let made = facade.webhooks.create(signed.caller.request(asked)).await;
    let made = match made {
        Ok(made) => made.into_inner(),
        Err(status) => {
            let refused = Some(status.into());
            return form(&mut facade, &signed, String::new(), refused, typed).await;
        }
    };
    let hook = made.webhook.unwrap_or_default();
    let Some(secret) = made.secret else {
        signed.flash(text::WEBHOOK_ADDED);
        return Ok(see_other(&format!("{PATH}/{}", hook.id)));
    };
    html(&MadePage {
        page: Page::new(&signed, Nav::Webhooks, "New webhook"),
        id: hook.id,
        name: hook.name,
        secret,
    })
}

pub(super) async fn show(
    State(mut facade): State<Facade>,
    signed: SignedIn,
    Id { id, .. }: Id<OfWebhook>,
) -> Answer<Response> {
    let hook = one(&mut facade, &signed, id.clone()).await?;
    form(&mut facade, &signed, id, None, hook.into()).await
}

pub(super) async fn update(
    State(mut facade): State<Facade>,
    signed: SignedIn,
    Id { id, .. }: Id<OfWebhook>,
    sent: Form,
) -> Answer<Response> {
    let typed = Typed::from(&sent);
    let asked = v1::UpdateWebhookRequest {
        id: id.clone(),
        name: Some(typed.name.clone()),
        url: Some(typed.url.clone()),
        enabled: Some(typed.enabled),
        kinds: Some(v1::StringList {
            values: typed.kinds.clone(),
        }),
        node_id: Some(typed.node_id.clone()),
        tls_ca_pem: Some(typed.tls_ca_pem.clone()),
    };
    match facade.webhooks.update(signed.caller.request(asked)).await {
        Ok(_) => {
            signed.flash(text::WEBHOOK_CHANGED);
            Ok(see_other(&format!("{PATH}/{id}")))
        }
        Err(status) => form(&mut facade, &signed, id, Some(status.into()), typed).await,
    }
}
