//! `/nodes/{id}/secret`: another secret for the agent. A generated one is shown once, in the answer that
//! made it, with what to do on the agent's host; sent back from there, it completes the rotation.

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
    address, may_change, read,
};
use crate::facade::{
    Answer, Facade,
    input::{Id, OfNode},
};

#[derive(Template)]
#[template(path = "nodes_secret.html")]
struct SecretPage {
    page: Page,
    id: String,
    name: String,
    /// Generated just now; empty otherwise.
    secret: String,
    /// Given, and not yet on the agent; empty otherwise.
    given: String,
    /// Why it is not completed.
    reason: String,
    /// Nodes of the same agent.
    shared: usize,
    refused: Option<Refused>,
}

pub(super) async fn show(
    State(mut facade): State<Facade>,
    signed: SignedIn,
    Id { id, .. }: Id<OfNode>,
) -> Answer<Response> {
    may_change(&signed)?;
    html(&SecretPage::of(&mut facade, &signed, id).await?)
}

pub(super) async fn rotate(
    State(mut facade): State<Facade>,
    signed: SignedIn,
    Id { id, .. }: Id<OfNode>,
    form: Form,
) -> Answer<Response> {
    let mut page = SecretPage::of(&mut facade, &signed, id.clone()).await?;
    let given = form.raw("secret");
    let secret = (!given.is_empty()).then(|| given.to_owned());
    let message = v1::RotateNodeSecretRequest { id, secret };
    let asked = signed.caller.request(message);
    match facade.nodes.rotate_secret(asked).await {
        Ok(answer) => {
            let answer = answer.into_inner();
            if answer.completed {
                signed.flash(text::SECRET_ROTATED);
                return Ok(see_other(&address(&page.id)));
            }
            page.shared = answer.node_ids.len();
            page.reason = text::sentence(&answer.reason);
            given.clone_into(&mut page.given);
            page.secret = answer.secret.unwrap_or_default();
            html(&page)
        }
        Err(status) => {
            let refused = Refused::from(status);
            let status = refused.status;
            given.clone_into(&mut page.given);
            page.refused = Some(refused);
            html_with(status, &page)
        }
    }
}

impl SecretPage {
    async fn of(facade: &mut Facade, signed: &SignedIn, id: String) -> Answer<Self> {
        let node = read(facade, signed, id).await?;
        Ok(Self {
            page: Page::new(signed, Nav::Nodes, &format!("Secret of {}", node.name)),
            id: node.id,
            name: node.name,
            secret: String::new(),
            given: String::new(),
            reason: String::new(),
            shared: 1,
            refused: None,
        })
    }
}
