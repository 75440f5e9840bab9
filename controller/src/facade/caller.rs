//! Who calls, handed on to the services, which decide what that means.

use std::net::IpAddr;

use axum::{
    extract::FromRequestParts,
    http::{Extensions, HeaderMap, HeaderValue, Method, header, request::Parts},
};
use tonic::metadata::{Ascii, MetadataMap, MetadataValue};
use zeroize::Zeroizing;

use super::{problem::Problem, request_id::RequestId};

/// Metadata that tells a service where a call comes from.
pub const SOURCE_KEY: &str = "x-wgfleet-source";
/// Metadata that tells a service that a call is part of one that was counted.
const COUNTED_KEY: &str = "x-wgfleet-counted";
const REQUEST_ID_KEY: &str = "x-request-id";
/// Header, and metadata, by which a request that is sent again is known.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// The address a connection came from; the server puts it into each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source(pub IpAddr);

/// What the services are told of a caller.
#[derive(Clone)]
pub(super) struct Caller(MetadataMap);

impl Caller {
    /// The caller of a request. Nobody's token is left out: the service then says what is missing.
    pub(super) fn of(headers: &HeaderMap, extensions: &Extensions) -> Self {
        Self::with(token(headers), extensions)
    }

    /// Who holds `token`, which did not come in a header of its own. What can't be a token is left out.
    pub(super) fn with_token(token: &str, extensions: &Extensions) -> Self {
        let bearer = Zeroizing::new(format!("Bearer {token}"));
        Self::with(ascii(bearer.as_bytes()), extensions)
    }

    fn with(token: Option<MetadataValue<Ascii>>, extensions: &Extensions) -> Self {
        let mut metadata = MetadataMap::new();
        if let Some(mut token) = token {
            token.set_sensitive(true);
            metadata.insert("authorization", token);
        }
        if let Some(Source(address)) = extensions.get()
            && let Some(source) = ascii(address.to_canonical().to_string().as_bytes())
        {
            metadata.insert(SOURCE_KEY, source);
        }
        if let Some(id) = extensions.get::<RequestId>()
            && let Some(id) = ascii(id.0.as_bytes())
        {
            metadata.insert(REQUEST_ID_KEY, id);
        }
        Self(metadata)
    }

    /// The same, for calls that need not be counted any more.
    pub(super) fn counted(mut self) -> Self {
        let yes = MetadataValue::from_static("yes");
        self.0.insert(COUNTED_KEY, yes);
        self
    }

    /// The call with everything a service must know of who makes it.
    pub(super) fn request<T>(&self, message: T) -> tonic::Request<T> {
        let mut request = tonic::Request::new(message);
        *request.metadata_mut() = self.0.clone();
        request
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let caller = parts.extensions.get().cloned();
        let mut caller: Self = caller.ok_or_else(Problem::no_token)?;
        if parts.method == Method::POST
            && let Some(key) = once_at_most(&parts.headers, IDEMPOTENCY_KEY)?
        {
            let key = ascii(key.as_bytes()).ok_or_else(|| bad_header(IDEMPOTENCY_KEY))?;
            caller.0.insert(IDEMPOTENCY_KEY, key);
        }
        Ok(caller)
    }
}

/// The one token of a request. With two, which one is meant is nobody's to guess.
fn token(headers: &HeaderMap) -> Option<MetadataValue<Ascii>> {
    let mut tokens = headers.get_all(header::AUTHORIZATION).iter();
    let token = tokens.next()?;
    match tokens.next() {
        Some(_) => None,
        None => ascii(token.as_bytes()),
    }
}

/// The versions a caller will change, from `If-Match`; none is any.
pub(super) struct IfMatch(pub(super) Vec<String>);

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let bad = || bad_header("if-match");
        let mut tags = Vec::new();
        for value in parts.headers.get_all(header::IF_MATCH) {
            for tag in value.to_str().map_err(|_| bad())?.split(',') {
                tags.push(tag_of(tag.trim()).ok_or_else(bad)?);
            }
        }
        Ok(Self(tags))
    }
}

/// A weak tag is kept with its mark, so that it matches nothing: changes need a strong one.
fn tag_of(text: &str) -> Option<String> {
    if text == "*" || text.starts_with("W/\"") {
        return Some(text.to_owned());
    }
    // The tag as it stands in a document is good enough; in a header it should have quotes.
    let quoted = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    let inner = quoted.unwrap_or(text);
    (!inner.is_empty() && !inner.contains('"')).then(|| inner.to_owned())
}

fn once_at_most<'a>(
    headers: &'a HeaderMap,
    name: &'static str,
) -> Result<Option<&'a HeaderValue>, Problem> {
    let mut values = headers.get_all(name).iter();
    let value = values.next();
    match values.next() {
        None => Ok(value),
        Some(_) => Err(bad_header(name)),
    }
}

fn bad_header(name: &'static str) -> Problem {
    Problem::invalid_field(name, format!("the header {name} can't be read"))
}

fn ascii(bytes: &[u8]) -> Option<MetadataValue<Ascii>> {
    let plain = bytes.iter().all(|byte| (b' '..=b'~').contains(byte));
    plain.then(|| MetadataValue::try_from(bytes).ok())?
}
