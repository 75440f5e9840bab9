//! One request and its answer, within bounds.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response, StatusCode,
    body::{Body, Incoming},
    header::{ACCEPT, CONTENT_TYPE, DATE, HOST, HeaderMap, HeaderValue, USER_AGENT},
};
use tokio::time::Instant;
use wire_contract::signing::{SIGNATURE_HEADER, TIMESTAMP_HEADER};

use super::{
    clock::{WallClock, skew_secs},
    connect::Connector,
    error::AgentError,
    pool::{Connection, Pool, Unanswered},
    signing::Signed,
};

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const AGENT: HeaderValue =
    HeaderValue::from_static(concat!("wgfleet-controller/", env!("CARGO_PKG_VERSION")));

/// Carries signed requests to one agent.
pub(super) struct Exchange {
    pub(super) connector: Connector,
    pub(super) pool: Pool,
    pub(super) host: HeaderValue,
    pub(super) max_error_bytes: usize,
}

/// What came back.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// From the first byte sent to the head of the answer.
    pub(super) latency: Duration,
    pub(super) skew_secs: Option<i64>,
}

impl Exchange {
    /// Sends `signed` and reads the answer, up to `max_bytes` of it.
    ///
    /// A kept connection that turns out to be closed costs one more attempt on a new one, with the
    /// very same bytes: should the first have arrived after all, the agent knows the signature and
    /// does not apply it twice.
    pub(super) async fn send(
        &self,
        signed: &Signed,
        clock: &WallClock,
        max_bytes: usize,
    ) -> Result<Answer, AgentError> {
        if let Some(kept) = self.pool.take() {
            match self.send_on(kept, signed, clock, max_bytes).await {
                Err(Unanswered {
                    error: AgentError::Closed,
                    unheard: true,
                }) => {}
                other => return other.map_err(|unanswered| unanswered.error),
            }
        }
        let fresh = Connection::open(self.connector.connect().await?).await?;
        let answered = self.send_on(fresh, signed, clock, max_bytes).await;
        answered.map_err(|unanswered| unanswered.error)
    }

    async fn send_on(
        &self,
        mut connection: Connection,
        signed: &Signed,
        clock: &WallClock,
        max_bytes: usize,
    ) -> Result<Answer, Unanswered> {
        let (sent_at, sent) = (clock.now(), Instant::now());
        let response = connection.send(self.request(signed)).await?;
        let latency = sent.elapsed();
        let date = response.headers().get(DATE).map(HeaderValue::as_bytes);
        let skew_secs = skew_secs(date, sent_at, clock.now());
        let heard = |error| Unanswered {
            error,
            unheard: false,
        };
        refuse_other_protocols(response.status()).map_err(heard)?;

        let max_bytes = if response.status().is_success() {
            max_bytes
        } else {
            self.max_error_bytes
        };
        let (head, body) = Response::into_parts(response);
        let body = read_bounded(body, max_bytes).await.map_err(heard)?;
        self.pool.put(connection);
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body,
            latency,
            skew_secs,
        })
    }

    fn request(&self, signed: &Signed) -> Request<Full<Bytes>> {
        let request = Request::builder()
            .method(signed.method.clone())
            .uri(&signed.target)
            .header(HOST, &self.host)
            .header(SIGNATURE_HEADER, &signed.signature)
            .header(TIMESTAMP_HEADER, signed.timestamp)
            .header(CONTENT_TYPE, JSON)
            .header(ACCEPT, JSON)
            .header(USER_AGENT, AGENT)
            .body(Full::new(signed.body.clone()));
        request.expect("prefix, interface and key are written in characters a path takes")
    }
}

/// A redirect is not followed: the request was signed for this agent, and elsewhere it would hand a
/// stranger a valid signature.
fn refuse_other_protocols(status: StatusCode) -> Result<(), AgentError> {
    if status.is_redirection() {
        return Err(AgentError::NotTheContract(format!(
            "it redirects ({}), which is not followed",
            status.as_u16()
        )));
    }
    if status.is_informational() {
        return Err(AgentError::NotTheContract(
            "it wants to switch protocols".into(),
        ));
    }
    Ok(())
}

async fn read_bounded(mut body: Incoming, max_bytes: usize) -> Result<Bytes, AgentError> {
    let too_large = AgentError::TooLarge {
        limit_bytes: max_bytes,
    };
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > max_bytes {
        return Err(too_large);
    }
    let mut read = BytesMut::with_capacity(announced);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| AgentError::from_hyper(&error))?;
        if let Some(data) = frame.data_ref() {
            if data.len() > max_bytes - read.len() {
                return Err(too_large);
            }
            read.extend_from_slice(data);
        }
    }
    Ok(read.freeze())
}
