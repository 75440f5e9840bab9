//! What a request is answered with.

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Response, StatusCode,
    header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER},
};
use serde::Serialize;
use wire_contract::{ErrorCode, error::ErrorBody, path::InvalidTarget};

use crate::wireguard::interface::{Failure, MutationError, Refusal};

/// An answer in the contract's terms.
#[derive(Debug)]
pub enum Answer {
    /// 200 with this JSON.
    Ok(Bytes),
    /// One of the contract's errors.
    Error {
        /// Which.
        code: ErrorCode,
        /// One sentence a person can act on.
        message: String,
    },
    /// 405, with what is allowed.
    MethodNotAllowed(&'static str),
    /// 429, with when to come back.
    RateLimited {
        /// Seconds.
        retry_after_secs: u64,
    },
}

impl Answer {
    /// 200 with `body` as JSON.
    pub fn json(body: &impl Serialize) -> Self {
        match serde_json::to_vec(body) {
            Ok(json) => Self::Ok(json.into()),
            Err(error) => {
                tracing::error!(%error, "an answer could not be written as JSON");
                Self::internal()
            }
        }
    }

    /// One of the contract's errors.
    pub fn error(code: ErrorCode, message: impl Into<String>) -> Self {
        Self::Error {
            code,
            message: message.into(),
        }
    }

    /// The one answer to everything that is not authentic.
    pub fn unauthorized() -> Self {
        Self::error(
            ErrorCode::Unauthorized,
            "the request is not signed as this agent expects",
        )
    }

    /// A bug.
    pub fn internal() -> Self {
        Self::error(
            ErrorCode::Internal,
            "something is wrong in the agent; its log has the detail",
        )
    }

    /// Its HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        let code = match self {
            Self::Ok(_) => 200,
            Self::Error { code, .. } => code.status(),
            Self::MethodNotAllowed(_) => ErrorCode::MethodNotAllowed.status(),
            Self::RateLimited { .. } => ErrorCode::RateLimited.status(),
        };
        StatusCode::from_u16(code).expect("the contract's statuses are valid")
    }

    /// The HTTP response. With `close`, the connection ends after it.
    pub(super) fn into_response(self, close: bool) -> Response<Full<Bytes>> {
        let status = self.status();
        let mut response = Response::new(Full::default());
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if close {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        let body = match self {
            Self::Ok(body) => body,
            Self::Error { code, message } => error_body(code, message),
            Self::MethodNotAllowed(allowed) => {
                headers.insert(ALLOW, HeaderValue::from_static(allowed));
                let message = format!("this route takes only {allowed}");
                error_body(ErrorCode::MethodNotAllowed, message)
            }
            Self::RateLimited { retry_after_secs } => {
                headers.insert(RETRY_AFTER, HeaderValue::from(retry_after_secs));
                let message = format!("too many requests; try again in {retry_after_secs} s");
                error_body(ErrorCode::RateLimited, message)
            }
        };
        *response.status_mut() = status;
        *response.body_mut() = Full::new(body);
        response
    }
}

fn error_body(code: ErrorCode, message: String) -> Bytes {
    serde_json::to_vec(&ErrorBody::new(code, message))
        .expect("three strings are JSON")
        .into()
}

impl From<InvalidTarget> for Answer {
    fn from(error: InvalidTarget) -> Self {
        let code = match error {
            InvalidTarget::NoSuchRoute => ErrorCode::NotFound,
            InvalidTarget::Malformed
            | InvalidTarget::Interface(_)
            | InvalidTarget::PublicKey(_) => ErrorCode::BadRequest,
        };
        Self::error(code, error.to_string())
    }
}

impl From<Failure> for Answer {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::InterfaceNotFound => {
                Self::error(ErrorCode::InterfaceNotFound, failure.to_string())
            }
            Failure::Unavailable(_) => {
                Self::error(ErrorCode::KernelUnavailable, failure.to_string())
            }
            Failure::OwnerGone => {
                tracing::error!("the owner of an interface went away during a request");
                Self::internal()
            }
        }
    }
}

impl From<MutationError> for Answer {
    fn from(error: MutationError) -> Self {
        match error {
            MutationError::Failed(failure) => failure.into(),
            MutationError::LogUnavailable => Self::error(
                ErrorCode::KernelUnavailable,
                "the replay log can't be written, so nothing is changed; see the agent's log",
            ),
            MutationError::Refused(refusal) => {
                let code = match refusal {
                    Refusal::PeerExists(_) => ErrorCode::PeerExists,
                    Refusal::PeerNotFound(_) => ErrorCode::PeerNotFound,
                    Refusal::AllowedIpConflict { .. } => ErrorCode::AllowedIpConflict,
                    Refusal::OwnKey => ErrorCode::OwnKey,
                };
                Self::error(code, refusal.to_string())
            }
        }
    }
}
