//! A small blocking HTTP/1.1 client that sends exactly the bytes it is told to.
//!
//! It signs with `ring` itself, not through `wire-contract`, so that it can sign what no honest
//! client would, and so that a mistake there is not made twice. Every read and write has a deadline.
//!
//! ```text
//! let client = agent.client();
//! let answer = client.post_peer("wg0", &json!({"public_key": key}));
//! let mut wire = client.prepare(&Request::get("/health").signed_at("+5"));
//! wire.duplicate("X-Signature");
//! assert_eq!(client.send_wire(&wire).unwrap().status, 401);
//! ```

use std::{
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rustls::ClientConfig;
use serde_json::Value;

mod connection;
mod request;
mod response;

pub use connection::Connection;
pub use request::{Request, WireRequest, hex_hmac};
pub use response::Response;

/// Where an agent listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// `http://ADDR:PORT`
    Tcp(SocketAddr),
    /// `unix:PATH`
    Unix(PathBuf),
}

/// A client of one agent.
#[derive(Debug)]
pub struct Client {
    address: Address,
    secret: String,
    timeout: Duration,
    tls: Option<Arc<ClientConfig>>,
    /// The kept connection, when connections are to be kept.
    kept: Option<Mutex<Option<Connection>>>,
}

impl Client {
    /// Signs with `secret`; every request has a connection of its own and 10 s.
    pub fn new(address: Address, secret: impl Into<String>) -> Self {
        Self {
            address,
            secret: secret.into(),
            timeout: Duration::from_secs(10),
            tls: None,
            kept: None,
        }
    }

    /// Speaks https.
    #[must_use]
    pub fn secured(mut self, tls: &Arc<ClientConfig>) -> Self {
        self.tls = Some(Arc::clone(tls));
        self
    }

    /// Gives connecting, and each request, that long.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sends all requests over one connection, for as long as the agent keeps it.
    #[must_use]
    pub fn keep_alive(mut self) -> Self {
        self.kept = Some(Mutex::new(None));
        self
    }

    /// A new connection, to do anything with.
    ///
    /// # Errors
    /// What the system says.
    pub fn connect(&self) -> io::Result<Connection> {
        Connection::open(&self.address, self.timeout, self.tls.as_ref())
    }

    /// The request as it would be sent now, signed, to look at, change or send many times.
    #[must_use]
    pub fn prepare(&self, request: &Request) -> WireRequest {
        request.signed(self.secret.as_bytes(), now(), self.kept.is_some())
    }

    /// Signs and sends.
    ///
    /// # Errors
    /// What the system says; `TimedOut`; `InvalidData` for what is not HTTP.
    pub fn send(&self, request: &Request) -> io::Result<Response> {
        self.send_wire(&self.prepare(request))
    }

    /// Sends a prepared request as it is.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub fn send_wire(&self, wire: &WireRequest) -> io::Result<Response> {
        let bytes = wire.to_bytes();
        let Some(kept) = &self.kept else {
            return self.connect()?.exchange(&bytes);
        };
        let mut kept = kept.lock().expect("no request panics");
        let mut connection = match kept.take() {
            Some(connection) if !connection.is_closed() => connection,
            _ => self.connect()?,
        };
        let response = connection.exchange(&bytes)?;
        if response.keeps_connection() {
            *kept = Some(connection);
        }
        Ok(response)
    }

    /// Sends bytes over a new connection, and gives everything that comes back until it is closed.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub fn send_raw(&self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut connection = self.connect()?;
        connection.write(bytes)?;
        connection.read_to_end()
    }

    /// `GET` of a target.
    ///
    /// # Panics
    /// Without an answer; so do all that follow.
    #[track_caller]
    #[must_use]
    pub fn get(&self, target: &str) -> Response {
        self.must(&Request::get(target))
    }

    /// `POST /wg/{interface}/peers`.
    #[track_caller]
    pub fn post_peer(&self, interface: &str, body: &Value) -> Response {
        self.must(&Request::new("POST", format!("/wg/{interface}/peers")).json(body))
    }

    /// `PUT /wg/{interface}/peers/{key}`.
    #[track_caller]
    pub fn put_peer(&self, interface: &str, key: &str, body: &Value) -> Response {
        self.must(&Request::new("PUT", peer_target(interface, key)).json(body))
    }

    /// `DELETE /wg/{interface}/peers/{key}`.
    #[track_caller]
    pub fn delete_peer(&self, interface: &str, key: &str) -> Response {
        self.must(&Request::new("DELETE", peer_target(interface, key)))
    }

    /// The parsed body of `GET /wg/{interface}/dump`.
    ///
    /// # Panics
    /// When it is not a 200.
    #[track_caller]
    #[must_use]
    pub fn dump(&self, interface: &str) -> Value {
        let response = self.get(&format!("/wg/{interface}/dump"));
        assert_eq!(response.status, 200, "{response:?}");
        response.json()
    }

    #[track_caller]
    fn must(&self, request: &Request) -> Response {
        self.send(request)
            .unwrap_or_else(|error| panic!("no answer to {request:?}: {error}"))
    }
}

/// The target of a peer, with only the `/` of its key encoded.
#[must_use]
pub fn peer_target(interface: &str, key: &str) -> String {
    format!("/wg/{interface}/peers/{}", key.replace('/', "%2F"))
}

/// Unix time in seconds.
///
/// # Panics
/// When the clock stands before 1970.
#[must_use]
pub fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("it is after 1970")
        .as_secs()
}
