//! What every page has around its content, and how it is rendered.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::FromRequestParts,
    http::{HeaderValue, StatusCode, header, request::Parts},
    response::{Html, IntoResponse, Response},
};
use wgfleet_proto::v1::{self, TokenRole};

use super::{assets, session::Session, text};
use crate::facade::{Answer, caller::Caller, problem::Problem};

/// Who signed in, and how a handler speaks to the services for them.
#[derive(Clone)]
pub(in crate::facade) struct SignedIn {
    /// Their calls.
    pub(super) caller: Caller,
    /// Who they are.
    pub(super) who: Who,
    /// Their session.
    pub(super) session: Arc<Session>,
}

/// A token's name and what it may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::facade) struct Who {
    /// As the audit has it.
    pub(super) name: String,
    /// `admin`, `operator` or `viewer`.
    pub(super) role: &'static str,
    /// May change nodes and peers.
    pub(super) may_change: bool,
    /// May do what concerns the whole fleet: tokens, webhooks, audit, backup.
    pub(super) is_admin: bool,
}

impl From<v1::Token> for Who {
    fn from(token: v1::Token) -> Self {
        let role = token.role();
        Self {
            role: text::role(role),
            may_change: matches!(role, TokenRole::Admin | TokenRole::Operator),
            is_admin: role == TokenRole::Admin && token.label_scope.is_empty(),
            name: token.name,
        }
    }
}

impl<S: Sync> FromRequestParts<S> for SignedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let signed = parts.extensions.get().cloned();
        signed.ok_or_else(Problem::no_token)
    }
}

/// A part of the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nav {
    Overview,
    Nodes,
    Peers,
    Audit,
    Tokens,
    Webhooks,
    Api,
    Backup,
    /// A page that is none of them.
    Elsewhere,
}

/// Label, address, and whether it is for administrators of the whole fleet.
const NAV: [(Nav, &str, &str, bool); 8] = [
    (Nav::Overview, "Overview", "/", false),
    (Nav::Nodes, "Nodes", "/nodes", false),
    (Nav::Peers, "Peers", "/peers", false),
    (Nav::Audit, "Audit", "/audit", true),
    (Nav::Tokens, "Tokens", "/tokens", true),
    (Nav::Webhooks, "Webhooks", "/webhooks", true),
    (Nav::Api, "API", "/api", false),
    (Nav::Backup, "Backup", "/backup", true),
];

/// A link of the navigation.
pub(super) struct NavLink {
    pub(super) label: &'static str,
    pub(super) href: &'static str,
    pub(super) is_current: bool,
}

/// What `base.html` shows.
pub(super) struct Page {
    /// Of the window; the product's name follows it.
    pub(super) title: String,
    /// Nobody on the page to sign in.
    pub(super) who: Option<Who>,
    /// What its forms send.
    pub(super) csrf: String,
    /// What was done just now.
    pub(super) flash: Option<String>,
    current: Nav,
}

impl Page {
    /// A page for who signed in. Takes what the request before left to say.
    pub(super) fn new(signed: &SignedIn, current: Nav, title: &str) -> Self {
        Self {
            title: title.to_owned(),
            who: Some(signed.who.clone()),
            csrf: signed.session.csrf.clone(),
            flash: signed.session.take_left(),
            current,
        }
    }

    /// A page for a stranger.
    pub(super) fn for_stranger(title: &str) -> Self {
        Self {
            title: title.to_owned(),
            who: None,
            csrf: String::new(),
            flash: None,
            current: Nav::Elsewhere,
        }
    }

    /// Whether buttons that change nodes and peers are shown.
    #[allow(dead_code)]
    pub(super) fn may_change(&self) -> bool {
        self.who.as_ref().is_some_and(|who| who.may_change)
    }

    /// The links that concern whoever looks.
    pub(super) fn nav(&self) -> Vec<NavLink> {
        let is_admin = self.who.as_ref().is_some_and(|who| who.is_admin);
        let shown = NAV.iter().filter(|(.., admin)| is_admin || !admin);
        shown
            .map(|(nav, label, href, _)| NavLink {
                label,
                href,
                is_current: *nav == self.current,
            })
            .collect()
    }

    /// Where an asset is.
    pub(super) fn asset(&self, name: &str) -> &'static str {
        assets::url(name)
    }
}

impl SignedIn {
    /// Leaves a sentence for the next page, which shows it once.
    pub(super) fn flash(&self, sentence: impl Into<String>) {
        self.session.leave(sentence.into());
    }
}

/// A rendered page, or a part of one.
///
/// # Errors
/// When a template fails, which is a fault of ours.
pub(super) fn html(template: &impl Template) -> Answer<Response> {
    html_with(StatusCode::OK, template)
}

/// The same with another status.
///
/// # Errors
/// As [`html`].
pub(super) fn html_with(status: StatusCode, template: &impl Template) -> Answer<Response> {
    let text = template.render().map_err(|error| {
        tracing::error!(%error, "a page could not be rendered");
        Problem::internal()
    })?;
    Ok((status, Html(text)).into_response())
}

/// Sends the browser to a page of ours after a change.
pub(super) fn see_other(path: &str) -> Response {
    let place = HeaderValue::try_from(path).unwrap_or(HeaderValue::from_static("/"));
    (StatusCode::SEE_OTHER, [(header::LOCATION, place)]).into_response()
}
