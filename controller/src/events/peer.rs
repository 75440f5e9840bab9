//! A peer as callers and events show it.

use wgfleet_proto::v1::{self, Peer, PeerState, Sync};

use crate::{
    dispatch::ObservedPeer,
    domain::period::QuotaPeriod,
    etag,
    store::{peer_list::Admission, peers::PeerRow},
};

/// What was declared of a peer, how it stands and what was last seen of it, as one message. Of its
/// keys only the public one. `now_s` is now, Unix seconds: a quota is that of its present period.
#[must_use]
pub fn shown_peer(row: PeerRow, sync: Sync, seen: &ObservedPeer, now_s: i64) -> Peer {
    let state = Admission::of(&row, now_s);
    // What was used by the last checkpoint, and what was seen since.
    let unsaved = seen.total().sum().saturating_sub(row.checkpoint_bytes);
    let quota = row.quota.map(|quota| quota.charged(unsaved, now_s));
    let settings = row.settings;
    let mut peer = Peer {
        id: row.id.to_string(),
        name: settings.name,
        node_id: row.node_id.to_string(),
        public_key: row.public_key.to_string(),
        has_preshared_key: row.has_preshared_key,
        preshared_key_known: row.psk_confirmed,
        allowed_ips: texts(&row.allowed_ips),
        persistent_keepalive: settings.persistent_keepalive.as_secs().into(),
        labels: settings.labels,
        enabled: settings.enabled,
        disabled_reason: settings.disabled_reason,
        expires_at: settings.expires_at,
        dns: settings.dns,
        mtu: settings.mtu,
        client_allowed_ips: texts(&settings.client_allowed_ips),
        private_key_kept: row.has_private_key,
        sync: Some(sync),
        online: seen.online,
        endpoint: seen.endpoint.map(|at| at.to_string()).unwrap_or_default(),
        latest_handshake: seen.latest_handshake,
        rx_bytes: seen.rx_bytes,
        tx_bytes: seen.tx_bytes,
        rx_bytes_total: seen.rx_bytes_total,
        tx_bytes_total: seen.tx_bytes_total,
        created_at: row.created_at,
        updated_at: row.updated_at,
        state: proto_state(state).into(),
        quota_bytes: quota.map(|quota| quota.bytes),
        quota_period: quota.map(|quota| proto_period(quota.period).into()),
        quota_used_bytes: quota.map(|quota| quota.used_bytes),
        quota_resets_at: quota.and_then(|quota| quota.resets_at_s()),
        etag: String::new(),
    };
    peer.etag = etag::of_peer(&peer);
    peer
}

const fn proto_state(state: Admission) -> PeerState {
    match state {
        Admission::Expired => PeerState::Expired,
        Admission::QuotaUsedUp => PeerState::QuotaUsedUp,
        Admission::Disabled => PeerState::Disabled,
        Admission::Active => PeerState::Active,
    }
}

const fn proto_period(period: QuotaPeriod) -> v1::QuotaPeriod {
    match period {
        QuotaPeriod::None => v1::QuotaPeriod::None,
        QuotaPeriod::Day => v1::QuotaPeriod::Day,
        QuotaPeriod::Week => v1::QuotaPeriod::Week,
        QuotaPeriod::Month => v1::QuotaPeriod::Month,
    }
}

fn texts<T: ToString>(values: &[T]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}
