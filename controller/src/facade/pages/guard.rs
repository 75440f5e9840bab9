//! Who comes to the pages: a session for every request, and for every change proof that a page of ours
//! asked for it.
//!
//! A change has to come from a page of this very origin, as the browser tells by `Sec-Fetch-Site` or
//! `Origin`, and to show the CSRF token of its session: the field `csrf` of a form, or the header that
//! htmx sends. A cookie that is `SameSite=Strict` would be enough for most browsers; this holds for all.

use axum::{
    extract::{Request, State},
    http::{Extensions, HeaderMap, HeaderName, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use tonic::Code;
use wgfleet_proto::v1;

use super::{
    form::Form,
    page::{SignedIn, Who},
    sign_in, text,
};
use crate::facade::{
    Facade,
    caller::Caller,
    input::{self, MAX_BULK_BYTES},
    problem::Problem,
};

const CSRF_HEADER: HeaderName = HeaderName::from_static("x-csrf-token");
const CSRF_FIELD: &str = "csrf";
/// Where a form may be as long as a bulk request of the API.
const LONG_FORMS: [&str; 1] = ["/peers/many"];

/// Lets a request with a session through to its handler.
pub(super) async fn let_in(
    State(facade): State<Facade>,
    mut request: Request,
    next: Next,
) -> Response {
    let signed = match signed_in(&facade, request.headers(), request.extensions()).await {
        Ok(signed) => signed,
        Err(refused) => return sign_in::instead(&facade, &request, refused),
    };
    if is_change(request.method()) {
        request = match proven(request, &signed).await {
            Ok(request) => request,
            Err(problem) => return told(problem, signed),
        };
    }
    request.extensions_mut().insert(signed.clone());
    let wanted = sign_in::Wanted::of(&request);
    let mut response = next.run(request).await;
    // A token that was revoked in this very moment.
    if let Some(problem) = response.extensions().get::<Problem>()
        && problem.status == StatusCode::UNAUTHORIZED
    {
        return wanted.redirect();
    }
    response.extensions_mut().insert(signed);
    response
}

fn told(problem: Problem, signed: SignedIn) -> Response {
    let mut response = problem.into_response();
    response.extensions_mut().insert(signed);
    response
}

async fn signed_in(
    facade: &Facade,
    headers: &HeaderMap,
    extensions: &Extensions,
) -> Result<SignedIn, Problem> {
    let session = facade.sessions.of(headers);
    let session = session.ok_or_else(Problem::no_token)?;
    let caller = Caller::with_token(&session.token, extensions);
    let asked = caller.request(v1::WhoAmIRequest::default());
    let token = facade.tokens.clone().who_am_i(asked).await;
    let token = token.map_err(|status| {
        if status.code() == Code::Unauthenticated {
            facade.sessions.end(headers);
        }
        Problem::from(status)
    })?;
    Ok(SignedIn {
        caller: caller.counted(),
        who: Who::from(token.into_inner()),
        session,
    })
}

/// The request with its form, when it comes from a page of this session.
async fn proven(request: Request, signed: &SignedIn) -> Result<Request, Problem> {
    same_origin(request.headers())?;
    let (mut parts, body) = request.into_parts();
    let is_long = LONG_FORMS.contains(&parts.uri.path());
    let mut whole = Request::new(body);
    *whole.extensions_mut() = parts.extensions.clone();
    let body = input::read(whole, if is_long { MAX_BULK_BYTES } else { 0 }).await?;
    let form = Form::parse(&body);
    let shown = parts.headers.get(CSRF_HEADER);
    let shown = shown.map_or(Some(form.raw(CSRF_FIELD)), |value| value.to_str().ok());
    if !shown.is_some_and(|shown| signed.session.made(shown)) {
        return Err(refusal("csrf", text::STALE_FORM));
    }
    parts.extensions.insert(form);
    Ok(Request::from_parts(parts, axum::body::Body::empty()))
}

/// Whether a change was asked for by a page of ours, as far as the browser says.
///
/// # Errors
/// When it was another's.
pub(super) fn same_origin(headers: &HeaderMap) -> Result<(), Problem> {
    let refused = || refusal("cross_site", text::CROSS_SITE);
    let value = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or(""));
    if let Some(site) = value(HeaderName::from_static("sec-fetch-site")) {
        return (site == "same-origin").then_some(()).ok_or_else(refused);
    }
    let Some(origin) = value(header::ORIGIN) else {
        // No browser: none leaves both out.
        return Ok(());
    };
    let host = value(header::HOST).unwrap_or_default();
    let from = origin.split_once("://").map(|(_, authority)| authority);
    let same = from.is_some_and(|from| !host.is_empty() && from.eq_ignore_ascii_case(host));
    same.then_some(()).ok_or_else(refused)
}

fn refusal(code: &'static str, sentence: &str) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, code, sentence)
}

fn is_change(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD)
}
