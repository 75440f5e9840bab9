//! What the built controller remembers, takes away in time and draws.

use std::{net::SocketAddr, time::Duration};

use serde_json::{Value, json};
use wgfleet_integration::{
    agent::{self, Agent},
    client::{Address, Response},
    controller::{self, Controller, Rest},
    eventually, poll,
};

const PATIENCE: Duration = Duration::from_secs(60);

struct Fleet {
    controller: Controller,
    _agent: Agent,
    node: String,
}

/// A controller, and an agent whose interface begins with so many peers, adopted.
fn fleet(peers: u32) -> Fleet {
    let controller = controller::Config::new().poll_interval("300ms").start();
    let agent = agent::Config::simulated("wg0", peers).start();
    let node = controller.rest().create(
        "/nodes",
        &json!({
            "name": "node-1", "agent_url": format!("http://{}", tcp(&agent)), "wg_interface": "wg0",
            "secret": agent::SECRET, "ip_pool_cidr": "10.8.0.0/16", "endpoint": "vpn.example.com:51820",
            "unmanaged_peers": "adopt",
        }),
    );
    Fleet {
        controller,
        _agent: agent,
        node: text(&node, "id"),
    }
}

fn tcp(agent: &Agent) -> SocketAddr {
    match agent.address() {
        Address::Tcp(address) => *address,
        Address::Unix(_) => panic!("it listens on TCP"),
    }
}

fn text(value: &Value, field: &str) -> String {
    let text = value[field].as_str();
    text.unwrap_or_else(|| panic!("{field} in {value}"))
        .to_owned()
}

fn number(value: &Value, field: &str) -> u64 {
    let number = value[field].as_u64();
    number.unwrap_or_else(|| panic!("{field} in {value}"))
}

/// Received and sent, over all points.
fn sum(history: &Value) -> (u64, u64) {
    let points = history["points"].as_array().expect("points");
    let of = |field| points.iter().map(|point| number(point, field)).sum();
    (of("rx_bytes"), of("tx_bytes"))
}

fn node_sum(rest: &Rest, node: &str, step: &str) -> (u64, u64) {
    sum(&rest.read(&format!("/nodes/{node}/history?step={step}")))
}

fn totals(rest: &Rest) -> (u64, u64) {
    let peers = rest.read("/peers?limit=1000");
    let items = peers["items"].as_array().expect("items");
    let of = |field| items.iter().map(|peer| number(peer, field)).sum();
    (of("rx_bytes_total"), of("tx_bytes_total"))
}

fn create(rest: &Rest, body: &Value) -> Value {
    rest.create("/peers", body)
}

/// Waits until the peer is as wanted.
#[track_caller]
fn until(rest: &Rest, id: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    eventually(PATIENCE, what, || {
        Some(rest.read(&format!("/peers/{id}"))).filter(|peer| wanted(peer))
    })
}

fn is_applied(peer: &Value) -> bool {
    peer["sync"]["state"] == "applied"
}

fn is_on_node(rest: &Rest, node: &str, key: &str) -> bool {
    let plan = rest.read(&format!("/nodes/{node}/plan"));
    let unmanaged = plan["unmanaged"].to_string();
    assert!(
        !unmanaged.contains(key),
        "nobody but us declares peers here"
    );
    plan["changes"].as_array().is_some_and(Vec::is_empty)
}

#[test]
fn a_history_adds_up_over_restarts() {
    let mut fleet = fleet(0);
    let rest = fleet.controller.rest();
    for n in 0..5 {
        create(&rest, &json!({"name": format!("peer {n}")}));
    }
    eventually(PATIENCE, "traffic in the history", || {
        let (rx, tx) = node_sum(&rest, &fleet.node, "10s");
        (rx > 0 && tx > 0).then_some(())
    });
    // Twice without a word, before anything of the peers was written down, then in good order.
    for round in 0..3 {
        if round < 2 {
            fleet.controller.kill();
        } else {
            assert!(fleet.controller.terminate().success());
        }
        fleet.controller.restart();
        let rest = fleet.controller.rest();
        create(&rest, &json!({"name": format!("peer of round {round}")}));
        let before = node_sum(&rest, &fleet.node, "10s");
        eventually(PATIENCE, "more traffic in the history", || {
            (node_sum(&rest, &fleet.node, "10s").1 > before.1).then_some(())
        });
    }
    let rest = fleet.controller.rest();
    // Without peers nothing moves any more, and all there was is written down.
    let peers = rest.read("/peers")["items"].clone();
    for peer in peers.as_array().expect("items") {
        rest.patch(
            &format!("/peers/{}", text(peer, "id")),
            &json!({"enabled": false}),
        );
    }
    eventually(PATIENCE, "no peer is left", || {
        let pending = rest.read("/peers?sync=pending")["total"] != 0;
        (!pending).then_some(())
    });
    fleet.controller.kill();
    fleet.controller.restart();
    let rest = fleet.controller.rest();
    let agree = poll(PATIENCE, || {
        (node_sum(&rest, &fleet.node, "10s") == totals(&rest)).then_some(())
    });
    let all = totals(&rest);
    let in_history = node_sum(&rest, &fleet.node, "10s");
    assert!(agree.is_some(), "{in_history:?} of {all:?} in the history");
    for step in ["1m", "5m", "1h", "1d"] {
        assert_eq!(node_sum(&rest, &fleet.node, step), all, "{step}");
    }
    let history = rest.read(&format!("/nodes/{}/history", fleet.node));
    let changes = history["status_changes"].as_array().expect("changes");
    assert_eq!(changes[0]["status"], "online", "{changes:?}");
    // Those of the peers are written with their counters, at the latest when it ends.
    assert!(fleet.controller.terminate().success());
    fleet.controller.restart();
    let rest = fleet.controller.rest();
    let mut of_peers = (0, 0);
    for peer in peers.as_array().expect("items") {
        let path = format!("/peers/{}/history?step=5m", text(peer, "id"));
        let (rx, tx) = sum(&rest.read(&path));
        of_peers = (of_peers.0 + rx, of_peers.1 + tx);
    }
    assert_eq!(of_peers, all);
}

#[test]
fn what_adopted_peers_moved_before_is_not_the_fleets() {
    let fleet = fleet(40);
    let rest = fleet.controller.rest();
    eventually(PATIENCE, "peers are adopted and seen", || {
        let overview = rest.read("/overview");
        (overview["peers"]["total"] == 40 && number(&overview["peers"], "online") > 0).then_some(())
    });
    eventually(PATIENCE, "traffic in the history", || {
        (node_sum(&rest, &fleet.node, "10s").1 > 0).then_some(())
    });
    let (_, moved) = node_sum(&rest, &fleet.node, "10s");
    let (_, total) = totals(&rest);
    assert!(
        moved < total / 10,
        "{moved} of {total}: hours and days lie before"
    );
    let overview = rest.read("/overview");
    assert_eq!(overview["nodes"]["online"], 1);
    assert_eq!(overview["troubled_nodes"], json!([]));
    eventually(PATIENCE, "somebody is busy", || {
        let overview = rest.read("/overview");
        let busiest = overview["top_talkers"].get(0)?.clone();
        let busy = number(&busiest, "rx_bytes_per_s") + number(&busiest, "tx_bytes_per_s") > 0;
        (busy && text(&busiest, "name").starts_with("adopted")).then_some(())
    });
}

#[test]
fn a_used_up_quota_takes_a_peer_out_and_a_raised_one_brings_it_back() {
    let fleet = fleet(0);
    let rest = fleet.controller.rest();
    let limited = create(
        &rest,
        &json!({"name": "limited", "quota_bytes": 1, "quota_period": "month"}),
    );
    let free = create(&rest, &json!({"name": "free"}));
    let id = text(&limited, "id");
    let held = until(&rest, &id, "the quota is used up", |peer| {
        peer["state"] == "quota_used_up" && is_applied(peer)
    });
    assert_eq!(held["enabled"], false);
    let back = text(&held, "quota_resets_at");
    assert_eq!(
        text(&held, "disabled_reason"),
        format!("quota of 1 B used up; back on {back}")
    );
    assert!(back.ends_with("-01T00:00:00Z"), "{back}");
    assert_eq!(held["allowed_ips"], limited["allowed_ips"]);
    let used = number(&held, "quota_used_bytes");
    assert!(used >= 1);
    assert!(is_on_node(&rest, &fleet.node, &text(&held, "public_key")));
    let listed = rest.read("/peers?state=quota_used_up");
    assert_eq!(
        (&listed["total"], &listed["items"][0]["id"]),
        (&json!(1), &json!(id))
    );
    assert_eq!(
        rest.read("/peers?state=active")["items"][0]["id"],
        free["id"]
    );
    let refused = rest.post(&format!("/peers/{id}/enable"), &json!({}));
    assert_eq!(
        (refused.status, code(&refused)),
        (409, "peer_quota_used_up".into())
    );

    let raised = rest.patch(
        &format!("/peers/{id}"),
        &json!({"quota_bytes": 1_u64 << 60}),
    );
    assert_eq!(raised.status, 200, "{raised:?}");
    let back = until(&rest, &id, "it is back", |peer| {
        peer["state"] == "active" && is_applied(peer)
    });
    assert_eq!(
        (&back["enabled"], &back["disabled_reason"]),
        (&json!(true), &Value::Null)
    );
    assert!(
        number(&back, "quota_used_bytes") >= used,
        "what is used stays used"
    );
    until(&rest, &id, "it moves more", |peer| {
        number(peer, "quota_used_bytes") > used
    });
}

#[test]
fn a_quota_is_remembered_over_a_kill() {
    let mut fleet = fleet(0);
    let rest = fleet.controller.rest();
    let body = json!({"name": "limited", "quota_bytes": 2000, "quota_period": "day"});
    let id = text(&create(&rest, &body), "id");
    until(&rest, &id, "some of the quota is used", |peer| {
        number(peer, "quota_used_bytes") > 0
    });
    fleet.controller.kill();
    fleet.controller.restart();
    let rest = fleet.controller.rest();
    let held = until(&rest, &id, "the quota is used up", |peer| {
        peer["state"] == "quota_used_up" && is_applied(peer)
    });
    let moved = number(&held, "rx_bytes_total") + number(&held, "tx_bytes_total");
    assert_eq!(number(&held, "quota_used_bytes"), moved, "every byte once");
}

#[test]
fn an_expired_peer_goes_in_time_and_comes_back_when_prolonged() {
    // Polls are far apart: it is not the next one that takes the peer away.
    let controller = controller::Config::new().poll_interval("1h").start();
    let agent = agent::Config::simulated("wg0", 0).start();
    let rest = controller.rest();
    rest.create(
        "/nodes",
        &json!({
            "name": "node-1", "agent_url": format!("http://{}", tcp(&agent)), "wg_interface": "wg0",
            "secret": agent::SECRET, "ip_pool_cidr": "10.8.0.0/24",
        }),
    );
    let id = text(&create(&rest, &json!({"name": "guest"})), "id");
    until(&rest, &id, "it is on its node", is_applied);
    let soon = rfc3339_in(2);
    let patched = rest.patch(&format!("/peers/{id}"), &json!({"expires_at": soon}));
    assert_eq!(
        (patched.status, &patched.json()["state"]),
        (200, &json!("active"))
    );
    let expired = until(&rest, &id, "it has expired", |peer| {
        peer["state"] == "expired"
    });
    assert_eq!(expired["enabled"], true);
    // The time alone makes it expired; that it is off its node is the keeper's doing.
    eventually(PATIENCE, "the kernel has it no more", || {
        let dump = agent.client().get("/wg/wg0/dump").json();
        (dump["peers"] == json!([])).then_some(())
    });
    until(&rest, &id, "the controller has seen that", is_applied);
    let listed = rest.read("/peers?state=expired");
    assert_eq!(listed["total"], 1);
    rest.patch(
        &format!("/peers/{id}"),
        &json!({"expires_at": rfc3339_in(3600)}),
    );
    until(&rest, &id, "it is back", |peer| {
        peer["state"] == "active" && is_applied(peer)
    });
}

fn rfc3339_in(seconds: u64) -> String {
    let at = std::time::SystemTime::now() + Duration::from_secs(seconds);
    let unix = at
        .duration_since(std::time::UNIX_EPOCH)
        .expect("after 1970");
    let conn = rusqlite::Connection::open_in_memory().expect("a database");
    let sql = "SELECT strftime('%Y-%m-%dT%H:%M:%SZ', ?1, 'unixepoch')";
    let seconds = i64::try_from(unix.as_secs()).expect("not that late");
    conn.query_row(sql, [seconds], |row| row.get(0))
        .expect("a time")
}

fn code(answer: &Response) -> String {
    text(&answer.json(), "code")
}

#[test]
fn a_qr_code_says_what_the_configuration_says() {
    let fleet = fleet(0);
    let rest = fleet.controller.rest();
    let id = text(
        &create(
            &rest,
            &json!({"name": "phone", "preshared_key": "generate"}),
        ),
        "id",
    );
    let config = rest.get(&format!("/peers/{id}/config"));
    let config = String::from_utf8(config.body).expect("text");
    assert!(config.contains("PrivateKey = ") && config.contains("PresharedKey = "));

    let png = rest.get(&format!("/peers/{id}/qr?format=png"));
    assert_eq!(
        (png.status, png.header("content-type")),
        (200, Some("image/png"))
    );
    assert_eq!(png.header("cache-control"), Some("no-store"));
    assert_eq!(read_qr(&png.body), config);

    let svg = rest.get(&format!("/peers/{id}/qr"));
    assert_eq!(
        (svg.status, svg.header("content-type")),
        (200, Some("image/svg+xml"))
    );
    assert!(String::from_utf8(svg.body).expect("text").contains("<svg"));

    let own = json!({"name": "own", "keep_private_key": false});
    let id = text(&create(&rest, &own), "id");
    let refused = rest.get(&format!("/peers/{id}/qr"));
    assert_eq!(
        (refused.status, code(&refused)),
        (409, "config_incomplete".into())
    );

    let routes: Vec<_> = (0..250).map(|n| format!("10.200.{n}.0/24")).collect();
    let long = json!({"name": "long", "client_allowed_ips": routes});
    let id = text(&create(&rest, &long), "id");
    let refused = rest.get(&format!("/peers/{id}/qr"));
    assert_eq!(
        (refused.status, code(&refused)),
        (409, "config_too_long".into())
    );
    let missing = rest.get("/peers/0198f0c5-0000-7000-8000-000000000001/qr");
    assert_eq!(
        (missing.status, code(&missing)),
        (404, "peer_not_found".into())
    );
}

/// By a reader that knows nothing of who wrote it.
fn read_qr(image: &[u8]) -> String {
    let mut decoder = png::Decoder::new(std::io::Cursor::new(image));
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().expect("an image");
    let mut pixels = vec![0; reader.output_buffer_size().expect("a small image")];
    let frame = reader.next_frame(&mut pixels).expect("a whole image");
    let width = usize::try_from(frame.width).expect("a small image");
    let height = usize::try_from(frame.height).expect("a small image");
    let mut prepared =
        rqrr::PreparedImage::prepare_from_greyscale(width, height, |x, y| pixels[y * width + x]);
    let grids = prepared.detect_grids();
    assert_eq!(grids.len(), 1);
    grids[0].decode().expect("a readable code").1
}
