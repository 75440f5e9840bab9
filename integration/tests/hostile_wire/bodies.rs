//! HOSTILE 11 and 15: bodies without end, and JSON nobody should send.

use wgfleet_integration::{
    agent::Agent,
    client::{Client, Request, WireRequest},
    wg::numbered_key,
};

use crate::common::{agent, assert_is, assert_well, peer_count, post};

const MIB: usize = 1024 * 1024;
/// Far more than is read, and far less than what a body without end would come to.
const MEMORY_SLACK_KIB: u64 = 24 * 1024;

/// A request that is shaped as a signed one, by somebody without the secret.
fn forged(client: &Client) -> WireRequest {
    let mut wire = post(client, 1);
    wire.remove("Content-Length");
    wire.replace("X-Signature", "0".repeat(64));
    wire
}

/// Sends `head`, then `chunk` again and again until it is stopped; gives how much it took and the
/// answer, if one came through.
fn pour(client: &Client, head: &[u8], chunk: &[u8]) -> (usize, Option<u16>) {
    let mut connection = client.connect().expect("a connection");
    let mut taken = 0;
    let mut written = connection.write(head);
    while written.is_ok() && taken < 64 * MIB {
        written = connection.write(chunk);
        taken += chunk.len();
    }
    (
        taken,
        connection.read_response().ok().map(|answer| answer.status),
    )
}

#[track_caller]
fn is_stopped(agent: &Agent, wire: &WireRequest, chunk: &[u8]) {
    let client = agent.client();
    let head = WireRequest {
        body: Vec::new(),
        ..wire.clone()
    }
    .to_bytes();
    let before = agent.rss_kib();
    for _ in 0..8 {
        let (taken, status) = pour(&client, &head, chunk);
        // What sockets hold, not what the agent does.
        assert!(taken < 32 * MIB, "{taken} bytes were taken");
        assert!(
            matches!(status, None | Some(401 | 413 | 429 | 400)),
            "{status:?}"
        );
    }
    let after = agent.rss_kib();
    assert!(
        after < before + MEMORY_SLACK_KIB,
        "{before} KiB became {after}"
    );
    assert_eq!(peer_count(&client), 0);
}

#[test]
fn hostile_11_an_endless_chunked_body() {
    let agent = agent();
    let client = agent.client();
    let chunk = [b"10000\r\n".to_vec(), vec![b' '; 0x10000], b"\r\n".to_vec()].concat();
    let mut wire = forged(&client);
    wire.add("Transfer-Encoding", "chunked");
    is_stopped(&agent, &wire, &chunk);
    wire.remove("X-Signature");
    is_stopped(&agent, &wire, &chunk);
    // One byte a chunk, and a chunk's extension without end.
    wire.add("X-Signature", "0".repeat(64));
    is_stopped(&agent, &wire, "1\r\n \r\n".repeat(10_000).as_bytes());
    is_stopped(
        &agent,
        &wire,
        &[b"1;".to_vec(), vec![b'x'; 0x10000]].concat(),
    );
    assert_well(&agent);
}

#[test]
fn hostile_11_an_oversized_body() {
    let agent = agent();
    let client = agent.client();
    for length in ["262145", "1099511627776", "9223372036854775807"] {
        let mut wire = forged(&client);
        wire.add("Content-Length", length);
        is_stopped(&agent, &wire, &vec![b' '; 0x10000]);
        wire.remove("X-Signature");
        is_stopped(&agent, &wire, &vec![b' '; 0x10000]);
    }
    // Signed or not: too much is too much.
    let large = Request::new("POST", "/wg/wg0/peers").body(vec![b' '; 256 * 1024 + 1]);
    if let Ok(answer) = client.send(&large) {
        assert_is(&answer, 413, "too_large");
    }
    let whole = Request::new("POST", "/wg/wg0/peers").body(vec![b' '; 256 * 1024]);
    assert_is(&client.send(&whole).expect("an answer"), 400, "bad_request");
    assert_well(&agent);
}

#[test]
fn hostile_11_many_large_bodies_at_once_stay_within_their_budget() {
    let agent = agent();
    let client = agent.client();
    let before = agent.rss_kib();
    let mut wire = forged(&client);
    wire.add("Content-Length", "262144");
    let started = [
        WireRequest {
            body: Vec::new(),
            ..wire
        }
        .to_bytes(),
        vec![b' '; 200 * 1024],
    ]
    .concat();
    // Each has nearly all of its body sent and waits with the rest.
    let held: Vec<_> = (0..200)
        .filter_map(|_| {
            let mut connection = client.connect().ok()?;
            connection.write(&started).ok().map(|()| connection)
        })
        .collect();
    assert_eq!(client.get("/health").status, 200);
    let after = agent.rss_kib();
    assert!(after < before + 128 * 1024, "{before} KiB became {after}");
    drop(held);
    assert_well(&agent);
}

/// Bodies that spoil a field everybody knows.
fn known_fields(key: &str) -> Vec<Vec<u8>> {
    let deep = |opening: &str| opening.repeat(10_000);
    let mut bodies: Vec<Vec<u8>> = [
        format!(r#"{{"public_key":"{key}","allowed_ips":{}"#, deep("[")),
        format!(
            r#"{{"public_key":"{key}","allowed_ips":{}{}}}"#,
            deep("["),
            deep("]")
        ),
        format!(r#"{{"public_key":{}"#, deep(r#"{"public_key":"#)),
        format!(r#"{{"public_key":"{key}","public_key":"{key}"}}"#),
        format!(r#"{{"public_key":"{key}","public\u005fkey":"{key}"}}"#),
        format!(r#"{{"public_key":"{key}","allowed_ips":[],"allowed_ips":["10.0.0.1"]}}"#),
        format!(r#"{{"public_key":"{key}","endpoint":"\ud800"}}"#),
        format!(r#"{{"public_key":"{key}","endpoint":"\udc00\ud800"}}"#),
        format!(r#"{{"public_key":"{key}","allowed_ips":["\ud83d10.0.0.1"]}}"#),
        format!(r#"{{"public_key":"{key}","persistent_keepalive":1e400}}"#),
        format!(r#"{{"public_key":"{key}","persistent_keepalive":25e0}}"#),
        format!(
            r#"{{"public_key":"{key}","persistent_keepalive":{}}}"#,
            "9".repeat(10_000)
        ),
        format!(r#"{{"public_key":"{key}","persistent_keepalive":NaN}}"#),
        format!("\u{feff}{{\"public_key\":\"{key}\"}}"),
        format!("{{\"public_key\":\"{key}\"}}\0"),
        format!("{{\"public_key\":\"{key}\"}}{{}}"),
        format!("{{\"public_key\":\"{key}\",}}"),
        format!("{{'public_key':'{key}'}}"),
        format!("/**/{{\"public_key\":\"{key}\"}}"),
    ]
    .into_iter()
    .map(String::into_bytes)
    .collect();
    for bad in [
        &b"\xff"[..],
        b"\xc0\xaf",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\x01",
    ] {
        let start = format!(r#"{{"public_key":"{key}","endpoint":""#);
        bodies.push([start.as_bytes(), bad, b"\"}"].concat());
    }
    let utf16 = format!("{{\"public_key\":\"{key}\"}}");
    bodies.push(utf16.encode_utf16().flat_map(u16::to_le_bytes).collect());
    bodies
}

#[test]
fn hostile_15_json_that_spoils_a_known_field() {
    let agent = agent();
    let client = agent.client();
    for body in known_fields(&numbered_key(1)) {
        let shown = String::from_utf8_lossy(&body[..body.len().min(100)]).into_owned();
        let answer = client
            .send(&Request::new("POST", "/wg/wg0/peers").body(body))
            .expect("an answer");
        assert_eq!(
            (answer.status, answer.error_code().as_deref()),
            (400, Some("bad_request")),
            "{shown}: {answer:?}"
        );
        assert!(answer.body.len() < 1_000, "an answer is no echo: {shown}");
    }
    assert_eq!(peer_count(&client), 0);
    assert_well(&agent);
}

#[test]
fn hostile_15_json_that_spoils_an_unknown_field() {
    let agent = agent();
    let client = agent.client();
    let values = [
        "[".repeat(10_000) + &"]".repeat(10_000),
        "[".repeat(10_000),
        "{\"a\":".repeat(10_000),
        "1e400".into(),
        "-1e400".into(),
        "9".repeat(10_000),
        r#""\ud800""#.into(),
        r#"1,"x":2"#.into(),
        format!("\"{}\"", "x".repeat(100_000)),
        "nul".into(),
    ];
    for (number, value) in (1..).zip(values) {
        let body = format!(r#"{{"x":{value},"public_key":"{}"}}"#, numbered_key(number));
        let answer = client
            .send(&Request::new("POST", "/wg/wg0/peers").body(body))
            .expect("an answer");
        let shown = &value[..value.len().min(40)];
        assert!(matches!(answer.status, 200 | 400), "{shown}: {answer:?}");
        let added = client
            .dump("wg0")
            .to_string()
            .contains(&numbered_key(number));
        assert_eq!(added, answer.status == 200, "{shown}");
    }
    assert_well(&agent);
}
