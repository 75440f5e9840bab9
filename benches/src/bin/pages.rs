//! Every page over a fleet of simulated agents: server time, and the bytes of the peers page.
//!
//! `target/release/pages [NODES [PEERS [SECONDS]]]`, default 100 nodes, 100,000 peers, and the controller's own
//! 10 s from one poll of a node to the next.

use std::{collections::BTreeSet, error::Error, time::Duration};

use wgfleet_benches::{
    bar::{Bar, HEAD},
    samples::{Samples, millis},
};
use wgfleet_integration::{
    client::{Client, Response, WireRequest},
    controller::Rest,
    simulated_fleet::{Fleet, PATIENCE},
};

/// Of each page.
const VISITS: usize = 200;
const PAGE_MS: f64 = 100.0;
const FIRST_KB: f64 = 60.0;
const LATER_KB: f64 = 15.0;
const SIGN_IN_WITHIN: Duration = Duration::from_secs(10);
/// The pages, `{node}` and `{peer}` standing for ids: those that browser tests visit too.
const PAGES: &str = include_str!("../../../integration/browser/pages.json");
/// Ways to ask for peers that lead to other work in the store.
const LISTS: [&str; 4] = [
    "/peers?q=0777",
    "/peers?label=team%3Dteam-7&sort=-created_at",
    "/peers?online=true&sort=-rx_bytes_total",
    "/peers?node_id={node}&sort=-latest_handshake",
];

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: u32| arguments.next().map_or(Ok(default), |text| text.parse());
    let (nodes, peers, poll_s) = (number(100)?, number(100_000)?, number(10)?);
    let pages: Vec<String> = serde_json::from_str(PAGES)?;

    let fleet = Fleet::polled(nodes, Duration::from_secs(poll_s.into()));
    fleet.fill(0, peers);
    fleet.settled();
    let rest = fleet.controller.rest().patient(PATIENCE);
    let browser = Browser::signed_in(&fleet);
    println!("\n### Pages, {nodes} simulated nodes with {peers} peers, polled every {poll_s} s\n");
    println!("| page | p50 | p99 | bytes, gzip |\n|---|---|---|---|");
    let mut bars = Vec::new();
    let has_peers = pages.iter().any(|page| page == "/peers");
    let lists = LISTS.iter().filter(|_| has_peers);
    for pattern in pages.iter().map(String::as_str).chain(lists.copied()) {
        let path = filled(pattern, &rest);
        let mut samples = Samples::new("page");
        let mut bytes = 0;
        for _ in 0..VISITS {
            let page = samples.measure(|| browser.get(&path));
            assert_eq!(page.status, 200, "{path}: {page:?}");
            bytes = wire_bytes(&page);
        }
        let (p50, p99) = (millis(samples.median()), millis(samples.percentile(99)));
        println!("| `{pattern}` | {p50:.1} ms | {p99:.1} ms | {bytes} |");
        bars.push(Bar::at_most(
            format!("`{pattern}`, server time p99"),
            PAGE_MS,
            "ms",
            p99,
        ));
    }
    if has_peers {
        let (first, later) = browser.bytes_of("/peers");
        bars.push(Bar::at_most(
            "`/peers` on the wire, first visit",
            FIRST_KB,
            "KB",
            first,
        ));
        bars.push(Bar::at_most(
            "`/peers` on the wire, later visits",
            LATER_KB,
            "KB",
            later,
        ));
    }
    println!("\n{HEAD}");
    for bar in &bars {
        println!("{bar}");
    }
    Ok(())
}

/// The path with ids for `{node}` and `{peer}`.
fn filled(pattern: &str, rest: &Rest) -> String {
    let id = |list: &str| {
        let found = rest.read(&format!("/{list}?limit=1"))["items"][0]["id"].clone();
        found.as_str().expect("an id").to_owned()
    };
    let mut path = pattern.to_owned();
    for kind in ["node", "peer"] {
        let place = format!("{{{kind}}}");
        if path.contains(&place) {
            path = path.replace(&place, &id(&format!("{kind}s")));
        }
    }
    path
}

/// Asks as a browser does that has signed in.
struct Browser {
    client: Client,
    host: String,
    cookie: String,
}

impl Browser {
    fn signed_in(fleet: &Fleet) -> Self {
        let address = fleet.controller.address().clone();
        let wgfleet_integration::client::Address::Tcp(socket) = &address else {
            panic!("it listens on TCP");
        };
        let mut browser = Self {
            host: socket.to_string(),
            client: Client::new(address.clone(), "")
                .timeout(SIGN_IN_WITHIN)
                .keep_alive(),
            cookie: String::new(),
        };
        let token = std::fs::read_to_string(fleet.controller.data_dir().join("admin-token"));
        let form = format!("token={}", token.expect("the first token").trim());
        let mut wire = browser.wire("POST", "/sign-in");
        wire.add("Content-Type", "application/x-www-form-urlencoded");
        wire.add("Content-Length", form.len().to_string());
        wire.body = form.into_bytes();
        let answer = browser.client.send_wire(&wire).expect("an answer");
        assert_eq!(answer.status, 303, "{answer:?}");
        let cookie = answer.header("set-cookie").expect("a session");
        cookie
            .split(';')
            .next()
            .unwrap_or_default()
            .clone_into(&mut browser.cookie);
        browser
    }

    fn wire(&self, method: &str, path: &str) -> WireRequest {
        let mut wire = WireRequest {
            method: method.to_owned(),
            target: path.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
        };
        wire.add("Host", self.host.clone());
        wire.add("Accept", "text/html");
        wire.add("Accept-Encoding", "gzip, deflate, br");
        wire.add("Sec-Fetch-Site", "same-origin");
        if !self.cookie.is_empty() {
            wire.add("Cookie", self.cookie.clone());
        }
        wire
    }

    fn get(&self, path: &str) -> Response {
        let wire = self.wire("GET", path);
        self.client.send_wire(&wire).expect("an answer")
    }

    /// Kilobytes of a first visit, with all that the page names under `/assets/`, and of a later one,
    /// which has those already.
    #[expect(clippy::cast_precision_loss, reason = "few bytes")]
    fn bytes_of(&self, path: &str) -> (f64, f64) {
        let page = wire_bytes(&self.get(path));
        let mut plain = self.wire("GET", path);
        plain.remove("Accept-Encoding");
        let plain = self.client.send_wire(&plain).expect("an answer");
        let html = String::from_utf8_lossy(&plain.body).into_owned();
        let named: BTreeSet<_> = html
            .split('"')
            .filter(|part| part.starts_with("/assets/"))
            .collect();
        let assets = named.iter().map(|asset| {
            let answer = self.get(asset);
            assert_eq!(answer.status, 200, "{asset}");
            let kept = answer.header("cache-control").unwrap_or_default();
            assert!(
                kept.contains("immutable"),
                "{asset} is asked for again: {kept}"
            );
            wire_bytes(&answer)
        });
        let first = page + assets.sum::<usize>();
        (first as f64 / 1000.0, page as f64 / 1000.0)
    }
}

/// Head and body as they came, but for the few bytes around chunks.
fn wire_bytes(answer: &Response) -> usize {
    let headers = answer.headers.iter();
    let head: usize = headers
        .map(|(name, value)| name.len() + value.len() + 4)
        .sum();
    "HTTP/1.1 200 OK\r\n\r\n".len() + head + answer.body.len()
}
