//! What a request must show before anything else is looked at.

use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use hyper::{
    HeaderMap,
    body::Body,
    header::{CONTENT_LENGTH, TRANSFER_ENCODING},
    http::request::Parts,
};
use wire_contract::{
    ErrorCode,
    path::check_target,
    signing::{
        AuthFailure, Mac, SIGNATURE_HEADER, SignedParts, TIMESTAMP_HEADER, Timestamp, Verifier,
    },
};

use super::{
    answer::Answer,
    body::{self, BodyError},
    limits::{Limits, Source},
};
use crate::{clock::Clock, metrics::Metrics};

/// A request that was signed by somebody who knows the secret, recently.
pub(super) struct Authentic<'a> {
    pub(super) parts: &'a Parts,
    pub(super) body: Bytes,
    pub(super) mac: Mac,
    /// As signed, Unix seconds.
    pub(super) timestamp: i64,
}

/// An answer given at the gate.
pub(super) struct Turned {
    pub(super) answer: Answer,
    /// The rest of the request was not read: the connection can't go on.
    pub(super) close: bool,
}

impl Turned {
    fn at_once(answer: Answer) -> Self {
        Self {
            answer,
            close: true,
        }
    }
}

/// Checks signatures.
pub(super) struct Gate {
    verifier: Arc<ArcSwap<Verifier>>,
    clock: Clock,
    limits: Arc<Limits>,
    metrics: Arc<Metrics>,
}

impl Gate {
    pub(super) fn new(
        verifier: Arc<ArcSwap<Verifier>>,
        clock: Clock,
        limits: Arc<Limits>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            verifier,
            clock,
            limits,
            metrics,
        }
    }

    /// Header shape, time window, body, signature: in this order, each only if all before were good.
    pub(super) async fn check<'a, B>(
        &self,
        parts: &'a Parts,
        body: B,
        source: Source,
    ) -> Result<Authentic<'a>, Turned>
    where
        B: Body<Data = Bytes> + Unpin,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let target = target(parts).map_err(Turned::at_once)?;
        let (mac, timestamp) = self
            .headers(&parts.headers)
            .map_err(|failure| Turned::at_once(self.failed(failure, source)))?;
        let body = body::read(body, self.limits.unverified())
            .await
            .map_err(|error| Turned::at_once(body_answer(error)))?;
        let signed = SignedParts {
            method: parts.method.as_str(),
            target,
            body: &body.bytes,
        };
        let verified = self.verifier.load().verify(signed, timestamp, &mac);
        let seconds = timestamp.seconds();
        if let Err(failure) = verified {
            return Err(Turned {
                answer: self.failed(failure, source),
                close: false,
            });
        }
        Ok(Authentic {
            parts,
            body: body.bytes,
            mac,
            timestamp: seconds,
        })
    }

    fn headers<'a>(&self, headers: &'a HeaderMap) -> Result<(Mac, Timestamp<'a>), AuthFailure> {
        let signature = only(headers, SIGNATURE_HEADER).map_err(AuthFailure::SignatureCount)?;
        let timestamp = only(headers, TIMESTAMP_HEADER).map_err(AuthFailure::TimestampCount)?;
        let mac = Mac::parse(signature)?;
        let timestamp = Timestamp::parse(timestamp)?;
        timestamp.check(self.clock.unix_seconds())?;
        Ok((mac, timestamp))
    }

    /// The same answer whatever failed; the log says which, in bounded volume.
    fn failed(&self, failure: AuthFailure, source: Source) -> Answer {
        self.metrics.authentication_failed(failure);
        if let Some(unlogged_before) = self.limits.may_log() {
            tracing::warn!(%source, reason = failure.reason(), unlogged_before,
                "authentication failed: {failure}");
        }
        match self.limits.failure(source) {
            Ok(()) => Answer::unauthorized(),
            Err(retry_after_secs) => Answer::RateLimited { retry_after_secs },
        }
    }
}

/// The target as it stood on the wire, if it is one that can be signed.
fn target(parts: &Parts) -> Result<&str, Answer> {
    // hyper takes a length beside chunks and follows the chunks; whoever forwarded it may not have.
    if parts.headers.contains_key(TRANSFER_ENCODING) && parts.headers.contains_key(CONTENT_LENGTH) {
        return Err(Answer::error(
            ErrorCode::BadRequest,
            "Content-Length and Transfer-Encoding must not be sent together",
        ));
    }
    let origin_form = parts.uri.scheme().is_none() && parts.uri.authority().is_none();
    let target = parts
        .uri
        .path_and_query()
        .filter(|_| origin_form)
        .map_or("", |t| t.as_str());
    check_target(target)?;
    Ok(target)
}

/// The one value of a header, or how many there are.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a [u8], usize> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => Ok(value.as_bytes()),
        (None, _) => Err(0),
        (Some(_), Some(_)) => Err(2 + values.count()),
    }
}

fn body_answer(error: BodyError) -> Answer {
    match error {
        BodyError::TooLarge => Answer::error(
            ErrorCode::TooLarge,
            format!(
                "a body may have at most {} bytes",
                super::limits::MAX_BODY_BYTES
            ),
        ),
        BodyError::TooSlow => Answer::error(
            ErrorCode::Timeout,
            format!(
                "the body did not arrive within {} s",
                super::limits::BODY_TIMEOUT.as_secs()
            ),
        ),
        BodyError::NoRoom => Answer::RateLimited {
            retry_after_secs: 1,
        },
        BodyError::Broken(error) => {
            tracing::debug!(%error, "a body broke off");
            Answer::error(
                ErrorCode::BadRequest,
                "the body ended early or is not framed correctly",
            )
        }
    }
}
