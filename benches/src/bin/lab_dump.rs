//! Dumps of a device with many peers, on a real kernel: ours over HTTP beside the floor and `wg`.
//!
//! Runs inside the lab: `integration/lab/run target/release/lab_dump [PEERS [ROUNDS]]`.

use std::{
    error::Error,
    process::{Command, Stdio},
};

use wgfleet_benches::{floor::Floor, local_client::LocalClient, samples::Samples};
use wgfleet_integration::{
    agent::{Agent, Config, SECRET},
    client::Request,
    wg,
};

const INTERFACE: &str = "wg0";
const DUMPS_FOR_MEMORY: u32 = 200;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let peers: u32 = arguments.next().map_or(Ok(10_000), |text| text.parse())?;
    let rounds: u32 = arguments.next().map_or(Ok(21), |text| text.parse())?;

    wg::add_interface(INTERFACE);
    wg::setconf(INTERFACE, &wg::configuration(peers));
    let agent = Config::kernel().start();
    // As large as any answer here can be.
    let buffer_bytes = 1024 * usize::try_from(peers)? + 65_536;
    let mut client = LocalClient::connect(agent.address(), SECRET, buffer_bytes)?;
    let dump = Request::get(format!("/wg/{INTERFACE}/dump"));
    client.exchange(&dump)?;

    let mut floor = Floor::open(INTERFACE)?;
    let mut bare = Samples::new("bare recvmsg loop, 32 KiB buffer, nothing parsed (the floor)");
    let mut ours = Samples::new("`GET /wg/wg0/dump`, whole request, local client");
    let mut oracle = Samples::new("`wg show wg0 dump` to a pipe");
    let mut received = floor.dump()?;
    let mut body_bytes = 0;
    for _ in 0..rounds {
        received = bare.measure(|| floor.dump())?;
        body_bytes = ours.measure(|| client.exchange(&dump))?;
        oracle.measure(wg_show_dump)?;
    }

    println!("### Dump of {peers} peers ({rounds} rounds, interleaved)\n");
    println!("| what | median | range | to the floor |\n|---|---|---|---|");
    for samples in [&bare, &ours, &oracle] {
        println!("{}", samples.row(&bare));
    }
    println!(
        "\nThe dump: {} bytes in {} calls of recvmsg; the answer: {body_bytes} bytes.",
        received.bytes, received.calls
    );
    println!(
        "`wg show` takes {:.1} times as long as the request.",
        oracle.ratio_to(&ours)
    );
    report_memory(&agent, &mut client, &dump)
}

fn report_memory(
    agent: &Agent,
    client: &mut LocalClient,
    dump: &Request,
) -> Result<(), Box<dyn Error>> {
    let before = agent.rss_kib();
    for _ in 0..DUMPS_FOR_MEMORY {
        client.exchange(dump)?;
    }
    let halfway = agent.rss_kib();
    for _ in 0..DUMPS_FOR_MEMORY {
        client.exchange(dump)?;
    }
    println!(
        "\nResident memory of the agent: {:.1} MiB, after {DUMPS_FOR_MEMORY} dumps more {:.1} MiB, after another {DUMPS_FOR_MEMORY} {:.1} MiB.",
        mib(before),
        mib(halfway),
        mib(agent.rss_kib()),
    );
    Ok(())
}

#[allow(clippy::cast_precision_loss, reason = "for people")]
fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}

fn wg_show_dump() -> std::io::Result<()> {
    let shown = Command::new("wg")
        .args(["show", INTERFACE, "dump"])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    if shown.status.success() {
        Ok(())
    } else {
        Err(std::io::ErrorKind::Other.into())
    }
}
