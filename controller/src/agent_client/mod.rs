//! The client of the wire contract: signs requests and sends them to one agent.
//!
//! An [`AgentClient`] is made from an [`AgentUrl`], a [`Trust`] (which certificate to expect behind
//! `https://`), the shared secret and [`Limits`]. Whatever the other side does (hang, talk without
//! end, redirect, answer web pages) ends within those limits as one [`AgentError`].
//!
//! It holds no opinion about what should be: it never repeats a mutation on its own, except for the
//! very same bytes on a new connection when a kept one turned out to be closed.
//!
//! Read first: [`AgentClient`], then `exchange` for one request and its answer, `signing` for how a
//! mutation repeated within a second stays distinguishable, `answer` for what agents in the field get
//! away with.

mod answer;
mod clock;
mod connect;
mod error;
mod exchange;
mod limits;
mod pool;
mod probe;
mod signing;
mod tls;
mod url;

#[cfg(test)]
mod tests;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use hyper::{Method, header::HeaderValue};
use serde::Serialize;
use tokio::time::timeout;
use wire_contract::{
    ErrorCode, InterfaceName, PresharedKey, PublicKey,
    dto::{AddPeer, Device, Dump, Health, Interfaces, PresharedKeyChange, UpdatePeer},
    path::Resource,
    signing::Secret,
};
use zeroize::Zeroizing;

pub use self::{
    answer::Reply,
    clock::WallClock,
    error::{AgentError, Unreachable},
    limits::Limits,
    probe::ProbeReport,
    tls::{Fingerprint, InvalidTrust, Trust},
    url::{AgentUrl, InvalidAgentUrl},
};
pub(crate) use self::{connect::Connector, pool::Connection};
use self::{
    exchange::{Answer, Exchange},
    pool::Pool,
    signing::{Signed, SigningDesk},
};

/// Capability of agents that take a signed `?n=<counter>` with a mutation.
pub const CAPABILITY_NONCE: &str = "nonce";
/// Capability of agents that answer `GET /wg/{interface}`.
pub const CAPABILITY_DEVICE: &str = "device";

/// A client for one agent. Clones share its connections and its memory of what was signed; there must
/// be one per agent, however many of its interfaces are nodes.
#[derive(Clone)]
pub struct AgentClient(Arc<Inner>);

struct Inner {
    url: AgentUrl,
    limits: Limits,
    desk: SigningDesk,
    exchange: Exchange,
    /// Some agents in the field serve `/wg/…` under `/v1` alone; learned from their first dump.
    under_v1: AtomicBool,
}

impl AgentClient {
    /// A client for the agent at `url`. Nothing is sent yet.
    ///
    /// # Errors
    /// [`InvalidTrust`]; never for a URL without TLS.
    pub fn new(
        url: AgentUrl,
        trust: &Trust,
        secret: &Secret,
        limits: Limits,
    ) -> Result<Self, InvalidTrust> {
        Self::with_clock(url, trust, secret, limits, WallClock::system())
    }

    /// [`Self::new`] with another clock to sign by.
    ///
    /// # Errors
    /// [`InvalidTrust`].
    pub fn with_clock(
        url: AgentUrl,
        trust: &Trust,
        secret: &Secret,
        limits: Limits,
        clock: WallClock,
    ) -> Result<Self, InvalidTrust> {
        let exchange = Exchange {
            connector: Connector::new(&url, trust, limits.connect_timeout)?,
            pool: Pool::new(limits.max_connections, limits.idle_timeout),
            host: HeaderValue::from_str(&url.host_header())
                .expect("a host has no characters that a header does not take"),
            max_error_bytes: limits.max_answer_bytes,
        };
        Ok(Self(Arc::new(Inner {
            url,
            limits,
            desk: SigningDesk::new(secret, clock),
            exchange,
            under_v1: AtomicBool::new(false),
        })))
    }

    /// Where the agent is.
    #[must_use]
    pub fn url(&self) -> &AgentUrl {
        &self.0.url
    }

    /// `GET /health`. Also learns whether the agent takes `?n=` with repeated mutations.
    ///
    /// # Errors
    /// [`AgentError`].
    pub async fn health(&self) -> Result<Reply<Health>, AgentError> {
        let answer = self
            .get(&Resource::Health, self.0.limits.request_timeout)
            .await?;
        if answer.is_unknown_route() {
            return Err(AgentError::NotTheContract("it has no /health".into()));
        }
        let reply: Reply<Health> = answer.read().await?;
        let takes_nonce = reply
            .value
            .capabilities
            .iter()
            .any(|it| it == CAPABILITY_NONCE);
        self.0.desk.set_takes_nonce(takes_nonce);
        Ok(reply)
    }

    /// `GET /wg`: the interfaces. `None` from an agent without this extension.
    ///
    /// # Errors
    /// [`AgentError`].
    pub async fn interfaces(&self) -> Result<Reply<Option<Interfaces>>, AgentError> {
        self.extension(&Resource::Interfaces).await
    }

    /// `GET /wg/{interface}`. `None` from an agent without this extension; an interface that is not
    /// there is an error.
    ///
    /// # Errors
    /// [`AgentError`].
    pub async fn device(
        &self,
        interface: &InterfaceName,
    ) -> Result<Reply<Option<Device>>, AgentError> {
        self.extension(&Resource::Device(interface.clone())).await
    }

    /// `GET /wg/{interface}/dump`
    ///
    /// # Errors
    /// [`AgentError`].
    pub async fn dump(&self, interface: &InterfaceName) -> Result<Reply<Dump>, AgentError> {
        let resource = Resource::Dump(interface.clone());
        let reply: Reply<Dump> = self
            .within(self.0.limits.dump_timeout, self.dump_answer(&resource))
            .await?
            .read()
            .await?;
        if reply.value.interface != *interface {
            return Err(AgentError::NotTheContract(
                "it dumps another interface".into(),
            ));
        }
        Ok(reply)
    }

    /// `POST /wg/{interface}/peers`
    ///
    /// # Errors
    /// [`AgentError`].
    pub async fn add_peer(
        &self,
        interface: &InterfaceName,
        peer: &AddPeer,
    ) -> Result<Reply<()>, AgentError> {
        let resource = Resource::Peers(interface.clone());
        let done = self.mutate(Method::POST, &resource, json(peer)).await;
        done.map_err(|error| without_key(error, peer.preshared_key.as_ref()))
    }

    /// `PUT /wg/{interface}/peers/{public_key}`
    ///
    /// # Errors
    /// [`AgentError`].
    pub async fn update_peer(
        &self,
        interface: &InterfaceName,
        public_key: &PublicKey,
        change: &UpdatePeer,
    ) -> Result<Reply<()>, AgentError> {
        let resource = Resource::Peer(interface.clone(), *public_key);
        let done = self.mutate(Method::PUT, &resource, json(change)).await;
        let key = match &change.preshared_key {
            PresharedKeyChange::Set(key) => Some(key),
            _ => None,
        };
        done.map_err(|error| without_key(error, key))
    }

    /// `DELETE /wg/{interface}/peers/{public_key}`
    ///
    /// # Errors
    /// [`AgentError`]; a peer that is not there is one too ([`ErrorCode::PeerNotFound`]).
    pub async fn delete_peer(
        &self,
        interface: &InterfaceName,
        public_key: &PublicKey,
    ) -> Result<Reply<()>, AgentError> {
        let resource = Resource::Peer(interface.clone(), *public_key);
        self.mutate(Method::DELETE, &resource, Bytes::new()).await
    }

    async fn extension<T: serde::de::DeserializeOwned + Send + 'static>(
        &self,
        resource: &Resource,
    ) -> Result<Reply<Option<T>>, AgentError> {
        let answer = self.get(resource, self.0.limits.request_timeout).await?;
        if answer.is_unknown_route() {
            return Ok(answer.reply(None));
        }
        Ok(answer.read().await?.map(Some))
    }

    async fn dump_answer(&self, resource: &Resource) -> Result<Answer, AgentError> {
        let max_bytes = self.0.limits.max_dump_bytes;
        let answer = self.send(self.signed_get(resource), max_bytes).await?;
        if !answer.is_unknown_route() || self.0.under_v1.swap(true, Ordering::Relaxed) {
            return Ok(answer);
        }
        let under_v1 = self.send(self.signed_get(resource), max_bytes).await;
        let found = under_v1
            .as_ref()
            .is_ok_and(|answer| !answer.is_unknown_route());
        self.0.under_v1.store(found, Ordering::Relaxed);
        if found { under_v1 } else { Ok(answer) }
    }

    async fn get(&self, resource: &Resource, limit: Duration) -> Result<Answer, AgentError> {
        let max_bytes = self.0.limits.max_answer_bytes;
        self.within(limit, self.send(self.signed_get(resource), max_bytes))
            .await
    }

    /// A GET with a signature that no agent may accept.
    async fn get_wrongly_signed(&self, resource: &Resource) -> Result<Answer, AgentError> {
        let signed = self.0.desk.sign_get_wrongly(self.target(resource));
        let limits = &self.0.limits;
        // An agent that does not look at signatures answers with a whole dump.
        self.within(
            limits.request_timeout,
            self.send(signed, limits.max_dump_bytes),
        )
        .await
    }

    async fn mutate(
        &self,
        method: Method,
        resource: &Resource,
        body: Bytes,
    ) -> Result<Reply<()>, AgentError> {
        let target = self.target(resource);
        // An answer to a POST repeats what was sent.
        let max_bytes = self.0.limits.max_answer_bytes + 2 * body.len();
        let sending = async {
            let signed = self.0.desk.sign_mutation(method, &target, body).await;
            self.send(signed, max_bytes).await
        };
        self.within(self.0.limits.request_timeout, sending)
            .await?
            .read_done()
    }

    fn signed_get(&self, resource: &Resource) -> Signed {
        self.0.desk.sign_get(self.target(resource))
    }

    /// The target as it stands on the wire, and is signed.
    fn target(&self, resource: &Resource) -> String {
        let below = resource.to_target();
        let v1 = below.starts_with("/wg") && self.0.under_v1.load(Ordering::Relaxed);
        format!(
            "{}{}{below}",
            self.0.url.prefix(),
            if v1 { "/v1" } else { "" }
        )
    }

    async fn send(&self, signed: Signed, max_bytes: usize) -> Result<Answer, AgentError> {
        let _permit = self.0.exchange.pool.permit().await;
        self.0
            .exchange
            .send(&signed, self.0.desk.clock(), max_bytes)
            .await
    }

    async fn within<T>(
        &self,
        limit: Duration,
        call: impl Future<Output = Result<T, AgentError>>,
    ) -> Result<T, AgentError> {
        timeout(limit, call)
            .await
            .unwrap_or(Err(AgentError::TimedOut(limit)))
    }
}

impl fmt::Debug for AgentClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AgentClient({})", self.0.url)
    }
}

/// The body of a request, wiped when sent: it may hold a preshared key.
fn json(body: &impl Serialize) -> Bytes {
    let body = serde_json::to_vec(body).expect("requests have string keys and no failing fields");
    Bytes::from_owner(Zeroizing::new(body))
}

/// An agent that quotes the request in its error must not carry the preshared key into our log.
fn without_key(error: AgentError, key: Option<&PresharedKey>) -> AgentError {
    match (error, key) {
        (
            AgentError::Api {
                status,
                code,
                message,
            },
            Some(key),
        ) => {
            let message = message.replace(key.expose_base64().as_str(), "(preshared key)");
            AgentError::Api {
                status,
                code,
                message,
            }
        }
        (error, _) => error,
    }
}

impl AgentError {
    /// Whether it says that the agent has no WireGuard interface of the name asked for. Agents in the
    /// field say it as `wg` does.
    #[must_use]
    pub fn is_no_interface(&self) -> bool {
        match self {
            Self::Api {
                code: Some(code), ..
            } => *code == ErrorCode::InterfaceNotFound,
            Self::Api {
                status: 500,
                message,
                ..
            } => message.contains("No such device"),
            _ => false,
        }
    }
}
