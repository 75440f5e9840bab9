//! `/nodes/{id}/edit`: every setting of a node. Saved only over the version that was shown.

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
    typed::{self, Typed},
};
use crate::facade::{
    Answer, Facade,
    input::{Id, OfNode},
    problem::Problem,
};

const OUTDATED: &str = "etag_mismatch";

#[derive(Template)]
#[template(path = "nodes_edit.html")]
struct EditPage {
    page: Page,
    id: String,
    name: String,
    etag: String,
    enabled: bool,
    typed: Typed,
}

pub(super) async fn show(
    State(mut facade): State<Facade>,
    signed: SignedIn,
    Id { id, .. }: Id<OfNode>,
) -> Answer<Response> {
    may_change(&signed)?;
    let node = read(&mut facade, &signed, id).await?;
    html(&EditPage {
        typed: Typed::of(&node),
        enabled: node.enabled,
        ..EditPage::new(&signed, node)
    })
}

pub(super) async fn save(
    State(mut facade): State<Facade>,
    signed: SignedIn,
    Id { id, .. }: Id<OfNode>,
    form: Form,
) -> Answer<Response> {
    let node = read(&mut facade, &signed, id).await?;
    let problem = match change(&mut facade, &signed, &node, &form).await {
        Ok(()) => {
            signed.flash(text::SAVED);
            return Ok(see_other(&address(&node.id)));
        }
        Err(problem) => problem,
    };
    let is_outdated = problem.code == OUTDATED;
    let mut refused = Refused::from(problem);
    let status = refused.status;
    let mut page = EditPage {
        enabled: form.is_ticked("enabled"),
        typed: Typed::from(&form),
        ..EditPage::new(&signed, node.clone())
    };
    if is_outdated {
        // Saved again, it goes over what is shown beside it now.
        refused.sentence = text::OUTDATED.to_owned();
        page.typed = page.typed.beside(&node);
    } else {
        form.text("etag").clone_into(&mut page.etag);
    }
    page.typed = page.typed.refused(refused);
    html_with(status, &page)
}

async fn change(
    facade: &mut Facade,
    signed: &SignedIn,
    node: &v1::Node,
    form: &Form,
) -> Answer<()> {
    let patch = v1::UpdateNodeRequest {
        if_match: vec![form.text("etag").to_owned()],
        ..typed::patch(node, form)?
    };
    let saved = facade.nodes.update(signed.caller.request(patch)).await;
    saved.map_err(Problem::from)?;
    Ok(())
}

impl EditPage {
    fn new(signed: &SignedIn, node: v1::Node) -> Self {
        Self {
            page: Page::new(signed, Nav::Nodes, &format!("Edit {}", node.name)),
            id: node.id,
            name: node.name,
            etag: node.etag,
            enabled: false,
            typed: Typed::default(),
        }
    }
}
