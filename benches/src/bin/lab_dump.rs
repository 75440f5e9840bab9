//! Dumps of a device with many peers, on a real kernel: ours over HTTP beside the floor,
//! `wireguard-control` and `wg`, in turns; and the system calls each makes.
//!
//! Runs inside the lab: `integration/lab/run target/release/lab_dump [PEERS [ROUNDS]]`.

use std::{
    error::Error,
    io,
    process::{Command, Stdio},
};

use wgfleet_benches::{
    bar::{self, Bar},
    calls,
    floor::Floor,
    local_client::LocalClient,
    samples::Samples,
};
use wgfleet_integration::{
    agent::{Agent, Config, SECRET},
    client::Request,
    wg,
};
use wireguard_control::{Backend, Device};

const INTERFACE: &str = "wg0";
/// Dumps while calls are counted.
const COUNTED_DUMPS: u32 = 10;
/// The argument that makes this program do nothing but `Device::get`, so many times: its calls are
/// counted from outside.
const GET_DEVICE: &str = "--get-device";

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1).peekable();
    if arguments.next_if_eq(GET_DEVICE).is_some() {
        let times: u32 = arguments.next().unwrap_or_default().parse()?;
        return (0..times).try_for_each(|_| Ok(get_device().map(drop)?));
    }
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
    let mut library = Samples::new("`wireguard-control` `Device::get`");
    let mut oracle = Samples::new("`wg show wg0 dump` to a pipe");
    let mut received = floor.dump()?;
    let (mut body_bytes, mut listed) = (0, 0);
    for _ in 0..rounds {
        received = bare.measure(|| floor.dump())?;
        body_bytes = ours.measure(|| client.exchange(&dump))?;
        listed = library.measure(get_device)?;
        oracle.measure(wg_show_dump)?;
    }
    let calls = [
        u64::from(received.calls) + 1,
        calls_of_agent(&agent, &mut client, &dump)?,
        calls_of_library()?,
        calls::of_command(&["wg", "show", INTERFACE, "dump"])?.total(),
    ];

    println!("\n### Dump of {peers} peers ({rounds} rounds, in turns)\n");
    println!("| what | median | range | to the floor | system calls |\n|---|---|---|---|---|");
    for (samples, calls) in [&bare, &ours, &library, &oracle].into_iter().zip(calls) {
        println!("{} {calls} |", samples.row(&bare));
    }
    println!(
        "\nThe dump: {} bytes in {} calls of recvmsg; the answer: {body_bytes} bytes. The request's calls are the agent's. `wireguard-control` lists {listed} peers.",
        received.bytes, received.calls
    );
    println!(
        "`wg show` takes {:.1} times as long as the request.",
        oracle.ratio_to(&ours)
    );
    let what = format!("whole `GET dump`, {peers} peers, to the recvmsg floor");
    let bar = Bar::at_most(what, 2.0, "×", ours.ratio_by_rounds(&bare));
    println!("\n{}\n{bar}", bar::HEAD);
    Ok(())
}

/// System calls of the agent for one dump.
fn calls_of_agent(agent: &Agent, client: &mut LocalClient, dump: &Request) -> io::Result<u64> {
    let all = calls::of_process(agent.pid(), || {
        (0..COUNTED_DUMPS).try_for_each(|_| client.exchange(dump).map(drop))
    })?;
    Ok(all.total() / u64::from(COUNTED_DUMPS))
}

/// System calls of `Device::get`, those of the program around it taken off.
fn calls_of_library() -> Result<u64, Box<dyn Error>> {
    let program = std::env::current_exe()?;
    let program = program.to_str().ok_or("a path that is no text")?;
    let of = |times: &str| calls::of_command(&[program, GET_DEVICE, times]);
    Ok((of("3")?.total() - of("0")?.total()) / 3)
}

/// How many peers `wireguard-control` finds.
fn get_device() -> io::Result<usize> {
    let name = INTERFACE.parse().map_err(io::Error::other)?;
    Ok(Device::get(&name, Backend::Kernel)?.peers.len())
}

fn wg_show_dump() -> io::Result<()> {
    let shown = Command::new("wg")
        .args(["show", INTERFACE, "dump"])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    if shown.status.success() {
        Ok(())
    } else {
        Err(io::ErrorKind::Other.into())
    }
}
