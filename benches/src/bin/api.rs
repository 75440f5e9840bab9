//! The REST API over a fleet of simulated agents: lists of many peers, many creates at once, and creates
//! at a steady rate while all nodes are polled.
//!
//! `target/release/api [NODES [PEERS [SECONDS]]]`, default 100 nodes, 100,000 peers, and the controller's own 10 s from
//! one poll of a node to the next.

use std::{
    error::Error,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use wgfleet_benches::{
    bar::{Bar, HEAD},
    samples::{Samples, millis},
};
use wgfleet_integration::{
    controller::Rest,
    simulated_fleet::{BULK, Fleet, PATIENCE, bulk_create},
};

const LISTS: usize = 200;
const STEADY: usize = 1_000;
const A_SECOND: u32 = 50;
const BULK_S: f64 = 15.0;
const STEADY_MS: f64 = 100.0;
const LIST_MS: f64 = 20.0;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: u32| arguments.next().map_or(Ok(default), |text| text.parse());
    let (nodes, peers, poll_s) = (number(100)?, number(100_000)?, number(10)?);

    let fleet = Fleet::polled(nodes, Duration::from_secs(poll_s.into()));
    println!("\n### REST API, {nodes} simulated nodes, polled every {poll_s} s\n");
    println!("| what | measured |\n|---|---|");
    let mut bars = vec![bulk(&fleet), steady(&fleet)];
    let rest = fleet.controller.rest().patient(PATIENCE);
    fleet.fill(BULK, peers);
    fleet.settled();
    bars.extend(lists(&rest));
    println!("\n{HEAD}");
    for bar in &bars {
        println!("{bar}");
    }
    Ok(())
}

/// One request, until every node has its peers.
fn bulk(fleet: &Fleet) -> Bar {
    let started = Instant::now();
    bulk_create(&fleet.controller.rest().patient(PATIENCE), 0, BULK);
    let answered = started.elapsed();
    fleet.settled();
    let applied = started.elapsed();
    let what = format!("{BULK} peers in one request until applied");
    println!(
        "| {what} | {:.1} s (answered after {:.1} s) |",
        applied.as_secs_f64(),
        answered.as_secs_f64()
    );
    Bar::at_most(what, BULK_S, "s", applied.as_secs_f64())
}

/// Creates at a fixed rate, each until applied, however long the one before took.
fn steady(fleet: &Fleet) -> Bar {
    let started = Instant::now();
    let mut times: Vec<Duration> = Vec::new();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..A_SECOND as usize)
            .map(|worker| {
                let rest = fleet.controller.rest();
                scope.spawn(move || {
                    let mine = (worker..STEADY).step_by(A_SECOND as usize);
                    mine.map(|number| at(started, number, &rest)).collect()
                })
            })
            .collect();
        for worker in workers {
            let own: Vec<Duration> = worker.join().expect("creates");
            times.extend(own);
        }
    });
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)];
    let what = format!("create + applied at {A_SECOND}/s, p99");
    let (p50, p99) = (millis(at(50)), millis(at(99)));
    println!("| create + applied at {A_SECOND}/s, p50 / p99 | {p50:.1} / {p99:.1} ms |");
    Bar::at_most(what, STEADY_MS, "ms", p99)
}

/// The create whose turn is then.
fn at(started: Instant, number: usize, rest: &Rest) -> Duration {
    let number = u32::try_from(number).expect("few");
    let due = started + Duration::from_secs(1) / A_SECOND * number;
    let wait = due.saturating_duration_since(Instant::now());
    let _ = wgfleet_integration::poll(wait, || (Instant::now() >= due).then_some(()));
    let began = Instant::now();
    let peer = rest.create("/peers", &json!({"name": format!("steady {number}")}));
    assert_eq!(peer["sync"]["state"], "applied", "{peer}");
    began.elapsed()
}

fn lists(rest: &Rest) -> Vec<Bar> {
    let mut bars = Vec::new();
    let node = rest.read("/nodes?limit=1")["items"][0]["id"].clone();
    let node = node.as_str().expect("an id");
    for (name, query) in [
        ("100 peers by name", "sort=name".to_owned()),
        (
            "100 of a label, newest first",
            "label=team=team-7&sort=-created_at".to_owned(),
        ),
        ("100 that contain a text", "q=0777".to_owned()),
        ("100 of a node, by name", format!("node_id={node}")),
        (
            "100 online or not, by traffic",
            "online=false&sort=-rx_bytes_total".to_owned(),
        ),
        (
            "100 of a label, by handshake",
            "label=team=team-7&sort=-latest_handshake".to_owned(),
        ),
        (
            "100 in a state",
            "sync=applied&enabled=true&sort=-name".to_owned(),
        ),
    ] {
        let mut samples = Samples::new("list");
        let mut path = format!("/peers?limit=100&{query}");
        for _ in 0..LISTS {
            let page: Value = samples.measure(|| rest.read(&path));
            // Page after page, so that not only the first one is measured.
            path = match page["next_cursor"].as_str() {
                Some(cursor) => format!("/peers?limit=100&{query}&cursor={cursor}"),
                None => format!("/peers?limit=100&{query}"),
            };
        }
        let (p50, p99) = (millis(samples.median()), millis(samples.percentile(99)));
        println!("| {name}, p50 / p99 | {p50:.1} / {p99:.1} ms |");
        bars.push(Bar::at_most(format!("{name}, p99"), LIST_MS, "ms", p99));
    }
    let total = rest.read("/peers?limit=1")["total"].clone();
    println!("| peers in the lists above | {total} |");
    bars
}
