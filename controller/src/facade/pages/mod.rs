//! The pages: what a person sees of the controller, rendered here from templates in `ui/templates`.
//!
//! Pages are clients of the services as the API is, with the token that was shown at sign-in. Nothing
//! here decides who may do what: buttons a role can't use are left out, and the service refuses anyway.
//!
//! # Adding a page
//!
//! 1. `ui/templates/thing.html`: `{% extends "base.html" %}`, `{% import "macros.html" as ui %}`, then
//!    `{% block content %}`. Everything is escaped. Inline scripts, `style=` and `onclick=` do not work
//!    (the Content-Security-Policy refuses them): app.css and app.js have what is needed, and say so
//!    at their heads.
//! 2. `pages/thing.rs`: a struct `#[derive(Template)] #[template(path = "thing.html")]` with a field
//!    `page: Page`, and handlers of this form:
//!
//!    ```ignore
//!    async fn show(State(mut facade): State<Facade>, signed: SignedIn, Id { id, .. }: Id<OfNode>) -> Answer<Response> {
//!        let node = facade.nodes.get(signed.caller.request(v1::GetNodeRequest { id })).await?.into_inner();
//!        html(&ThingPage { page: Page::new(&signed, Nav::Nodes, &node.name), node: node.into() })
//!    }
//!    ```
//!
//!    `?` on a refusal makes a page with its sentence (or its plain text, for htmx). `query::Parameters`,
//!    `input::Id` and `shape::word` are as useful here as in the API.
//! 3. Its `routes()` are merged in [`routes`] below, where [`guard`] stands before every one: no
//!    handler runs without a session, and no POST without its CSRF token.
//! 4. A form: `<form method="post">` with `{% call ui::csrf(page) %}{% endcall %}` first, fields by
//!    `{% call ui::field(…) %}{% endcall %}`. Its handler takes [`Form`] and ends in
//!    `signed.flash(text::SAVED); Ok(see_other("/nodes"))`. When a service refuses, show the form again:
//!    `html_with(refused.status, &ThingPage { refused: Some(Refused::from(status)), form, … })`; what was
//!    typed is in [`Form`], the sentence by `ui::refused`. A secret that is shown once is rendered in the
//!    answer to the POST itself.
//! 5. Live: give the element an `id`, say what it shows and where it comes from, and render it with the
//!    same template, included in the page (`{% include "thing_row.html" %}`):
//!    `<tr id="node-7" data-live="node:7" hx-get="/nodes/7/row" hx-trigger="live" hx-swap="morph:outerHTML">`.
//!    Topics are those of [`live`]; `data-live-every="10"` redraws it besides every ten seconds. Around
//!    many rows, an element with `data-live-many` and an `hx-get` of all of them is asked for instead
//!    when many are due at once.
//! 6. Sentences and status words go to [`text`]; times, bytes and chips are those of [`show`].
//! 7. Tests: `facade/tests/pages`, with `Browser` there.

mod api;
mod assets;
mod audit;
mod backup;
mod compress;
mod form;
mod guard;
mod headers;
mod live;
mod moment;
mod nodes;
mod overview;
mod page;
mod peers;
mod plot;
mod refusal;
mod session;
mod show;
mod sign_in;
mod text;
mod tokens;
mod webhooks;

use axum::{Router, middleware};

pub(super) use self::refusal::{not_found, wants_html};
pub use self::session::PageOptions;
pub(super) use self::{page::SignedIn, session::Sessions};
use super::Facade;

/// All pages, and what belongs to them.
pub(super) fn routes(facade: &Facade) -> Router<Facade> {
    let behind_sign_in = overview::routes()
        .merge(live::routes())
        .merge(nodes::routes())
        .merge(audit::routes())
        .merge(tokens::routes())
        .merge(webhooks::routes())
        .merge(api::routes())
        .merge(backup::routes())
        .merge(peers::routes())
        .merge(sign_in::routes_when_signed_in())
        .route_layer(middleware::from_fn_with_state(
            facade.clone(),
            guard::let_in,
        ));
    behind_sign_in
        .merge(sign_in::routes())
        .route_layer(middleware::from_fn(refusal::show))
        .route_layer(middleware::from_fn(compress::layer))
        .route_layer(middleware::from_fn(headers::layer))
        .merge(assets::routes())
}
