//! What the examples of the document show: one small fleet.

use wgfleet_proto::v1;

pub(in crate::facade) const NODE: &str = "0198f0c5-0000-7000-8000-000000000001";
pub(in crate::facade) const PEER: &str = "0198f0c5-0000-7000-8000-000000000002";
pub(in crate::facade) const TOKEN: &str = "0198f0c5-0000-7000-8000-000000000003";
pub(in crate::facade) const WEBHOOK: &str = "0198f0c5-0000-7000-8000-000000000004";
pub(in crate::facade) const NODE_KEY: &str = "HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=";
pub(in crate::facade) const PEER_KEY: &str = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";
/// `2026-03-01T12:00:00Z`
pub(in crate::facade) const NOON: i64 = 1_772_366_400;

/// A node that is well.
pub(in crate::facade) fn node() -> v1::Node {
    v1::Node {
        id: NODE.into(),
        name: "node-1".into(),
        agent_url: "https://node-1.example.com:8443".into(),
        wg_interface: "wg0".into(),
        endpoint: "vpn.example.com:51820".into(),
        ip_pool_cidr: "10.8.0.0/24, fd00:8::/64".into(),
        weight: 100,
        max_peers: 250,
        enabled: true,
        labels: [("region".into(), "eu".into())].into(),
        unmanaged_peers: v1::UnmanagedPeers::Ignore.into(),
        public_key: NODE_KEY.into(),
        dns: vec!["10.8.0.1".into()],
        mtu: Some(1420),
        client_allowed_ips: vec!["0.0.0.0/0".into(), "::/0".into()],
        persistent_keepalive: Some(25),
        status: v1::NodeStatus::Online.into(),
        status_since: NOON,
        last_seen: Some(NOON + 60),
        latency_ms: Some(3),
        version: "0.1.0".into(),
        uptime_s: Some(86_400),
        rx_bytes_per_s: Some(125_000),
        tx_bytes_per_s: Some(1_250_000),
        peer_count: 1,
        desired_generation: 7,
        observed_generation: 7,
        created_at: NOON,
        updated_at: NOON,
        etag: "v1-5d41402a".into(),
        ..v1::Node::default()
    }
}

/// A peer that is there.
pub(in crate::facade) fn peer() -> v1::Peer {
    v1::Peer {
        id: PEER.into(),
        name: "laptop".into(),
        node_id: NODE.into(),
        public_key: PEER_KEY.into(),
        has_preshared_key: true,
        preshared_key_known: true,
        allowed_ips: vec!["10.8.0.2/32".into(), "fd00:8::2/128".into()],
        persistent_keepalive: 25,
        labels: [("team".into(), "red".into())].into(),
        enabled: true,
        private_key_kept: true,
        state: v1::PeerState::Active.into(),
        sync: Some(applied()),
        online: true,
        endpoint: "192.0.2.7:40000".into(),
        latest_handshake: NOON + 60,
        rx_bytes: 1000,
        tx_bytes: 2000,
        rx_bytes_total: 10_000,
        tx_bytes_total: 20_000,
        created_at: NOON,
        updated_at: NOON,
        etag: "v1-7d793037".into(),
        ..v1::Peer::default()
    }
}

/// A token in use.
pub(in crate::facade) fn token() -> v1::Token {
    v1::Token {
        id: TOKEN.into(),
        name: "billing".into(),
        role: v1::TokenRole::Operator.into(),
        label_scope: [("region".into(), "eu".into())].into(),
        created_at: NOON,
        last_used_at: Some(NOON + 60),
        ..v1::Token::default()
    }
}

/// A webhook that is well.
pub(in crate::facade) fn webhook() -> v1::Webhook {
    v1::Webhook {
        id: WEBHOOK.into(),
        name: "billing".into(),
        url: "https://billing.example.com/hook".into(),
        enabled: true,
        kinds: vec!["peer.created".into()],
        last_delivery: Some(delivery()),
        created_at: NOON,
        updated_at: NOON,
        ..v1::Webhook::default()
    }
}

/// A delivery that went well.
pub(in crate::facade) fn delivery() -> v1::WebhookDelivery {
    v1::WebhookDelivery {
        delivery_id: "4711-0198f0c5".into(),
        event_id: "4711".into(),
        kind: "peer.created".into(),
        at: NOON,
        attempt: 1,
        outcome: v1::DeliveryOutcome::Delivered.into(),
        http_status: Some(204),
        latency_ms: 12,
        error: String::new(),
    }
}

/// As declared.
pub(in crate::facade) fn applied() -> v1::Sync {
    v1::Sync {
        state: v1::SyncState::Applied.into(),
        reason: String::new(),
    }
}

/// What stands around a page that is the only one.
pub(in crate::facade) fn page() -> Option<v1::PageInfo> {
    Some(v1::PageInfo {
        next_cursor: String::new(),
        total: 1,
    })
}
