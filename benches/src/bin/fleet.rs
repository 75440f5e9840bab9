//! A controller over simulated agents: how long a change takes, how long a wiped node takes, and how
//! quiet a fleet is that agrees.
//!
//! `target/release/fleet [NODES [PEERS_PER_NODE [PEERS_OF_THE_WIPED]]]`, default 100, 100 and 10,000.

use std::{
    error::Error,
    fs::File,
    io::Write,
    time::{Duration, Instant},
};

use serde_json::json;
use wgfleet_benches::samples::{Samples, millis};
use wgfleet_integration::{
    eventually,
    simulated_fleet::{CREATORS, Fleet, POLL},
};

const QUIET_POLLS: u32 = 10;
const CREATES: u32 = 300;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: u32| arguments.next().map_or(Ok(default), |text| text.parse());
    let (nodes, peers, wiped) = (number(100)?, number(100)?, number(10_000)?);

    latency()?;
    quiet(nodes, peers);
    wipe(wiped);
    Ok(())
}

/// One create after the other on one local agent, beside the disk's own sync.
fn latency() -> Result<(), Box<dyn Error>> {
    let fleet = Fleet::new(1);
    let rest = fleet.controller.rest();
    let mut creates = Samples::new("`POST /peers` until applied");
    let mut syncs = Samples::new("4 KiB written and synced, same disk");
    let mut file = File::create(fleet.controller.beside("sync-probe"))?;
    for number in 0..CREATES {
        let body = json!({"name": format!("peer {number}"), "preshared_key": "generate"});
        let peer = creates.measure(|| rest.create("/peers", &body));
        assert_eq!(peer["sync"]["state"], "applied", "{peer}");
        syncs.measure(|| file.write_all(&[0; 4096]).and_then(|()| file.sync_data()))?;
    }
    println!("\n### One change at a time ({CREATES} creates, one simulated agent)\n");
    println!("| what | p50 | p99 |\n|---|---|---|");
    for samples in [&creates, &syncs] {
        let (p50, p99) = (samples.median(), samples.percentile(99));
        println!(
            "| {} | {:.1} ms | {:.1} ms |",
            samples.name,
            millis(p50),
            millis(p99)
        );
    }
    Ok(())
}

/// Polls of nodes that are as they should be.
fn quiet(nodes: u32, peers: u32) {
    let fleet = Fleet::new(nodes);
    let started = Instant::now();
    fleet.create(nodes * peers);
    fleet.settled();
    let created = started.elapsed();
    let before = fleet.writes();
    let started = Instant::now();
    eventually(POLL * (QUIET_POLLS + 5), "the polls pass", || {
        (started.elapsed() >= POLL * QUIET_POLLS).then_some(())
    });
    println!("\n### {nodes} nodes with {peers} peers each\n");
    println!(
        "- created and applied in {:.1} s by {CREATORS} clients",
        created.as_secs_f64()
    );
    println!("- writes sent for that: {before}");
    println!(
        "- writes sent in {QUIET_POLLS} polls after it: {}",
        fleet.writes() - before
    );
}

/// A node that has lost everything.
fn wipe(peers: u32) {
    let mut fleet = Fleet::new(1);
    fleet.create(peers);
    fleet.settled();
    fleet.agents[0].kill();
    let started = Instant::now();
    fleet.agents[0].restart();
    let rest = fleet.controller.rest();
    let plan = format!("/nodes/{}/plan", fleet.nodes[0]);
    eventually(Duration::from_secs(120), "the node is back in line", || {
        let answer = rest.get(&plan);
        (answer.status == 200 && answer.json()["in_sync"] == true).then_some(())
    });
    println!("\n### A wiped node\n");
    println!(
        "- {peers} peers back in {:.1} s",
        started.elapsed().as_secs_f64()
    );
}
