//! What metrics are told apart by. Every label has few values.

use std::fmt::{self, Write as _};

use axum::http::Method;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};

/// What came of a poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PollOutcome {
    /// The node answered well.
    Good,
    /// Nothing answered.
    Missed,
    /// Something answered that should not have, or otherwise.
    Faulty,
}

/// What a change does to a peer on its node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WriteKind {
    /// The peer was missing.
    Add,
    /// It had other settings.
    Update,
    /// It should not have been there.
    Remove,
}

/// What came of a change that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The agent said yes.
    Applied,
    /// The agent said no.
    Refused,
    /// The agent said nothing.
    Unanswered,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct PollLabels {
    pub(super) outcome: PollOutcome,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct WriteLabels {
    pub(super) kind: WriteKind,
    pub(super) outcome: Outcome,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct RequestLabels {
    method: &'static str,
    route: String,
    status: u16,
}

impl RequestLabels {
    /// A method nobody knows is "other": a stranger must not be able to make series.
    pub(super) fn new(method: &Method, route: &str, status: u16) -> Self {
        const KNOWN: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
        let known = KNOWN.iter().find(|known| **known == method.as_str());
        Self {
            method: known.copied().unwrap_or("other"),
            route: route.to_owned(),
            status,
        }
    }
}

impl PollOutcome {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Missed => "missed",
            Self::Faulty => "faulty",
        }
    }
}

impl WriteKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Update => "update",
            Self::Remove => "remove",
        }
    }
}

impl Outcome {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Refused => "refused",
            Self::Unanswered => "unanswered",
        }
    }
}

macro_rules! label_value {
    ($($of:ty),*) => {$(
        impl EncodeLabelValue for $of {
            fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), fmt::Error> {
                encoder.write_str(self.as_str())
            }
        }
    )*};
}

label_value!(PollOutcome, WriteKind, Outcome);
