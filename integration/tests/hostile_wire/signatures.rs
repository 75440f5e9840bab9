//! HOSTILE 2 and 3.

use wgfleet_integration::client::{Client, Request, WireRequest, now};

use crate::common::{agent, assert_is, assert_well, health};

/// Fewer failures than a source may cause at once.
const ALLOWED_FAILURES: usize = 18;

#[test]
fn hostile_02_every_wrong_signature_gets_the_same_bytes() {
    let agent = agent();
    let client = agent.client();
    let good = String::from_utf8(
        health(&client)
            .value("X-Signature")
            .expect("signed")
            .to_vec(),
    )
    .expect("hex");
    let flipped = |at: usize, bit: u8| {
        let mut digits = good.clone().into_bytes();
        let value = char::from(digits[at]).to_digit(16).expect("hex") ^ u32::from(bit);
        digits[at] = u8::try_from(char::from_digit(value, 16).expect("hex")).expect("ASCII");
        digits
    };
    let mut wrong: Vec<Vec<u8>> = vec![
        flipped(0, 1),
        flipped(0, 8),
        flipped(31, 2),
        flipped(63, 1),
        good[1..].into(),
        format!("{good}0").into(),
        format!("{good}{good}").into(),
        format!("g{}", &good[1..]).into(),
        format!("0x{}", &good[2..]).into(),
        format!("sha256={good}").into(),
        format!("{} {}", &good[..32], &good[32..]).into(),
        "0".repeat(64).into(),
    ];
    wrong.push([&good.as_bytes()[..63], "\u{ff11}".as_bytes()].concat());
    assert!(wrong.len() < ALLOWED_FAILURES);
    let mut bodies = std::collections::BTreeSet::new();
    for signature in wrong {
        let mut wire = health(&client);
        wire.replace("X-Signature", signature);
        let answer = client.send_wire(&wire).expect("an answer");
        assert_is(&answer, 401, "unauthorized");
        bodies.insert(answer.body);
    }
    assert_eq!(bodies.len(), 1, "{bodies:?}");
}

#[test]
fn hostile_02_no_single_bit_may_differ() {
    let agent = agent();
    let client = agent.client().keep_alive();
    for bit in 0..256_usize {
        let mut wire = health(&client);
        let mut signature = wire.value("X-Signature").expect("signed").to_vec();
        let digit = char::from(signature[bit / 4]).to_digit(16).expect("hex") ^ (1 << (bit % 4));
        signature[bit / 4] =
            u8::try_from(char::from_digit(digit, 16).expect("hex")).expect("ASCII");
        wire.replace("X-Signature", signature);
        let answer = client.send_wire(&wire).expect("an answer");
        assert!(matches!(answer.status, 401 | 429), "bit {bit}: {answer:?}");
    }
    assert_well(&agent);
}

/// Status of `/health` signed `offset` seconds from now, when "now" was one second throughout.
fn status_at(client: &Client, offset: i64) -> u16 {
    for _ in 0..100 {
        let before = now();
        let timestamp = before.cast_signed() + offset;
        let request = Request::get("/health").signed_at(timestamp);
        let status = client.send(&request).expect("an answer").status;
        if now() == before {
            return status;
        }
    }
    panic!("no request was answered within one second of the clock");
}

#[test]
fn hostile_03_the_window_is_300_seconds_wide_to_either_side() {
    let agent = agent();
    let client = agent.client();
    for (offset, status) in [
        (-300, 200),
        (300, 200),
        (0, 200),
        (-301, 401),
        (301, 401),
        (-86_400, 401),
    ] {
        assert_eq!(status_at(&client, offset), status, "{offset} s");
    }
}

#[test]
fn hostile_03_a_timestamp_is_digits_and_nothing_else() {
    let agent = agent();
    let client = agent.client();
    let now = now();
    let texts = [
        format!("+{now}"),
        format!(" {now}"),
        format!("{now} "),
        format!("{now}.0"),
        format!("-{now}"),
        "1e9".into(),
        format!("0x{now:x}"),
        format!("{now}{now}"),
        "18446744073709551616".into(),
        "99999999999999999999".into(),
        now.to_string()
            .chars()
            .map(|c| char::from_u32(u32::from(c) + 0xfee0).expect("a digit"))
            .collect(),
        format!("{now},{now}"),
        "-1".into(),
    ];
    assert!(texts.len() < ALLOWED_FAILURES);
    for text in texts {
        let answer = client
            .send(&Request::get("/health").signed_at(&text))
            .expect("an answer");
        assert_is(&answer, 401, "unauthorized");
    }
    let zeros = format!("00{now}");
    assert_eq!(
        client
            .send(&Request::get("/health").signed_at(zeros))
            .expect("an answer")
            .status,
        200
    );
    assert_well(&agent);
}

#[test]
fn hostile_05_method_target_and_body_are_all_signed() {
    let agent = agent();
    let client = agent.client();
    let changes: [fn(&mut WireRequest); 5] = [
        |wire| wire.target.push_str("?x=1"),
        |wire| wire.target.push('/'),
        |wire| wire.method = "DELETE".into(),
        |wire| wire.target = "/v1/health".into(),
        |wire| {
            wire.body = b"{}".into();
            wire.add("Content-Length", "2");
        },
    ];
    for change in changes {
        let mut wire = health(&client);
        change(&mut wire);
        assert_is(
            &client.send_wire(&wire).expect("an answer"),
            401,
            "unauthorized",
        );
    }
}
