//! HOSTILE 7 and 8: the same request a second time, also after an end of any kind.

use std::time::Duration;

use serde_json::json;
use wgfleet_integration::{agent::Agent, eventually, lab_test, wg};

use crate::common::{OK, WG0, agent, delete, keys, outcome, post, put, refused};

fn replayed() -> (u16, Option<String>) {
    refused(409, "replayed")
}

/// POST A, DELETE A, then the POST again before and after the agent ends by `end`.
fn a_replay_stays_refused(end: impl Fn(&mut Agent)) {
    let mut agent = agent();
    let client = agent.client();
    let add = post(&client, 1, 1, &["10.0.0.1/32"]);
    assert_eq!(outcome(&client, &add), OK);
    assert_eq!(outcome(&client, &delete(&client, 2, 1)), OK);
    assert_eq!(outcome(&client, &add), replayed());
    for round in 0..3 {
        end(&mut agent);
        agent.restart();
        let client = agent.client();
        assert_eq!(outcome(&client, &add), replayed());
        assert!(wg::show(WG0).peers.is_empty());
        // The agent's first second.
        let fresh = post(&client, 10 + round, 2 + round, &[]);
        assert_eq!(outcome(&client, &fresh), OK);
        assert_eq!(
            outcome(&client, &delete(&client, 20 + round, 2 + round)),
            OK
        );
    }
}

lab_test! {
    fn hostile_07_a_replay_after_a_restart() {
        a_replay_stays_refused(|agent| assert!(agent.terminate().success()));
    }
}

lab_test! {
    fn hostile_07_a_replay_after_kill_9() {
        a_replay_stays_refused(Agent::kill);
    }
}

lab_test! {
    fn hostile_07_what_was_refused_for_a_conflict_stays_refused() {
        let mut agent = agent();
        let client = agent.client();
        assert_eq!(outcome(&client, &post(&client, 1, 1, &["10.0.0.1/32"])), OK);
        let conflicting = post(&client, 2, 2, &["10.0.0.1/32"]);
        assert_eq!(outcome(&client, &conflicting), refused(409, "allowed_ip_conflict"));
        assert_eq!(outcome(&client, &delete(&client, 3, 1)), OK);
        assert_eq!(outcome(&client, &conflicting), replayed());
        agent.kill();
        agent.restart();
        let client = agent.client();
        assert_eq!(outcome(&client, &conflicting), replayed());
        assert!(wg::show(WG0).peers.is_empty());
        assert_eq!(outcome(&client, &post(&client, 4, 2, &["10.0.0.1/32"])), OK);
        assert_eq!(keys(), [wg::numbered_key(2)]);
    }
}

lab_test! {
    fn hostile_08_the_same_again_within_a_second() {
        let mut agent = agent();
        let client = agent.client();
        let get = client.prepare(&wgfleet_integration::client::Request::get("/wg/wg0/dump"));
        assert_eq!(outcome(&client, &get), OK);
        assert_eq!(outcome(&client, &get), OK);
        assert_eq!(outcome(&client, &post(&client, 1, 1, &["10.0.0.1/32"])), OK);
        let update = put(&client, 2, 1, &json!({"persistent_keepalive": 25}));
        assert_eq!(outcome(&client, &update), OK);
        // Applied once: what somebody else changed since is not changed back.
        wg::set_peer(WG0, &wg::numbered_key(1), &["persistent-keepalive", "7"]);
        assert_eq!(outcome(&client, &update), OK);
        assert_eq!(wg::peer(WG0, &wg::numbered_key(1)).map(|peer| peer.persistent_keepalive), Some(7));
        agent.kill();
        agent.restart();
        let client = agent.client();
        assert_eq!(outcome(&client, &update), OK);
        assert_eq!(wg::peer(WG0, &wg::numbered_key(1)).map(|peer| peer.persistent_keepalive), Some(7));
        // Once another mutation of the peer has come, not even the answer is given again.
        assert_eq!(outcome(&client, &put(&client, 3, 1, &json!({"persistent_keepalive": 9}))), OK);
        assert_eq!(outcome(&client, &update), replayed());
        eventually(Duration::from_secs(5), "the second change holds", || {
            (wg::peer(WG0, &wg::numbered_key(1))?.persistent_keepalive == 9).then_some(())
        });
    }
}
