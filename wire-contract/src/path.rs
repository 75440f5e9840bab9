//! What a request target means, and how to write one.
//!
//! A target is matched as it stands: nothing is collapsed, resolved or decoded twice, so the peer
//! that is acted on is the peer that was signed for.

use std::fmt::Write as _;

use crate::{InterfaceName, PublicKey};

/// What a target names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resource {
    /// `/health`
    Health,
    /// `/wg`: the interfaces (extension)
    Interfaces,
    /// `/wg/{interface}`: one interface (extension `device`)
    Device(InterfaceName),
    /// `/wg/{interface}/dump`
    Dump(InterfaceName),
    /// `/wg/{interface}/peers`
    Peers(InterfaceName),
    /// `/wg/{interface}/peers/{public_key}`
    Peer(InterfaceName, PublicKey),
}

/// A target that names nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTarget {
    /// The target can't be signed unambiguously, or is not a path.
    #[error("the request target must start with '/' and must not contain a raw '|'; write %7C")]
    Malformed,
    /// No such route.
    #[error("no such route; see the wire contract for the documented ones")]
    NoSuchRoute,
    /// The `{interface}` part.
    #[error("interface: {0}")]
    Interface(crate::interface::InvalidInterfaceName),
    /// The `{public_key}` part.
    #[error("public_key: {0}")]
    PublicKey(crate::key::InvalidKey),
}

impl Resource {
    /// Reads a request target (path and query) as it stood on the wire. The query is signed, but
    /// means nothing. `/v1/…` is the same as `/…`.
    ///
    /// # Errors
    /// See [`InvalidTarget`].
    pub fn parse(target: &str) -> Result<Self, InvalidTarget> {
        check_target(target)?;
        let path = target.split_once('?').map_or(target, |(path, _query)| path);
        let path = match path.strip_prefix("/v1") {
            Some(rest) if rest.starts_with('/') => rest,
            _ => path,
        };
        match path {
            "/health" => return Ok(Self::Health),
            "/wg" => return Ok(Self::Interfaces),
            _ => {}
        }
        let rest = path
            .strip_prefix("/wg/")
            .ok_or(InvalidTarget::NoSuchRoute)?;
        let (name, below) = match rest.split_once('/') {
            Some((name, below)) => (name, Some(below)),
            None => (rest, None),
        };
        let interface = || {
            percent_decoded(name)
                .ok_or(crate::interface::InvalidInterfaceName)
                .and_then(|name| name.parse())
                .map_err(InvalidTarget::Interface)
        };
        match below {
            None => interface().map(Self::Device),
            Some("dump") => interface().map(Self::Dump),
            Some("peers") => interface().map(Self::Peers),
            Some(below) => {
                // Everything after `/peers/` is the key: half of all keys have a `/` in them.
                let key = below.strip_prefix("peers/").filter(|key| !key.is_empty());
                let key = key.ok_or(InvalidTarget::NoSuchRoute)?;
                let key = percent_decoded(key)
                    .ok_or(crate::key::InvalidKey)
                    .and_then(|key| key.parse())
                    .map_err(InvalidTarget::PublicKey);
                Ok(Self::Peer(interface()?, key?))
            }
        }
    }

    /// The target a client sends. Of a key only the `/` is encoded: `+` and `=` are legal in a path,
    /// and agents in the field do not decode them.
    #[must_use]
    pub fn to_target(&self) -> String {
        match self {
            Self::Health => "/health".into(),
            Self::Interfaces => "/wg".into(),
            Self::Device(interface) => format!("/wg/{}", encoded(interface)),
            Self::Dump(interface) => format!("/wg/{}/dump", encoded(interface)),
            Self::Peers(interface) => format!("/wg/{}/peers", encoded(interface)),
            Self::Peer(interface, key) => {
                let key = key.to_base64().as_str().replace('/', "%2F");
                format!("/wg/{}/peers/{key}", encoded(interface))
            }
        }
    }

    /// The interface it is about, if it is about one.
    #[must_use]
    pub const fn interface(&self) -> Option<&InterfaceName> {
        match self {
            Self::Health | Self::Interfaces => None,
            Self::Device(interface)
            | Self::Dump(interface)
            | Self::Peers(interface)
            | Self::Peer(interface, _) => Some(interface),
        }
    }
}

/// Refuses targets that can't be signed: without this rule a `|` could move between the path and the
/// body under one MAC. The same check serves before authentication, where nothing else is looked at.
///
/// # Errors
/// [`InvalidTarget::Malformed`].
pub fn check_target(target: &str) -> Result<(), InvalidTarget> {
    if !target.starts_with('/') || target.contains('|') {
        return Err(InvalidTarget::Malformed);
    }
    Ok(())
}

/// Decodes `%XX` once. `None` when a `%` is not followed by two hex digits, or the bytes are not
/// UTF-8.
fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut nibble = || char::from(rest.next()?).to_digit(16);
            let value = nibble()? * 16 + nibble()?;
            bytes.push(u8::try_from(value).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

fn encoded(interface: &InterfaceName) -> String {
    let mut text = String::with_capacity(interface.as_str().len());
    for byte in interface.as_str().bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~+=@".contains(&byte) {
            text.push(char::from(byte));
        } else {
            write!(text, "%{byte:02X}").expect("a String takes everything");
        }
    }
    text
}
