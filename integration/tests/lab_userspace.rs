//! The userspace backend in the lab: the suite of the boundary, and the built agent by its contract,
//! on a real wireguard-go with `wg` for a judge.

use std::time::Duration;

use serde_json::{Value, json};
use wgfleet_agent::wireguard::{fingerprint::Fingerprinter, userspace::UserspaceBackend};
use wgfleet_integration::{
    agent::{Agent, Config},
    backend_suite::{self, Subject, oracle},
    client::{Client, Response},
    lab::Limits,
    lab_test, wg,
    wireguard_go::WireguardGo,
};
use wire_contract::InterfaceName;

const WG0: &str = "wg0";
/// Longer than the agent waits for a daemon.
const PATIENCE: Duration = Duration::from_secs(40);

fn agent() -> (Agent, Client) {
    let agent = Config::userspace().start();
    let client = agent.client().timeout(PATIENCE);
    (agent, client)
}

fn peer(number: u32, networks: &[&str]) -> Value {
    json!({"public_key": wg::numbered_key(number), "allowed_ips": networks})
}

fn outcome(answer: &Response) -> (u16, Option<String>) {
    (answer.status, answer.error_code())
}

fn refused(status: u16, code: &str) -> (u16, Option<String>) {
    (status, Some(code.to_owned()))
}

const OK: (u16, Option<String>) = (200, None);

fn by_key(mut peers: Vec<Value>) -> Vec<Value> {
    peers.sort_by_key(|peer| peer["public_key"].to_string());
    peers
}

/// The agent and `wg` must see the same, whatever the order.
#[track_caller]
fn assert_dump_is_what_wg_shows(client: &Client, interface: &str) {
    let shown = wg::show(interface).peers.into_iter().map(|peer| {
        json!({
            "public_key": peer.public_key,
            "endpoint": peer.endpoint.map(|endpoint| endpoint.to_string()),
            "allowed_ips": peer.allowed_ips,
            "latest_handshake": peer.latest_handshake,
            "transfer_rx": peer.transfer_rx,
            "transfer_tx": peer.transfer_tx,
            "persistent_keepalive": peer.persistent_keepalive,
        })
    });
    let dump = client.dump(interface);
    let dumped = dump["peers"].as_array().expect("a list").clone();
    assert_eq!(dump["interface"], interface);
    assert_eq!(by_key(dumped), by_key(shown.collect()));
}

lab_test! {
    fn the_backend_suite_passes() with (Limits { time: Duration::from_secs(240), ..Limits::default() }) {
        let _daemon = WireguardGo::start(WG0);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let fingerprinter = Fingerprinter::new();
        let backend = {
            let _entered = runtime.enter();
            let started = UserspaceBackend::start(fingerprinter.clone());
            let (backend, driver) = started.expect("rtnetlink listens");
            runtime.spawn(driver);
            backend
        };
        let name: InterfaceName = WG0.parse().expect("a name");
        let mut subject = Subject::new(&backend, &name, &fingerprinter)
            .with_oracle(|name, ours| oracle::compare_in_any_order(name, ours, &fingerprinter));
        backend_suite::run(&mut subject);
        runtime.block_on(backend_suite::check_link(&backend, &name));
    }
}

lab_test! {
    fn the_agent_says_what_it_drives() {
        let _daemon = WireguardGo::start(WG0);
        wg::ip(&["address", "add", "10.8.0.1/24", "dev", WG0]);
        wg::wg(&["set", WG0, "listen-port", "51821", "fwmark", "7"], "");
        // A tun device of somebody else's, and WireGuard that is not a daemon's.
        wg::ip(&["tuntap", "add", "vpn0", "mode", "tun"]);
        wg::add_interface("wg9");
        let (_agent, client) = agent();
        assert_eq!(client.get("/health").json()["backend"], "userspace");
        let listed = json!({"interfaces": [{"interface": WG0, "backend": "userspace"}]});
        assert_eq!(client.get("/wg").json(), listed);
        let device = client.get("/wg/wg0").json();
        assert_eq!(device["public_key"].as_str(), wg::show(WG0).public_key.as_deref());
        assert_eq!((&device["listen_port"], &device["fwmark"]), (&json!(51821), &json!(7)));
        assert_eq!((&device["up"], &device["mtu"]), (&json!(true), &json!(1420)));
        assert!(device["addresses"].as_array().expect("a list").contains(&json!("10.8.0.1/24")), "{device}");
        assert_eq!((&device["backend"], &device["peer_count"]), (&json!("userspace"), &json!(0)));
        let line = wg::ip(&["-oneline", "link", "show", "dev", WG0]);
        assert!(line.starts_with(&format!("{}: ", device["ifindex"])), "{line}");
        for other in ["vpn0", "wg9", "lo", "wg-absent"] {
            let dump = client.get(&format!("/wg/{other}/dump"));
            assert_eq!(outcome(&dump), refused(404, "interface_not_found"), "{other}");
            let post = client.post_peer(other, &peer(1, &[]));
            assert_eq!(outcome(&post), refused(404, "interface_not_found"), "{other}");
        }
    }
}

lab_test! {
    fn the_contract_holds_as_on_the_kernel() {
        let _daemon = WireguardGo::start(WG0);
        let (_agent, client) = agent();
        let (key, preshared) = (wg::numbered_key(1), wg::genkey());
        let full = json!({
            "public_key": key, "allowed_ips": ["10.0.0.5/24", "fd00::5"], "preshared_key": preshared,
            "endpoint": "[2001:db8::1]:51821", "persistent_keepalive": 25,
        });
        assert_eq!(outcome(&client.post_peer(WG0, &full)), OK);
        let shown = wg::peer(WG0, &key).expect("added");
        assert_eq!(shown.allowed_ips, ["10.0.0.0/24", "fd00::5/128"]);
        assert_eq!(shown.preshared_key, Some(preshared));
        assert_eq!(shown.endpoint, Some("[2001:db8::1]:51821".parse().expect("an address")));
        assert_eq!(shown.persistent_keepalive, 25);
        assert_dump_is_what_wg_shows(&client, WG0);

        assert_eq!(outcome(&client.post_peer(WG0, &peer(1, &[]))), refused(409, "peer_exists"));
        let taken = client.post_peer(WG0, &peer(2, &["10.0.2.0/24", "fd00::5/128"]));
        assert_eq!(outcome(&taken), refused(409, "allowed_ip_conflict"));
        let own = json!({"public_key": wg::show(WG0).public_key});
        assert_eq!(outcome(&client.post_peer(WG0, &own)), refused(422, "own_key"));
        let absent = wg::numbered_key(3);
        let change = json!({"persistent_keepalive": 5});
        assert_eq!(outcome(&client.put_peer(WG0, &absent, &change)), refused(404, "peer_not_found"));
        assert_eq!(outcome(&client.delete_peer(WG0, &absent)), refused(404, "peer_not_found"));
        assert_eq!(wg::show(WG0).peers, [shown], "a refused request changes nothing");

        let change = json!({"allowed_ips": ["fd00::5", "10.2.0.0/16"], "preshared_key": null, "persistent_keepalive": 0});
        assert_eq!(outcome(&client.put_peer(WG0, &key, &change)), OK);
        let changed = wg::peer(WG0, &key).expect("changed");
        assert_eq!(changed.allowed_ips, ["fd00::5/128", "10.2.0.0/16"]);
        assert_eq!((changed.preshared_key, changed.persistent_keepalive), (None, 0));
        assert!(changed.endpoint.is_some(), "what a change does not name stays");
        // Behind the agent's back.
        wg::set_peer(WG0, &wg::numbered_key(4), &["allowed-ips", "10.4.0.0/16"]);
        assert_dump_is_what_wg_shows(&client, WG0);
        let taken = client.post_peer(WG0, &peer(5, &["10.4.0.0/16"]));
        assert_eq!(outcome(&taken), refused(409, "allowed_ip_conflict"));
        assert_eq!(outcome(&client.delete_peer(WG0, &key)), OK);
        assert_eq!(wg::peer(WG0, &key), None);
        assert_dump_is_what_wg_shows(&client, WG0);
    }
}

lab_test! {
    fn a_daemon_that_is_killed_and_started_again_is_served_afresh() {
        let mut daemon = WireguardGo::start(WG0);
        let (_agent, client) = agent();
        for round in 0..3 {
            let address = wg::numbered_address(round);
            assert_eq!(outcome(&client.post_peer(WG0, &peer(round, &[&address]))), OK);
            daemon.kill();
            assert!(daemon.socket().exists(), "it had no time to tidy up");
            let post = client.post_peer(WG0, &peer(100 + round, &[]));
            assert_eq!(outcome(&post), refused(404, "interface_not_found"));
            assert_eq!(outcome(&client.get("/wg/wg0/dump")), refused(404, "interface_not_found"));
            assert_eq!(client.get("/wg").json(), json!({"interfaces": []}));
            daemon.restart();
            let post = client.post_peer(WG0, &peer(200 + round, &[&address]));
            assert_eq!(outcome(&post), OK);
            let keys: Vec<_> = wg::show(WG0).peers.into_iter().map(|peer| peer.public_key).collect();
            assert_eq!(keys, [wg::numbered_key(200 + round)]);
            assert_dump_is_what_wg_shows(&client, WG0);
        }
        daemon.terminate();
        assert!(!daemon.socket().exists());
        assert_eq!(outcome(&client.get("/wg/wg0/dump")), refused(404, "interface_not_found"));
    }
}

lab_test! {
    fn a_tun_device_that_outlives_its_daemon_is_unavailable_until_another_one_comes() {
        wg::ip(&["tuntap", "add", WG0, "mode", "tun"]);
        let mut daemon = WireguardGo::start(WG0);
        let (_agent, client) = agent();
        assert_eq!(outcome(&client.post_peer(WG0, &peer(1, &["10.0.0.1/32"]))), OK);
        let before = client.get("/wg/wg0").json();
        daemon.kill();
        assert_eq!(outcome(&client.get("/wg/wg0/dump")), refused(503, "kernel_unavailable"));
        let change = json!({"persistent_keepalive": 5});
        let put = client.put_peer(WG0, &wg::numbered_key(1), &change);
        assert_eq!(outcome(&put), refused(503, "kernel_unavailable"));
        assert_eq!(client.get("/wg").json(), json!({"interfaces": []}));
        daemon.restart();
        // At once, although the link is the same: this daemon has no such peer.
        let put = client.put_peer(WG0, &wg::numbered_key(1), &json!({"persistent_keepalive": 6}));
        assert_eq!(outcome(&put), refused(404, "peer_not_found"));
        assert_eq!(client.get("/wg/wg0").json()["ifindex"], before["ifindex"]);
        assert_dump_is_what_wg_shows(&client, WG0);
    }
}

lab_test! {
    fn a_daemon_that_is_stuck_holds_nobody_up_for_long() {
        let stuck = WireguardGo::start(WG0);
        let _other = WireguardGo::start("wg1");
        let (_agent, client) = agent();
        assert_eq!(outcome(&client.post_peer(WG0, &peer(1, &["10.0.0.1/32"]))), OK);
        stuck.freeze();
        std::thread::scope(|scope| {
            let hung = scope.spawn(|| client.get("/wg/wg0/dump"));
            assert_eq!(outcome(&client.post_peer("wg1", &peer(1, &["10.0.0.1/32"]))), OK);
            assert_eq!(client.get("/wg").json()["interfaces"].as_array().map(Vec::len), Some(2));
            let hung = hung.join().expect("an answer");
            assert_eq!(outcome(&hung), refused(503, "kernel_unavailable"));
        });
        stuck.thaw();
        assert_dump_is_what_wg_shows(&client, WG0);
        assert_eq!(outcome(&client.delete_peer(WG0, &wg::numbered_key(1))), OK);
        assert!(wg::show(WG0).peers.is_empty());
    }
}
