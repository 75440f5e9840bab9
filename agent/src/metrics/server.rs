//! The listener metrics are shown on, apart from the contract's: unsigned, read only, and with bounds of
//! its own.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{ALLOW, CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};

use super::Scrape;

const PATH: &str = "/metrics";
const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
/// Most connections at a time. A handful of scrapers and somebody with `curl` is all there should be.
const MAX_CONNECTIONS: usize = 16;
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// From accepting a connection to the last byte of its one answer.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(30);
/// Most bytes hyper buffers for a head.
const HEAD_BYTES: usize = 8 * 1024;
/// Pause after the system could not give a connection, so as not to spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Metrics can't be shown there.
#[derive(Debug, thiserror::Error)]
#[error("cannot show metrics on {address}: {source}; choose another place with --metrics-listen")]
pub struct MetricsBindError {
    /// Where.
    address: SocketAddr,
    /// Why.
    #[source]
    source: io::Error,
}

/// A bound listener for metrics.
#[derive(Debug)]
pub struct MetricsListener(TcpListener);

impl MetricsListener {
    /// Binds `address`; port 0 lets the system choose.
    ///
    /// # Errors
    /// See [`MetricsBindError`].
    pub async fn bind(address: SocketAddr) -> Result<Self, MetricsBindError> {
        TcpListener::bind(address)
            .await
            .map(Self)
            .map_err(|source| MetricsBindError { address, source })
    }

    /// Where the page is.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn url(&self) -> io::Result<String> {
        Ok(format!("http://{}{PATH}", self.0.local_addr()?))
    }

    /// Shows `scrape` to all who ask, until dropped; its connections end with it.
    pub async fn serve(self, scrape: Arc<Scrape>) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.0.accept() => match accepted {
                    Ok((stream, _)) if connections.len() < MAX_CONNECTIONS => {
                        connections.spawn(converse(stream, Arc::clone(&scrape)));
                    }
                    Ok((_, from)) => tracing::debug!(%from, "no room for another look at the metrics"),
                    Err(error) => {
                        tracing::debug!(%error, "a connection for metrics could not be accepted");
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }
}

/// One request, one answer.
async fn converse(stream: TcpStream, scrape: Arc<Scrape>) {
    let scrape = &*scrape;
    let service = service_fn(|request: Request<Incoming>| async move {
        Ok::<_, Infallible>(answer(scrape, request.method(), request.uri().path()).await)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES)
        .keep_alive(false)
        .half_close(true)
        .serve_connection(TokioIo::new(stream), service);
    // Whoever does not take the answer, or left, is nobody to tell about.
    let _ = timeout(CONNECTION_TIMEOUT, connection).await;
}

async fn answer(scrape: &Scrape, method: &Method, path: &str) -> Response<Full<Bytes>> {
    let text = |status, text: String, content_type| {
        let mut response = Response::new(Full::from(text));
        *response.status_mut() = status;
        let content_type = HeaderValue::from_static(content_type);
        response.headers_mut().insert(CONTENT_TYPE, content_type);
        response
    };
    let plain = |status, line: &str| text(status, line.to_owned(), "text/plain; charset=utf-8");
    match (path, method) {
        (PATH, &Method::GET) => text(StatusCode::OK, scrape.page().await, PROMETHEUS_TEXT),
        (PATH, _) => {
            let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "only GET\n");
            let headers = response.headers_mut();
            headers.insert(ALLOW, HeaderValue::from_static("GET"));
            response
        }
        _ => plain(StatusCode::NOT_FOUND, "there is only /metrics\n"),
    }
}
