//! Accepts connections, serves them, and lets them finish.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, body::Body, http::Request, response::Response};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;

use super::{
    caller::Source,
    connections::{Connections, Place},
    input::BodyLimits,
    openapi,
    pages::SignedIn,
    stall::Unstalled,
    tls::{TlsError, TlsFiles},
};

/// How long connections may take to finish once the controller is told to stop.
pub const DRAIN: Duration = Duration::from_secs(5);
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Most bytes hyper buffers for a head.
const HEAD_BYTES: usize = 32 * 1024;
/// Most header fields of a request.
const MAX_HEADERS: usize = 64;
/// Pause after the system could not give a connection, so as not to spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What connections may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerLimits {
    /// Most of them at a time.
    pub max_connections: usize,
    /// How long the head of a request may take; hyper counts the idle time before it as well.
    pub head_timeout: Duration,
    /// What follows the head.
    pub body: BodyLimits,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            max_connections: 1024,
            head_timeout: Duration::from_secs(10),
            body: BodyLimits::default(),
        }
    }
}

/// The controller can't listen there.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Somebody else does.
    #[error("{address} is in use; stop what listens there or choose another place with {flag}")]
    InUse {
        /// Where.
        address: SocketAddr,
        /// The flag that says where.
        flag: &'static str,
    },
    /// Another reason.
    #[error("cannot listen on {address}: {source}; choose another place with {flag}")]
    Failed {
        /// Where.
        address: SocketAddr,
        /// The flag that says where.
        flag: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Its certificate.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// A bound listener.
pub struct Listener {
    tcp: TcpListener,
    tls: Option<TlsAcceptor>,
}

impl Listener {
    /// Binds `address`, which `flag` gave; port 0 lets the system choose. With `tls`, speaks nothing
    /// else.
    ///
    /// # Errors
    /// See [`BindError`].
    pub async fn bind(
        flag: &'static str,
        address: SocketAddr,
        tls: Option<&TlsFiles>,
    ) -> Result<Self, BindError> {
        let tls = tls.map(TlsFiles::acceptor).transpose()?;
        let bound = TcpListener::bind(address).await;
        let tcp = bound.map_err(|source| match source.kind() {
            io::ErrorKind::AddrInUse => BindError::InUse { address, flag },
            _ => BindError::Failed {
                address,
                flag,
                source,
            },
        })?;
        Ok(Self { tcp, tls })
    }

    /// Where it listens, the port the system chose included.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn url(&self) -> io::Result<String> {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        Ok(format!("{scheme}://{}", self.tcp.local_addr()?))
    }
}

/// Serves a router.
#[derive(Clone)]
pub struct Server {
    router: Router,
    connections: Arc<Connections>,
    limits: ServerLimits,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Server {
    /// A server of `router` until `stop` is cancelled.
    #[must_use]
    pub fn new(router: Router, limits: ServerLimits, stop: CancellationToken) -> Self {
        Self {
            router,
            connections: Connections::new(limits.max_connections),
            limits,
            tasks: TaskTracker::new(),
            stop,
        }
    }

    /// Accepts connections on `listener` until told to stop.
    pub async fn accept_on(self, listener: Listener) {
        loop {
            let accepted = tokio::select! {
                () = self.stop.cancelled() => return,
                accepted = listener.tcp.accept() => accepted,
            };
            match accepted {
                Ok((stream, address)) => self.start(stream, address, listener.tls.clone()),
                Err(error) if is_of_the_connection(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Waits for what is under way, but not longer than [`DRAIN`].
    pub async fn drain(self) {
        self.tasks.close();
        if tokio::time::timeout(DRAIN, self.tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!("some connections did not finish in time");
        }
    }

    fn start(&self, stream: TcpStream, address: SocketAddr, tls: Option<TlsAcceptor>) {
        let Some(place) = self.connections.admit() else {
            tracing::debug!(%address, "no room for another connection");
            return;
        };
        // Answers are written whole; waiting to fill a segment only delays them. A connection that
        // is gone already shows itself when it is read.
        let _ = stream.set_nodelay(true);
        let source = Source(address.ip());
        let server = self.clone();
        match tls {
            None => self.tasks.spawn(server.serve(stream, source, place)),
            Some(tls) => self.tasks.spawn(server.secure(tls, stream, source, place)),
        };
    }

    async fn secure(self, tls: TlsAcceptor, stream: TcpStream, source: Source, place: Place) {
        let handshake = tokio::time::timeout(HANDSHAKE_TIMEOUT, tls.accept(stream));
        let outcome = tokio::select! {
            outcome = handshake => outcome,
            () = place.evicted() => return,
            () = self.stop.cancelled() => return,
        };
        match outcome {
            Ok(Ok(stream)) => self.serve(stream, source, place).await,
            Ok(Err(error)) => tracing::debug!(?source, %error, "no TLS connection came about"),
            Err(_) => tracing::debug!(?source, "a TLS handshake took too long"),
        }
    }

    async fn serve<S>(self, stream: S, source: Source, place: Place)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = service_fn(|request| self.answer(request, source, &place));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.head_timeout)
            .max_buf_size(HEAD_BYTES)
            .max_headers(MAX_HEADERS)
            // A client that has said all it wants to may close its side before the answer.
            .half_close(true)
            .serve_connection(TokioIo::new(Unstalled::new(stream)), service);
        tokio::pin!(connection);
        let outcome = tokio::select! {
            outcome = &mut connection => outcome,
            () = place.evicted() => return,
            () = self.stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = outcome {
            tracing::debug!(?source, %error, "a connection ended badly");
        }
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
        source: Source,
        place: &Place,
    ) -> Result<Response, Infallible> {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(source);
        request.extensions_mut().insert(self.limits.body);
        let path = request.uri().path();
        let needs_token = path.starts_with("/api/") && path != openapi::PATH;
        let response = self.router.clone().oneshot(request).await?;
        // Only the services know whether a token is good, and without one nothing there succeeds.
        let is_signed_in = response.extensions().get::<SignedIn>().is_some();
        if is_signed_in || needs_token && response.status().is_success() {
            place.authenticated();
        }
        Ok(response)
    }
}

/// Errors that concern the connection that was about to be accepted, not the listener.
fn is_of_the_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}
