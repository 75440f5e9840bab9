//! `/peers`: everybody who is let in, one of them, and how they come and go.

mod change;
mod chosen;
mod config;
mod edit;
mod filter;
mod list;
mod many;
mod new;
mod nodes;
mod once;
mod one;
mod past;
mod row;
mod typed;
mod units;

use axum::{
    Router,
    routing::{get, post},
};

use crate::facade::Facade;

pub(super) use self::many::Job;

pub(super) fn routes() -> Router<Facade> {
    Router::new()
        .route("/peers", get(list::show))
        .route("/peers/rows", get(list::show_rows))
        .route("/peers/chosen", post(chosen::act))
        .route("/peers/new", get(new::show).post(new::create))
        .route("/peers/{id}", get(one::show))
        .route("/peers/{id}/row", get(list::show_row))
        .route("/peers/{id}/now", get(one::show_now))
        .route("/peers/{id}/client", get(one::show_client))
        .route("/peers/{id}/traffic", get(past::traffic))
        .route("/peers/{id}/qr", get(config::qr))
        .route("/peers/{id}/config", get(config::file))
        .route("/peers/{id}/edit", get(edit::show).post(edit::save))
        .route("/peers/{id}/move", post(change::relocate))
        .route("/peers/{id}/enable", post(change::enable))
        .route("/peers/{id}/disable", post(change::disable))
        .route("/peers/{id}/delete", post(change::delete))
        .merge(many::routes())
}
