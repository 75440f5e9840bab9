//! Signed `GET /health` a second, beside a bare hyper server that says "hello" to the same requests
//! from the same client. Outside the lab, on the simulated backend: no kernel is asked.
//!
//! `target/release/http [ROUNDS [REQUESTS]]`

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

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: usize| arguments.next().map_or(Ok(default), |text| text.parse());
    let (rounds, requests) = (number(15)?, number(10_000)?);

    let agent = Config::simulated("wg0", 100).start();
    let hello = Hello::start()?;
    let Address::Tcp(address) = agent.address() else {
        return Err("the agent listens elsewhere".into());
    };
    let client = agent.client().keep_alive();
    let mut to_agent = Load::connect(*address, IN_FLIGHT)?;
    let mut to_hello = Load::connect(hello.address, IN_FLIGHT)?;
    let (mut ours, mut bare) = (
        Samples::new("signed `GET /health`"),
        Samples::new("bare hyper"),
    );
    for round in 0..=rounds {
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

    println!(
        "\n### HTTP ({rounds} rounds of {requests} requests each, in turns, {IN_FLIGHT} in flight)\n"
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
