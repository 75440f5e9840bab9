//! Refusals as a person reads them.

use askama::Template;
use axum::{
    extract::Request,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use tonic::Status;

use super::{
    headers,
    page::{Nav, Page, SignedIn, html_with},
    text,
};
use crate::facade::{problem::Problem, request_id::RequestId};

/// What a service refused, beside the form that asked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    /// What the answer says to programs.
    pub(super) status: StatusCode,
    /// A whole sentence.
    pub(super) sentence: String,
    /// The field at fault; empty when it is none.
    pub(super) field: String,
}

impl Refused {
    /// The status of the form it stands beside, when it does.
    pub(super) fn status(refused: Option<&Self>) -> StatusCode {
        refused.map_or(StatusCode::OK, |refused| refused.status)
    }
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self {
            status: problem.status,
            sentence: text::sentence(&problem.detail),
            field: problem.field.unwrap_or_default(),
        }
    }
}

impl From<Status> for Refused {
    fn from(status: Status) -> Self {
        Problem::from(status).into()
    }
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage {
    page: Page,
    heading: &'static str,
    sentence: String,
    request_id: String,
}

/// Turns refusals into pages; for a part of a page, into their plain sentence.
pub(super) async fn show(request: Request, next: Next) -> Response {
    let headers = request.headers().clone();
    let id = request.extensions().get::<RequestId>().cloned();
    let mut response = next.run(request).await;
    if response.status() == StatusCode::METHOD_NOT_ALLOWED {
        let problem = Problem::new(response.status(), "method_not_allowed", text::NOT_THIS_WAY);
        response.extensions_mut().insert(problem);
    }
    let Some(problem) = response.extensions_mut().remove::<Problem>() else {
        return response;
    };
    let signed = response.extensions_mut().remove::<SignedIn>();
    let mut shown = if wants_html(&headers) && !is_htmx(&headers) {
        page(&problem, signed.as_ref(), id.as_ref())
    } else {
        plain(&problem)
    };
    if let Some(wait) = response.headers_mut().remove(header::RETRY_AFTER) {
        shown.headers_mut().insert(header::RETRY_AFTER, wait);
    }
    shown.extensions_mut().extend(response.extensions().clone());
    if let Some(signed) = signed {
        shown.extensions_mut().insert(signed);
    }
    shown
}

/// There is nothing at this address.
pub(in crate::facade) fn not_found(id: Option<&RequestId>) -> Response {
    let problem = Problem::new(StatusCode::NOT_FOUND, "route_not_found", text::NOTHING_HERE);
    headers::add(page(&problem, None, id))
}

/// Whether this is a browser that looks for a page.
pub(in crate::facade) fn wants_html(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT);
    let accepted = accepted.and_then(|value| value.to_str().ok());
    accepted.is_some_and(|accepted| accepted.contains("text/html"))
}

pub(super) fn is_htmx(headers: &HeaderMap) -> bool {
    headers.contains_key("hx-request")
}

fn page(problem: &Problem, signed: Option<&SignedIn>, id: Option<&RequestId>) -> Response {
    let heading = text::heading(problem.status);
    let page = signed.map_or_else(
        || Page::for_stranger(heading),
        |signed| Page::new(signed, Nav::Elsewhere, heading),
    );
    let status = problem.status;
    let template = ProblemPage {
        page,
        heading,
        sentence: text::sentence(&problem.detail),
        request_id: id.map_or("", RequestId::as_str).to_owned(),
    };
    html_with(status, &template).unwrap_or_else(|problem| plain(&problem))
}

fn plain(problem: &Problem) -> Response {
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    let sentence = text::sentence(&problem.detail);
    (problem.status, [(header::CONTENT_TYPE, kind)], sentence).into_response()
}
