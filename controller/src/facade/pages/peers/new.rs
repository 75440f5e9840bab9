//! `/peers/new`: one more peer.

use askama::Template;
use axum::{extract::State, response::Response};
use zeroize::Zeroizing;

use super::{
    super::{
        form::Form,
        page::{Nav, Page, SignedIn, html_with, see_other},
        refusal::Refused,
        text,
    },
    nodes::{self, Nodes},
    once,
    typed::Typed,
};
use crate::facade::{Answer, Facade, query::Parameters};

#[derive(Template)]
#[template(path = "peer_new.html")]
struct NewPage {
    page: Page,
    refused: Option<Refused>,
    typed: Typed,
    nodes: Vec<String>,
}

pub(super) async fn show(
    State(facade): State<Facade>,
    signed: SignedIn,
    mut query: Parameters,
) -> Answer<Response> {
    let node = query.text("node")?.unwrap_or_default();
    query.finish()?;
    let typed = Typed {
        node,
        ..Typed::new()
    };
    form(facade, &signed, None, typed).await
}

pub(super) async fn create(
    State(mut facade): State<Facade>,
    signed: SignedIn,
    form: Form,
) -> Answer<Response> {
    let typed = Typed::of(&form);
    let made = make(&mut facade, &signed, &typed, form.text("preshared_key")).await;
    let made = match made {
        Ok(made) => made,
        Err(refused) => {
            let typed = typed.refused_at(&refused.field);
            return self::form(facade, &signed, Some(refused), typed).await;
        }
    };
    let peer = made.peer.unwrap_or_default();
    if let Some(private_key) = made.private_key.map(Zeroizing::new) {
        return once::show(&mut facade, &signed, &peer, &private_key).await;
    }
    signed.flash(text::added(&peer.name, &made.placement));
    Ok(see_other(&format!("/peers/{}", peer.id)))
}

async fn make(
    facade: &mut Facade,
    signed: &SignedIn,
    typed: &Typed,
    preshared_key: &str,
) -> Result<wgfleet_proto::v1::CreatePeerResponse, Refused> {
    let node_id = nodes::find(facade, signed, &typed.node).await?;
    let asked = typed.create(node_id, preshared_key)?;
    let made = facade.peers.create(signed.caller.request(asked)).await?;
    Ok(made.into_inner())
}

async fn form(
    mut facade: Facade,
    signed: &SignedIn,
    refused: Option<Refused>,
    typed: Typed,
) -> Answer<Response> {
    let status = Refused::status(refused.as_ref());
    let nodes = Nodes::offered(&mut facade, signed).await;
    let page = NewPage {
        page: Page::new(signed, Nav::Peers, "Add peer"),
        refused,
        typed,
        nodes,
    };
    html_with(status, &page)
}
