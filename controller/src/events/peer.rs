//! A peer as callers and events show it.

use wgfleet_proto::v1::{Peer, Sync};

use crate::{dispatch::ObservedPeer, etag, store::peers::PeerRow};

/// What was declared of a peer, how it stands and what was last seen of it, as one message. Of its
/// keys only the public one.
#[must_use]
pub fn shown_peer(row: PeerRow, sync: Sync, seen: &ObservedPeer) -> Peer {
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
        etag: String::new(),
    };
    peer.etag = etag::of_peer(&peer);
    peer
}

fn texts<T: ToString>(values: &[T]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}
