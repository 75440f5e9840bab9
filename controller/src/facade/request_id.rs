//! One id for each request, in the log, in the answer and in what it sets off.

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::Response,
};
use tracing::Instrument;
use uuid::Uuid;

use super::problem::Problem;

pub(super) const HEADER: HeaderName = HeaderName::from_static("x-request-id");
const MAX_CHARS: usize = 128;

/// The id of the request at hand.
#[derive(Debug, Clone)]
pub(super) struct RequestId(pub(super) HeaderValue);

impl RequestId {
    /// The caller's own when it is fit for a log, or else a new one.
    fn of(request: &Request) -> Self {
        let given = request.headers().get(HEADER);
        let fit = given.filter(|id| is_fit(id.as_bytes())).cloned();
        Self(fit.unwrap_or_else(|| {
            HeaderValue::try_from(Uuid::now_v7().to_string()).expect("a UUID is a header value")
        }))
    }

    pub(super) fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

fn is_fit(id: &[u8]) -> bool {
    let fit = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(byte);
    !id.is_empty() && id.len() <= MAX_CHARS && id.iter().all(fit)
}

/// Names the request, runs it in a span of that name and completes the answer.
pub(super) async fn layer(mut request: Request, next: Next) -> Response {
    let id = RequestId::of(&request);
    let span = tracing::info_span!(
        "request",
        id = id.as_str(),
        method = %request.method(),
        path = request.uri().path(),
    );
    request.extensions_mut().insert(id.clone());
    async {
        let response = complete(next.run(request).await, &id);
        tracing::debug!(status = response.status().as_u16(), "answered");
        response
    }
    .instrument(span)
    .await
}

fn complete(mut response: Response, id: &RequestId) -> Response {
    // The router's own refusals have no document yet.
    let is_said = response.headers().contains_key(header::CONTENT_TYPE);
    if response.status() == StatusCode::METHOD_NOT_ALLOWED && !is_said {
        let detail = "the header `Allow` names the methods there are";
        let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail);
        response.extensions_mut().insert(problem);
    }
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        *response.body_mut() = Body::from(problem.document(id.as_str()));
        let json = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        response.headers_mut().remove(header::CONTENT_LENGTH);
    }
    let headers = response.headers_mut();
    headers.insert(HEADER, id.0.clone());
    // Answers tell of keys and of a moment; no cache between has any business with them.
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}
