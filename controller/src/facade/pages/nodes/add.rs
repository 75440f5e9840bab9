//! `/nodes/new`: Add Node, with Test Connection before Create.

use askama::Template;
use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use wgfleet_proto::v1::{self, test_node_request::Target};

use super::{
    super::{
        form::Form,
        page::{Nav, Page, SignedIn, html, html_with, see_other},
        refusal::{Refused, is_htmx},
        text,
    },
    address, may_change,
    tested::{Tested, TestedPart},
    typed::{self, Typed},
};
use crate::facade::{Answer, Facade, problem::Problem};

#[derive(Template)]
#[template(path = "nodes_new.html")]
struct NewNodePage {
    page: Page,
    typed: Typed,
    tested: Option<Tested>,
}

/// The only page that ever shows the secret.
#[derive(Template)]
#[template(path = "nodes_created.html")]
struct CreatedPage {
    page: Page,
    id: String,
    name: String,
    secret: String,
}

pub(super) async fn show(signed: SignedIn) -> Answer<Response> {
    may_change(&signed)?;
    html(&page(&signed, Typed::defaults(), None))
}

/// Tries what was typed, before it is saved.
pub(super) async fn test(
    State(mut facade): State<Facade>,
    signed: SignedIn,
    headers: HeaderMap,
    form: Form,
) -> Answer<Response> {
    may_change(&signed)?;
    let node = v1::UnsavedNode {
        agent_url: form.text("agent_url").to_owned(),
        wg_interface: form.text("wg_interface").to_owned(),
        secret: form.raw("secret").to_owned(),
        ..Default::default()
    };
    let tested = if node.secret.is_empty() {
        Tested::untried(text::NO_SECRET_YET)
    } else {
        Tested::of(&mut facade, &signed, Target::Unsaved(node)).await
    };
    if is_htmx(&headers) {
        return html(&TestedPart { tested });
    }
    html(&page(&signed, Typed::new_from(&form), Some(tested)))
}

pub(super) async fn create(
    State(mut facade): State<Facade>,
    signed: SignedIn,
    form: Form,
) -> Answer<Response> {
    match make(&mut facade, &signed, &form).await {
        Ok(v1::CreateNodeResponse { node, secret }) => {
            let node = node.unwrap_or_default();
            let Some(secret) = secret else {
                signed.flash(format!("{} was added.", node.name));
                return Ok(see_other(&address(&node.id)));
            };
            let created = CreatedPage {
                page: Page::new(&signed, Nav::Nodes, &node.name),
                id: node.id,
                name: node.name,
                secret,
            };
            html_with(StatusCode::CREATED, &created)
        }
        Err(problem) => {
            let refused = Refused::from(problem);
            let status = refused.status;
            let typed = Typed::new_from(&form).refused(refused);
            html_with(status, &page(&signed, typed, None))
        }
    }
}

async fn make(
    facade: &mut Facade,
    signed: &SignedIn,
    form: &Form,
) -> Answer<v1::CreateNodeResponse> {
    let message = typed::new_node(form)?;
    let answer = facade.nodes.create(signed.caller.request(message)).await;
    Ok(answer.map_err(Problem::from)?.into_inner())
}

fn page(signed: &SignedIn, typed: Typed, tested: Option<Tested>) -> NewNodePage {
    NewNodePage {
        page: Page::new(signed, Nav::Nodes, "Add Node"),
        typed,
        tested,
    }
}
