//! HOSTILE 12: those who take their time.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use wgfleet_integration::{
    StopOnDrop,
    agent::Agent,
    client::{Address, WireRequest},
    poll,
};

use crate::common::{agent, assert_is, assert_well, post};

/// Ten seconds, and some for a machine that is busy.
const CLOSED_WITHIN: Duration = Duration::from_secs(18);

/// A connection that sends these bytes, one a second.
struct Slow {
    stream: TcpStream,
    bytes: &'static [u8],
    sent: usize,
    closed: bool,
}

impl Slow {
    fn open(agent: &Agent, bytes: &'static [u8], sent: usize) -> Self {
        let Address::Tcp(address) = agent.address() else {
            panic!("it listens on TCP")
        };
        let mut stream =
            TcpStream::connect_timeout(address, Duration::from_secs(10)).expect("a connection");
        stream
            .write_all(&bytes[..sent])
            .expect("a new connection takes bytes");
        stream.set_nonblocking(true).expect("a socket");
        Self {
            stream,
            bytes,
            sent,
            closed: false,
        }
    }

    /// Sends another byte if there is one, and sees whether the other side has closed.
    fn turn(&mut self) {
        if let Some(byte) = self.bytes.get(self.sent) {
            self.sent += 1;
            self.closed |= self.stream.write_all(&[*byte]).is_err();
        }
        while !self.closed {
            match self.stream.read(&mut [0; 512]) {
                Ok(0) => self.closed = true,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => self.closed = true,
            }
        }
    }
}

#[test]
fn hostile_12_500_slow_connections_are_closed_and_others_served() {
    let agent = agent();
    let head = b"GET /health HTTP/1.1\r\nHost: agent\r\nX-Slow: yes";
    let tls = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    let opened = Instant::now();
    let mut slow: Vec<_> = (0..500)
        .map(|n| match n % 4 {
            0 => Slow::open(&agent, b"", 0),
            1 => Slow::open(&agent, head, 0),
            2 => Slow::open(&agent, head, 30),
            _ => Slow::open(&agent, tls, 6),
        })
        .collect();
    let closed = AtomicBool::new(false);
    let latencies = thread::scope(|scope| {
        let good = scope.spawn(|| {
            let mut latencies = Vec::new();
            while !closed.load(Ordering::Relaxed) {
                let before = Instant::now();
                assert_eq!(agent.client().get("/health").status, 200);
                latencies.push(before.elapsed());
                poll(Duration::from_millis(100), || None::<()>);
            }
            latencies
        });
        let close_however_it_ends = StopOnDrop(&closed);
        while opened.elapsed() < CLOSED_WITHIN && slow.iter().any(|slow| !slow.closed) {
            slow.iter_mut()
                .filter(|slow| !slow.closed)
                .for_each(Slow::turn);
            poll(Duration::from_secs(1), || None::<()>);
        }
        drop(close_however_it_ends);
        good.join().expect("all were served")
    });
    let left = slow.iter().filter(|slow| !slow.closed).count();
    assert_eq!(left, 0, "still open after {:?}", opened.elapsed());
    let late = latencies
        .iter()
        .filter(|latency| **latency >= Duration::from_secs(1))
        .count();
    assert!(
        latencies.len() >= 5 && late == 0,
        "{late} of {} took a second",
        latencies.len()
    );
    assert_well(&agent);
}

#[test]
fn hostile_12_at_the_cap_strangers_make_room() {
    let agent = wgfleet_integration::agent::Config::simulated("wg0", 0)
        .arguments(&["--max-connections", "50"])
        .start();
    let known = agent.client().keep_alive();
    assert_eq!(known.get("/health").status, 200);
    let mut slow: Vec<_> = (0..300).map(|_| Slow::open(&agent, b"", 0)).collect();
    for _ in 0..5 {
        assert_eq!(
            agent.client().get("/health").status,
            200,
            "a newcomer is served"
        );
        assert_eq!(
            known.get("/health").status,
            200,
            "who has signed before stays"
        );
    }
    slow.iter_mut().for_each(Slow::turn);
    let open = slow.iter().filter(|slow| !slow.closed).count();
    assert!(open <= 50, "{open} of 300 are open");
}

#[test]
fn a_body_that_does_not_come_is_given_up() {
    let agent = agent();
    let client = agent.client().timeout(CLOSED_WITHIN);
    let whole = post(&client, 1);
    let mut connection = client.connect().expect("a connection");
    let part = WireRequest {
        body: whole.body[..5].to_vec(),
        ..whole.clone()
    };
    let before = Instant::now();
    connection.write(&part.to_bytes()).expect("written");
    let answer = connection.read_response().expect("an answer");
    assert_is(&answer, 408, "timeout");
    assert!(
        before.elapsed() >= Duration::from_secs(9),
        "{:?}",
        before.elapsed()
    );
    connection.read_to_end().expect("closed");
    // Nothing was made of it, and it may be sent again.
    assert_eq!(client.send_wire(&whole).expect("an answer").status, 200);
}

#[test]
fn who_closes_its_side_still_gets_the_answer() {
    let agent = agent();
    let Address::Tcp(address) = agent.address() else {
        panic!("it listens on TCP")
    };
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream
        .write_all(&post(&agent.client(), 1).to_bytes())
        .expect("written");
    stream
        .shutdown(std::net::Shutdown::Write)
        .expect("a socket");
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .expect("a socket");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}
