//! What the controller says when it refuses.

use std::fmt;

use http_body_util::{BodyExt as _, Limited};
use hyper::{Response, body::Incoming, header::RETRY_AFTER};
use serde_json::Value;

const MAX_PROBLEM_BYTES: usize = 1 << 20;

/// A refusal: an RFC 9457 document, or what little another program said in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Problem {
    pub(in crate::cli) status: u16,
    /// The stable code; empty when this was not said by a controller.
    pub(in crate::cli) code: String,
    pub(in crate::cli) detail: String,
    /// What it is about; empty when it is about no field.
    pub(in crate::cli) field: String,
    pub(in crate::cli) request_id: String,
    pub(in crate::cli) retry_after_s: Option<u64>,
}

impl Problem {
    pub(super) async fn read(response: Response<Incoming>) -> Self {
        let status = response.status().as_u16();
        let wait = response.headers().get(RETRY_AFTER);
        let retry_after_s = wait.and_then(|text| text.to_str().ok()?.trim().parse().ok());
        let body = Limited::new(response.into_body(), MAX_PROBLEM_BYTES)
            .collect()
            .await;
        let body = body
            .map(http_body_util::Collected::to_bytes)
            .unwrap_or_default();
        let document = serde_json::from_slice(&body).unwrap_or(Value::Null);
        let text = |field: &str| document[field].as_str().unwrap_or_default().to_owned();
        Self {
            status,
            code: text("code"),
            detail: text("detail"),
            field: text("field"),
            request_id: text("request_id"),
            retry_after_s,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            status,
            code,
            detail,
            request_id,
            ..
        } = self;
        match (code.as_str(), detail.as_str()) {
            ("", _) => write!(
                f,
                "the answer was {status}, and not from a wgfleet controller: look at the address and \
                 at what stands between"
            ),
            ("internal", _) => write!(f, "{detail} ({code}, request {request_id})"),
            ("forbidden", _) => write!(f, "the token may not do this: {detail} ({code})"),
            ("unauthenticated", _) => write!(
                f,
                "the controller does not accept the token ({code}): log in with a valid one, `wgfleet \
                 login`"
            ),
            ("etag_mismatch", _) => write!(
                f,
                "it was changed by somebody else in this moment, and not by you ({code}): look again"
            ),
            (_, "") => f.write_str(code),
            _ => write!(f, "{detail} ({code})"),
        }
    }
}
