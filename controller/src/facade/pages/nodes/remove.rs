//! `/nodes/{id}/delete`: what that means, and what becomes of the peers.

use askama::Template;
use axum::{extract::State, response::Response};
use wgfleet_proto::v1::{self, DeletePeers};

use super::{
    super::{
        form::Form,
        page::{Nav, Page, SignedIn, html, html_with, see_other},
        refusal::Refused,
        show, text,
    },
    may_change, read,
};
use crate::facade::{
    Answer, Facade,
    input::{Id, OfNode},
};

/// What may become of the peers: the word, what was done to them, and the choice.
const CHOICES: [(&str, &str, DeletePeers); 3] = [
    ("move", "moved", DeletePeers::Move),
    ("delete", "deleted", DeletePeers::Delete),
    ("forget", "forgotten", DeletePeers::Forget),
];

#[derive(Template)]
#[template(path = "nodes_delete.html")]
struct DeletePage {
    page: Page,
    id: String,
    name: String,
    peers: u32,
    chosen: String,
    refused: Option<Refused>,
}

pub(super) async fn show(
    State(mut facade): State<Facade>,
    signed: SignedIn,
    Id { id, .. }: Id<OfNode>,
) -> Answer<Response> {
    may_change(&signed)?;
    let node = read(&mut facade, &signed, id).await?;
    html(&page(&signed, node, "move", None))
}

pub(super) async fn delete(
    State(mut facade): State<Facade>,
    signed: SignedIn,
    Id { id, .. }: Id<OfNode>,
    form: Form,
) -> Answer<Response> {
    let node = read(&mut facade, &signed, id.clone()).await?;
    let chosen = form.text("peers");
    let choice = CHOICES.iter().find(|(word, ..)| *word == chosen);
    let (done, peers) = choice.map_or(("", DeletePeers::Refuse), |(_, done, peers)| (done, *peers));
    let message = v1::DeleteNodeRequest {
        id,
        peers: peers.into(),
        ..Default::default()
    };
    match facade.nodes.delete(signed.caller.request(message)).await {
        Ok(answer) => {
            let count = answer.into_inner().peer_count;
            signed.flash(if count == 0 {
                format!("{} was deleted.", node.name)
            } else {
                let count = show::count(count.into());
                format!("{} was deleted. Peers {done}: {count}.", node.name)
            });
            Ok(see_other("/nodes"))
        }
        Err(status) => {
            let mut refused = Refused::from(status);
            if peers == DeletePeers::Refuse && node.peer_count > 0 {
                refused.sentence = text::CHOOSE_FOR_PEERS.to_owned();
            }
            let status = refused.status;
            html_with(status, &page(&signed, node, chosen, Some(refused)))
        }
    }
}

fn page(signed: &SignedIn, node: v1::Node, chosen: &str, refused: Option<Refused>) -> DeletePage {
    DeletePage {
        page: Page::new(signed, Nav::Nodes, &format!("Delete {}", node.name)),
        id: node.id,
        name: node.name,
        peers: node.peer_count,
        chosen: chosen.to_owned(),
        refused,
    }
}
