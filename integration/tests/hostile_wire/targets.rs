//! Targets of every form and with every byte.

use wgfleet_integration::client::Request;

use crate::common::{agent, assert_is, assert_well, peer_count, post, signed_bytes, statuses};

#[test]
fn only_the_origin_form_is_taken() {
    let agent = agent();
    let client = agent.client();
    for (method, target) in [
        ("GET", "http://agent/health"),
        ("GET", "https://agent:1/health"),
        ("GET", "HTTP://AGENT/health"),
        ("OPTIONS", "*"),
        ("GET", "*"),
        ("CONNECT", "agent:443"),
        ("GET", "agent:443"),
    ] {
        let came = client
            .send_raw(&signed_bytes(method, target.as_bytes()))
            .expect("closed");
        assert_eq!(statuses(&came), [400], "{method} {target}");
    }
    assert_well(&agent);
}

#[test]
fn head_has_no_body_and_no_route() {
    let agent = agent();
    let client = agent.client();
    for target in ["/health", "/wg", "/wg/wg0/dump"] {
        let answer = client
            .send(&Request::new("HEAD", target))
            .expect("an answer");
        assert_eq!(
            (answer.status, answer.header("allow")),
            (405, Some("GET")),
            "{target}"
        );
        let came = client
            .send_raw(&signed_bytes("HEAD", target.as_bytes()))
            .expect("closed");
        assert!(
            came.ends_with(b"\r\n\r\n"),
            "{}",
            String::from_utf8_lossy(&came)
        );
    }
}

#[test]
fn methods_nobody_knows() {
    let agent = agent();
    let client = agent.client();
    for method in ["PATCH", "TRACE", "PURGE", "get", "G!#$%&'*+-.^_`~1"] {
        let answer = client
            .send(&Request::new(method, "/wg/wg0/peers"))
            .expect("an answer");
        assert_is(&answer, 405, "method_not_allowed");
    }
}

#[test]
fn a_fragment_never_names_anything_else() {
    let agent = agent();
    let client = agent.client();
    // Signed with its fragment, which is no part of a target that HTTP knows: not authentic.
    let came = client
        .send_raw(&signed_bytes("GET", b"/health#x"))
        .expect("closed");
    assert!(
        matches!(statuses(&came)[..], [400 | 401]),
        "{}",
        String::from_utf8_lossy(&came)
    );
    // Put behind a signed target, it means what was signed and nothing more.
    assert_eq!(
        client
            .send_wire(&post(&client, 1))
            .expect("an answer")
            .status,
        200
    );
    let key = wgfleet_integration::wg::numbered_key(1);
    let mut wire = client.prepare(&Request::new("DELETE", format!("/wg/wg0/peers/{key}")));
    wire.target = format!("/wg/wg0/peers/#{key}");
    assert!(matches!(
        client.send_wire(&wire).expect("an answer").status,
        400 | 401
    ));
    wire.target = format!("/wg#/wg0/peers/{key}");
    assert!(matches!(
        client.send_wire(&wire).expect("an answer").status,
        400 | 401
    ));
    assert_eq!(peer_count(&client), 1);
}

#[test]
fn any_byte_in_a_target() {
    let agent = agent();
    let client = agent.client();
    for byte in 0..=255_u8 {
        let target = [b"/wg/wg0/peers/", &[byte][..], b"x"].concat();
        let came = client
            .send_raw(&signed_bytes("DELETE", &target))
            .expect("closed");
        // A space ends the target; hyper has no answer for what is then no version.
        assert!(
            matches!(statuses(&came)[..], [] | [400 | 401 | 404]),
            "{byte:#x}: {}",
            String::from_utf8_lossy(&came)
        );
    }
    assert_well(&agent);
}

#[test]
fn text_beyond_ascii_is_signed_as_it_stands() {
    let agent = agent();
    let client = agent.client();
    for target in [
        "/wg/\u{fc}/dump",
        "/wg/%C3%BC/dump",
        "/health?\u{1f600}",
        "/health?%F0%9F%98%80",
    ] {
        let came = client
            .send_raw(&signed_bytes("GET", target.as_bytes()))
            .expect("closed");
        assert!(
            matches!(statuses(&came)[..], [200 | 400 | 404]),
            "{target}: {}",
            String::from_utf8_lossy(&came)
        );
    }
    for target in [&b"/health?\xff"[..], b"/wg/\xc3/dump", b"/\xed\xa0\x80"] {
        let came = client
            .send_raw(&signed_bytes("GET", target))
            .expect("closed");
        assert_eq!(statuses(&came), [400], "{target:?}");
    }
    assert_well(&agent);
}

#[test]
fn a_target_without_end() {
    let agent = agent();
    let client = agent.client();
    for size in [16 * 1024, 40 * 1024, 100 * 1024, 2 * 1024 * 1024] {
        let bytes = signed_bytes("GET", &[b"/wg/", &vec![b'a'; size][..], b"/dump"].concat());
        // It may be closed before all of it is written, and its answer lost with it.
        if let Ok(answer) = client.connect().expect("a connection").exchange(&bytes) {
            assert!(
                matches!(answer.status, 400 | 414 | 431),
                "{size}: {answer:?}"
            );
        }
    }
    assert_well(&agent);
}
