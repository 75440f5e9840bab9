//! HOSTILE 16 to 23: what a peer may be, judged by `wg`.

use serde_json::{Value, json};
use wgfleet_integration::{client::Client, lab_test, wg};

use crate::common::{WG0, agent, assert_dump_is_what_wg_shows};

#[track_caller]
fn post_is(client: &Client, body: &Value, status: u16, code: &str) {
    let answer = client.post_peer(WG0, body);
    assert_eq!(
        (answer.status, answer.error_code().as_deref()),
        (status, Some(code)),
        "{body}: {answer:?}"
    );
}

#[track_caller]
fn put_is(client: &Client, peer: u32, body: &Value, status: u16, code: &str) {
    let answer = client.put_peer(WG0, &wg::numbered_key(peer), body);
    assert_eq!(
        (answer.status, answer.error_code().as_deref()),
        (status, Some(code)),
        "{body}: {answer:?}"
    );
}

/// Without printing thousands of them.
#[track_caller]
fn assert_same_list(shown: &[String], wanted: &[String]) {
    let differing = shown
        .iter()
        .zip(wanted)
        .position(|(shown, wanted)| shown != wanted);
    let first = differing.map(|at| (at, &shown[at], &wanted[at]));
    assert_eq!((first, shown.len()), (None, wanted.len()));
}

fn networks(peer: u32) -> Vec<String> {
    wg::peer(WG0, &wg::numbered_key(peer))
        .expect("there")
        .allowed_ips
}

lab_test! {
    fn hostile_16_interfaces_that_are_none_are_never_made() {
        let agent = agent();
        let client = agent.client();
        wg::ip(&["link", "add", "eth7", "type", "dummy"]);
        let before = wg::ip(&["-brief", "link"]);
        let body = json!({"public_key": wg::numbered_key(1)});
        for (name, status) in [
            ("..%2Fx", 400), ("a234567890123456", 400), ("wg%200", 400), (".", 400), ("..", 400), ("wg%000", 400),
            ("eth7", 404), ("lo", 404), ("wg9", 404), ("WG0", 404), ("a23456789012345", 404),
        ] {
            for answer in [
                client.post_peer(name, &body),
                client.put_peer(name, &wg::numbered_key(1), &json!({})),
                client.delete_peer(name, &wg::numbered_key(1)),
                client.get(&format!("/wg/{name}/dump")),
                client.get(&format!("/wg/{name}")),
            ] {
                assert_eq!(answer.status, status, "{name}: {answer:?}");
            }
        }
        assert_eq!(wg::ip(&["-brief", "link"]), before);
    }
}

lab_test! {
    fn hostile_17_keys_that_are_none_and_the_own_one() {
        let agent = agent();
        let client = agent.client();
        let good = wg::numbered_key(1);
        // 43 digits carry 258 bits: the last digit must end in two zero bits.
        let loose = format!("{}{}=", &good[..42], if &good[42..43] == "B" { "C" } else { "B" });
        for key in [
            "A".repeat(42) + "==", "A".repeat(44), "A".repeat(46) + "==", loose,
            good.replace('=', ""), format!("{good}="), format!(" {good}"), format!("{good}\n"),
            "-".repeat(43) + "=", String::new(),
        ] {
            post_is(&client, &json!({"public_key": key}), 400, "bad_request");
        }
        let own = wg::show(WG0).public_key.expect("it has one");
        post_is(&client, &json!({"public_key": own, "allowed_ips": ["10.0.0.1"]}), 422, "own_key");
        assert!(wg::show(WG0).peers.is_empty());
    }
}

lab_test! {
    fn hostile_18_networks_are_checked_and_masked() {
        let agent = agent();
        let client = agent.client();
        let with = |network: &str| json!({"public_key": wg::numbered_key(1), "allowed_ips": [network]});
        for network in ["10.0.0.1/33", "fd00::/129", "10.0.0.256", "10.0.0.1/", "10.0.0.1/-1", "10.0.0", "fd00:::1",
            "10.0.0.1/+32", "fe80::1%lo/128", "", "host/32"] {
            post_is(&client, &with(network), 400, "bad_request");
        }
        assert!(wg::show(WG0).peers.is_empty());
        let answer = client.post_peer(WG0, &json!({"public_key": wg::numbered_key(1),
            "allowed_ips": ["10.0.0.5/24", "fd00::1234/64", "10.0.0.99/24", "0.0.0.0/0"]}));
        assert_eq!(answer.status, 200);
        assert_eq!(networks(1), ["10.0.0.0/24", "fd00::/64", "0.0.0.0/0"]);
        assert_dump_is_what_wg_shows(&client);
    }
}

lab_test! {
    fn hostile_19_an_owned_network_stays_with_its_owner() {
        let agent = agent();
        let client = agent.client();
        let owner = json!({"public_key": wg::numbered_key(1), "allowed_ips": ["10.0.0.1/32", "fd00::/64"]});
        assert_eq!(client.post_peer(WG0, &owner).status, 200);
        let thief = |networks: &[&str]| json!({"public_key": wg::numbered_key(2), "allowed_ips": networks});
        for stolen in ["10.0.0.1", "fd00::77/64"] {
            post_is(&client, &thief(&["10.0.0.2", stolen]), 409, "allowed_ip_conflict");
        }
        assert!(wg::peer(WG0, &wg::numbered_key(2)).is_none());
        // A smaller network within it is another one.
        assert_eq!(client.post_peer(WG0, &thief(&["fd00::1", "10.0.0.0/24"])).status, 200);
        put_is(&client, 2, &json!({"allowed_ips": ["10.0.0.3", "10.0.0.1/32"]}), 409, "allowed_ip_conflict");
        assert_eq!(networks(1), ["10.0.0.1/32", "fd00::/64"]);
        assert_eq!(networks(2), ["fd00::1/128", "10.0.0.0/24"]);
        // Given up by one, it is free for the other; both in one second.
        let key = wg::numbered_key(1);
        assert_eq!(client.put_peer(WG0, &key, &json!({"allowed_ips": ["fd00::/64"]})).status, 200);
        let taken = client.put_peer(WG0, &wg::numbered_key(2), &json!({"allowed_ips": ["10.0.0.1"]}));
        assert_eq!(taken.status, 200, "{taken:?}");
        assert_eq!((networks(1), networks(2)), (vec!["fd00::/64".into()], vec!["10.0.0.1/32".into()]));
    }
}

lab_test! {
    fn hostile_20_one_bad_network_of_200_changes_nothing() {
        let agent = agent();
        let client = agent.client();
        let mut list: Vec<_> = (1..200).map(|n| format!("10.1.0.{n}/32")).collect();
        list.push("10.1.0.256".into());
        post_is(&client, &json!({"public_key": wg::numbered_key(1), "allowed_ips": list}), 400, "bad_request");
        assert!(wg::show(WG0).peers.is_empty());
        let add = json!({"public_key": wg::numbered_key(1), "allowed_ips": list[..199]});
        assert_eq!(client.post_peer(WG0, &add).status, 200);
        let before = wg::show(WG0);
        list.rotate_left(100);
        put_is(&client, 1, &json!({"allowed_ips": list, "persistent_keepalive": 5}), 400, "bad_request");
        assert_eq!(wg::show(WG0), before);
        assert_eq!(networks(1).len(), 199);
    }
}

lab_test! {
    fn hostile_21_the_keepalive() {
        let agent = agent();
        let client = agent.client();
        let keepalive = || wg::peer(WG0, &wg::numbered_key(1)).expect("there").persistent_keepalive;
        for bad in [json!(-1), json!(65536), json!(1.5), json!("25"), json!(true), json!([])] {
            let body = json!({"public_key": wg::numbered_key(1), "persistent_keepalive": bad});
            post_is(&client, &body, 400, "bad_request");
        }
        let body = json!({"public_key": wg::numbered_key(1), "persistent_keepalive": 65535});
        assert_eq!(client.post_peer(WG0, &body).status, 200);
        assert_eq!(keepalive(), 65535);
        let key = wg::numbered_key(1);
        for bad in [json!(-1), json!(65536), json!(null)] {
            put_is(&client, 1, &json!({"persistent_keepalive": bad}), 400, "bad_request");
        }
        assert_eq!(client.put_peer(WG0, &key, &json!({"endpoint": "192.0.2.1:1"})).status, 200);
        assert_eq!(keepalive(), 65535);
        assert_eq!(client.put_peer(WG0, &key, &json!({"persistent_keepalive": 0})).status, 200);
        assert_eq!(keepalive(), 0);
    }
}

lab_test! {
    fn hostile_22_a_peer_that_is_not_there() {
        let agent = agent();
        let client = agent.client();
        put_is(&client, 1, &json!({"persistent_keepalive": 5, "allowed_ips": ["10.0.0.1"]}), 404, "peer_not_found");
        let deleted = client.delete_peer(WG0, &wg::numbered_key(1));
        assert_eq!((deleted.status, deleted.error_code().as_deref()), (404, Some("peer_not_found")));
        assert!(wg::show(WG0).peers.is_empty());
    }
}

lab_test! {
    fn hostile_23_thousands_of_networks_are_one_peer() {
        let agent = agent();
        let client = agent.client();
        let addresses: Vec<_> = (0..4000).map(wg::numbered_address).collect();
        let large = |number: u32, range: std::ops::Range<usize>| {
            format!("[Peer]\nPublicKey = {}\nAllowedIPs = {}\n", wg::numbered_key(number), addresses[range].join(","))
        };
        wg::setconf(WG0, &[large(1, 0..1500), large(2, 1500..1501), large(3, 1501..4000)].concat());
        assert_dump_is_what_wg_shows(&client);
        // The same the other way: one of ours that does not fit one message of theirs.
        let list: Vec<_> = (1..3000).map(|n| format!("fd00::{n:x}/128")).collect();
        let added = client.post_peer(WG0, &json!({"public_key": wg::numbered_key(4), "allowed_ips": list}));
        assert_eq!(added.status, 200);
        assert_same_list(&networks(4), &list);
        assert_dump_is_what_wg_shows(&client);
        let shorter: Vec<_> = (1000..3500).map(|n| format!("fd00::{n:x}/128")).collect();
        let key = wg::numbered_key(4);
        assert_eq!(client.put_peer(WG0, &key, &json!({"allowed_ips": shorter})).status, 200);
        let mut shown = networks(4);
        let mut wanted = shorter;
        shown.sort();
        wanted.sort();
        assert_same_list(&shown, &wanted);
        assert_dump_is_what_wg_shows(&client);
    }
}
