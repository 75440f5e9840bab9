//! The documented story from its beginning to its end.

use std::time::Duration;

use serde_json::json;
use wgfleet_integration::{agent::Config, client::Request, eventually, lab_test, wg};

use crate::common::{WG0, agent, as_wg_shows, assert_dump_is_what_wg_shows};

lab_test! {
    fn what_the_agent_writes_wg_reads() {
        let agent = agent();
        let client = agent.client();
        let (key, preshared) = (wg::numbered_key(1), wg::genkey());
        let added = client.post_peer(WG0, &json!({
            "public_key": key, "allowed_ips": ["10.0.0.5/24", "fd00::5", "10.1.0.7"],
            "preshared_key": preshared, "endpoint": "[2001:db8::1]:51821", "persistent_keepalive": 25,
        }));
        assert_eq!(added.status, 200, "{added:?}");
        assert_eq!(added.json(), json!({
            "status": "success", "message": "Peer added successfully",
            "peer": {"public_key": key, "allowed_ips": ["10.0.0.0/24", "fd00::5/128", "10.1.0.7/32"]},
        }));
        let peer = wg::peer(WG0, &key).expect("added");
        assert_eq!(peer.allowed_ips, ["10.0.0.0/24", "fd00::5/128", "10.1.0.7/32"]);
        assert_eq!(peer.preshared_key, Some(preshared.clone()));
        assert_eq!(peer.endpoint, Some("[2001:db8::1]:51821".parse().expect("an address")));
        assert_eq!(peer.persistent_keepalive, 25);
        assert_dump_is_what_wg_shows(&client);

        // What a change does not name stays.
        let list = client.put_peer(WG0, &key, &json!({"allowed_ips": ["10.1.0.7/32", "10.2.0.0/16"]}));
        assert_eq!((list.status, list.json()["message"].clone()), (200, json!("Peer updated successfully")));
        let mut expected = peer;
        let mut changed = wg::peer(WG0, &key).expect("changed");
        changed.allowed_ips.sort();
        expected.allowed_ips = vec!["10.1.0.7/32".into(), "10.2.0.0/16".into()];
        assert_eq!(changed, expected);
        let changes = json!({"endpoint": "192.0.2.1:1", "persistent_keepalive": 0, "preshared_key": null});
        assert_eq!(client.put_peer(WG0, &key, &changes).status, 200);
        let changed = wg::peer(WG0, &key).expect("changed");
        assert_eq!(changed.endpoint, Some("192.0.2.1:1".parse().expect("an address")));
        assert_eq!((changed.persistent_keepalive, changed.preshared_key), (0, None));
        assert_dump_is_what_wg_shows(&client);

        let removed = client.delete_peer(WG0, &key);
        assert_eq!((removed.status, removed.json()["message"].clone()), (200, json!("Peer removed successfully")));
        assert!(wg::show(WG0).peers.is_empty());
        assert_dump_is_what_wg_shows(&client);
    }
}

lab_test! {
    fn the_twins_under_v1_and_keys_with_every_character() {
        let agent = agent();
        let client = agent.client();
        // Half of all keys have a `/`; panels send it as it is, and `%2F`, `+` and `=` too.
        let with = |wanted: &str| (0..).map(wg::numbered_key).find(|key| key.contains(wanted)).expect("endless");
        for (n, (key, prefix)) in [(with("/"), "/v1"), (with("+"), ""), (with("/"), "")].into_iter().enumerate() {
            let body = json!({"public_key": key}).to_string();
            let post = Request::new("POST", format!("{prefix}/wg/{WG0}/peers?n={n}"));
            assert_eq!(client.send(&post.body(body)).expect("an answer").status, 200);
            assert!(wg::peer(WG0, &key).is_some());
            let delete = Request::new("DELETE", format!("{prefix}/wg/{WG0}/peers/{key}?n={n}"));
            assert_eq!(client.send(&delete).expect("an answer").status, 200);
            assert!(wg::show(WG0).peers.is_empty());
        }
    }
}

lab_test! {
    fn what_wg_writes_the_agent_reads() {
        let agent = agent();
        let client = agent.client();
        assert_dump_is_what_wg_shows(&client);
        for number in 0..20 {
            let (key, address) = (wg::numbered_key(number), wg::numbered_address(number));
            wg::set_peer(WG0, &key, &["allowed-ips", &address]);
        }
        let key = wg::numbered_key(7);
        wg::set_peer(WG0, &key, &["endpoint", "192.0.2.7:7", "persistent-keepalive", "65535",
            "allowed-ips", "0.0.0.0/0,::/0,fd00::/64"]);
        wg::set_preshared_key(WG0, &key, &wg::genkey());
        wg::set_peer(WG0, &wg::numbered_key(8), &["endpoint", "[2001:db8::8]:9", "allowed-ips", ""]);
        wg::remove_peer(WG0, &wg::numbered_key(9));
        assert_eq!(wg::show(WG0).peers.len(), 19);
        assert_dump_is_what_wg_shows(&client);
        wg::setconf(WG0, &wg::configuration(300));
        assert_dump_is_what_wg_shows(&client);
    }
}

lab_test! {
    fn handshakes_and_counters_are_the_kernels() {
        let public0 = wg::add_interface_with_key(WG0);
        let public1 = wg::add_interface_with_key("wg1");
        let endpoint = |interface| format!("127.0.0.1:{}", wg::show(interface).listen_port);
        let agent = Config::kernel().start();
        let client = agent.client();
        let peer = json!({"public_key": public1, "endpoint": endpoint("wg1"), "allowed_ips": ["10.0.0.2"]});
        assert_eq!(client.post_peer(WG0, &peer).status, 200);
        let peer = json!({"public_key": public0, "endpoint": endpoint(WG0), "allowed_ips": ["10.0.0.1"],
            "persistent_keepalive": 1});
        assert_eq!(client.post_peer("wg1", &peer).status, 200);
        eventually(Duration::from_secs(20), "a handshake in the dump", || {
            let dump = client.dump(WG0);
            let peer = &dump["peers"][0];
            let moved = peer["latest_handshake"].as_u64()? > 0 && peer["transfer_rx"].as_u64()? > 0
                && peer["transfer_tx"].as_u64()? > 0;
            // The counters go on: between the two looks they must have stood still once.
            (moved && dump == as_wg_shows(WG0)).then_some(())
        });
    }
}

lab_test! {
    fn the_device_is_what_wg_and_ip_show() {
        let agent = agent();
        let client = agent.client();
        wg::wg(&["set", WG0, "listen-port", "51820", "fwmark", "0xca6c"], "");
        wg::ip(&["address", "add", "10.8.0.1/24", "dev", WG0]);
        wg::ip(&["link", "set", WG0, "mtu", "1380"]);
        wg::set_peer(WG0, &wg::numbered_key(1), &[]);
        let device = client.get("/wg/wg0").json();
        let shown = wg::show(WG0);
        assert_eq!(device["public_key"], json!(shown.public_key));
        assert_eq!(device["listen_port"], 51820);
        assert_eq!(device["fwmark"], 0xca6c);
        assert_eq!(device["addresses"], json!(["10.8.0.1/24"]));
        assert_eq!((&device["mtu"], &device["up"], &device["peer_count"]), (&json!(1380), &json!(true), &json!(1)));
        assert_eq!(device["backend"], "kernel");
        let ifindex = std::fs::read_to_string("/sys/class/net/wg0/ifindex").expect("it is there");
        assert_eq!(device["ifindex"].to_string(), ifindex.trim());
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").expect("it is there");
        assert_eq!(device["boot_id"], boot.trim());
        assert_eq!(client.get("/health").json()["backend"], "kernel");
        assert!(!client.get("/wg/wg0").body.windows(7).any(|window| window == b"private"));
    }
}
