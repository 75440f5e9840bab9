//! The client of the REST API: one controller, one token, one connection at a time.
//!
//! Every POST carries an idempotency key of its own, so that it can be sent again when its answer got
//! lost and is done once all the same. Changes of what is there are not repeated after that: whether
//! they were done is said to be unknown.

mod problem;
mod query;
mod retry;
mod url;

use std::{sync::Mutex, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{
        AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, IF_MATCH, USER_AGENT,
    },
};
use serde_json::Value;
use zeroize::Zeroizing;

pub(super) use self::{
    problem::Problem,
    query::Query,
    retry::{Lost, Retries},
    url::ControllerUrl,
};
use super::failure::Failure;
use crate::agent_client::{AgentError, Connection, Connector, Trust};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const AGENT: HeaderValue = HeaderValue::from_static(concat!("wgfleet/", env!("CARGO_PKG_VERSION")));
/// Resolving, connecting and the TLS handshake.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// A whole call: the controller answers sooner, whatever its agents do.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// The same for many things at once.
const BULK_WITHIN: Duration = Duration::from_secs(600);
/// Largest answer that is read as a whole.
const MAX_ANSWER_BYTES: usize = 256 << 20;

/// A client of one controller.
pub(super) struct Client {
    url: ControllerUrl,
    connector: Connector,
    host: HeaderValue,
    token: HeaderValue,
    kept: Mutex<Option<Connection>>,
}

/// One request.
pub(super) struct Call {
    method: Method,
    path: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
    within: Duration,
}

/// An answer whose body is read as it comes.
pub(super) struct Opened {
    pub(super) headers: HeaderMap,
    pub(super) body: Incoming,
    /// The body ends with it.
    _connection: Connection,
}

impl Call {
    /// `GET /api/v1{path}`.
    pub(super) fn get(path: impl Into<String>) -> Self {
        Self {
            method: Method::GET,
            path: path.into(),
            headers: Vec::new(),
            body: Bytes::new(),
            within: ANSWER_WITHIN,
        }
    }

    /// `POST` with a key that makes it safe to send again.
    pub(super) fn post(path: impl Into<String>, body: &Value) -> Self {
        let key = uuid::Uuid::now_v7().to_string();
        let key = HeaderValue::try_from(key).expect("hex digits and hyphens");
        let mut call = Self::get(path).with(Method::POST, body);
        call.headers.push((IDEMPOTENCY_KEY, key));
        call
    }

    /// `PATCH` of the version that was read.
    pub(super) fn patch(path: impl Into<String>, body: &Value, etag: &str) -> Self {
        Self::get(path).with(Method::PATCH, body).if_match(etag)
    }

    /// `DELETE` of the version that was read.
    pub(super) fn delete(path: impl Into<String>, etag: &str) -> Self {
        let mut call = Self::get(path).if_match(etag);
        call.method = Method::DELETE;
        call
    }

    /// `DELETE` of what has no versions.
    pub(super) fn revoke(path: impl Into<String>) -> Self {
        let mut call = Self::get(path);
        call.method = Method::DELETE;
        call
    }

    /// The same with the time that many things at once may take.
    pub(super) fn in_bulk(mut self) -> Self {
        self.within = BULK_WITHIN;
        self
    }

    /// Only for this version.
    pub(super) fn if_match(mut self, etag: &str) -> Self {
        if let Ok(tag) = HeaderValue::try_from(format!("\"{etag}\"")) {
            self.headers.push((IF_MATCH, tag));
        }
        self
    }

    /// With a header more.
    pub(super) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    fn with(mut self, method: Method, body: &Value) -> Self {
        let body = serde_json::to_vec(body).expect("values are always JSON");
        self.method = method;
        // It may hold a key or a secret.
        self.body = Bytes::from_owner(Zeroizing::new(body));
        self.headers.push((CONTENT_TYPE, JSON));
        self
    }

    /// Whether it may be sent again when nobody knows whether it was done.
    fn is_repeatable(&self) -> bool {
        let has_key = self
            .headers
            .iter()
            .any(|(name, _)| *name == IDEMPOTENCY_KEY);
        self.method == Method::GET || has_key
    }
}

impl Client {
    /// A client of the controller at `url`. Nothing is sent yet.
    ///
    /// # Errors
    /// When the authorities or the token can't be ones.
    pub(super) fn new(
        url: ControllerUrl,
        ca_pem: Option<&str>,
        token: &str,
    ) -> Result<Self, Failure> {
        let trust = ca_pem.map_or(Trust::SystemRoots, |pem| Trust::Ca(pem.to_owned()));
        let connector = Connector::new(url.origin(), &trust, CONNECT_WITHIN)
            .map_err(|error| Failure::Usage(format!("--ca-file: {error}")))?;
        let host = HeaderValue::try_from(url.origin().host_header())
            .map_err(|_| Failure::Usage("the controller's host can't be in a header".into()))?;
        let mut token = HeaderValue::try_from(format!("Bearer {token}"))
            .map_err(|_| Failure::Permission("the token has characters no token has".into()))?;
        token.set_sensitive(true);
        Ok(Self {
            url,
            connector,
            host,
            token,
            kept: Mutex::new(None),
        })
    }

    /// Where the controller is.
    pub(super) const fn url(&self) -> &ControllerUrl {
        &self.url
    }

    /// What `GET` shows.
    pub(super) async fn read(&self, path: impl Into<String>) -> Result<Value, Failure> {
        self.json(Call::get(path)).await
    }

    /// The document a call is answered with.
    pub(super) async fn json(&self, call: Call) -> Result<Value, Failure> {
        let body = self.body(call).await?;
        serde_json::from_slice(&body).map_err(|_| self.not_a_controller())
    }

    /// The text a call is answered with.
    pub(super) async fn text(&self, call: Call) -> Result<Zeroizing<String>, Failure> {
        let body = self.body(call).await?.to_vec();
        let text = String::from_utf8(body).map_err(|_| self.not_a_controller())?;
        Ok(Zeroizing::new(text))
    }

    /// The bytes a call is answered with, sent again where that is safe and may help.
    pub(super) async fn body(&self, call: Call) -> Result<Bytes, Failure> {
        let mut retries = Retries::new(call.is_repeatable());
        loop {
            let lost = match self.once(&call).await {
                Ok(body) => return Ok(body),
                Err(lost) => lost,
            };
            let Some(wait) = retries.wait(&lost) else {
                return Err(lost.into_failure(&self.url, call.is_repeatable()));
            };
            tokio::time::sleep(wait).await;
        }
    }

    /// The answer to a call, its body yet to be read. Sent once.
    pub(super) async fn open(&self, call: &Call) -> Result<Opened, Lost> {
        let opening = async {
            let (response, connection) = self.ask(self.connect().await?, call).await?;
            let (head, body) = check(response).await?.into_parts();
            Ok(Opened {
                headers: head.headers,
                body,
                _connection: connection,
            })
        };
        let late = |_| Lost::after_sending(AgentError::TimedOut(call.within));
        tokio::time::timeout(call.within, opening)
            .await
            .map_err(late)?
    }

    async fn once(&self, call: &Call) -> Result<Bytes, Lost> {
        let exchange = tokio::time::timeout(call.within, self.exchange(call));
        let late = |_| Lost::after_sending(AgentError::TimedOut(call.within));
        exchange.await.map_err(late)?
    }

    async fn exchange(&self, call: &Call) -> Result<Bytes, Lost> {
        let kept = self.kept.lock().expect("nobody panics with it").take();
        let asked = match kept {
            Some(kept) => self.ask(kept, call).await,
            None => Err(Lost::unheard(AgentError::Closed)),
        };
        let (response, connection) = match asked {
            Ok(answered) => answered,
            // The controller closes connections that were idle; it has not seen the request.
            Err(lost) if lost.is_unheard() => self.ask(self.connect().await?, call).await?,
            Err(lost) => return Err(lost),
        };
        let answer = match check(response).await {
            Ok(response) => {
                let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES).collect();
                let body = body.await;
                Ok(body
                    .map_err(|_| Lost::after_sending(AgentError::Closed))?
                    .to_bytes())
            }
            Err(lost) => Err(lost),
        };
        // Read to its end, or closed by now, which shows when it is used again.
        *self.kept.lock().expect("nobody panics with it") = Some(connection);
        answer
    }

    async fn connect(&self) -> Result<Connection, Lost> {
        let stream = self
            .connector
            .connect()
            .await
            .map_err(Lost::before_sending)?;
        Connection::open(stream).await.map_err(Lost::before_sending)
    }

    async fn ask(
        &self,
        mut connection: Connection,
        call: &Call,
    ) -> Result<(Response<Incoming>, Connection), Lost> {
        match connection.send(self.request(call)).await {
            Ok(response) => Ok((response, connection)),
            Err(unanswered) if unanswered.unheard => Err(Lost::unheard(unanswered.error)),
            Err(unanswered) => Err(Lost::after_sending(unanswered.error)),
        }
    }

    fn request(&self, call: &Call) -> Request<Full<Bytes>> {
        let mut request = Request::builder()
            .method(call.method.clone())
            .uri(self.url.target(&call.path))
            .header(HOST, &self.host)
            .header(AUTHORIZATION, &self.token)
            .header(USER_AGENT, AGENT);
        for (name, value) in &call.headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(call.body.clone()));
        request.expect("paths are made of ids and percent-encoded text")
    }

    fn not_a_controller(&self) -> Failure {
        Failure::Unavailable(format!(
            "what answers at {} is no wgfleet controller",
            self.url
        ))
    }
}

/// The answer, or the refusal it is.
async fn check(response: Response<Incoming>) -> Result<Response<Incoming>, Lost> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    if status.is_redirection() || status == StatusCode::SWITCHING_PROTOCOLS {
        let detail = format!("it answered {}, which is not followed", status.as_u16());
        return Err(Lost::after_sending(AgentError::NotTheContract(detail)));
    }
    Err(Lost::refused(Problem::read(response).await))
}
