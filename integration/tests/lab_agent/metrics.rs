//! The numbers shown are the kernel's.

use std::time::Duration;

use serde_json::json;
use wgfleet_integration::{
    agent::{Agent, Config},
    client::{Address, Client},
    eventually, lab_test, wg,
};

use crate::common::WG0;

const SOON: Duration = Duration::from_secs(20);

fn watched() -> (Agent, Client) {
    let arguments = ["--metrics-listen", "127.0.0.1:0", "--metrics-per-peer"];
    let agent = Config::kernel().arguments(&arguments).start();
    let log = agent.log();
    let (_, rest) = log.split_once("metrics on http://").expect("it says where");
    let (address, _) = rest.split_once("/metrics").expect("the path");
    let address = Address::Tcp(address.parse().expect("an address"));
    (agent, Client::new(address, "nobody asks for a signature"))
}

fn sample(page: &str, series: &str) -> Option<u64> {
    let series = format!("wgfleet_agent_{series} ");
    let line = page.lines().find_map(|line| line.strip_prefix(&series))?;
    Some(line.parse().expect("a whole number"))
}

fn page(watcher: &Client) -> String {
    String::from_utf8(watcher.get("/metrics").body).expect("a text")
}

lab_test! {
    fn metrics_are_what_wg_shows() {
        let public0 = wg::add_interface_with_key(WG0);
        let public1 = wg::add_interface_with_key("wg1");
        let endpoint = |interface| format!("127.0.0.1:{}", wg::show(interface).listen_port);
        let (agent, watcher) = watched();
        let client = agent.client();
        let of = |series: &str| format!(r#"{series}{{interface="{WG0}"}}"#);
        assert_eq!(sample(&page(&watcher), &of("interface_peers")), Some(0));

        let peer = json!({"public_key": public1, "endpoint": endpoint("wg1"), "allowed_ips": ["10.0.0.2"]});
        assert_eq!(client.post_peer(WG0, &peer).status, 200);
        let peer = json!({"public_key": public0, "endpoint": endpoint(WG0), "allowed_ips": ["10.0.0.1"],
            "persistent_keepalive": 1});
        assert_eq!(client.post_peer("wg1", &peer).status, 200);
        let silent = wg::numbered_key(5);
        wg::set_peer(WG0, &silent, &[]);

        eventually(SOON, "the numbers of wg", || {
            let page = page(&watcher);
            let shown = wg::show(WG0).peers;
            let sum = |of: fn(&wg::Peer) -> u64| shown.iter().map(of).sum::<u64>();
            let totals = (sum(|peer| peer.transfer_rx), sum(|peer| peer.transfer_tx));
            let agrees = shown.iter().all(|peer| {
                let key = &peer.public_key;
                let of = |series: &str| {
                    sample(&page, &format!(r#"{series}{{interface="{WG0}",public_key="{key}"}}"#))
                };
                of("peer_receive_bytes_total") == Some(peer.transfer_rx)
                    && of("peer_transmit_bytes_total") == Some(peer.transfer_tx)
                    && of("peer_last_handshake_timestamp_seconds") == Some(peer.latest_handshake)
            });
            // The counters go on: between the two looks they must have stood still once.
            (totals.0 > 0 && totals.1 > 0 && agrees
                && sample(&page, &of("interface_receive_bytes_total")) == Some(totals.0)
                && sample(&page, &of("interface_transmit_bytes_total")) == Some(totals.1)
                && sample(&page, &of("interface_peers")) == Some(2)
                && sample(&page, &of("interface_active_peers")) == Some(1)).then_some(())
        });
        let before = sample(&page(&watcher), &of("interface_receive_bytes_total")).expect("there");
        wg::remove_peer(WG0, &public1);
        let after = page(&watcher);
        assert_eq!(sample(&after, &of("interface_peers")), Some(1));
        assert!(sample(&after, &of("interface_receive_bytes_total")).expect("there") >= before, "{after}");
        assert_eq!(sample(&after, &of("interface_writes_total")), Some(1));
        assert_eq!(sample(&after, r#"build_info{version="0.1.0",backend="kernel"}"#), Some(1));

        wg::ip(&["link", "delete", WG0]);
        eventually(SOON, "the interface is gone", || (!page(&watcher).contains(r#"interface="wg0""#)).then_some(()));
        assert_eq!(sample(&page(&watcher), r#"interface_up{interface="wg1"}"#), Some(1));
    }
}
