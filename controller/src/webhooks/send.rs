//! One request to an endpoint, within bounds.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    Request, Response,
    header::{CONTENT_TYPE, HOST, HeaderName, HeaderValue, USER_AGENT},
};
use ring::hmac;

use super::url::WebhookUrl;
use crate::{
    agent_client::{AgentError, Connection, Connector, InvalidTrust, Trust},
    store::{
        DeliveryOutcome,
        webhooks::{WebhookSettings, deliveries::DeliveryRow},
    },
};

const SIGNATURE: HeaderName = HeaderName::from_static("x-wgfleet-signature");
const EVENT: HeaderName = HeaderName::from_static("x-wgfleet-event");
const DELIVERY: HeaderName = HeaderName::from_static("x-wgfleet-delivery");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const AGENT: HeaderValue =
    HeaderValue::from_static(concat!("wgfleet-controller/", env!("CARGO_PKG_VERSION")));

/// Resolving, connecting and the TLS handshake.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// All of it, the end of the answer included.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);
/// Nobody needs what an endpoint answers; so much of it is read that its end is not cut off.
const MAX_ANSWER_BYTES: usize = 16 << 10;

/// Somewhere to send events to.
pub(super) struct Endpoint {
    connector: Connector,
    host: HeaderValue,
    target: String,
    secret: hmac::Key,
}

/// What is sent.
pub(super) struct Message<'a> {
    pub(super) kind: &'a str,
    pub(super) delivery_id: &'a str,
    pub(super) body: Bytes,
    /// Now, Unix seconds.
    pub(super) at: i64,
}

/// What came of it.
pub(super) struct Sent {
    http_status: Option<u16>,
    latency: Duration,
    /// One sentence; empty when the endpoint took it.
    error: String,
}

/// Whether these authorities, in PEM, can be trusted.
///
/// # Errors
/// [`InvalidTrust`].
pub fn check_trust(url: &WebhookUrl, tls_ca_pem: Option<&str>) -> Result<(), InvalidTrust> {
    connector(url, tls_ca_pem).map(drop)
}

fn connector(url: &WebhookUrl, tls_ca_pem: Option<&str>) -> Result<Connector, InvalidTrust> {
    let trust = tls_ca_pem.map_or(Trust::SystemRoots, |pem| Trust::Ca(pem.to_owned()));
    Connector::new(url.origin(), &trust, CONNECT_WITHIN)
}

impl Endpoint {
    /// The endpoint of a webhook, or why it can't be one.
    pub(super) fn new(settings: &WebhookSettings, secret: &[u8]) -> Result<Self, String> {
        let url: WebhookUrl = settings.url.parse().map_err(sentence)?;
        let connector = connector(&url, settings.tls_ca_pem.as_deref()).map_err(sentence)?;
        let host = HeaderValue::try_from(url.origin().host_header()).map_err(sentence)?;
        Ok(Self {
            connector,
            host,
            target: url.target().to_owned(),
            secret: hmac::Key::new(hmac::HMAC_SHA256, secret),
        })
    }

    /// Sends it once.
    pub(super) async fn send(&self, message: Message<'_>) -> Sent {
        let began = Instant::now();
        let exchanged = tokio::time::timeout(ANSWER_WITHIN, self.exchange(message)).await;
        let (http_status, error) = match exchanged {
            Ok(Ok(status)) => (Some(status), refusal(status)),
            Ok(Err(error)) => (None, failure(&error)),
            Err(_) => {
                let limit = ANSWER_WITHIN.as_secs();
                (None, format!("it did not answer within {limit} s"))
            }
        };
        Sent {
            http_status,
            latency: began.elapsed(),
            error,
        }
    }

    /// The status of the answer.
    async fn exchange(&self, message: Message<'_>) -> Result<u16, AgentError> {
        let mut connection = Connection::open(self.connector.connect().await?).await?;
        let response = connection.send(self.request(message)).await;
        let response = response.map_err(|unanswered| unanswered.error)?;
        let (head, body) = Response::into_parts(response);
        // Longer than that, or cut short: the status has been said.
        let _ = Limited::new(body, MAX_ANSWER_BYTES).collect().await;
        Ok(head.status.as_u16())
    }

    fn request(&self, message: Message<'_>) -> Request<Full<Bytes>> {
        let signature = sign(&self.secret, message.at, &message.body);
        let request = Request::post(&self.target)
            .header(HOST, &self.host)
            .header(CONTENT_TYPE, JSON)
            .header(USER_AGENT, AGENT)
            .header(EVENT, message.kind)
            .header(DELIVERY, message.delivery_id)
            .header(SIGNATURE, signature)
            .body(Full::new(message.body));
        request.expect("a checked target, words, hex digits and numbers")
    }
}

impl Sent {
    pub(super) const fn not_sent(error: String) -> Self {
        Self {
            http_status: None,
            latency: Duration::ZERO,
            error,
        }
    }

    pub(super) const fn is_taken(&self) -> bool {
        self.error.is_empty()
    }

    /// As the log has it.
    pub(super) fn row(
        self,
        event_id: Option<i64>,
        (delivery_id, kind): (&str, &str),
        (at, attempt): (i64, u32),
        outcome: DeliveryOutcome,
    ) -> DeliveryRow {
        DeliveryRow {
            delivery_id: delivery_id.to_owned(),
            event_id,
            kind: kind.to_owned(),
            at,
            attempt,
            outcome,
            http_status: self.http_status,
            latency_ms: u32::try_from(self.latency.as_millis()).unwrap_or(u32::MAX),
            error: self.error,
        }
    }
}

/// `t=<Unix seconds>,v1=<hex HMAC-SHA256 of "t.body">`
fn sign(secret: &hmac::Key, at: i64, body: &[u8]) -> String {
    use std::fmt::Write as _;

    let mut context = hmac::Context::with_key(secret);
    context.update(format!("{at}.").as_bytes());
    context.update(body);
    let mut text = format!("t={at},v1=");
    for byte in context.sign().as_ref() {
        write!(text, "{byte:02x}").expect("a string takes everything");
    }
    text
}

fn refusal(status: u16) -> String {
    match status {
        200..=299 => String::new(),
        300..=399 => format!("it redirects ({status}), which is not followed"),
        _ => format!("it answered {status}"),
    }
}

/// The client of agents speaks of agents.
fn failure(error: &AgentError) -> String {
    match error {
        AgentError::Unreachable { at, why } => format!("{at}: {why}"),
        AgentError::Tls(why) => format!("TLS: {why}"),
        AgentError::Closed => "it closed the connection without an answer".into(),
        _ => "what it answers is not HTTP/1.1".into(),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "taken by map_err")]
fn sentence(error: impl ToString) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_those_of_the_documentation() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"the secret of the example");
        let signature = sign(&key, 1_772_366_400, br#"{"kind":"ping"}"#);
        let (at, hex) = signature.split_once(",v1=").expect("two parts");
        assert_eq!(at, "t=1772366400");
        let signed = br#"1772366400.{"kind":"ping"}"#;
        let expected = hmac::sign(&key, signed);
        let expected: String = expected
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(hex, expected);
    }

    #[test]
    fn only_2xx_is_taken() {
        for (status, is_taken) in [(199, false), (200, true), (204, true), (299, true)] {
            assert_eq!(refusal(status).is_empty(), is_taken, "{status}");
        }
        assert!(refusal(302).contains("not followed") && refusal(500).contains("500"));
    }
}
