//! Those who connect and do not shake hands.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use wgfleet_integration::{client::Address, eventually};

use crate::common::Secured;

/// Ten seconds, and some for a machine that is busy.
const CLOSED_WITHIN: Duration = Duration::from_secs(18);
/// The beginning of a TLS handshake.
const HALF_A_HELLO: &[u8] = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";

fn connect(secured: &Secured, says: &[u8]) -> TcpStream {
    let Address::Tcp(address) = secured.agent.address() else {
        panic!("it listens on TCP")
    };
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.write_all(says).expect("written");
    stream.set_nonblocking(true).expect("a socket");
    stream
}

fn is_closed(stream: &mut TcpStream) -> bool {
    match stream.read(&mut [0; 64]) {
        Ok(0) => true,
        Ok(_) => false,
        Err(error) => error.kind() != ErrorKind::WouldBlock,
    }
}

#[test]
fn a_handshake_that_never_comes_is_closed_in_time() {
    let secured = Secured::start();
    let opened = Instant::now();
    let mut slow: Vec<_> = (0..100)
        .map(|n| connect(&secured, &HALF_A_HELLO[..n % HALF_A_HELLO.len()]))
        .collect();
    // One that did shake hands, and then says nothing.
    let silent = secured.client().connect().expect("a handshake");
    eventually(CLOSED_WITHIN, "all of them are closed", || {
        assert_eq!(
            secured.client().get("/health").status,
            200,
            "others are served"
        );
        slow.retain_mut(|stream| !is_closed(stream));
        slow.is_empty().then_some(())
    });
    assert!(
        opened.elapsed() >= Duration::from_secs(5),
        "given time to be slow"
    );
    drop(silent);
}

#[test]
fn a_signal_does_not_wait_for_them() {
    let mut secured = Secured::start();
    let _half = connect(&secured, HALF_A_HELLO);
    let kept = secured.client().keep_alive();
    assert_eq!(kept.get("/health").status, 200);
    let before = Instant::now();
    assert!(secured.agent.terminate().success());
    assert!(
        before.elapsed() < Duration::from_secs(5),
        "{:?}",
        before.elapsed()
    );
}

#[test]
fn at_the_cap_those_without_a_handshake_make_room() {
    let secured = Secured::start_with(&["--max-connections", "20"]);
    let known = secured.client().keep_alive();
    assert_eq!(known.get("/health").status, 200);
    let mut strangers: Vec<_> = (0..100).map(|_| connect(&secured, HALF_A_HELLO)).collect();
    for _ in 0..5 {
        assert_eq!(
            secured.client().get("/health").status,
            200,
            "a newcomer is served"
        );
        assert_eq!(
            known.get("/health").status,
            200,
            "who has signed before stays"
        );
    }
    let open = strangers
        .iter_mut()
        .filter_map(|stream| (!is_closed(stream)).then_some(()))
        .count();
    assert!(open <= 20, "{open} of 100 are open");
}
