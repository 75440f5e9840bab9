//! What Prometheus sees of the built controller.

use std::{net::SocketAddr, time::Duration};

use serde_json::json;
use wgfleet_integration::{
    agent,
    client::{Address, Client},
    controller::{self, Controller},
    eventually,
};

const SECRET: &str = "the secret of a simulated agent";

fn start() -> (Controller, Client) {
    let controller = controller::Config::new()
        .poll_interval("200ms")
        .arguments(&["--metrics-listen", "127.0.0.1:0"])
        .start();
    let log = controller.log();
    let (_, rest) = log.split_once("metrics at http://").expect("it says where");
    let (address, _) = rest.split_once("/metrics").expect("the page");
    let address: SocketAddr = address.parse().expect("an address");
    let client = Client::new(Address::Tcp(address), "");
    (controller, client)
}

/// The value of a series, as it stands on the page.
fn value(metrics: &Client, series: &str) -> Option<f64> {
    let page = metrics.get("/metrics");
    assert_eq!(page.status, 200);
    let text = String::from_utf8(page.body).expect("text");
    let line = |line: &str| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok();
    text.lines().find_map(line)
}

#[test]
fn metrics_follow_the_fleet() {
    let (controller, metrics) = start();
    let mut agent = agent::Config::simulated("wg0", 0)
        .secrets(&[SECRET])
        .start();
    let Address::Tcp(address) = agent.address().clone() else {
        panic!("it listens on TCP");
    };
    let rest = controller.rest();
    let node = json!({
        "name": "node-1", "agent_url": format!("http://{address}"), "wg_interface": "wg0",
        "secret": SECRET, "ip_pool_cidr": "10.8.0.0/24",
    });
    rest.create("/nodes", &node);
    for n in 0..3 {
        rest.create("/peers", &json!({"name": format!("peer {n}")}));
    }
    let shows = |series: &str, expected: f64| {
        let series = format!("wgfleet_controller_{series}");
        eventually(Duration::from_secs(20), &series, || {
            (value(&metrics, &series) == Some(expected)).then_some(())
        });
    };
    shows("nodes{status=\"online\"}", 1.0);
    shows("peers{sync=\"applied\"}", 3.0);
    shows("dispatch_queue", 0.0);
    shows("agent_writes_total{kind=\"add\",outcome=\"applied\"}", 3.0);
    shows(
        "http_request_duration_seconds_count{method=\"POST\",route=\"/api/v1/peers\",status=\"201\"}",
        3.0,
    );
    agent.kill();
    rest.create(
        "/peers",
        &json!({"name": "laptop", "node_id": rest.read("/nodes")["items"][0]["id"]}),
    );
    shows("nodes{status=\"offline\"}", 1.0);
    shows("peers{sync=\"pending\"}", 1.0);
    shows("dispatch_queue", 1.0);
    let missed = "wgfleet_controller_poll_duration_seconds_count{outcome=\"missed\"}";
    assert!(value(&metrics, missed) >= Some(3.0));
    let page = metrics.get("/metrics");
    let text = String::from_utf8(page.body).expect("text");
    assert!(text.ends_with("# EOF\n"));
    for secret in [SECRET, "peer 0", "laptop", "node-1"] {
        assert!(!text.contains(secret), "{secret} is nobody's business here");
    }
    assert_eq!(metrics.get("/").status, 404);
}

#[test]
fn without_the_flag_there_is_no_page() {
    let controller = controller::Config::new().start();
    assert!(!controller.log().contains("metrics"));
    let answer = controller.rest().get("/../../metrics");
    assert_eq!(answer.status, 404);
}
