//! Resident memory of the agent that has dumped a device with many peers many times, on a real
//! kernel.
//!
//! Runs inside the lab: `integration/lab/run target/release/lab_memory`.

use std::error::Error;

use wgfleet_benches::{
    bar::{self, Bar},
    local_client::LocalClient,
};
use wgfleet_integration::{
    agent::{Config, SECRET},
    client::Request,
    wg,
};

/// Peers, the bar in MiB, and after how many dumps it is judged.
const SIZES: [(u32, f64, u32); 2] = [(10_000, 24.0, 200), (100_000, 64.0, 40)];

fn main() -> Result<(), Box<dyn Error>> {
    let mut bars = Vec::new();
    println!("\n### Resident memory of the agent\n");
    println!(
        "| peers | at start | after the first dump | half way | after all | the most | answer |"
    );
    println!("|---|---|---|---|---|---|---|");
    for (peers, bound, dumps) in SIZES {
        let interface = format!("wg{peers}");
        wg::add_interface(&interface);
        wg::setconf(&interface, &wg::configuration(peers));
        let agent = Config::kernel().start();
        let buffer_bytes = 1024 * usize::try_from(peers)? + 65_536;
        let mut client = LocalClient::connect(agent.address(), SECRET, buffer_bytes)?;
        let dump = Request::get(format!("/wg/{interface}/dump"));
        let at_start = agent.rss_kib();
        let mut after = Vec::new();
        let mut body_bytes = 0;
        for _ in 0..dumps {
            body_bytes = client.exchange(&dump)?;
            after.push(agent.rss_kib());
        }
        let most = after.iter().copied().max().unwrap_or_default();
        let [first, half, last] = [0, after.len() / 2, after.len() - 1].map(|at| mib(after[at]));
        println!(
            "| {peers} | {:.1} MiB | {first:.1} MiB | {half:.1} MiB ({}) | {last:.1} MiB ({dumps}) | {:.1} MiB | {body_bytes} bytes |",
            mib(at_start),
            dumps / 2,
            mib(most),
        );
        let what = format!("resident memory, {peers} peers, the most after any of {dumps} dumps");
        bars.push(Bar::at_most(what, bound, "MiB", mib(most)));
        // Removing peers one by one takes the kernel minutes; all at once, no time.
        wg::setconf(&interface, "");
    }
    println!("\n{}", bar::HEAD);
    for bar in bars {
        println!("{bar}");
    }
    Ok(())
}

#[allow(clippy::cast_precision_loss, reason = "for people")]
fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}
