//! HOSTILE 28: changes made behind the agent's back with `wg set`.

use std::time::Duration;

use serde_json::json;
use wgfleet_integration::{eventually, lab_test, wg};

use crate::common::{
    OK, WG0, agent, assert_dump_is_what_wg_shows, delete, outcome, post, put, refused,
};

/// A write may go by what was true two seconds ago; a little more, on a slow machine.
const KNOWN_TO_WRITES: Duration = Duration::from_secs(4);

lab_test! {
    fn hostile_28_the_next_dump_sees_what_wg_did() {
        let agent = agent();
        let client = agent.client();
        assert_eq!(outcome(&client, &post(&client, 1, 1, &["10.0.0.1/32"])), OK);
        wg::set_peer(WG0, &wg::numbered_key(2), &["allowed-ips", "10.0.0.2/32"]);
        assert_dump_is_what_wg_shows(&client);
        wg::set_peer(WG0, &wg::numbered_key(1), &["allowed-ips", "10.0.0.9/32", "persistent-keepalive", "3"]);
        assert_dump_is_what_wg_shows(&client);
        wg::remove_peer(WG0, &wg::numbered_key(1));
        assert_dump_is_what_wg_shows(&client);
        // What a dump saw, a write knows at once.
        assert_eq!(outcome(&client, &delete(&client, 2, 1)), refused(404, "peer_not_found"));
        assert_eq!(outcome(&client, &post(&client, 3, 3, &["10.0.0.2/32"])), refused(409, "allowed_ip_conflict"));
        assert_eq!(outcome(&client, &post(&client, 4, 1, &["10.0.0.9/32"])), OK);
    }
}

lab_test! {
    fn hostile_28_writes_see_what_wg_did_within_two_seconds() {
        let agent = agent();
        let client = agent.client();
        // No dump from here on: what the agent knows, it knows from this write.
        assert_eq!(outcome(&client, &post(&client, 1, 1, &["10.0.0.1/32"])), OK);
        wg::set_peer(WG0, &wg::numbered_key(2), &["allowed-ips", "10.0.0.2/32"]);
        let mut nonce = 10;
        eventually(KNOWN_TO_WRITES, "a peer that wg added can be changed", || {
            nonce += 1;
            let update = put(&client, nonce, 2, &json!({"persistent_keepalive": nonce}));
            (outcome(&client, &update) == OK).then_some(())
        });
        assert_eq!(wg::peer(WG0, &wg::numbered_key(2)).map(|peer| u32::from(peer.persistent_keepalive)), Some(nonce));
        wg::remove_peer(WG0, &wg::numbered_key(2));
        eventually(KNOWN_TO_WRITES, "a peer that wg removed is not found", || {
            nonce += 1;
            let update = put(&client, nonce, 2, &json!({"persistent_keepalive": nonce}));
            (outcome(&client, &update) == refused(404, "peer_not_found")).then_some(())
        });
        // It must not have come back half configured meanwhile.
        assert_eq!(wg::peer(WG0, &wg::numbered_key(2)), None);
    }
}
