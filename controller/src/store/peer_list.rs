//! Lists of peers: which, in which order, a page at a time. The [index](super::peer_index) finds
//! them.

use std::collections::BTreeMap;

use rusqlite::Connection;
use wire_contract::PublicKey;

use super::{
    NodeId, PeerId, SyncState,
    error::StoreError,
    page::Cursor,
    peers::{self, PeerRow},
};

/// Which peers. What is given holds together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PeerFilter {
    /// Of this node.
    pub node_id: Option<NodeId>,
    /// Name, public key or address contains this; ASCII case is ignored.
    pub q: Option<String>,
    /// Has all of these labels.
    pub label: BTreeMap<String, String>,
    /// In this state.
    pub sync: Option<SyncState>,
    /// Enabled or disabled.
    pub enabled: Option<bool>,
    /// Expires before this, Unix seconds.
    pub expires_before: Option<i64>,
    /// Is let in, or why not, at this time in Unix seconds.
    pub admission: Option<(Admission, i64)>,
}

/// Whether a peer is let in, as far as that is declared: what is named first holds first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Its time is up.
    Expired,
    /// Its quota is used up; it comes back by itself.
    QuotaUsedUp,
    /// Disabled by hand.
    Disabled,
    /// It is.
    Active,
}

impl Admission {
    /// How a peer stands at `now_s`.
    #[must_use]
    pub fn of(row: &PeerRow, now_s: i64) -> Self {
        let held = row.quota.is_some_and(|quota| quota.held);
        Self::when(row.settings.expires_at, row.settings.enabled, held, now_s)
    }

    /// How a peer with these settings stands at `now_s`; `held` when it is disabled for its quota
    /// alone.
    #[must_use]
    pub fn when(expires_at: Option<i64>, enabled: bool, held: bool, now_s: i64) -> Self {
        if expires_at.is_some_and(|at_s| at_s <= now_s) {
            Self::Expired
        } else if enabled {
            Self::Active
        } else if held {
            Self::QuotaUsedUp
        } else {
            Self::Disabled
        }
    }
}

/// In which order; ties by id.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PeerSort {
    /// By name.
    #[default]
    Name,
    /// By name, from the end.
    NameDesc,
    /// Oldest first.
    CreatedAt,
    /// Newest first.
    CreatedAtDesc,
    /// Last heard of first.
    LatestHandshakeDesc,
    /// Most received first.
    RxBytesTotalDesc,
    /// Most sent first.
    TxBytesTotalDesc,
}

impl PeerSort {
    /// Whether it is by what was seen of a peer.
    #[must_use]
    pub const fn is_observed(self) -> bool {
        matches!(
            self,
            Self::LatestHandshakeDesc | Self::RxBytesTotalDesc | Self::TxBytesTotalDesc
        )
    }

    /// Whether the greatest comes first.
    #[must_use]
    pub const fn is_descending(self) -> bool {
        !matches!(self, Self::Name | Self::CreatedAt)
    }
}

/// A page of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PeerQuery {
    /// Which peers.
    pub filter: PeerFilter,
    /// Only those that are online, or only those that are not.
    pub online: Option<bool>,
    /// In which order.
    pub sort: PeerSort,
    /// Where the page before ended.
    pub after: Option<Cursor>,
    /// Most peers of the page.
    pub limit: u32,
}

/// What was last seen of a peer on its node, as far as lists go by it. Nothing yet is the default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// Whether it is there.
    pub online: bool,
    /// Unix seconds; 0 for never.
    pub latest_handshake: i64,
    /// Received by the node in all.
    pub rx_bytes_total: i64,
    /// Sent by the node in all.
    pub tx_bytes_total: i64,
}

/// What was last seen of a node's peers.
pub trait SeenNode {
    /// Another one whenever anything of it may be something else.
    fn version(&self) -> u64;

    /// What was seen of a peer. `place` is where it was found the last time, in whatever version; what is
    /// put there is given the next time.
    fn seen(&self, key: &PublicKey, place: &mut u32) -> Seen;
}

/// Reads the peers of a page. One that was deleted meanwhile is left out.
///
/// # Errors
/// When they can't be read.
pub fn rows(conn: &Connection, ids: &[PeerId]) -> Result<Vec<PeerRow>, StoreError> {
    let mut get = peers::Get::prepare(conn)?;
    let rows = ids.iter().map(|id| get.optional(*id));
    rows.filter_map(Result::transpose).collect()
}
