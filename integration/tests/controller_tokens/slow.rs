//! Those who take their time with the REST API, and those who come in numbers.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use serde_json::json;
use wgfleet_integration::{
    StopOnDrop,
    client::{Client, WireRequest},
    controller::{self, Controller},
    poll,
};

use crate::common::{assert_refused, tcp};

/// Ten seconds, and some for a machine that is busy.
const CLOSED_WITHIN: Duration = Duration::from_secs(18);
const HEAD: &[u8] = b"GET /api/v1/nodes HTTP/1.1\r\nHost: a\r\nX-Slow: yes";

/// A connection that sends these bytes, one a second.
struct Slow {
    stream: TcpStream,
    bytes: &'static [u8],
    sent: usize,
    closed: bool,
}

impl Slow {
    fn open(controller: &Controller, bytes: &'static [u8], sent: usize) -> Self {
        let within = Duration::from_secs(10);
        let stream = TcpStream::connect_timeout(&tcp(controller), within);
        let mut stream = stream.expect("a connection");
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
fn slow_connections_are_closed_and_others_served() {
    let controller = controller::Config::new().start();
    let rest = controller.rest();
    let opened = Instant::now();
    let mut slow: Vec<_> = (0..300)
        .map(|n| match n % 3 {
            0 => Slow::open(&controller, b"", 0),
            1 => Slow::open(&controller, HEAD, 0),
            _ => Slow::open(&controller, HEAD, 30),
        })
        .collect();
    let closed = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !closed.load(Ordering::Relaxed) {
                assert_eq!(rest.get("/nodes").status, 200, "others are served");
                poll(Duration::from_millis(100), || None::<()>);
            }
        });
        let close_however_it_ends = StopOnDrop(&closed);
        while opened.elapsed() < CLOSED_WITHIN && slow.iter().any(|slow| !slow.closed) {
            slow.iter_mut()
                .filter(|slow| !slow.closed)
                .for_each(Slow::turn);
            poll(Duration::from_secs(1), || None::<()>);
        }
        drop(close_however_it_ends);
    });
    let left = slow.iter().filter(|slow| !slow.closed).count();
    assert_eq!(left, 0, "still open after {:?}", opened.elapsed());
    assert!(!controller.log().contains("panicked"));
}

#[test]
fn at_the_cap_strangers_make_room() {
    let controller = controller::Config::new()
        .arguments(&["--max-connections", "20"])
        .start();
    let known = Client::new(controller.address().clone(), "").keep_alive();
    let mut asks = controller.rest().wire("GET", "/nodes", None);
    asks.replace("Connection", "keep-alive");
    let ask = || known.send_wire(&asks).expect("an answer").status;
    assert_eq!(ask(), 200);
    let mut slow: Vec<_> = (0..100).map(|_| Slow::open(&controller, b"", 0)).collect();
    for _ in 0..5 {
        let newcomer = controller.rest().get("/nodes").status;
        assert_eq!(newcomer, 200, "a newcomer is served");
        assert_eq!(ask(), 200, "who has shown a token stays");
    }
    let open = poll(Duration::from_secs(10), || {
        slow.iter_mut()
            .filter(|slow| !slow.closed)
            .for_each(Slow::turn);
        let open = slow.iter().filter(|slow| !slow.closed).count();
        (open <= 20).then_some(open)
    });
    assert!(open.is_some(), "more than 20 of 100 are open");
}

/// The request without the end of its body.
fn cut_off(whole: &WireRequest) -> Vec<u8> {
    let part = WireRequest {
        body: whole.body[..5].to_vec(),
        ..whole.clone()
    };
    part.to_bytes()
}

#[test]
fn a_body_that_does_not_come_is_given_up_and_a_strangers_is_not_waited_for() {
    let controller = controller::Config::new()
        .arguments(&["--body-timeout", "2s", "--max-body-bytes", "2048"])
        .start();
    let client = Client::new(controller.address().clone(), "").timeout(CLOSED_WITHIN);
    let body = json!({"name": "ci", "role": "viewer"});
    let whole = controller.rest().wire("POST", "/tokens", Some(&body));
    let mut connection = client.connect().expect("a connection");
    let before = Instant::now();
    connection.write(&cut_off(&whole)).expect("written");
    let answer = connection.read_response().expect("an answer");
    assert_refused(&answer, 408, "timed_out");
    assert!(before.elapsed() >= Duration::from_secs(2));
    connection.read_to_end().expect("closed");
    assert_eq!(client.send_wire(&whole).expect("an answer").status, 201);

    let stranger = controller.rest_with("wgf_a-guess");
    let guess = stranger.wire("POST", "/tokens", Some(&body));
    let mut connection = client.connect().expect("a connection");
    connection.write(&cut_off(&guess)).expect("written");
    let answer = connection.read_response().expect("an answer");
    assert_refused(&answer, 401, "unauthenticated");

    let large = json!({"name": "a".repeat(4096), "role": "viewer"});
    let answer = controller.rest().post("/tokens", &large);
    assert_refused(&answer, 413, "body_too_large");
}
