//! `/nodes/{id}/adopt`: one peer that nobody declared is declared, as the node has it. What a dump does
//! not tell, its preshared key, stays on the node, or is typed in.

use askama::Template;
use axum::{extract::State, response::Response};
use wgfleet_proto::v1::{self, preshared_key_choice::Choice};

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
    problem::Problem,
    query::Parameters,
};

/// Enough of a key to tell it from others in a name.
const KEY_CHARS: usize = 8;

#[derive(Template)]
#[template(path = "nodes_adopt.html")]
struct AdoptPage {
    page: Page,
    id: String,
    node: String,
    key: String,
    allowed_ips: String,
    keepalive: u32,
    /// What the peer is to be called.
    called: String,
    /// As it was typed; empty otherwise.
    preshared_key: String,
    refused: Option<Refused>,
}

pub(super) async fn show(
    State(mut facade): State<Facade>,
    signed: SignedIn,
    Id { id, .. }: Id<OfNode>,
    mut query: Parameters,
) -> Answer<Response> {
    may_change(&signed)?;
    let key = query.text("public_key")?.unwrap_or_default();
    query.finish()?;
    let stranger = stranger(&mut facade, &signed, &id, &key).await?;
    html(&AdoptPage::of(&mut facade, &signed, id, &stranger).await?)
}

pub(super) async fn adopt(
    State(mut facade): State<Facade>,
    signed: SignedIn,
    Id { id, .. }: Id<OfNode>,
    form: Form,
) -> Answer<Response> {
    let stranger = stranger(&mut facade, &signed, &id, form.text("public_key")).await?;
    let (name, preshared_key) = (form.text("name"), form.text("preshared_key"));
    let choice = if preshared_key.is_empty() {
        Choice::Keep(true)
    } else {
        Choice::Key(preshared_key.to_owned())
    };
    let message = v1::CreatePeerRequest {
        name: name.to_owned(),
        node_id: id.clone(),
        public_key: stranger.public_key.clone(),
        preshared_key: Some(v1::PresharedKeyChoice {
            choice: Some(choice),
        }),
        allowed_ips: stranger.allowed_ips.clone(),
        persistent_keepalive: Some(stranger.persistent_keepalive),
        ..Default::default()
    };
    match facade.peers.create(signed.caller.request(message)).await {
        Ok(made) => {
            let peer = made.into_inner().peer.unwrap_or_default();
            signed.flash(text::adopted(&peer.name));
            Ok(see_other(&address(&id)))
        }
        Err(status) => {
            let refused = Refused::from(status);
            let status = refused.status;
            let mut page = AdoptPage::of(&mut facade, &signed, id, &stranger).await?;
            name.clone_into(&mut page.called);
            preshared_key.clone_into(&mut page.preshared_key);
            page.refused = Some(refused);
            html_with(status, &page)
        }
    }
}

/// The peer, as the node has it now.
async fn stranger(
    facade: &mut Facade,
    signed: &SignedIn,
    node_id: &str,
    public_key: &str,
) -> Answer<v1::UnmanagedPeer> {
    let id = node_id.to_owned();
    let asked = signed.caller.request(v1::PlanNodeRequest { id });
    let plan = facade.nodes.plan(asked).await?.into_inner();
    let mut found = plan.unmanaged.into_iter();
    let found = found.find(|peer| peer.public_key == public_key);
    found.ok_or_else(|| Problem::invalid_field("public_key", text::NOT_UNMANAGED))
}

impl AdoptPage {
    async fn of(
        facade: &mut Facade,
        signed: &SignedIn,
        id: String,
        stranger: &v1::UnmanagedPeer,
    ) -> Answer<Self> {
        let node = read(facade, signed, id).await?;
        let start: String = stranger.public_key.chars().take(KEY_CHARS).collect();
        Ok(Self {
            page: Page::new(
                signed,
                Nav::Nodes,
                &format!("Adopt a peer of {}", node.name),
            ),
            id: node.id,
            node: node.name,
            key: stranger.public_key.clone(),
            allowed_ips: stranger.allowed_ips.join(", "),
            keepalive: stranger.persistent_keepalive,
            called: format!("adopted {start}"),
            preshared_key: String::new(),
            refused: None,
        })
    }
}
