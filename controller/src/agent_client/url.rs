//! Where an agent is.

use std::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
    path::{Path, PathBuf},
    str::FromStr,
};

const MAX_URL_BYTES: usize = 2048;
/// `sun_path` holds 108 bytes, the closing NUL among them.
const MAX_SOCKET_PATH_BYTES: usize = 107;

/// The URL of an agent: `http://host:port[/prefix]`, `https://host:port[/prefix]` or
/// `unix:///path/to.sock`.
///
/// Normalised when read, so that two ways to write the same agent are equal: the host in lower case,
/// the default port left out, no trailing slash.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct AgentUrl(Place);

/// What an [`AgentUrl`] says.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) enum Place {
    Tcp {
        tls: bool,
        host: Host,
        port: u16,
        prefix: String,
    },
    Unix(PathBuf),
}

/// Name or address of a host.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Host {
    V4(Ipv4Addr),
    V6(Ipv6Addr),
    Name(String),
}

/// Not the URL of an agent. The messages never repeat what was given: it may have held a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAgentUrl {
    /// Neither of the three.
    #[error("an agent URL starts with http://, https:// or unix:///")]
    Scheme,
    /// `user:password@`
    #[error(
        "an agent URL has no user or password in it; requests are signed with the node's secret"
    )]
    UserInfo,
    /// `?…`
    #[error("an agent URL has no query ('?')")]
    Query,
    /// `#…`
    #[error("an agent URL has no fragment ('#')")]
    Fragment,
    /// No host, or not one.
    #[error(
        "the host of an agent URL is a name (in ASCII), an IPv4 address or an IPv6 address in brackets"
    )]
    Host,
    /// Not 1 to 65535.
    #[error("the port of an agent URL is a number from 1 to 65535")]
    Port,
    /// The part after the host.
    #[error(
        "the path of an agent URL has no empty, '.' or '..' parts and no characters that need percent-encoding"
    )]
    Prefix,
    /// Of a `unix:` URL.
    #[error(
        "a unix: URL names an absolute path of at most 107 bytes, as in unix:///run/agent.sock"
    )]
    SocketPath,
    /// More than 2048 bytes.
    #[error("an agent URL has at most 2048 bytes")]
    TooLong,
}

impl AgentUrl {
    /// Whether requests travel inside TLS.
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        matches!(self.0, Place::Tcp { tls: true, .. })
    }

    /// Whether requests could be read on the way: plain HTTP to another host.
    #[must_use]
    pub fn is_exposed(&self) -> bool {
        match &self.0 {
            Place::Tcp {
                tls: false, host, ..
            } => !host.is_loopback(),
            _ => false,
        }
    }

    pub(super) const fn place(&self) -> &Place {
        &self.0
    }

    /// What stands in front of each path of the contract, and is signed with it.
    pub(crate) fn prefix(&self) -> &str {
        match &self.0 {
            Place::Tcp { prefix, .. } => prefix,
            Place::Unix(_) => "",
        }
    }

    /// The `Host` header.
    pub(crate) fn host_header(&self) -> String {
        match &self.0 {
            Place::Tcp {
                tls, host, port, ..
            } if *port == default_port(*tls) => host.to_string(),
            Place::Tcp { host, port, .. } => format!("{host}:{port}"),
            Place::Unix(_) => "localhost".into(),
        }
    }

    /// Where a connection goes, for a person: `host:port`, or the socket's path.
    pub(super) fn address(&self) -> String {
        match &self.0 {
            Place::Tcp { host, port, .. } => format!("{host}:{port}"),
            Place::Unix(path) => path.display().to_string(),
        }
    }
}

impl FromStr for AgentUrl {
    type Err = InvalidAgentUrl;

    fn from_str(text: &str) -> Result<Self, InvalidAgentUrl> {
        let text = text.trim();
        if text.len() > MAX_URL_BYTES {
            return Err(InvalidAgentUrl::TooLong);
        }
        let (scheme, rest) = text.split_once(':').ok_or(InvalidAgentUrl::Scheme)?;
        let place = match scheme.to_ascii_lowercase().as_str() {
            "http" => tcp(false, rest),
            "https" => tcp(true, rest),
            "unix" => socket_path(rest).map(Place::Unix),
            _ => Err(InvalidAgentUrl::Scheme),
        };
        place.map(Self)
    }
}

impl fmt::Display for AgentUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Tcp { tls, prefix, .. } => {
                let scheme = if *tls { "https" } else { "http" };
                write!(f, "{scheme}://{}{prefix}", self.host_header())
            }
            Place::Unix(path) => write!(f, "unix://{}", path.display()),
        }
    }
}

impl fmt::Debug for AgentUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AgentUrl({self})")
    }
}

impl Host {
    fn is_loopback(&self) -> bool {
        match self {
            Self::V4(address) => address.is_loopback(),
            Self::V6(address) => address.is_loopback(),
            Self::Name(name) => name == "localhost",
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(address) => address.fmt(f),
            Self::V6(address) => write!(f, "[{address}]"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

const fn default_port(tls: bool) -> u16 {
    if tls { 443 } else { 80 }
}

fn no_query_or_fragment(text: &str) -> Result<(), InvalidAgentUrl> {
    match text.find(['?', '#']).map(|at| text.as_bytes()[at]) {
        Some(b'?') => Err(InvalidAgentUrl::Query),
        Some(_) => Err(InvalidAgentUrl::Fragment),
        None => Ok(()),
    }
}

fn tcp(tls: bool, rest: &str) -> Result<Place, InvalidAgentUrl> {
    let rest = rest.strip_prefix("//").ok_or(InvalidAgentUrl::Scheme)?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if authority.contains('@') {
        return Err(InvalidAgentUrl::UserInfo);
    }
    no_query_or_fragment(path)?;
    let (host, port) = host_and_port(authority, default_port(tls))?;
    Ok(Place::Tcp {
        tls,
        host,
        port,
        prefix: prefix(path)?,
    })
}

fn host_and_port(authority: &str, default: u16) -> Result<(Host, u16), InvalidAgentUrl> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']').ok_or(InvalidAgentUrl::Host)?;
            (
                Host::V6(address.parse().map_err(|_| InvalidAgentUrl::Host)?),
                port,
            )
        }
        None => {
            let (host, port) = authority.split_at(authority.find(':').unwrap_or(authority.len()));
            (named(host)?, port)
        }
    };
    match port.strip_prefix(':') {
        Some("") => Ok((host, default)),
        Some(digits) => Ok((host, port_number(digits)?)),
        None if port.is_empty() => Ok((host, default)),
        None => Err(InvalidAgentUrl::Host),
    }
}

fn port_number(digits: &str) -> Result<u16, InvalidAgentUrl> {
    let all_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    match digits.parse() {
        Ok(port) if port != 0 && all_digits => Ok(port),
        _ => Err(InvalidAgentUrl::Port),
    }
}

fn named(host: &str) -> Result<Host, InvalidAgentUrl> {
    if let Ok(address) = host.parse() {
        return Ok(Host::V4(address));
    }
    let name = host.to_ascii_lowercase();
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let labels_fit = name
        .trim_end_matches('.')
        .split('.')
        .all(|l| (1..=63).contains(&l.len()));
    if name.len() > 253 || !name.bytes().all(legal) || !labels_fit {
        return Err(InvalidAgentUrl::Host);
    }
    Ok(Host::Name(name))
}

/// The path without its trailing slash; empty when there is none.
fn prefix(path: &str) -> Result<String, InvalidAgentUrl> {
    let path = path.strip_suffix('/').unwrap_or(path);
    let Some(segments) = path.strip_prefix('/') else {
        return Ok(String::new());
    };
    if segments.split('/').all(is_plain_segment) {
        Ok(path.to_owned())
    } else {
        Err(InvalidAgentUrl::Prefix)
    }
}

/// A segment that every proxy and server on the way leaves as it is; else what was signed would not
/// be what arrives. `%` is out for that reason: it is decoded by some and not by others.
fn is_plain_segment(segment: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte);
    !matches!(segment, "" | "." | "..") && segment.bytes().all(legal)
}

/// `unix:///path`, and `unix:/path` as some write it.
fn socket_path(rest: &str) -> Result<PathBuf, InvalidAgentUrl> {
    no_query_or_fragment(rest)?;
    let path = rest.strip_prefix("//").unwrap_or(rest);
    let shaped = path.starts_with('/') && !path.ends_with('/') && !path.contains('\0');
    // Collecting the components drops `//` and `/./`.
    let path: PathBuf = Path::new(path).components().collect();
    let fits = path.as_os_str().len() <= MAX_SOCKET_PATH_BYTES && path.file_name().is_some();
    if shaped && fits {
        Ok(path)
    } else {
        Err(InvalidAgentUrl::SocketPath)
    }
}
