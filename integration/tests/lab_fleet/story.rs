//! Nodes are tested and added, and peers land on them.

use std::collections::BTreeSet;

use serde_json::json;
use wgfleet_integration::{lab_test, wg};

use crate::fleet::{Fleet, WEIGHTS, WG0, limits, text};

/// How many of `count` peers each of two empty nodes gets: always the one with the lowest
/// `(peers + 1) / weight`, the first of them when they are equal.
fn by_weight(count: u32) -> [u32; 2] {
    let mut peers = [0, 0];
    for _ in 0..count {
        let [first, second] = [0, 1].map(|at: usize| (peers[at] + 1) * WEIGHTS[1 - at]);
        peers[usize::from(second < first)] += 1;
    }
    peers
}

lab_test! {
    fn a_connection_is_tested_before_it_is_saved_and_after() with (limits()) {
        let fleet = Fleet::new();
        let [host, _] = &fleet.hosts;
        let test = |connection| {
            let answer = fleet.rest.post("/nodes/test", &connection);
            assert_eq!(answer.status, 200, "{answer:?}");
            answer.json()
        };
        let good = test(host.right_connection());
        assert_eq!((&good["ok"], &good["wrong_signature_refused"]), (&json!(true), &json!(true)), "{good}");
        let key = host.inside(|| wg::show(WG0)).public_key;
        assert_eq!(good["public_key"], json!(key));
        let wrong = test(host.connection("a secret that this agent does not know"));
        assert_eq!(wrong["ok"], false);
        assert!(text(&wrong["reason"]).contains("secret"), "{wrong}");
        let mut elsewhere = host.right_connection();
        elsewhere["wg_interface"] = json!("wg7");
        let absent = test(elsewhere);
        assert_eq!((&absent["ok"], &absent["interface_found"]), (&json!(false), &json!(false)), "{absent}");
        let saved = fleet.rest.post(&format!("/nodes/{}/test", fleet.nodes[0]), &json!({})).json();
        assert_eq!(saved["ok"], true, "{saved}");
        assert!(host.shown().is_empty());
    }
}

lab_test! {
    fn fifty_peers_land_by_weight_and_wg_shows_exactly_them() with (limits()) {
        let fleet = Fleet::new();
        for number in 0..50 {
            let peer = fleet.peer(&format!("peer-{number}"), None);
            assert_eq!(peer["sync"]["state"], "applied", "{peer}");
        }
        let mut addresses = BTreeSet::new();
        for (at, count) in by_weight(50).into_iter().enumerate() {
            let declared = fleet.declared(at);
            assert_eq!(declared.len(), count as usize);
            assert!(fleet.agrees(at), "{declared:?}\n{:?}", fleet.hosts[at].shown());
            let [v4, v6] = &fleet.hosts[at].prefixes;
            for allowed_ips in declared.into_values() {
                assert_eq!(allowed_ips.len(), 2, "{allowed_ips:?}");
                for ip in allowed_ips {
                    assert!(ip.starts_with(v4.as_str()) || ip.starts_with(v6.as_str()), "{ip}");
                    assert!(ip != format!("{v4}1/32") && ip != format!("{v6}1/128"), "the node's own: {ip}");
                    assert!(addresses.insert(ip), "given twice");
                }
            }
        }
        // Nothing differs, so there is nothing to write.
        for node in &fleet.nodes {
            let plan = fleet.rest.read(&format!("/nodes/{node}/plan"));
            assert_eq!((&plan["in_sync"], &plan["changes"]), (&json!(true), &json!([])), "{plan}");
        }
    }
}
