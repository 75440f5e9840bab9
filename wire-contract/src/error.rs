//! What an agent answers when it does not do what it was asked.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

macro_rules! error_codes {
    ($($(#[$doc:meta])* $variant:ident = $status:literal $code:literal,)*) => {
        /// Every error an agent answers with; each has one HTTP status.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ErrorCode { $($(#[$doc])* $variant,)* }

        impl ErrorCode {
            /// All of them, in the order of the contract's table.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The code as the body carries it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// The HTTP status it is answered with.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)* }
            }
        }
    };
}

error_codes! {
    /// Malformed JSON, key, CIDR, keepalive, interface name or target; the message names the field.
    BadRequest = 400 "bad_request",
    /// Any authentication failure: one body, whatever failed.
    Unauthorized = 401 "unauthorized",
    /// No WireGuard interface of that name.
    InterfaceNotFound = 404 "interface_not_found",
    /// PUT or DELETE of a peer that is not there.
    PeerNotFound = 404 "peer_not_found",
    /// No such route.
    NotFound = 404 "not_found",
    /// The route is there, the method is not; `Allow` lists those that are.
    MethodNotAllowed = 405 "method_not_allowed",
    /// The body came too slowly.
    Timeout = 408 "timeout",
    /// POST of a key that is there with other settings.
    PeerExists = 409 "peer_exists",
    /// An allowed IP that another peer of the interface owns; the owner keeps it.
    AllowedIpConflict = 409 "allowed_ip_conflict",
    /// A mutation seen before whose first answer no longer stands.
    Replayed = 409 "replayed",
    /// The body is larger than the agent takes.
    TooLarge = 413 "too_large",
    /// A body that says it is not JSON.
    UnsupportedMediaType = 415 "unsupported_media_type",
    /// The interface's own public key as a peer.
    OwnKey = 422 "own_key",
    /// Too many requests; `Retry-After` says when to come back.
    RateLimited = 429 "rate_limited",
    /// A bug; the detail is in the agent's log only.
    Internal = 500 "internal",
    /// The kernel (or the replay log) would not give a consistent answer; safe to retry.
    KernelUnavailable = 503 "kernel_unavailable",
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A code that is not in the contract's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an error code of the contract")]
pub struct UnknownErrorCode;

impl FromStr for ErrorCode {
    type Err = UnknownErrorCode;

    fn from_str(text: &str) -> Result<Self, UnknownErrorCode> {
        Self::ALL
            .iter()
            .copied()
            .find(|code| code.as_str() == text)
            .ok_or(UnknownErrorCode)
    }
}

crate::text::string_serde!(ErrorCode, "an error code of the contract");

/// The body of every error answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// Always `"error"`.
    pub status: ErrorStatus,
    /// What went wrong, for programs.
    pub error: ErrorCode,
    /// What went wrong, for a person: one sentence they can act on.
    pub message: String,
}

impl ErrorBody {
    /// The body for `error`.
    #[must_use]
    pub fn new(error: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            status: ErrorStatus::Error,
            error,
            message: message.into(),
        }
    }
}

/// The constant `status` of an error body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ErrorStatus {
    /// `"error"`
    Error,
}
