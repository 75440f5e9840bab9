//! Connecting to an agent: TCP, TLS or a unix socket.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, UnixStream, lookup_host},
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use super::{
    error::{AgentError, Unreachable},
    tls::{InvalidTrust, Trust, sentence},
    url::{AgentUrl, Host, Place},
};

/// How long an address has before the next one of the same name is tried beside it: a dead IPv6 route
/// must not use up the time in which IPv4 would have answered.
const HEAD_START: Duration = Duration::from_millis(250);
/// More addresses than this are not tried.
const MAX_ADDRESSES: usize = 8;

/// Opens connections to one agent.
pub(crate) struct Connector {
    place: Place,
    address: String,
    tls: Option<TlsConnector>,
    connect_timeout: Duration,
}

trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A connection that remembers whether the agent has said anything on it.
pub(crate) struct Stream {
    io: Box<dyn Duplex>,
    heard: Heard,
}

/// Whether a byte has come (inside TLS: of what TLS carries) since it was last cleared.
#[derive(Clone, Default)]
pub(super) struct Heard(Arc<AtomicBool>);

impl Heard {
    pub(super) fn clear(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    pub(super) fn any(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Connector {
    pub(crate) fn new(
        url: &AgentUrl,
        trust: &Trust,
        connect_timeout: Duration,
    ) -> Result<Self, InvalidTrust> {
        let tls = url.is_tls().then(|| trust.client_config()).transpose()?;
        Ok(Self {
            place: url.place().clone(),
            address: url.address(),
            tls: tls.map(TlsConnector::from),
            connect_timeout,
        })
    }

    /// Connects, TLS handshake included, within the time there is for it.
    pub(crate) async fn connect(&self) -> Result<Stream, AgentError> {
        match timeout(self.connect_timeout, self.open()).await {
            Ok(connected) => connected,
            Err(_) => Err(self.unreachable(Unreachable::TimedOut)),
        }
    }

    async fn open(&self) -> Result<Stream, AgentError> {
        let (host, port) = match &self.place {
            Place::Unix(path) => {
                let stream = UnixStream::connect(path).await;
                return stream
                    .map(Stream::new)
                    .map_err(|error| self.unreachable((&error).into()));
            }
            Place::Tcp { host, port, .. } => (host, *port),
        };
        let addresses = resolve(host, port)
            .await
            .map_err(|why| self.unreachable(why))?;
        let stream = first_to_connect(addresses)
            .await
            .map_err(|error| self.unreachable((&error).into()))?;
        // A request is one small write whose answer is waited for.
        let _ = stream.set_nodelay(true);
        match &self.tls {
            None => Ok(Stream::new(stream)),
            Some(tls) => handshake(tls, host, stream).await,
        }
    }

    fn unreachable(&self, why: Unreachable) -> AgentError {
        AgentError::Unreachable {
            at: self.address.clone(),
            why,
        }
    }
}

async fn resolve(host: &Host, port: u16) -> Result<Vec<SocketAddr>, Unreachable> {
    let addresses: Vec<SocketAddr> = match host {
        Host::V4(address) => vec![(*address, port).into()],
        Host::V6(address) => vec![(*address, port).into()],
        Host::Name(name) => {
            let found = lookup_host((name.as_str(), port))
                .await
                .map_err(|_| Unreachable::Dns)?;
            found.take(MAX_ADDRESSES).collect()
        }
    };
    if addresses.is_empty() {
        Err(Unreachable::Dns)
    } else {
        Ok(addresses)
    }
}

/// Tries the addresses in their order, the next one as soon as those before it failed or had their
/// head start.
async fn first_to_connect(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut attempts = JoinSet::new();
    let mut waiting = addresses.into_iter();
    let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
    loop {
        if let Some(address) = waiting.next() {
            attempts.spawn(TcpStream::connect(address));
        }
        let next = if waiting.len() == 0 {
            attempts.join_next().await
        } else {
            match timeout(HEAD_START, attempts.join_next()).await {
                Ok(next) => next,
                Err(_) => continue,
            }
        };
        match next {
            Some(Ok(Ok(stream))) => return Ok(stream),
            Some(Ok(Err(error))) => failure = error,
            Some(Err(panicked)) => failure = io::Error::other(panicked),
            None => return Err(failure),
        }
    }
}

async fn handshake(
    tls: &TlsConnector,
    host: &Host,
    stream: TcpStream,
) -> Result<Stream, AgentError> {
    let name = match host {
        Host::V4(address) => ServerName::from(std::net::IpAddr::V4(*address)),
        Host::V6(address) => ServerName::from(std::net::IpAddr::V6(*address)),
        Host::Name(name) => ServerName::try_from(name.trim_end_matches('.').to_owned())
            .map_err(|_| AgentError::Tls("no certificate can be for this host name".into()))?,
    };
    let stream = tls.connect(name, stream).await.map_err(|error| {
        let inner = error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<rustls::Error>());
        AgentError::Tls(match inner {
            Some(tls) => sentence(tls),
            None => "the connection was closed during the handshake".into(),
        })
    })?;
    Ok(Stream::new(stream))
}

impl Stream {
    fn new(io: impl Duplex + 'static) -> Self {
        Self {
            io: Box::new(io),
            heard: Heard::default(),
        }
    }

    pub(super) fn heard(&self) -> Heard {
        self.heard.clone()
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buffer))?;
        if buffer.filled().len() > before {
            self.heard.0.store(true, Ordering::Relaxed);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}
