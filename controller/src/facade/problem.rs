//! What a caller is told when it does not get what it asked for: RFC 9457 problem documents.
//!
//! The one mapping from gRPC to HTTP.

use std::borrow::Cow;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use tonic::{Code, Status};

/// Metadata of a status that names the stable code.
const CODE_KEY: &str = "wgfleet-code";
/// Metadata of a status that names the field at fault.
const FIELD_KEY: &str = "wgfleet-field";
/// Metadata of a status with the seconds after which to come back.
const RETRY_AFTER_KEY: &str = "wgfleet-retry-after";
/// When to come back if something is unavailable and nobody knows for how long.
const RETRY_AFTER_S: u64 = 2;
/// The code of a refusal that is about how often, not about what.
const RATE_LIMITED: &str = "rate_limited";

/// A refusal. It becomes a document when the request's id is known, on the way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    pub(super) code: Cow<'static, str>,
    pub(super) detail: String,
    pub(super) field: Option<String>,
    /// When to come back.
    pub(super) retry_after_s: Option<u64>,
}

#[derive(Serialize)]
struct Document<'a> {
    r#type: String,
    title: String,
    status: u16,
    detail: &'a str,
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
    request_id: &'a str,
}

impl Problem {
    pub(super) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code: Cow::Borrowed(code),
            detail: detail.into(),
            field: None,
            retry_after_s: (status == StatusCode::SERVICE_UNAVAILABLE).then_some(RETRY_AFTER_S),
        }
    }

    /// One field, or one parameter of the query, is not as it must be.
    pub(super) fn invalid_field(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            field: Some(field.into()),
            ..Self::new(StatusCode::BAD_REQUEST, "invalid_field", detail)
        }
    }

    /// The same about a part of what was sent.
    pub(super) fn inside(mut self, place: &str) -> Self {
        self.field = Some(match self.field {
            Some(field) => format!("{place}.{field}"),
            None => place.to_owned(),
        });
        self
    }

    pub(super) fn no_token() -> Self {
        let detail = "send the token in the header `Authorization: Bearer TOKEN`";
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", detail)
    }

    pub(super) fn internal() -> Self {
        let detail = "the controller failed; its log has the reason under this request id";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
    }

    /// The document for the request with this id.
    pub(super) fn document(&self, request_id: &str) -> Vec<u8> {
        let document = Document {
            r#type: format!("urn:wgfleet:problem:{}", self.code),
            title: title(&self.code),
            status: self.status.as_u16(),
            detail: &self.detail,
            code: &self.code,
            field: self.field.as_deref(),
            request_id,
        };
        serde_json::to_vec(&document).expect("texts and a number are always JSON")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        let headers = response.headers_mut();
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl From<Status> for Problem {
    fn from(status: Status) -> Self {
        let (http, code) = http(status.code());
        if http == StatusCode::INTERNAL_SERVER_ERROR {
            // The text may tell more than a caller should know.
            tracing::error!(code = ?status.code(), message = status.message(), "a service failed");
            return Self::internal();
        }
        let named = |key| {
            let value = status.metadata().get(key)?;
            value.to_str().ok().map(ToOwned::to_owned)
        };
        let code = named(CODE_KEY).map_or(Cow::Borrowed(code), Cow::Owned);
        let http = special(&code).unwrap_or(http);
        let wait_s = named(RETRY_AFTER_KEY).and_then(|text| text.parse().ok());
        let usual = Self::new(http, "", status.message());
        Self {
            code,
            field: named(FIELD_KEY),
            retry_after_s: wait_s.or(usual.retry_after_s),
            ..usual
        }
    }
}

/// A status with its stable code and field, as a service would have made it.
pub(super) fn named(mut status: Status, code: &str, field: &str) -> Status {
    for (key, value) in [(CODE_KEY, code), (FIELD_KEY, field)] {
        if let Some(value) = Some(value).filter(|it| !it.is_empty())
            && let Ok(value) = value.parse()
        {
            status.metadata_mut().insert(key, value);
        }
    }
    status
}

/// Where HTTP has a status of its own for what gRPC has none for.
fn special(code: &str) -> Option<StatusCode> {
    match code {
        // What was there is there no more: HTTP has a word for that.
        "event_too_old" => Some(StatusCode::GONE),
        "etag_mismatch" => Some(StatusCode::PRECONDITION_FAILED),
        "idempotency_key_reused" => Some(StatusCode::UNPROCESSABLE_ENTITY),
        RATE_LIMITED => Some(StatusCode::TOO_MANY_REQUESTS),
        _ => None,
    }
}

/// The HTTP status for a gRPC code, and the code a caller sees when the service named none.
fn http(code: Code) -> (StatusCode, &'static str) {
    match code {
        Code::InvalidArgument => (StatusCode::BAD_REQUEST, "invalid_request"),
        Code::OutOfRange => (StatusCode::BAD_REQUEST, "out_of_range"),
        Code::Unauthenticated => (StatusCode::UNAUTHORIZED, "unauthenticated"),
        Code::PermissionDenied => (StatusCode::FORBIDDEN, "forbidden"),
        Code::NotFound => (StatusCode::NOT_FOUND, "not_found"),
        Code::AlreadyExists => (StatusCode::CONFLICT, "already_exists"),
        Code::FailedPrecondition | Code::Aborted => (StatusCode::CONFLICT, "conflict"),
        Code::ResourceExhausted => (StatusCode::CONFLICT, "exhausted"),
        Code::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
        Code::DeadlineExceeded => (StatusCode::GATEWAY_TIMEOUT, "timed_out"),
        _ => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
    }
}

/// `node_not_found` as a person would write it.
fn title(code: &str) -> String {
    let mut words = code.replace('_', " ");
    if let Some(first) = words.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    words
}
