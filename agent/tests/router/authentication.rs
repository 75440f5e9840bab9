//! Who is let in.

use std::net::IpAddr;

use wgfleet_agent::http::Source;

use crate::rig::{Ask, NOW, Rig};

fn health() -> Ask {
    Ask::new("GET", "/health", "")
}

#[tokio::test]
async fn a_signed_request_is_let_in_with_either_secret() {
    let rig = Rig::new();
    rig.send(health().build()).await.expect_ok();
    rig.send(health().with_next_secret().build())
        .await
        .expect_ok();
    let wrong = rig.send(health().with_wrong_secret().build()).await;
    wrong.expect(401, "unauthorized");
}

#[tokio::test]
async fn hex_of_either_case_is_read() {
    let rig = Rig::new();
    let upper = health().signature().to_uppercase();
    let request =
        health().build_with(&[("x-signature", &upper), ("x-timestamp", &NOW.to_string())]);
    rig.send(request).await.expect_ok();
}

#[tokio::test]
async fn hostile_01_missing_empty_or_doubled_headers() {
    let rig = Rig::new();
    let (signature, now) = (health().signature(), NOW.to_string());
    let (s, t) = (
        ("x-signature", signature.as_str()),
        ("x-timestamp", now.as_str()),
    );
    let cases: [&[(&str, &str)]; 7] = [
        &[],
        &[s],
        &[t],
        &[("x-signature", ""), t],
        &[s, ("x-timestamp", "")],
        &[s, s, t],
        &[s, t, t],
    ];
    for headers in cases {
        let answer = rig.send(health().build_with(headers)).await;
        answer.expect(401, "unauthorized");
    }
    assert_eq!(rig.device_calls().dumps, 0);
}

#[tokio::test]
async fn hostile_02_a_wrong_signature_is_told_nothing() {
    let rig = Rig::new();
    let good = health().signature();
    let flipped = format!(
        "{}{}",
        if good.starts_with('0') { '1' } else { '0' },
        &good[1..]
    );
    let mut bodies = std::collections::BTreeSet::new();
    for signature in [
        &flipped,
        &good[1..],
        &format!("{good}0"),
        &format!("g{}", &good[1..]),
    ] {
        let headers = [
            ("x-signature", signature),
            ("x-timestamp", &NOW.to_string()),
        ];
        let answer = rig.send(health().build_with(&headers)).await;
        answer.expect(401, "unauthorized");
        bodies.insert(answer.body);
    }
    let stale = rig.send(health().at(NOW - 301).build()).await;
    bodies.insert(stale.body);
    assert_eq!(bodies.len(), 1, "one body for every failure");
}

#[tokio::test]
async fn hostile_03_the_time_window() {
    let rig = Rig::new();
    for (offset, status) in [(-301, 401), (-300, 200), (0, 200), (300, 200), (301, 401)] {
        let answer = rig.send(health().at(NOW + offset).build()).await;
        assert_eq!(answer.status, status, "{offset} s");
    }
    let signature = health().signature();
    for text in [
        "+1800000000",
        " 1800000000",
        "1800000000 ",
        "1e9",
        "-1",
        "18000000001800000000",
    ] {
        let headers = [("x-signature", signature.as_str()), ("x-timestamp", text)];
        let answer = rig.send(health().build_with(&headers)).await;
        answer.expect(401, "unauthorized");
    }
}

#[tokio::test]
async fn hostile_04_a_bar_in_the_target_is_refused() {
    let rig = Rig::new();
    let moved = Ask::new("POST", "/wg/wg0/peers|{}", "").signed_for("POST", "/wg/wg0/peers", "{}|");
    rig.send(moved.build()).await.expect(400, "bad_request");
    let honest = Ask::new("GET", "/health?a|b", "");
    rig.send(honest.build()).await.expect(400, "bad_request");
}

#[tokio::test]
async fn hostile_05_what_was_signed_is_what_counts() {
    let rig = Rig::new();
    let queried = Ask::new("GET", "/health?x=1", "").signed_for("GET", "/health", "");
    rig.send(queried.build()).await.expect(401, "unauthorized");
    let swapped = Ask::new("DELETE", "/health", "").signed_for("GET", "/health", "");
    rig.send(swapped.build()).await.expect(401, "unauthorized");
    let signed_query = Ask::new("GET", "/health?n=7&x=%7C", "");
    rig.send(signed_query.build()).await.expect_ok();
    let overridden = health().header("x-http-method-override", "DELETE");
    rig.send(overridden.build()).await.expect_ok();
}

#[tokio::test]
async fn an_unknown_route_is_404_only_to_those_who_signed() {
    let rig = Rig::new();
    let unsigned = rig
        .send(Ask::new("GET", "/nowhere", "").build_with(&[]))
        .await;
    unsigned.expect(401, "unauthorized");
    rig.get("/nowhere").await.expect(404, "not_found");
}

#[tokio::test]
async fn failures_beyond_the_allowance_get_429_and_the_good_go_on() {
    let rig = Rig::new();
    let source = Source::from(IpAddr::from([192, 0, 2, 7]));
    let mut statuses = Vec::new();
    for _ in 0..60 {
        let bad = health().with_wrong_secret().build();
        statuses.push(rig.send_from(bad, source).await);
    }
    assert_eq!(statuses[0].status, 401);
    let limited = statuses.last().expect("sixty answers");
    limited.expect(429, "rate_limited");
    assert!(limited.headers.contains_key("retry-after"));
    rig.send_from(health().build(), source).await.expect_ok();
    let elsewhere = Source::from(IpAddr::from([192, 0, 2, 8]));
    let bad = health().with_wrong_secret().build();
    rig.send_from(bad, elsewhere)
        .await
        .expect(401, "unauthorized");
}

#[tokio::test]
async fn signed_requests_can_be_limited() {
    let rig = Rig::with_rate_limit(2);
    let mut limited = None;
    for _ in 0..10 {
        let answer = rig.send(health().build()).await;
        if answer.status != 200 {
            limited = Some(answer);
        }
    }
    limited
        .expect("the limit bites")
        .expect(429, "rate_limited");
}

#[test]
fn one_host_is_one_source() {
    let of = |text: &str| Source::from(text.parse::<IpAddr>().expect("an address"));
    assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
    assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
    assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
    assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
}
