//! The same request a second time.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame};
use serde_json::json;
use wgfleet_agent::http::Source;

use crate::rig::{Ask, NOW, Rig, key};

const PEERS: &str = "/wg/wg0/peers";

fn post(n: u8, ip: &str) -> Ask {
    Ask::new(
        "POST",
        PEERS,
        json!({"public_key": key(n), "allowed_ips": [ip]}).to_string(),
    )
}

fn delete(n: u8) -> Ask {
    Ask::new("DELETE", &format!("{PEERS}/{}", key(n)), "")
}

#[tokio::test]
async fn hostile_07_a_replayed_post_does_not_bring_a_peer_back() {
    let rig = Rig::new();
    let add = post(1, "10.0.0.1");
    rig.send(add.clone().build()).await.expect_ok();
    rig.send(delete(1).build()).await.expect_ok();
    rig.send(add.clone().build()).await.expect(409, "replayed");
    assert!(rig.peers().await.is_empty());
    let rig = rig.restarted();
    rig.send(add.build()).await.expect(409, "replayed");
    assert!(rig.peers().await.is_empty());
    rig.send(post(2, "10.0.0.2").build()).await.expect_ok();
}

#[tokio::test]
async fn hostile_07_a_refused_post_is_not_applied_later() {
    let rig = Rig::new();
    rig.send(post(1, "10.0.0.1").build()).await.expect_ok();
    let conflicting = post(2, "10.0.0.1");
    rig.send(conflicting.clone().build())
        .await
        .expect(409, "allowed_ip_conflict");
    rig.send(delete(1).build()).await.expect_ok();
    rig.send(conflicting.build()).await.expect(409, "replayed");
    assert!(rig.peers().await.is_empty());
    rig.send(post(2, "10.0.0.1").at(NOW + 1).build())
        .await
        .expect_ok();
}

#[tokio::test]
async fn a_request_for_an_absent_interface_is_not_applied_once_it_is_there() {
    let rig = Rig::new();
    let body = json!({"public_key": key(1)}).to_string();
    let early = Ask::new("POST", "/wg/wg1/peers", body);
    rig.send(early.clone().build())
        .await
        .expect(404, "interface_not_found");
    rig.control.create(&"wg1".parse().expect("a name"), 0);
    rig.send(early.build()).await.expect(409, "replayed");
}

#[tokio::test]
async fn hostile_08_repeats_within_a_second() {
    let rig = Rig::new();
    rig.get("/wg/wg0/dump").await.expect_ok();
    rig.get("/wg/wg0/dump").await.expect_ok();
    rig.send(post(1, "10.0.0.1").build()).await.expect_ok();
    let sets = rig.device_calls().sets;
    let put = Ask::new(
        "PUT",
        &format!("{PEERS}/{}", key(1)),
        r#"{"endpoint":"192.0.2.1:7"}"#,
    );
    let first = rig.send(put.clone().build()).await;
    let second = rig.send(put.build()).await;
    assert_eq!((first.status, second.status), (200, 200));
    assert_eq!(first.body, second.body);
    assert_eq!(rig.device_calls().sets, sets + 1, "applied once");
}

#[tokio::test]
async fn the_same_request_at_the_same_time_is_applied_once() {
    let rig = Rig::new();
    let asks = (0..20).map(|_| rig.send(post(1, "10.0.0.1").build()));
    let answers = futures_util::future::join_all(asks).await;
    let bodies: std::collections::BTreeSet<_> = answers
        .into_iter()
        .map(|answer| {
            answer.expect_ok();
            answer.body
        })
        .collect();
    assert_eq!((bodies.len(), rig.device_calls().sets), (1, 1));
}

#[tokio::test]
async fn a_signed_nonce_makes_it_another_request() {
    let rig = Rig::new();
    rig.send(post(1, "10.0.0.1").build()).await.expect_ok();
    rig.send(delete(1).build()).await.expect_ok();
    let body = json!({"public_key": key(1), "allowed_ips": ["10.0.0.1"]}).to_string();
    rig.send(Ask::new("POST", &format!("{PEERS}?n=1"), body).build())
        .await
        .expect_ok();
    assert_eq!(rig.peers().await.len(), 1);
}

#[tokio::test]
async fn a_rate_limited_mutation_is_not_applied_later() {
    let rig = Rig::with_rate_limit(1);
    let mut limited = None;
    for n in 1..=5 {
        let ask = post(n, &format!("10.0.0.{n}"));
        if rig.send(ask.clone().build()).await.status == 429 {
            limited = Some(ask);
        }
    }
    let again = Rig::restarted(rig);
    again
        .send(limited.expect("the limit bites").build())
        .await
        .expect(409, "replayed");
}

#[tokio::test]
async fn outside_the_window_the_timestamp_is_what_refuses() {
    let rig = Rig::new();
    let add = post(1, "10.0.0.1");
    rig.send(add.clone().build()).await.expect_ok();
    rig.pass(300);
    rig.send(add.clone().build()).await.expect_ok();
    rig.pass(1);
    rig.send(add.build()).await.expect(401, "unauthorized");
}

/// A body that takes its time: the agent's clock moves on before its first byte comes.
struct Late {
    body: Full<Bytes>,
    clock: Arc<AtomicI64>,
    seconds: i64,
}

impl Body for Late {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let seconds = std::mem::take(&mut self.seconds);
        self.clock.fetch_add(seconds, Ordering::Relaxed);
        Pin::new(&mut self.body).poll_frame(context)
    }
}

#[tokio::test]
async fn hostile_07_a_replay_whose_body_outlasts_the_window() {
    let rig = Rig::new();
    let add = post(1, "10.0.0.1");
    rig.send(add.clone().build()).await.expect_ok();
    rig.send(delete(1).build()).await.expect_ok();
    rig.pass(300);
    let late = add.build().map(|body| Late {
        body,
        clock: Arc::clone(&rig.clock),
        seconds: 5,
    });
    let answer = rig.service.answer(late, Source::Unix, || ()).await;
    assert_eq!(answer.status(), 401);
    rig.pass(-305);
    assert!(rig.peers().await.is_empty());
}
