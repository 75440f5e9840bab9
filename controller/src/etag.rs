//! Which version of a node or peer a caller has seen: a hash over what is declared of it.
//!
//! What is only observed (status, traffic, sync) does not change it, so a caller can wait for a peer
//! to be applied and still change what it has read.

use prost::Message;
use ring::digest;
use wgfleet_proto::v1::{Node, Peer};

/// Enough that no two versions of one thing share a tag.
const TAG_BYTES: usize = 12;

/// The tag of a node.
#[must_use]
pub fn of_node(node: &Node) -> String {
    let mut declared = node.clone();
    declared.status = 0;
    declared.status_reason.clear();
    declared.status_since = 0;
    declared.last_seen = None;
    declared.latency_ms = None;
    declared.version.clear();
    declared.uptime_s = None;
    declared.peer_count = 0;
    declared.desired_generation = 0;
    declared.observed_generation = 0;
    declared.awaits_confirmation = false;
    declared.warnings.clear();
    declared.rx_bytes_per_s = None;
    declared.tx_bytes_per_s = None;
    declared.etag.clear();
    // Learned from the agent, not declared; a key that was given shows in `updated_at`.
    declared.public_key.clear();
    hash(&declared)
}

/// The tag of a peer.
#[must_use]
pub fn of_peer(peer: &Peer) -> String {
    let mut declared = peer.clone();
    declared.disabled_reason.clear();
    declared.sync = None;
    declared.online = false;
    declared.endpoint.clear();
    declared.latest_handshake = 0;
    declared.rx_bytes = 0;
    declared.tx_bytes = 0;
    declared.rx_bytes_total = 0;
    declared.tx_bytes_total = 0;
    declared.state = 0;
    declared.quota_used_bytes = None;
    declared.quota_resets_at = None;
    declared.etag.clear();
    hash(&declared)
}

fn hash(declared: &impl Message) -> String {
    let digest = digest::digest(&digest::SHA256, &declared.encode_to_vec());
    let hex = |byte: &u8| format!("{byte:02x}");
    digest.as_ref()[..TAG_BYTES].iter().map(hex).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_time_and_traffic_change_of_a_quota_is_not_declared() {
        let declared = Peer {
            quota_bytes: Some(1000),
            quota_period: Some(2),
            expires_at: Some(100),
            ..Peer::default()
        };
        let mut seen = declared.clone();
        seen.state = 1;
        seen.quota_used_bytes = Some(999);
        seen.quota_resets_at = Some(200);
        assert_eq!(of_peer(&seen), of_peer(&declared));
        let changes: [fn(&mut Peer); 3] = [
            |peer| peer.quota_bytes = Some(1001),
            |peer| peer.quota_period = Some(3),
            |peer| peer.expires_at = Some(101),
        ];
        for change in changes {
            let mut other = declared.clone();
            change(&mut other);
            assert_ne!(of_peer(&other), of_peer(&declared));
        }
    }
}
