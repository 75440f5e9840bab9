//! Pages on the wire: gzip for whoever takes it.
//!
//! What a page repeats of a request and what it holds of secrets are compressed together, which would
//! tell of the latter to who can make a browser ask at will and count bytes (BREACH). The session's
//! cookie is `SameSite=Strict`: no other site can make it ask with it.

use std::io::Write as _;

use axum::{
    body::{Body, HttpBody as _},
    extract::Request,
    http::{HeaderMap, HeaderValue, header},
    middleware::Next,
    response::Response,
};
use flate2::{Compression, write::GzEncoder};
use http_body_util::BodyExt as _;

/// Less gains nothing: it is one segment anyway.
const MIN_BYTES: u64 = 1000;

pub(super) async fn layer(request: Request, next: Next) -> Response {
    let takes_gzip = takes_gzip(request.headers());
    let response = next.run(request).await;
    if takes_gzip && is_worth_it(&response) {
        compressed(response).await
    } else {
        response
    }
}

/// Whether a client named gzip and did not refuse it.
pub(super) fn takes_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).iter();
    let codings = values.filter_map(|value| value.to_str().ok());
    codings.flat_map(|value| value.split(',')).any(|coding| {
        let (name, quality) = coding.split_once(';').unwrap_or((coding, ""));
        let refused = quality
            .trim()
            .strip_prefix("q=")
            .is_some_and(|q| q.trim().parse() == Ok(0.0));
        name.trim().eq_ignore_ascii_case("gzip") && !refused
    })
}

/// `bytes` in gzip.
pub(super) fn gzip(bytes: &[u8], level: Compression) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), level);
    let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
    written.expect("memory can be written to")
}

fn is_worth_it(response: &Response) -> bool {
    let headers = response.headers();
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let is_text = ["text/html", "text/plain", "application/json"]
        .iter()
        .any(|text| kind.starts_with(text));
    let length = response.body().size_hint().exact();
    is_text
        && !headers.contains_key(header::CONTENT_ENCODING)
        && length.is_some_and(|bytes| bytes >= MIN_BYTES)
}

async fn compressed(response: Response) -> Response {
    let (mut head, body) = response.into_parts();
    // Of known length, so it is in memory already.
    let Ok(body) = body.collect().await else {
        return Response::from_parts(head, Body::empty());
    };
    let body = gzip(&body.to_bytes(), Compression::new(5));
    head.headers.remove(header::CONTENT_LENGTH);
    head.headers
        .insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    head.headers
        .insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    Response::from_parts(head, Body::from(body))
}
