//! Why a call to an agent came to nothing.

use std::{error::Error as StdError, fmt, io, time::Duration};

use wire_contract::{ErrorCode, signing::WINDOW};

/// Why a call to an agent came to nothing. Each displays as one sentence for a person, without any
/// secret and without a quotation of what an unknown server sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AgentError {
    /// No connection came about.
    #[error("{why} at {at}")]
    Unreachable {
        /// `host:port`, or the path of the socket.
        at: String,
        /// What failed.
        why: Unreachable,
    },
    /// Connected, but the answer was not complete in time.
    #[error("the agent did not answer within {0:?}")]
    TimedOut(Duration),
    /// The TLS handshake failed: most often, a certificate that is not the expected one.
    #[error("TLS: {0}")]
    Tls(String),
    /// The agent does not accept the signature, and its clock is not to blame.
    #[error("the agent refused the signature: wrong secret")]
    Unauthorized {
        /// Seconds its clock is ahead (negative: behind), where it told.
        skew_secs: Option<i64>,
    },
    /// The agent does not accept the signature because its clock and ours are too far apart.
    #[error("{}", SkewSentence(*.secs))]
    ClockSkew {
        /// Seconds its clock is ahead (negative: behind).
        secs: i64,
    },
    /// Something answers there, but no agent.
    #[error("this does not answer like an agent: {0}")]
    NotTheContract(String),
    /// The agent understood and refused, or failed.
    #[error("the agent answered {status}: {message}")]
    Api {
        /// The HTTP status.
        status: u16,
        /// The contract's code; agents in the field have none.
        code: Option<ErrorCode>,
        /// The agent's sentence, shortened and without control characters.
        message: String,
    },
    /// The answer was longer than is read.
    #[error("the agent's answer is larger than {limit_bytes} bytes")]
    TooLarge {
        /// How much would have been read.
        limit_bytes: usize,
    },
    /// The connection ended before the answer did.
    #[error("the agent closed the connection before its answer was complete")]
    Closed,
}

/// Why no connection came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreachable {
    /// Nothing listens there.
    #[error("connection refused")]
    Refused,
    /// The name has no address.
    #[error("the host name could not be resolved")]
    Dns,
    /// Nobody answered in time.
    #[error("no answer to the connection attempt")]
    TimedOut,
    /// No route to the host or its network.
    #[error("no route to the host")]
    NoRoute,
    /// No socket of that path.
    #[error("there is no socket")]
    NoSocket,
    /// The socket may not be opened by this program.
    #[error("not permitted to open the socket")]
    NotPermitted,
    /// Something else.
    #[error("could not connect ({0})")]
    Other(io::ErrorKind),
}

impl From<&io::Error> for Unreachable {
    fn from(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused,
            io::ErrorKind::TimedOut => Self::TimedOut,
            io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => Self::NoRoute,
            io::ErrorKind::NotFound => Self::NoSocket,
            io::ErrorKind::PermissionDenied => Self::NotPermitted,
            other => Self::Other(other),
        }
    }
}

impl AgentError {
    /// Whether the same call may well succeed later without anybody changing anything.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::TimedOut(_) | Self::Closed => true,
            // Whether it was applied can't be told; a new request with a new timestamp can.
            Self::Api {
                code: Some(ErrorCode::Replayed),
                ..
            } => true,
            Self::Api { status, .. } => matches!(status, 408 | 429 | 500 | 502 | 503 | 504),
            Self::Tls(_)
            | Self::Unauthorized { .. }
            | Self::ClockSkew { .. }
            | Self::NotTheContract(_)
            | Self::TooLarge { .. } => false,
        }
    }

    /// The contract's code, if the agent gave one.
    #[must_use]
    pub const fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Api { code, .. } => *code,
            _ => None,
        }
    }

    pub(super) fn refused(skew_secs: Option<i64>) -> Self {
        match skew_secs {
            Some(secs) if secs.unsigned_abs() > WINDOW.as_secs() => Self::ClockSkew { secs },
            skew_secs => Self::Unauthorized { skew_secs },
        }
    }

    /// What became of an exchange, as hyper saw it.
    pub(super) fn from_hyper(error: &hyper::Error) -> Self {
        if let Some(tls) = rustls_cause(error) {
            return Self::Tls(super::tls::sentence(tls));
        }
        if error.is_parse() {
            return Self::NotTheContract(if error.is_parse_too_large() {
                "the head of its answer is too large".into()
            } else {
                "its answer is not HTTP/1.1".into()
            });
        }
        Self::Closed
    }
}

fn rustls_cause<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a rustls::Error> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(tls) = error.downcast_ref::<rustls::Error>() {
            return Some(tls);
        }
        // An io::Error hands on its inner error's source, not the inner error itself.
        let inner = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        cause = match inner {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

struct SkewSentence(i64);

impl fmt::Display for SkewSentence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = if self.0 < 0 { "behind" } else { "ahead of" };
        let (apart, most) = (self.0.unsigned_abs(), WINDOW.as_secs());
        write!(
            f,
            "the agent's clock is {apart} s {side} the controller's; more than {most} s apart is refused"
        )
    }
}
