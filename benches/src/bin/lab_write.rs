//! Many peers added one request each, on a real kernel, beside `wg setconf` of the same peers; and
//! one request at a time.
//!
//! Runs inside the lab: `integration/lab/run target/release/lab_write [PEERS [ROUNDS]]`.

use std::error::Error;

use serde_json::json;
use wgfleet_benches::{
    bar::{self, Bar},
    calls::{self, Calls},
    load::Load,
    local_client::LocalClient,
    samples::{Samples, millis},
};
use wgfleet_integration::{
    agent::{Config, SECRET},
    client::{Address, Client, Request},
    wg,
};

const INTERFACE: &str = "wg0";
const IN_FLIGHT: usize = 64;
const ONE_BY_ONE: u32 = 1_000;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let peers: u32 = arguments.next().map_or(Ok(10_000), |text| text.parse())?;
    let rounds: u32 = arguments.next().map_or(Ok(5), |text| text.parse())?;

    // With a key, as any interface in use has: a key exchange a peer, on both sides of the ratio.
    wg::add_interface_with_key(INTERFACE);
    let configuration = configuration(&wg::configuration(peers));
    let agent = Config::kernel().start();
    let Address::Tcp(address) = agent.address() else {
        return Err("the agent listens elsewhere".into());
    };
    let client = agent.client().keep_alive();
    let mut load = Load::connect(*address, IN_FLIGHT)?;

    let mut setconf = Samples::new("`wg setconf` of all of them");
    let mut posts = Samples::new("`POST /wg/wg0/peers` for each, 64 in flight");
    let mut calls_of_agent = Calls::default();
    for round in 0..=rounds {
        empty(&client)?;
        setconf.measure(|| wg::setconf(INTERFACE, &configuration));
        empty(&client)?;
        // Signed beforehand: what a client's signing costs is not the agent's.
        let wires = signed(&client, 0..peers);
        let mut run = || load.run(wires.len(), |number| &wires[number]);
        if round < rounds {
            posts.add(run()?);
        } else {
            calls_of_agent = calls::of_process(agent.pid(), || run().map(drop))?;
        }
        let held = wg::show(INTERFACE).peers.len();
        assert_eq!(held, usize::try_from(peers)?, "every peer is there");
    }

    println!("\n### {peers} peers written ({rounds} rounds, in turns)\n");
    println!("| what | median | range | to setconf |\n|---|---|---|---|");
    for samples in [&setconf, &posts] {
        println!("{}", samples.row(&setconf));
    }
    println!(
        "\nSystem calls of the agent a request (counted in one more round, under strace): {}.",
        calls_of_agent.most(peers)
    );
    one_by_one(agent.address(), &client)?;
    let bar = Bar::at_most(
        format!("{peers} single POSTs, {IN_FLIGHT} in flight, to `wg setconf`"),
        3.0,
        "×",
        posts.ratio_by_rounds(&setconf),
    );
    println!("\n{}\n{bar}", bar::HEAD);
    Ok(())
}

/// One client, one request at a time.
fn one_by_one(address: &Address, client: &Client) -> Result<(), Box<dyn Error>> {
    empty(client)?;
    let mut one = Samples::new("one `POST` at a time");
    let mut health = Samples::new("`GET /health` at a time");
    let mut connection = LocalClient::connect(address, SECRET, 64 * 1024)?;
    for number in 0..ONE_BY_ONE {
        one.measure(|| connection.exchange(&post(number)))?;
        health.measure(|| connection.exchange(&Request::get("/health")))?;
    }
    println!("\n| what | p50 | p99 |\n|---|---|---|");
    for samples in [&one, &health] {
        println!(
            "| {} | {:.2} ms | {:.2} ms |",
            samples.name,
            millis(samples.median()),
            millis(samples.percentile(99))
        );
    }
    Ok(())
}

/// Removes all peers, and lets the agent see that they are gone.
fn empty(client: &Client) -> Result<(), Box<dyn Error>> {
    wg::setconf(INTERFACE, &configuration(""));
    let dump = client.get(&format!("/wg/{INTERFACE}/dump"));
    let is_empty = dump.json()["peers"].as_array().is_some_and(Vec::is_empty);
    is_empty
        .then_some(())
        .ok_or_else(|| "peers are left".into())
}

/// `wg setconf` takes the interface's key away unless it is told it again.
fn configuration(peers: &str) -> String {
    let private = wg::wg(&["show", INTERFACE, "private-key"], "");
    format!("[Interface]\nPrivateKey = {private}{peers}")
}

fn signed(client: &Client, numbers: std::ops::Range<u32>) -> Vec<Vec<u8>> {
    numbers
        .map(|number| client.prepare(&post(number)).to_bytes())
        .collect()
}

fn post(number: u32) -> Request {
    let body = json!({
        "public_key": wg::numbered_key(number),
        "allowed_ips": [wg::numbered_address(number)],
    });
    Request::new("POST", format!("/wg/{INTERFACE}/peers")).json(&body)
}
