//! `/peers/{id}/edit`: other settings for a peer.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use wgfleet_proto::v1;

use super::{
    super::{
        form::Form,
        page::{Nav, Page, SignedIn, html_with, see_other},
        refusal::Refused,
        text,
    },
    one,
    typed::Typed,
};
use crate::facade::{
    Answer, Facade,
    input::{Id, OfPeer},
};

#[derive(Template)]
#[template(path = "peer_edit.html")]
struct EditPage {
    page: Page,
    refused: Option<Refused>,
    /// Whether somebody else changed it meanwhile.
    is_stale: bool,
    typed: Typed,
    id: String,
    name: String,
    etag: String,
}

pub(super) async fn show(
    State(mut facade): State<Facade>,
    signed: SignedIn,
    Id { id, .. }: Id<OfPeer>,
) -> Answer<Response> {
    let peer = one::get(&mut facade, &signed, id).await?;
    let typed = Typed::from_peer(&peer);
    let etag = peer.etag.clone();
    form(&signed, &peer, typed, etag, None)
}

pub(super) async fn save(
    State(mut facade): State<Facade>,
    signed: SignedIn,
    Id { id, .. }: Id<OfPeer>,
    form: Form,
) -> Answer<Response> {
    let peer = one::get(&mut facade, &signed, id).await?;
    let typed = Typed::of(&form);
    let etag = form.text("etag");
    match change(&mut facade, &signed, &peer, &typed, &form).await {
        Ok(needs_config) => {
            signed.flash(if needs_config {
                text::SAVED_NEEDS_CONFIG
            } else {
                text::SAVED
            });
            Ok(see_other(&format!("/peers/{}", peer.id)))
        }
        Err(refused) => {
            let typed = typed.refused_at(&refused.field);
            self::form(&signed, &peer, typed, etag.to_owned(), Some(refused))
        }
    }
}

async fn change(
    facade: &mut Facade,
    signed: &SignedIn,
    peer: &v1::Peer,
    typed: &Typed,
    form: &Form,
) -> Result<bool, Refused> {
    // Never "*", nor none: whoever edits has seen a certain version.
    let etag = Some(form.text("etag"))
        .filter(|etag| *etag != "*")
        .unwrap_or_default();
    let asked = typed.changes(peer, form.text("preshared_key"), etag)?;
    let answer = facade.peers.update(signed.caller.request(asked)).await?;
    Ok(answer.into_inner().client_needs_config)
}

fn form(
    signed: &SignedIn,
    peer: &v1::Peer,
    typed: Typed,
    etag: String,
    refused: Option<Refused>,
) -> Answer<Response> {
    let status = Refused::status(refused.as_ref());
    let page = EditPage {
        page: Page::new(signed, Nav::Peers, &peer.name),
        is_stale: status == StatusCode::PRECONDITION_FAILED,
        refused,
        typed,
        id: peer.id.clone(),
        name: peer.name.clone(),
        etag,
    };
    html_with(status, &page)
}
