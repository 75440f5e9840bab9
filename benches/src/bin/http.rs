//! Signed `GET /health` a second, beside a bare hyper server that says "hello" to the same requests
//! from the same client. Outside the lab, on the simulated backend: no kernel is asked.
//!
//! `target/release/http [STARTS [REQUESTS]]`

use std::{
    error::Error,
    io::{self, BufRead, BufReader},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use wgfleet_benches::{
    bar::{self, Bar},
    load::Load,
    samples::Samples,
};
use wgfleet_integration::{
    agent::Config,
    client::{Address, Request},
};

const IN_FLIGHT: usize = 32;
/// Rounds of one start.
const ROUNDS: usize = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: usize| arguments.next().map_or(Ok(default), |text| text.parse());
    let (starts, requests) = (number(15)?, number(10_000)?);

    let (mut ours, mut bare) = (
        Samples::new("signed `GET /health`"),
        Samples::new("bare hyper"),
    );
    // Where a process has its memory, and on which processor it wakes up, is chance and stays for as
    // long as it runs: each start throws the dice again, for both.
    for _ in 0..starts {
        one_start(requests, &mut ours, &mut bare)?;
    }

    println!(
        "\n### HTTP ({starts} starts of both, {ROUNDS} rounds of {requests} requests each, in turns, {IN_FLIGHT} in flight)\n"
    );
    println!("| what | requests a second |\n|---|---|");
    for samples in [&ours, &bare] {
        println!("| {} | {:.0} |", samples.name, a_second(requests, samples));
    }
    let bar = Bar::at_least(
        "signed `GET /health` a second, to bare hyper",
        0.8,
        "×",
        bare.ratio_by_rounds(&ours),
    );
    println!("\n{}\n{bar}", bar::HEAD);
    Ok(())
}

fn one_start(
    requests: usize,
    ours: &mut Samples,
    bare: &mut Samples,
) -> Result<(), Box<dyn Error>> {
    let agent = Config::simulated("wg0", 100).start();
    let hello = Hello::start()?;
    let Address::Tcp(address) = agent.address() else {
        return Err("the agent listens elsewhere".into());
    };
    let client = agent.client().keep_alive();
    let mut to_agent = Load::connect(*address, IN_FLIGHT)?;
    let mut to_hello = Load::connect(hello.address, IN_FLIGHT)?;
    for round in 0..=ROUNDS {
        // A signature holds for 300 s, however often it is sent: reading changes nothing.
        let wire = client.prepare(&Request::get("/health")).to_bytes();
        let of_agent = to_agent.run(requests, |_| &wire)?;
        let of_hello = to_hello.run(requests, |_| &wire)?;
        // The first round is for getting warm.
        if round > 0 {
            ours.add(of_agent);
            bare.add(of_hello);
        }
    }
    Ok(())
}

#[allow(clippy::cast_precision_loss, reason = "for people")]
fn a_second(requests: usize, samples: &Samples) -> f64 {
    requests as f64 / samples.median().as_secs_f64()
}

/// The server beside; killed when dropped.
struct Hello {
    process: Child,
    address: SocketAddr,
}

impl Hello {
    fn start() -> Result<Self, Box<dyn Error>> {
        let mut process = Command::new(beside("hello")?)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = process.stdout.take().expect("piped");
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let address = line.trim().parse()?;
        Ok(Self { process, address })
    }
}

impl Drop for Hello {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A program built together with this one.
fn beside(name: &str) -> io::Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name(name))
}
