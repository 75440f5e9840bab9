//! HOSTILE 13: where a request ends, and how many there are.

use wgfleet_integration::client::{Request, WireRequest};

use crate::common::{agent, assert_well, health, peer_count, post, statuses};

#[test]
fn hostile_13_lengths_that_contradict_or_are_none() {
    let agent = agent();
    let client = agent.client();
    let good = post(&client, 1);
    let length = good.body.len();
    for value in [
        format!("{}", length - 1),
        format!("+{length}"),
        format!("-{length}"),
        format!("0x{length:x}"),
        format!("{length}, {}", length - 1),
        "99999999999999999999".into(),
        String::new(),
        "ten".into(),
    ] {
        let mut two = good.clone();
        two.add("Content-Length", value.clone());
        // Closed as well: this reads until it is.
        let came = client.send_raw(&two.to_bytes()).expect("closed");
        assert_eq!(statuses(&came), [400], "beside {length}: {value:?}");
    }
    assert_eq!(peer_count(&client), 0);
}

#[test]
fn hostile_13_folded_and_broken_headers() {
    let agent = agent();
    let client = agent.client();
    let good = String::from_utf8(health(&client).to_bytes()).expect("text");
    let with = |line: &str| good.replace("Host: agent\r\n", &format!("Host: agent\r\n{line}\r\n"));
    for line in [
        "X-Folded: a\r\n b",
        "X-Folded: a\r\n\tb",
        " X-Led: a",
        "X-Spaced : a",
        "X Spaced: a",
        ": a",
        "none",
        "X-Nul: a\0b",
        "X-Cr: a\rb",
        "X-\u{e9}: a",
    ] {
        let came = client.send_raw(with(line).as_bytes()).expect("closed");
        assert_eq!(statuses(&came), [400], "{line:?}");
    }
    assert_well(&agent);
}

/// `good` with its body in one chunk, both ways of telling its length, and another request behind.
fn smuggled(
    good: &WireRequest,
    length: &str,
    length_first: bool,
    encoding: &str,
    behind: &WireRequest,
) -> Vec<u8> {
    let mut wire = good.clone();
    wire.remove("Content-Length");
    wire.replace("Connection", "keep-alive");
    let chunks = format!(
        "{:x}\r\n{}\r\n0\r\n\r\n",
        wire.body.len(),
        String::from_utf8_lossy(&wire.body)
    );
    if length_first {
        wire.add("Content-Length", length);
    }
    wire.add("Transfer-Encoding", encoding);
    if !length_first {
        wire.add("Content-Length", length);
    }
    wire.body = chunks.into_bytes();
    [wire.to_bytes(), behind.to_bytes()].concat()
}

#[test]
fn hostile_13_never_two_requests_out_of_one() {
    let agent = agent();
    let client = agent.client();
    let mut number = 0;
    for length in ["0", "3", "57", "100000"] {
        for length_first in [true, false] {
            for encoding in [
                "chunked",
                "Chunked",
                "gzip, chunked",
                "chunked, identity",
                "identity",
                "xchunked",
            ] {
                number += 2;
                let before = peer_count(&client);
                let bytes = smuggled(
                    &post(&client, number),
                    length,
                    length_first,
                    encoding,
                    &post(&client, number + 1),
                );
                let came = client.send_raw(&bytes).expect("closed");
                let case = format!(
                    "{length} {length_first} {encoding}: {}",
                    String::from_utf8_lossy(&came)
                );
                let statuses = statuses(&came);
                assert!(statuses.len() <= 1, "{case}");
                assert!(
                    statuses
                        .iter()
                        .all(|status| matches!(status, 200 | 400 | 501)),
                    "{case}"
                );
                assert!(peer_count(&client) <= before + 1, "{case}");
                let dump = client.dump("wg0").to_string();
                assert!(
                    !dump.contains(&wgfleet_integration::wg::numbered_key(number + 1)),
                    "{case}"
                );
            }
        }
    }
    assert_well(&agent);
}

#[test]
fn hostile_13_chunks_that_are_none() {
    let agent = agent();
    let client = agent.client();
    for chunks in [
        "zz\r\n{}\r\n0\r\n\r\n",
        "-1\r\n{}\r\n0\r\n\r\n",
        "0x2\r\n{}\r\n0\r\n\r\n",
        "2\r\n{}}\r\n0\r\n\r\n",
        "ffffffffffffffffff\r\n{}",
        "2;\0\r\n{}\r\n0\r\n\r\n",
    ] {
        let mut wire = post(&client, 1);
        wire.remove("Content-Length");
        wire.add("Transfer-Encoding", "chunked");
        wire.body = chunks.into();
        let came = client.send_raw(&wire.to_bytes()).expect("closed");
        assert!(
            matches!(statuses(&came)[..], [] | [400 | 401 | 413]),
            "{chunks:?}: {}",
            String::from_utf8_lossy(&came)
        );
    }
    assert_eq!(peer_count(&client), 0);
    // A signed body in chunks is a body like any other.
    let mut wire = post(&client, 1);
    wire.remove("Content-Length");
    wire.add("Transfer-Encoding", "chunked");
    let (first, second) = wire.body.split_at(10);
    let text = |part: &[u8]| format!("{:x}\r\n{}\r\n", part.len(), String::from_utf8_lossy(part));
    wire.body = format!("{}{}0\r\n\r\n", text(first), text(second)).into_bytes();
    assert_eq!(client.send_wire(&wire).expect("an answer").status, 200);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let agent = agent();
    let client = agent.client().keep_alive();
    let key = wgfleet_integration::wg::numbered_key(1);
    let requests = [
        Request::get("/health"),
        Request::new("POST", "/wg/wg0/peers").body(format!(r#"{{"public_key":"{key}"}}"#)),
        Request::get("/nowhere"),
        Request::new("PUT", format!("/wg/wg0/peers/{key}")).body("{}"),
        Request::new("PATCH", "/wg"),
        Request::new("DELETE", format!("/wg/wg0/peers/{key}")),
        Request::new("DELETE", format!("/wg/wg0/peers/{key}?n=2")),
        Request::get("/wg/wg0/dump"),
    ];
    let bytes: Vec<_> = requests
        .iter()
        .flat_map(|request| client.prepare(request).to_bytes())
        .collect();
    let mut connection = client.connect().expect("a connection");
    connection.write(&bytes).expect("written");
    for expected in [200, 200, 404, 200, 405, 200, 404, 200] {
        assert_eq!(
            connection.read_response().expect("an answer").status,
            expected
        );
    }
}

#[test]
fn more_headers_than_anyone_needs() {
    let agent = agent();
    let client = agent.client();
    // Four are there already.
    for (more, status) in [(60, 200), (61, 431), (5_000, 431)] {
        let mut wire = health(&client);
        (0..more).for_each(|n| wire.add(&format!("X-{n}"), "v"));
        let came = client.send_raw(&wire.to_bytes()).expect("closed");
        assert_eq!(statuses(&came), [status], "{more} more");
    }
    for (size, expected) in [(8 * 1024, 200), (64 * 1024, 431), (4 * 1024 * 1024, 431)] {
        let mut wire = health(&client);
        wire.add("X-Large", vec![b'x'; size]);
        let mut connection = client.connect().expect("a connection");
        // It may be closed before all of it is written, and its answer lost with it.
        match connection.exchange(&wire.to_bytes()) {
            Ok(answer) => assert_eq!(answer.status, expected, "{size} bytes"),
            Err(error) => assert_ne!(expected, 200, "{size} bytes: {error}"),
        }
    }
    assert_well(&agent);
}

#[test]
fn what_is_not_http_is_closed() {
    let agent = agent();
    let client = agent.client();
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\0\0\0\0\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /health HTTP/9.9\r\n\r\n",
        b"\r\n\r\n\r\nHELLO\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
    ] {
        let came = client.send_raw(bytes).expect("closed");
        assert!(
            matches!(statuses(&came)[..], [] | [400 | 401 | 505]),
            "{bytes:?}: {}",
            String::from_utf8_lossy(&came)
        );
    }
    assert_well(&agent);
}
