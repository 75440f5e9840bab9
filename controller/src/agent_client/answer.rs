//! What an answer means. Read leniently: agents in the field differ in all but the documented fields.

use std::time::Duration;

use hyper::{
    StatusCode,
    header::{CONTENT_TYPE, HeaderValue},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, error::Category};
use wire_contract::ErrorCode;

use super::{error::AgentError, exchange::Answer};

const MAX_MESSAGE_CHARS: usize = 300;
/// From this size on, reading JSON takes long enough to hold up others on the same thread.
const PARSE_ASIDE_BYTES: usize = 1 << 20;

/// What an agent answered, and what the exchange itself told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply<T> {
    /// The answer.
    pub value: T,
    /// From sending the request to the head of the answer, connecting not included.
    pub latency: Duration,
    /// Seconds the agent's clock is ahead of ours (negative: behind), by its `Date` header. A second
    /// of rounding counts as none; `None` when it sends no `Date`.
    pub clock_skew_secs: Option<i64>,
}

impl<T> Reply<T> {
    /// Another value, the same exchange.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Reply<U> {
        Reply {
            value: change(self.value),
            latency: self.latency,
            clock_skew_secs: self.clock_skew_secs,
        }
    }
}

impl Answer {
    pub(super) fn reply<T>(&self, value: T) -> Reply<T> {
        Reply {
            value,
            latency: self.latency,
            clock_skew_secs: self.skew_secs,
        }
    }

    /// The body of a 200 to a GET.
    pub(super) async fn read<T: DeserializeOwned + Send + 'static>(
        self,
    ) -> Result<Reply<T>, AgentError> {
        self.refuse_errors()?;
        if self.is_html() {
            return Err(not_json());
        }
        let body = self.body.clone();
        let value = if body.len() < PARSE_ASIDE_BYTES {
            parsed(&body)?
        } else {
            let parsing = tokio::task::spawn_blocking(move || parsed(&body));
            parsing
                .await
                .map_err(|_| AgentError::NotTheContract("its answer is unreadable".into()))??
        };
        Ok(self.reply(value))
    }

    /// A 2xx to a mutation. What it says beside that is for people; what holds, the next dump tells.
    pub(super) fn read_done(self) -> Result<Reply<()>, AgentError> {
        self.refuse_errors()?;
        if self.status == StatusCode::NO_CONTENT {
            return Ok(self.reply(()));
        }
        if self.is_html() {
            return Err(not_json());
        }
        let body: ErrorLike = parsed(&self.body)?;
        // Some answer 200 and tell the failure in the body alone.
        let failed = match &body.status {
            Some(Value::Bool(success)) => !success,
            Some(Value::String(status)) => matches!(status.as_str(), "error" | "failed"),
            _ => false,
        };
        if failed {
            Err(self.api_error(&body))
        } else {
            Ok(self.reply(()))
        }
    }

    /// A 404 or 405 about the route. A 404 about the interface carries its code.
    pub(super) fn is_unknown_route(&self) -> bool {
        match self.status {
            StatusCode::METHOD_NOT_ALLOWED => true,
            StatusCode::NOT_FOUND => {
                !matches!(self.error_body().code(), Some(code) if code != ErrorCode::NotFound)
            }
            _ => false,
        }
    }

    /// Whether it refuses who asks: 401, or the 429 that takes its place when failures abound.
    pub(super) fn refuses_signature(&self) -> bool {
        match self.status {
            StatusCode::UNAUTHORIZED => true,
            StatusCode::TOO_MANY_REQUESTS => {
                self.error_body().code() == Some(ErrorCode::RateLimited)
            }
            _ => false,
        }
    }

    fn refuse_errors(&self) -> Result<(), AgentError> {
        if self.status.is_success() {
            return Ok(());
        }
        if self.status == StatusCode::UNAUTHORIZED {
            return Err(AgentError::refused(self.skew_secs));
        }
        // Frameworks and proxies answer these in HTML even where the agent behind them is one.
        let anyone_says_so = self.status.is_server_error()
            || matches!(self.status.as_u16(), 404 | 405 | 408 | 413 | 429);
        if self.is_html() && !anyone_says_so {
            return Err(not_json());
        }
        Err(self.api_error(&self.error_body()))
    }

    fn api_error(&self, body: &ErrorLike) -> AgentError {
        AgentError::Api {
            status: self.status.as_u16(),
            code: body.code(),
            message: body.message().unwrap_or_else(|| {
                self.status
                    .canonical_reason()
                    .unwrap_or("no reason given")
                    .to_lowercase()
            }),
        }
    }

    fn error_body(&self) -> ErrorLike {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    fn is_html(&self) -> bool {
        let content_type = self.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
        content_type.is_some_and(|value| value.to_ascii_lowercase().starts_with(b"text/html"))
    }
}

fn not_json() -> AgentError {
    AgentError::NotTheContract("its answer is a web page, not JSON".into())
}

/// Reads JSON. The reason of a failure never quotes the body: it may be anybody's.
fn parsed<T: DeserializeOwned>(body: &[u8]) -> Result<T, AgentError> {
    serde_json::from_slice(body).map_err(|error| match error.classify() {
        // Only an answer without a length can end early and look complete.
        Category::Eof if !body.is_empty() => AgentError::Closed,
        Category::Data => AgentError::NotTheContract(format!(
            "its answer is JSON, but not of the documented shape (line {}, column {})",
            error.line(),
            error.column()
        )),
        _ => AgentError::NotTheContract("its answer is not JSON".into()),
    })
}

/// The contract's error body, and those of agents that put their sentence into `error` or `detail`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ErrorLike {
    status: Option<Value>,
    error: Option<Value>,
    message: Option<Value>,
    detail: Option<Value>,
}

impl ErrorLike {
    fn code(&self) -> Option<ErrorCode> {
        self.error.as_ref()?.as_str()?.parse().ok()
    }

    fn message(&self) -> Option<String> {
        let texts = [&self.message, &self.detail, &self.error];
        let text = texts.into_iter().flatten().find_map(Value::as_str)?.trim();
        // It ends up in logs, terminals and web pages.
        let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
        let message: String = plain.take(MAX_MESSAGE_CHARS).collect();
        (!message.is_empty()).then_some(message)
    }
}
