//! `/nodes`: the table of nodes, and everything about one of them.
//!
//! Read first: [`row`] and [`list`] for the table, [`show`] for the page of one node, which is made of
//! parts that are asked for again one by one. [`typed`] is what the forms have in common.

mod act;
mod add;
mod adopt;
mod drift;
mod edit;
mod list;
mod remove;
mod row;
mod secret;
mod show;
mod tested;
mod typed;
mod unmanaged;

use axum::{
    Router,
    http::StatusCode,
    routing::{get, post},
};

use wgfleet_proto::v1;

use super::{page::SignedIn, text};
use crate::facade::{Answer, Facade, problem::Problem};

pub(super) fn routes() -> Router<Facade> {
    Router::new()
        .route("/nodes", get(list::show))
        .route("/nodes/rows", get(list::show_rows))
        .route("/nodes/new", get(add::show).post(add::create))
        .route("/nodes/test", post(add::test))
        .route("/nodes/{id}", get(show::show))
        .route("/nodes/{id}/row", get(list::show_row))
        .route("/nodes/{id}/now", get(show::show_now))
        .route("/nodes/{id}/peers", get(show::show_peers))
        .route("/nodes/{id}/statuses", get(show::show_statuses))
        .route("/nodes/{id}/throughput", get(show::throughput))
        .route("/nodes/{id}/drift", get(drift::show))
        .route("/nodes/{id}/sync", post(drift::apply))
        .route("/nodes/{id}/unmanaged", post(unmanaged::choose))
        .route("/nodes/{id}/adopt", get(adopt::show).post(adopt::adopt))
        .route("/nodes/{id}/enable", post(act::enable))
        .route("/nodes/{id}/disable", post(act::disable))
        .route("/nodes/{id}/test", post(act::test))
        .route("/nodes/{id}/edit", get(edit::show).post(edit::save))
        .route("/nodes/{id}/secret", get(secret::show).post(secret::rotate))
        .route("/nodes/{id}/delete", get(remove::show).post(remove::delete))
}

/// Forms are for those who may send them; the services refuse others in any case.
fn may_change(signed: &SignedIn) -> Answer<()> {
    if signed.who.may_change {
        return Ok(());
    }
    let sentence = text::MAY_NOT_CHANGE;
    Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", sentence))
}

/// The node, as who signed in sees it.
async fn read(facade: &mut Facade, signed: &SignedIn, id: String) -> Answer<v1::Node> {
    let asked = signed.caller.request(v1::GetNodeRequest { id });
    Ok(facade.nodes.get(asked).await?.into_inner())
}

/// The page of a node.
fn address(id: &str) -> String {
    format!("/nodes/{id}")
}
