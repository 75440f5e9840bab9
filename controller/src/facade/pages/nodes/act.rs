//! What the buttons beside a node do.

use axum::{extract::State, http::HeaderMap, response::Response};
use wgfleet_proto::v1::{self, test_node_request::Target};

use super::{
    super::{
        form::Form,
        page::{SignedIn, html, see_other},
        refusal::is_htmx,
        text,
    },
    address, may_change,
    show::NodePage,
    tested::{Tested, TestedPart},
};
use crate::facade::{
    Answer, Facade,
    input::{Id, OfNode},
};

pub(super) async fn enable(
    State(mut facade): State<Facade>,
    signed: SignedIn,
    Id { id, .. }: Id<OfNode>,
    form: Form,
) -> Answer<Response> {
    let if_match = Vec::new();
    let message = v1::EnableNodeRequest { id, if_match };
    let node = facade.nodes.enable(signed.caller.request(message)).await?;
    Ok(switched(&signed, &form, node.get_ref(), text::ENABLED))
}

pub(super) async fn disable(
    State(mut facade): State<Facade>,
    signed: SignedIn,
    Id { id, .. }: Id<OfNode>,
    form: Form,
) -> Answer<Response> {
    let if_match = Vec::new();
    let message = v1::DisableNodeRequest { id, if_match };
    let node = facade.nodes.disable(signed.caller.request(message)).await?;
    Ok(switched(&signed, &form, node.get_ref(), text::DISABLED))
}

/// Tries the connection of a node as it is saved.
pub(super) async fn test(
    State(mut facade): State<Facade>,
    signed: SignedIn,
    Id { id, .. }: Id<OfNode>,
    headers: HeaderMap,
) -> Answer<Response> {
    may_change(&signed)?;
    let tested = Tested::of(&mut facade, &signed, Target::Id(id.clone())).await;
    if is_htmx(&headers) {
        return html(&TestedPart { tested });
    }
    let mut page = NodePage::look(&mut facade, &signed, id).await?;
    page.tested = Some(tested);
    html(&page)
}

/// Says so where the button was.
fn switched(signed: &SignedIn, form: &Form, node: &v1::Node, became: &str) -> Response {
    signed.flash(format!("{} is {became}.", node.name));
    if form.text("from") == "list" {
        see_other("/nodes")
    } else {
        see_other(&address(&node.id))
    }
}
