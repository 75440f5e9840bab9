//! Kept connections that were closed, and mutations sent again.

use super::*;
use crate::agent_client::{AgentError, tests::server::answer};

fn done() -> Vec<u8> {
    answer(200, "application/json", DONE)
}

/// Answers the first request of each connection and closes at the second.
async fn serve_one_each() -> Served {
    serve_tcp(|seen| {
        let response = if seen.method == "GET" { HEALTH } else { DONE };
        if seen.place == 0 {
            ok(response)
        } else {
            Reaction::Last(Vec::new())
        }
    })
    .await
}

#[tokio::test]
async fn a_kept_connection_that_was_closed_costs_a_new_one() {
    let agent = serve_one_each().await;
    let client = client(&agent.url);
    client.health().await.unwrap();
    client.health().await.unwrap();
    let places: Vec<_> = agent
        .seen()
        .iter()
        .map(|it| (it.connection, it.place))
        .collect();
    assert_eq!(places, [(0, 0), (0, 1), (1, 0)]);
}

#[tokio::test]
async fn a_mutation_is_sent_again_to_the_byte() {
    let agent = serve_one_each().await;
    let client = client(&agent.url);
    client.health().await.unwrap();
    client.delete_peer(&wg0(), &key()).await.unwrap();
    let seen = agent.seen();
    assert_eq!(seen.len(), 3);
    assert_eq!(seen[1].headers, seen[2].headers);
    assert_eq!(
        (&seen[1].target, &seen[1].body),
        (&seen[2].target, &seen[2].body)
    );
}

#[tokio::test]
async fn a_new_connection_that_closes_is_not_tried_again() {
    let agent = serve_tcp(|_| Reaction::Last(Vec::new())).await;
    let error = client(&agent.url)
        .delete_peer(&wg0(), &key())
        .await
        .unwrap_err();
    assert_eq!(error, AgentError::Closed);
    assert_eq!(agent.seen().len(), 1);
}

#[tokio::test]
async fn an_answer_that_began_is_not_asked_for_again() {
    let agent = serve_tcp(|seen| {
        if seen.place == 0 {
            ok(HEALTH)
        } else {
            Reaction::Last(b"HTTP/1.1 200".to_vec())
        }
    })
    .await;
    let client = client(&agent.url);
    client.health().await.unwrap();
    assert_eq!(client.health().await.unwrap_err(), AgentError::Closed);
    assert_eq!(agent.seen().len(), 2);
}

#[tokio::test]
async fn a_connection_closed_while_idle_is_not_used() {
    let agent = serve_tcp(|_| {
        Reaction::CloseAfter(
            answer(200, "application/json", HEALTH),
            Duration::from_millis(50),
        )
    })
    .await;
    let client = client(&agent.url);
    client.health().await.unwrap();
    eventually(|| agent.open() == 0).await;
    client.health().await.unwrap();
    assert_eq!(
        agent
            .seen()
            .iter()
            .map(|it| it.connection)
            .collect::<Vec<_>>(),
        [0, 1]
    );
}

#[tokio::test]
async fn idle_connections_are_closed() {
    let agent = serve_agent().await;
    let limits = Limits {
        idle_timeout: Duration::from_millis(200),
        ..Limits::default()
    };
    let client = client_with(&agent.url, limits);
    for _ in 0..2 {
        client.health().await.unwrap();
        assert_eq!(agent.open(), 1);
        eventually(|| agent.open() == 0).await;
    }
    client.health().await.unwrap();
    drop(client);
    eventually(|| agent.open() == 0).await;
}

#[tokio::test(start_paused = true)]
async fn the_same_mutation_again_waits_for_the_next_second() {
    let agent = serve_tcp(|_| Reaction::Keep(done())).await;
    let client = at(1_000_250, &agent).await;
    client.delete_peer(&wg0(), &key()).await.unwrap();
    client.delete_peer(&wg0(), &key()).await.unwrap();
    client
        .delete_peer(&wg0(), &PublicKey::from_bytes([1; 32]))
        .await
        .unwrap();
    let timestamps: Vec<_> = agent
        .seen()
        .iter()
        .map(|it| it.header("x-timestamp").to_owned())
        .collect();
    assert_eq!(timestamps, ["1000", "1001", "1001"]);
    assert!(
        agent
            .seen()
            .iter()
            .all(|it| it.is_signed() && !it.target.contains('?'))
    );
}

#[tokio::test(start_paused = true)]
async fn the_same_mutation_again_is_numbered_where_that_is_understood() {
    let agent = serve_tcp(|seen| {
        if seen.method == "GET" {
            ok(HEALTH_WITH_ALL)
        } else {
            Reaction::Keep(done())
        }
    })
    .await;
    let client = at(1_000_250, &agent).await;
    client.health().await.unwrap();
    for _ in 0..3 {
        client.delete_peer(&wg0(), &key()).await.unwrap();
    }
    let seen = &agent.seen()[1..];
    assert!(
        seen.iter()
            .all(|it| it.header("x-timestamp") == "1000" && it.is_signed())
    );
    let plain = &seen[0].target;
    assert!(!plain.contains('?'));
    assert!(
        seen[1..]
            .iter()
            .all(|it| it.target.starts_with(&format!("{plain}?n="))),
        "{seen:?}"
    );
    assert_ne!(seen[1].target, seen[2].target);
}

/// A client whose clock shows `at_ms` and goes with tokio's paused one.
async fn at(at_ms: u64, agent: &Served) -> AgentClient {
    let limits = Limits::default();
    let url = agent.url.parse().unwrap();
    tokio::task::yield_now().await;
    AgentClient::with_clock(
        url,
        &Trust::SystemRoots,
        &secret(),
        limits,
        tokio_clock(at_ms),
    )
    .unwrap()
}

async fn eventually(holds: impl Fn() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), waiting)
        .await
        .expect("it never came about");
}
