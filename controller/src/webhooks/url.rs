//! Where a webhook is.

use std::{fmt, str::FromStr};

use hyper::http::uri::PathAndQuery;

use crate::agent_client::AgentUrl;

const MAX_BYTES: usize = 2048;

/// `https://host[:port][/path][?query]`, or `http://` on this host.
///
/// Its path and query may hold what only the endpoint's owner should know, so they show in neither
/// `Debug` nor `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookUrl {
    origin: AgentUrl,
    target: String,
}

/// Not the URL of a webhook. The messages never repeat what was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidWebhookUrl {
    /// Another scheme.
    #[error("a webhook's URL starts with https://; http:// is for 127.0.0.1, [::1] and localhost")]
    Scheme,
    /// Plain HTTP to another host.
    #[error(
        "events would cross the network unencrypted: use https://; http:// is for 127.0.0.1, [::1] \
         and localhost only"
    )]
    Exposed,
    /// `user:password@`
    #[error("a webhook's URL has no user or password in it; deliveries are signed")]
    UserInfo,
    /// `#…`
    #[error("a webhook's URL has no fragment ('#')")]
    Fragment,
    /// No host or port, or not one.
    #[error(
        "a webhook's URL names a host (in ASCII), an IPv4 address or an IPv6 address in brackets, \
         and a port from 1 to 65535 if any"
    )]
    Host,
    /// Characters that must be percent-encoded.
    #[error("the path or query of the webhook's URL has characters that must be percent-encoded")]
    Path,
    /// More than 2048 bytes.
    #[error("a webhook's URL has at most {MAX_BYTES} bytes")]
    TooLong,
}

impl WebhookUrl {
    pub(super) const fn origin(&self) -> &AgentUrl {
        &self.origin
    }

    /// Path and query as they stand on the wire.
    pub(super) fn target(&self) -> &str {
        &self.target
    }
}

impl FromStr for WebhookUrl {
    type Err = InvalidWebhookUrl;

    fn from_str(text: &str) -> Result<Self, InvalidWebhookUrl> {
        let text = text.trim();
        if text.len() > MAX_BYTES {
            return Err(InvalidWebhookUrl::TooLong);
        }
        let (scheme, rest) = text.split_once("://").ok_or(InvalidWebhookUrl::Scheme)?;
        let scheme = scheme.to_ascii_lowercase();
        if !matches!(scheme.as_str(), "http" | "https") {
            return Err(InvalidWebhookUrl::Scheme);
        }
        if rest.contains('#') {
            return Err(InvalidWebhookUrl::Fragment);
        }
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(InvalidWebhookUrl::UserInfo);
        }
        let origin: AgentUrl = format!("{scheme}://{authority}")
            .parse()
            .map_err(|_| InvalidWebhookUrl::Host)?;
        if origin.is_exposed() {
            return Err(InvalidWebhookUrl::Exposed);
        }
        let target = match path.strip_prefix('/') {
            Some(_) => path.to_owned(),
            None => format!("/{path}"),
        };
        let is_legal = target.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_legal || target.parse::<PathAndQuery>().is_err() {
            return Err(InvalidWebhookUrl::Path);
        }
        Ok(Self { origin, target })
    }
}

impl fmt::Display for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rest = if self.target == "/" { "/" } else { "/…" };
        write!(f, "{}{rest}", self.origin)
    }
}

impl fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebhookUrl({self})")
    }
}
