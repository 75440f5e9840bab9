//! Interfaces that come and go, the filter, other ways in, keys kept secret, and the end.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;
use wgfleet_integration::{agent::Config, client::Address, eventually, lab_test, wg};

use crate::common::{
    OK, WG0, agent, answers, as_wg_shows, assert_dump_is_what_wg_shows, outcome, post, refused,
    send_together,
};

lab_test! {
    fn an_interface_deleted_and_made_again_is_served_afresh() {
        let agent = agent();
        let client = agent.client();
        for round in 0..5 {
            let address = wg::numbered_address(round);
            assert_eq!(outcome(&client, &post(&client, 10 * round, 1, &[&address])), OK);
            wg::delete_interface(WG0);
            let gone = outcome(&client, &post(&client, 10 * round + 1, 2, &[]));
            assert_eq!(gone, refused(404, "interface_not_found"));
            assert_eq!(client.get("/wg/wg0/dump").status, 404);
            assert_eq!(client.get("/wg").json(), json!({"interfaces": []}));
            wg::add_interface_with_key(WG0);
            // At once: nobody waits until the agent has heard of it.
            assert_eq!(outcome(&client, &post(&client, 10 * round + 2, 2, &[&address])), OK);
            assert_eq!(wg::show(WG0).peers.len(), 1);
            assert_dump_is_what_wg_shows(&client);
        }
    }
}

lab_test! {
    fn an_interface_renamed_is_another_one() {
        let agent = agent();
        let client = agent.client();
        assert_eq!(outcome(&client, &post(&client, 1, 1, &[])), OK);
        wg::ip(&["link", "set", WG0, "down"]);
        wg::ip(&["link", "set", WG0, "name", "wg1"]);
        assert_eq!(outcome(&client, &post(&client, 2, 2, &[])), refused(404, "interface_not_found"));
        assert_eq!(client.dump("wg1"), as_wg_shows("wg1"));
        wg::add_interface_with_key(WG0);
        assert_eq!(outcome(&client, &post(&client, 3, 3, &[])), OK);
        assert_dump_is_what_wg_shows(&client);
        assert_eq!(wg::show("wg1").peers.len(), 1);
    }
}

lab_test! {
    fn a_batch_that_loses_its_interface_half_way_is_told_to_each_as_it_is() {
        let agent = agent();
        let client = agent.client();
        for round in 0..6 {
            let first = round * 100;
            let posts: Vec<_> = (first..first + 64).map(|n| post(&client, n, n, &[])).collect();
            let connections = send_together(&client, &posts);
            wg::delete_interface(WG0);
            for (wire, answer) in posts.iter().zip(answers(connections)) {
                let status = answer.expect("an answer").status;
                assert!(matches!(status, 200 | 404 | 503), "{status}");
                if status != 200 {
                    assert_eq!(outcome(&client, wire), refused(409, "replayed"));
                }
            }
            wg::add_interface_with_key(WG0);
            assert_eq!(outcome(&client, &post(&client, first + 99, 1, &[])), OK);
            assert_eq!(wg::show(WG0).peers.len(), 1, "nothing meant for the one before");
        }
    }
}

lab_test! {
    fn only_the_interfaces_named_are_served() {
        for name in [WG0, "wg1", "wg2"] {
            wg::add_interface_with_key(name);
        }
        let agent = Config::kernel().arguments(&["--interface", WG0, "--interface", "wg2,wg7"]).start();
        let client = agent.client();
        let listed = client.get("/wg").json();
        let names: Vec<_> = listed["interfaces"].as_array().expect("a list").iter()
            .map(|listed| listed["interface"].clone()).collect();
        assert_eq!(names, [WG0, "wg2"]);
        for target in ["/wg/wg1", "/wg/wg1/dump"] {
            assert_eq!(client.get(target).status, 404);
        }
        let refused = client.post_peer("wg1", &json!({"public_key": wg::numbered_key(1)}));
        assert_eq!((refused.status, refused.error_code().as_deref()), (404, Some("interface_not_found")));
        assert!(wg::show("wg1").peers.is_empty());
        assert_eq!(client.get("/wg/wg2/dump").status, 200);
        wg::add_interface_with_key("wg7");
        assert_eq!(client.get("/wg/wg7/dump").status, 200);
    }
}

lab_test! {
    fn a_unix_socket_serves_as_well() {
        wg::add_interface_with_key(WG0);
        let agent = Config::kernel().unix_socket().start();
        assert!(matches!(agent.address(), Address::Unix(_)));
        let client = agent.client();
        assert_eq!(outcome(&client, &post(&client, 1, 1, &["10.0.0.1/32"])), OK);
        assert_dump_is_what_wg_shows(&client);
        let wrong = agent.client_with("another secret that is long enough");
        assert_eq!(wrong.get("/health").status, 401);
    }
}

lab_test! {
    fn preshared_and_private_keys_are_nowhere_to_be_seen() {
        let private = wg::genkey();
        wg::add_interface(WG0);
        wg::wg(&["set", WG0, "private-key", "/dev/stdin"], &private);
        let mut agent = Config::kernel().variable("WGFLEET_LOG", "trace").start();
        let client = agent.client();
        let preshared: Vec<_> = (0..4).map(|_| wg::genkey()).collect();
        let key = wg::numbered_key(1);
        let mut said = Vec::new();
        let with = |preshared: &str| json!({"public_key": key, "preshared_key": preshared});
        said.push(client.post_peer(WG0, &with(&preshared[0])));
        said.push(client.post_peer(WG0, &with(&preshared[1])));
        said.push(client.put_peer(WG0, &key, &json!({"preshared_key": preshared[2]})));
        assert_eq!(wg::peer(WG0, &key).and_then(|peer| peer.preshared_key), Some(preshared[2].clone()));
        // Not a key, a key where none belongs, and one too many.
        said.push(client.put_peer(WG0, &key, &json!({"preshared_key": format!("{}x", preshared[3])})));
        said.push(client.put_peer(WG0, &key, &json!({"preshared_key": [preshared[3]]})));
        let doubled = format!(r#"{{"preshared_key":"{0}","preshared_key":"{0}"}}"#, preshared[3]);
        let target = wgfleet_integration::client::peer_target(WG0, &key);
        let doubled = wgfleet_integration::client::Request::new("PUT", target).body(doubled);
        said.push(client.send(&doubled).expect("an answer"));
        said.push(client.get("/wg/wg0/dump"));
        said.push(client.get("/wg/wg0"));
        wg::delete_interface(WG0);
        said.push(client.put_peer(WG0, &key, &json!({"preshared_key": preshared[3]})));
        let statuses: Vec<_> = said.iter().map(|answer| answer.status).collect();
        assert_eq!(statuses, [200, 409, 200, 400, 400, 400, 200, 200, 404]);
        assert!(agent.terminate().success());
        let mut seen = agent.log();
        assert!(seen.contains("TRACE") || seen.contains("DEBUG"), "{seen}");
        for answer in &said {
            seen.push_str(&String::from_utf8_lossy(&answer.body));
        }
        for secret in preshared.iter().chain([&private]) {
            assert!(!seen.contains(&secret[..20]), "a key was told");
        }
    }
}

lab_test! {
    fn sigterm_finishes_what_is_under_way_within_five_seconds() {
        let mut agent = agent();
        let client = agent.client();
        let _idle = client.connect().expect("a connection");
        let posts: Vec<_> = (0..64).map(|n| post(&client, n, n, &[])).collect();
        let connections = send_together(&client, &posts);
        let before = Instant::now();
        agent.signal(Signal::TERM);
        let status = agent.terminate();
        assert!(status.success(), "{status}");
        assert!(before.elapsed() < Duration::from_secs(5), "{:?}", before.elapsed());
        let made: Vec<_> = wg::show(WG0).peers.into_iter().map(|peer| peer.public_key).collect();
        for (n, answer) in (0..).zip(answers(connections)) {
            let acknowledged = answer.is_ok_and(|answer| answer.status == 200);
            assert!(!acknowledged || made.contains(&wg::numbered_key(n)), "{n} was acknowledged and is lost");
        }
        agent.restart();
        let client = agent.client();
        eventually(Duration::from_secs(10), "all of them after a retry", || {
            posts.iter().all(|wire| outcome(&client, wire) == OK).then_some(())
        });
        assert_eq!(wg::show(WG0).peers.len(), 64);
    }
}
