//! A peer as a table has it.

use wgfleet_proto::v1;

use super::{
    super::{
        show::{self, Ago, Chip},
        text,
    },
    nodes::Nodes,
};

/// One line of a table.
pub(super) struct Row {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) node_id: String,
    pub(super) node: String,
    pub(super) addresses: Vec<String>,
    pub(super) online: bool,
    /// Empty when it was never seen.
    pub(super) endpoint: String,
    pub(super) handshake: Option<Ago>,
    /// Sent to it.
    pub(super) down: String,
    /// Received from it.
    pub(super) up: String,
    pub(super) sync: Chip,
    pub(super) reason: String,
    /// When it is not let in.
    pub(super) state: Option<Chip>,
    pub(super) quota: Option<Bar>,
    pub(super) expiry: Option<Bar>,
}

/// How much of something is gone.
pub(super) struct Bar {
    pub(super) percent: u64,
    /// What is gone, of what.
    pub(super) label: String,
    /// When it ends, or begins anew.
    pub(super) until: Option<Ago>,
}

impl Row {
    pub(super) fn new(peer: v1::Peer, nodes: &Nodes, now_s: i64) -> Self {
        let sync = peer.sync.clone().unwrap_or_default();
        Self {
            node: nodes.name(&peer.node_id).to_owned(),
            online: peer.online,
            handshake: handshake(&peer, now_s),
            down: show::bytes(peer.tx_bytes_total),
            up: show::bytes(peer.rx_bytes_total),
            sync: text::sync_state(sync.state()).into(),
            reason: text::sentence(&sync.reason),
            state: outside(&peer),
            quota: quota(&peer, now_s),
            expiry: expiry(&peer, now_s),
            id: peer.id,
            name: peer.name,
            node_id: peer.node_id,
            addresses: peer.allowed_ips,
            endpoint: peer.endpoint,
        }
    }
}

/// When it was last heard of.
pub(super) fn handshake(peer: &v1::Peer, now_s: i64) -> Option<Ago> {
    (peer.latest_handshake != 0).then(|| Ago::new(peer.latest_handshake, now_s))
}

/// Its state, unless it is let in as usual.
fn outside(peer: &v1::Peer) -> Option<Chip> {
    let state = peer.state();
    (state != v1::PeerState::Active).then(|| text::peer_state(state).into())
}

/// What is used of its quota.
pub(super) fn quota(peer: &v1::Peer, now_s: i64) -> Option<Bar> {
    let quota = peer.quota_bytes?;
    let used = peer.quota_used_bytes.unwrap_or(0);
    let percent = u128::from(used) * 100 / u128::from(quota.max(1));
    Some(Bar {
        percent: u64::try_from(percent.min(100)).unwrap_or(100),
        label: text::quota_used(&show::bytes(used), &show::bytes(quota)),
        until: peer.quota_resets_at.map(|at| Ago::new(at, now_s)),
    })
}

/// What has passed of its time.
pub(super) fn expiry(peer: &v1::Peer, now_s: i64) -> Option<Bar> {
    let end = peer.expires_at?;
    let whole = end.saturating_sub(peer.created_at).max(1);
    let passed = now_s.saturating_sub(peer.created_at).clamp(0, whole);
    let percent = i128::from(passed) * 100 / i128::from(whole);
    Some(Bar {
        percent: u64::try_from(percent).unwrap_or(100),
        label: if now_s < end {
            text::EXPIRES
        } else {
            text::EXPIRED
        }
        .to_owned(),
        until: Some(Ago::new(end, now_s)),
    })
}

#[cfg(test)]
mod tests {
    use wgfleet_proto::v1;

    use super::{expiry, quota};

    #[test]
    fn how_much_is_gone() {
        let peer = v1::Peer {
            created_at: 1000,
            expires_at: Some(2000),
            quota_bytes: Some(4096),
            quota_used_bytes: Some(1024),
            ..v1::Peer::default()
        };
        let percent = |now_s| expiry(&peer, now_s).map(|bar| bar.percent);
        assert_eq!(
            [0, 1000, 1250, 2000, 9000].map(percent),
            [0, 0, 25, 100, 100].map(Some)
        );
        let used = quota(&peer, 0).expect("a quota");
        assert_eq!(
            (used.percent, used.label.as_str()),
            (25, "1.0 KiB of 4.0 KiB used")
        );
        let extreme = v1::Peer {
            quota_used_bytes: Some(u64::MAX),
            expires_at: Some(i64::MAX),
            created_at: i64::MIN,
            ..peer
        };
        assert_eq!(quota(&extreme, 0).map(|bar| bar.percent), Some(100));
        assert!(expiry(&extreme, i64::MAX).is_some());
    }
}
