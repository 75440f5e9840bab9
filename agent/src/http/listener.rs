//! Where the agent listens: TCP addresses and unix sockets.

use std::{
    fmt, io,
    net::SocketAddr,
    os::unix::fs::{FileTypeExt, PermissionsExt},
    path::{Path, PathBuf},
    str::FromStr,
};

use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio_rustls::TlsAcceptor;

use super::{limits::Source, tls::Tls};

/// `ADDR:PORT` or `unix:PATH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenAddr {
    /// A TCP address; port 0 lets the system choose.
    Tcp(SocketAddr),
    /// A unix socket.
    Unix(PathBuf),
}

/// Text that is neither `ADDR:PORT` nor `unix:PATH`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no place to listen; give ADDRESS:PORT, such as 127.0.0.1:8080, or unix:PATH")]
pub struct ListenAddrError(String);

impl FromStr for ListenAddr {
    type Err = ListenAddrError;

    fn from_str(text: &str) -> Result<Self, ListenAddrError> {
        match text.strip_prefix("unix:") {
            Some("") => Err(ListenAddrError(text.into())),
            Some(path) => Ok(Self::Unix(path.into())),
            None => text
                .parse()
                .map(Self::Tcp)
                .map_err(|_| ListenAddrError(text.into())),
        }
    }
}

impl ListenAddr {
    /// Whether others than this host's own processes may connect.
    #[must_use]
    pub fn is_off_host(&self) -> bool {
        match self {
            Self::Tcp(address) => !address.ip().to_canonical().is_loopback(),
            Self::Unix(_) => false,
        }
    }
}

impl fmt::Display for ListenAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// The agent can't listen there.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Somebody else does.
    #[error("{0} is in use; stop what listens there or choose another place with --listen")]
    InUse(ListenAddr),
    /// Another reason.
    #[error("cannot listen on {address}: {source}; choose another place with --listen")]
    Failed {
        /// Where.
        address: ListenAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// A bound listener.
#[derive(Debug)]
pub struct Listener(Bound);

#[derive(Debug)]
enum Bound {
    /// TCP, and what it is secured with.
    Tcp(TcpListener, Option<Tls>),
    /// A unix socket, whose file goes with it.
    Unix(UnixListener, SocketFile),
}

/// The file of a unix socket, removed when dropped.
#[derive(Debug)]
struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // The directory may be gone; there is nothing left to tidy then.
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Listener {
    /// Binds `address`. A socket file that nobody listens on any more is replaced.
    ///
    /// # Errors
    /// See [`BindError`].
    pub async fn bind(address: &ListenAddr) -> Result<Self, BindError> {
        let bound = match address {
            ListenAddr::Tcp(tcp) => TcpListener::bind(tcp)
                .await
                .map(|listener| Bound::Tcp(listener, None)),
            ListenAddr::Unix(path) => bind_unix(path).await,
        };
        bound.map(Self).map_err(|source| match source.kind() {
            io::ErrorKind::AddrInUse => BindError::InUse(address.clone()),
            _ => BindError::Failed {
                address: address.clone(),
                source,
            },
        })
    }

    /// The same, speaking nothing but TLS where it is TCP. What comes over a unix socket has not left
    /// the host.
    #[must_use]
    pub fn secured(self, tls: Tls) -> Self {
        Self(match self.0 {
            Bound::Tcp(listener, _) => Bound::Tcp(listener, Some(tls)),
            unix @ Bound::Unix(..) => unix,
        })
    }

    /// Where it listens, the port the system chose included: `https://…`, `http://…` or `unix:PATH`.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn url(&self) -> io::Result<String> {
        Ok(match &self.0 {
            Bound::Tcp(listener, tls) => {
                let scheme = if tls.is_some() { "https" } else { "http" };
                format!("{scheme}://{}", listener.local_addr()?)
            }
            Bound::Unix(_, file) => format!("unix:{}", file.0.display()),
        })
    }

    /// The next connection.
    pub(super) async fn accept(&self) -> io::Result<(Stream, Source)> {
        match &self.0 {
            Bound::Tcp(listener, tls) => {
                let (stream, peer) = listener.accept().await?;
                // Answers are written whole; waiting to fill a segment only delays them.
                stream.set_nodelay(true)?;
                let stream = match tls {
                    None => Stream::Tcp(stream),
                    Some(tls) => Stream::Tls(stream, tls.acceptor()),
                };
                Ok((stream, peer.ip().into()))
            }
            Bound::Unix(listener, _) => {
                let (stream, _) = listener.accept().await?;
                Ok((Stream::Unix(stream), Source::Unix))
            }
        }
    }
}

async fn bind_unix(path: &Path) -> io::Result<Bound> {
    if is_stale_socket(path).await {
        std::fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    let file = SocketFile(path.to_owned());
    // Whoever may connect must sign all the same.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
    Ok(Bound::Unix(listener, file))
}

/// Whether `path` is a socket that nobody listens on. Any other failure to connect says nothing of
/// the kind: a busy agent's queue may be full, or this user may not connect.
async fn is_stale_socket(path: &Path) -> bool {
    let is_socket =
        std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket());
    is_socket
        && UnixStream::connect(path)
            .await
            .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

/// One connection.
pub(super) enum Stream {
    Tcp(TcpStream),
    /// TCP, before its TLS handshake.
    Tls(TcpStream, TlsAcceptor),
    Unix(UnixStream),
}
