//! Accepts connections, serves them, and lets them finish.

use std::{convert::Infallible, io, sync::Arc, time::Duration};

use futures_util::FutureExt;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    connections::{Connections, Place},
    limits::Source,
    listener::{Listener, Stream},
    service::AgentService,
};
use crate::clock::ConnectionTimer;

/// How long connections may take to finish once the agent is told to stop.
pub const DRAIN: Duration = Duration::from_secs(4);
/// How long the head of a request may take; hyper counts the idle time before it as well.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a TLS handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Most bytes hyper buffers for a head.
const HEAD_BYTES: usize = 32 * 1024;
/// Most header fields of a request.
const MAX_HEADERS: usize = 64;
/// Pause after the system could not give a connection, so as not to spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves one agent on any number of listeners.
#[derive(Clone)]
pub struct Server {
    service: Arc<AgentService>,
    connections: Arc<Connections>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Server {
    /// A server that keeps at most `max_connections`, until `stop` is cancelled.
    #[must_use]
    pub fn new(service: AgentService, max_connections: usize, stop: CancellationToken) -> Self {
        Self {
            connections: Connections::new(max_connections, Arc::clone(service.metrics())),
            service: Arc::new(service),
            tasks: TaskTracker::new(),
            stop,
        }
    }

    /// Accepts connections on `listener` until told to stop.
    pub async fn accept_on(self, listener: Listener) {
        loop {
            let accepted = tokio::select! {
                () = self.stop.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, source)) => self.start(stream, source),
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
        let finished = async {
            self.tasks.wait().await;
            self.service.drained().await;
        };
        if tokio::time::timeout(DRAIN, finished).await.is_err() {
            tracing::warn!("some connections did not finish in time");
        }
    }

    fn start(&self, stream: Stream, source: Source) {
        let Some(place) = self.connections.admit() else {
            tracing::debug!(%source, "no room for another connection");
            return;
        };
        let server = self.clone();
        match stream {
            Stream::Tcp(stream) => self.tasks.spawn(server.serve(stream, source, place)),
            Stream::Tls(stream, tls) => self.tasks.spawn(server.secure(tls, stream, source, place)),
            Stream::Unix(stream) => self.tasks.spawn(server.serve(stream, source, place)),
        };
    }

    /// Serves a connection once its handshake is done. Until then, and after, it is a stranger's.
    async fn secure(self, tls: TlsAcceptor, stream: TcpStream, source: Source, place: Place) {
        let handshake = tokio::time::timeout(HANDSHAKE_TIMEOUT, tls.accept(stream));
        let outcome = tokio::select! {
            outcome = handshake => outcome,
            () = place.evicted() => return,
            () = self.stop.cancelled() => return,
        };
        match outcome {
            Ok(Ok(stream)) => self.serve(stream, source, place).await,
            Ok(Err(error)) => tracing::debug!(%source, %error, "no TLS connection came about"),
            Err(_) => tracing::debug!(%source, "a TLS handshake took too long"),
        }
    }

    async fn serve<S>(self, stream: S, source: Source, place: Place)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = service_fn(|request| {
            let answered = (self.service).answer(request, source, || place.authenticated());
            answered.map(Ok::<_, Infallible>)
        });
        let connection = http1::Builder::new()
            .timer(ConnectionTimer::default())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(HEAD_BYTES)
            .max_headers(MAX_HEADERS)
            // A client that has said all it wants to may close its side before the answer.
            .half_close(true)
            .serve_connection(TokioIo::new(stream), service);
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
            tracing::debug!(%source, %error, "a connection ended badly");
        }
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
