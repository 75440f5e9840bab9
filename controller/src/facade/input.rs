//! Bodies, ids and parts of them, as callers send them.

use std::{fmt, time::Duration};

use axum::{
    RequestPartsExt,
    extract::{FromRequest, FromRequestParts, Path, Request},
    http::{StatusCode, request::Parts},
};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use uuid::Uuid;

use super::problem::Problem;

/// Most bytes of a body with many things in it, unless more is allowed of any.
pub(super) const MAX_BULK_BYTES: usize = 16 << 20;

/// What a body may cost. The server puts it into each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyLimits {
    /// Most bytes of one.
    pub max_bytes: usize,
    /// How long one may take to arrive.
    pub timeout: Duration,
}

impl Default for BodyLimits {
    fn default() -> Self {
        Self {
            max_bytes: 256 * 1024,
            timeout: Duration::from_secs(10),
        }
    }
}

/// A body that is a JSON object, every field of it known.
pub(super) struct Input<T>(pub(super) T);

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for Input<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        parse(&read(request, 0).await?).map(Self)
    }
}

/// The same for many things at once.
pub(super) struct BulkInput<T>(pub(super) T);

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for BulkInput<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        parse(&read(request, MAX_BULK_BYTES).await?).map(Self)
    }
}

/// The same where no body at all is as good as an empty object.
pub(super) struct OptionalInput<T>(pub(super) T);

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for OptionalInput<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        let body = read(request, 0).await?;
        let body = if body.is_empty() { b"{}" } else { &body[..] };
        parse(body).map(Self)
    }
}

/// At most as long as any body may be, or `at_least` if that is more.
pub(super) async fn read(request: Request, at_least: usize) -> Result<Bytes, Problem> {
    let limits = request.extensions().get::<BodyLimits>();
    let BodyLimits { max_bytes, timeout } = limits.copied().unwrap_or_default();
    let max_bytes = max_bytes.max(at_least);
    let limited = Limited::new(request.into_body(), max_bytes).collect();
    let Ok(body) = tokio::time::timeout(timeout, limited).await else {
        let detail = "the body did not arrive in time";
        return Err(Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "timed_out",
            detail,
        ));
    };
    body.map(http_body_util::Collected::to_bytes)
        .map_err(|error| {
            if error.downcast_ref::<LengthLimitError>().is_some() {
                let detail = format!("a body has at most {max_bytes} bytes here");
                Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail)
            } else {
                malformed("the body ended too early")
            }
        })
}

fn malformed(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "malformed_json", detail)
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    // serde would take an array for a struct, field by field.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(malformed("the body must be a JSON object"));
    }
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        if inner.is_data() && path != "." {
            Problem::invalid_field(path.clone(), format!("{path}: {}", reason(&inner)))
        } else {
            malformed(inner.to_string())
        }
    })?;
    json.end().map_err(|error| malformed(error.to_string()))?;
    Ok(value)
}

/// What is wrong, without the line and column serde adds.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&place).unwrap_or(&text).to_owned()
}

/// A field that may be left out but is never `null`.
pub(super) fn given<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

/// A field that must be there.
pub(super) fn required<T>(field: &'static str, value: Option<T>) -> Result<T, Problem> {
    value.ok_or_else(|| Problem::invalid_field(field, format!("{field} is missing")))
}

/// A field of a patch: absent leaves what is, `null` clears it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum Patch<T> {
    #[default]
    Keep,
    Clear,
    Set(T),
}

impl<T> Patch<T> {
    /// For messages where a cleared field has a value of its own.
    pub(super) fn or_cleared(self, cleared: T) -> Option<T> {
        match self {
            Self::Keep => None,
            Self::Clear => Some(cleared),
            Self::Set(value) => Some(value),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Patch<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Option::deserialize(deserializer)?;
        Ok(value.map_or(Self::Clear, Self::Set))
    }
}

/// Which kind of thing an id in the path names.
pub(super) trait Kind {
    const NOT_FOUND: &'static str;
    const NAME: &'static str;
}

/// A node.
pub(super) struct OfNode;
/// A peer.
pub(super) struct OfPeer;
/// A token.
pub(super) struct OfToken;

impl Kind for OfNode {
    const NOT_FOUND: &'static str = "node_not_found";
    const NAME: &'static str = "node";
}

impl Kind for OfPeer {
    const NOT_FOUND: &'static str = "peer_not_found";
    const NAME: &'static str = "peer";
}

impl Kind for OfToken {
    const NOT_FOUND: &'static str = "token_not_found";
    const NAME: &'static str = "token";
}

/// The id in the path, in its one form. Nothing has an id that is no UUID.
pub(super) struct Id<K> {
    pub(super) id: String,
    kind: std::marker::PhantomData<K>,
}

impl<K> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id)
    }
}

impl<S: Send + Sync, K: Kind> FromRequestParts<S> for Id<K> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        const HYPHENATED_CHARS: usize = 36;
        let text = parts.extract::<Path<String>>().await;
        let uuid = text.ok().filter(|text| text.len() == HYPHENATED_CHARS);
        let uuid = uuid.and_then(|text| Uuid::parse_str(&text).ok());
        let Some(uuid) = uuid else {
            let detail = format!("there is no such {}", K::NAME);
            return Err(Problem::new(StatusCode::NOT_FOUND, K::NOT_FOUND, detail));
        };
        Ok(Self {
            id: uuid.to_string(),
            kind: std::marker::PhantomData,
        })
    }
}
