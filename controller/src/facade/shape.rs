//! What nodes and peers share in their JSON.

use axum::http::{HeaderName, header};
use schemars::JsonSchema;
use serde::Serialize;
use wgfleet_proto::v1::{self, PageInfo, PeerState, QuotaPeriod, SyncState};

use super::openapi::format;

/// One page of a list.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "PageOf{T}")]
pub(super) struct Page<T> {
    /// What is on this page.
    items: Vec<T>,
    /// `cursor` of the next page; `null` on the last one.
    next_cursor: Option<String>,
    /// Items that match the filter, over all pages.
    #[schemars(with = "format::Total")]
    total: u64,
}

impl<T> Page<T> {
    pub(super) fn new<M: Into<T>>(items: Vec<M>, info: Option<PageInfo>) -> Self {
        let info = info.unwrap_or_default();
        Self {
            items: items.into_iter().map(Into::into).collect(),
            next_cursor: text(info.next_cursor),
            total: info.total,
        }
    }
}

/// `{"state":"pending","reason":"…"}`
#[derive(JsonSchema, Serialize)]
pub(super) struct Sync {
    /// `applied`: the node's last dump shows it as declared. `pending`: it is tried for as long as it takes.
    /// `failed`: the node refused it.
    #[schemars(with = "format::SyncState")]
    state: &'static str,
    /// Why it is not applied.
    reason: Option<String>,
}

/// The words of `sync.state`, in answers and filters.
pub(super) const SYNC_STATES: [(&str, SyncState); 3] = [
    ("applied", SyncState::Applied),
    ("pending", SyncState::Pending),
    ("failed", SyncState::Failed),
];

/// The words of a peer's `state`, in answers and filters.
pub(super) const PEER_STATES: [(&str, PeerState); 4] = [
    ("active", PeerState::Active),
    ("disabled", PeerState::Disabled),
    ("expired", PeerState::Expired),
    ("quota_used_up", PeerState::QuotaUsedUp),
];

/// The words of `quota_period`.
pub(super) const QUOTA_PERIODS: [(&str, QuotaPeriod); 4] = [
    ("none", QuotaPeriod::None),
    ("day", QuotaPeriod::Day),
    ("week", QuotaPeriod::Week),
    ("month", QuotaPeriod::Month),
];

impl From<v1::Sync> for Sync {
    fn from(sync: v1::Sync) -> Self {
        Self {
            state: word(&SYNC_STATES, sync.state()),
            reason: text(sync.reason),
        }
    }
}

/// The word for a value. A state the services never answer reads `unknown` rather than failing the
/// whole list.
pub(super) fn word<T: Copy + PartialEq>(words: &[(&'static str, T)], value: T) -> &'static str {
    let found = words.iter().find(|(_, known)| *known == value);
    found.map_or("unknown", |(word, _)| *word)
}

/// Empty text is what protobuf has for none.
pub(super) fn text(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

/// The header with the tag of a version.
pub(super) fn etag(tag: &str) -> (HeaderName, String) {
    (header::ETAG, format!("\"{tag}\""))
}
