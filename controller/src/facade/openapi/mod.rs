//! `/api/v1/openapi.json`: the REST API, described for programs.
//!
//! Each module of the facade describes its routes beside them, in `describe`. Bodies and answers are
//! the schemas of the very types that are read and written. Who may read the document needs no token:
//! it is the same for every controller of this version.
//!
//! Read first: `operation`, then `nodes/describe.rs` for how a route is described.

mod assembling;
mod codes;
pub(super) mod format;
mod operation;
pub(super) mod parameters;
mod refusals;
pub(super) mod samples;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use axum::{
    Router,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use bytes::Bytes;
use ring::digest;

pub(super) use self::operation::{Operation, reference};
use super::{Facade, audit, backup, events, health, history, nodes, peers, qr, tokens, webhooks};

/// Where it is.
pub(super) const PATH: &str = "/api/v1/openapi.json";

struct Document {
    bytes: Bytes,
    etag: HeaderValue,
}

static DOCUMENT: LazyLock<Document> = LazyLock::new(|| {
    let bytes = Bytes::from(assembling::document(&operations()).to_string());
    let hash = digest::digest(&digest::SHA256, &bytes);
    let hash: String = hash.as_ref()[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let etag = HeaderValue::try_from(format!("\"{hash}\"")).expect("digits");
    Document { bytes, etag }
});

/// The document, as it is served.
pub(super) fn document() -> &'static [u8] {
    &DOCUMENT.bytes
}

pub(super) fn routes() -> Router<Facade> {
    Router::new().route(PATH, get(serve))
}

async fn serve(headers: HeaderMap) -> Response {
    let document = &*DOCUMENT;
    let tagged = [
        (header::ETAG, document.etag.clone()),
        // To be kept by anybody, and asked after each time: another version has another one.
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    if is_held(&headers, &document.etag) {
        return (StatusCode::NOT_MODIFIED, tagged).into_response();
    }
    let json = HeaderValue::from_static("application/json");
    let content_type = [(header::CONTENT_TYPE, json)];
    (tagged, content_type, document.bytes.clone()).into_response()
}

/// Whether `If-None-Match` names it. A weak tag is as good as a strong one here.
fn is_held(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    let values = headers.get_all(header::IF_NONE_MATCH).iter();
    let texts = values.filter_map(|value| value.to_str().ok());
    texts.flat_map(|text| text.split(',')).any(|tag| {
        let tag = tag.trim();
        tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag
    })
}

/// All of them, by chapters.
fn operations() -> Vec<Operation> {
    [
        nodes::operations(),
        peers::operations(),
        qr::operations(),
        history::operations(),
        events::operations(),
        webhooks::operations(),
        tokens::operations(),
        audit::operations(),
        backup::operations(),
        health::operations(),
        vec![own()],
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn own() -> Operation {
    let example = serde_json::json!({"openapi": assembling::VERSION});
    let what = "This document. It says nothing about the deployment, so that it needs no token.";
    Operation::get(PATH, "getOpenApi")
        .public()
        .does("Service", "This document", what)
        .parameter(reference("IfNoneMatch"))
        .sends(
            &[(
                "application/json",
                serde_json::json!({"type": "object", "required": ["openapi"], "example": example}),
            )],
            "The document.",
        )
        .header("ETag")
        .answers_nothing(
            StatusCode::NOT_MODIFIED,
            "It is the one that is held already.",
        )
        .header("ETag")
}
