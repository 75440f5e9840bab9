//! Agents that hang, break off, talk without end, or are no agents.

use std::time::Instant as StdInstant;

use super::*;
use crate::agent_client::{
    AgentError, Unreachable,
    tests::server::{answer, answer_with},
};

async fn health_error(react: impl Fn(&Seen) -> Reaction + Send + Sync + 'static) -> AgentError {
    let agent = serve_tcp(react).await;
    client_with(&agent.url, short()).health().await.unwrap_err()
}

#[tokio::test]
async fn silence_ends_with_the_deadline() {
    let started = StdInstant::now();
    let error = health_error(|_| Reaction::Hang).await;
    assert_eq!(error, AgentError::TimedOut(Duration::from_millis(500)));
    let error = health_error(|_| Reaction::Last(Vec::new())).await;
    assert_eq!(error, AgentError::Closed);
    assert!(started.elapsed() < Duration::from_secs(5));
    assert!(error.is_retryable());
}

#[tokio::test]
async fn a_hanging_call_closes_its_connection() {
    let agent = serve_tcp(|_| Reaction::Hang).await;
    let client = client_with(&agent.url, short());
    client.health().await.unwrap_err();
    // The hanging handler never looks at its socket; a fresh connection proves the old one let go.
    client.health().await.unwrap_err();
    assert_eq!(
        agent
            .seen()
            .iter()
            .map(|seen| seen.connection)
            .collect::<Vec<_>>(),
        [0, 1]
    );
}

#[tokio::test]
async fn a_body_without_end_is_cut_off() {
    let announced = b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n".to_vec();
    let unannounced = b"HTTP/1.0 200 OK\r\n\r\n".to_vec();
    for head in [announced, unannounced] {
        let agent = serve_tcp(move |_| Reaction::Endless(head.clone())).await;
        let limits = Limits {
            max_dump_bytes: 1 << 20,
            ..Limits::default()
        };
        let client = client_with(&agent.url, limits);
        let error = client.health().await.unwrap_err();
        assert_eq!(
            error,
            AgentError::TooLarge {
                limit_bytes: 64 << 10
            }
        );
        let error = client.dump(&wg0()).await.unwrap_err();
        assert_eq!(
            error,
            AgentError::TooLarge {
                limit_bytes: 1 << 20
            }
        );
    }
}

#[tokio::test]
async fn a_head_without_end_is_cut_off() {
    let head = b"HTTP/1.1 200 OK\r\nX-Long: ".to_vec();
    let error = health_error(move |_| Reaction::Endless(head.clone())).await;
    assert!(matches!(error, AgentError::NotTheContract(_)), "{error:?}");
}

#[tokio::test]
async fn an_error_body_is_bounded_too() {
    let head = b"HTTP/1.1 500 X\r\nContent-Length: 1073741824\r\n\r\n".to_vec();
    let agent = serve_tcp(move |_| Reaction::Endless(head.clone())).await;
    let error = client(&agent.url).dump(&wg0()).await.unwrap_err();
    assert_eq!(
        error,
        AgentError::TooLarge {
            limit_bytes: 64 << 10
        }
    );
}

#[tokio::test]
async fn a_connection_lost_inside_an_answer() {
    for partial in [
        "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"status\":",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"sta\r\n",
        "HTTP/1.0 200 OK\r\n\r\n{\"status\":",
        "HTTP/1.1 200 OK\r\nConte",
    ] {
        let error = health_error(move |_| Reaction::Last(partial.into())).await;
        assert_eq!(error, AgentError::Closed, "{partial:?}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = serve_agent().await;
    let location = format!("Location: {}/health\r\n", elsewhere.url);
    for status in [301, 302, 307, 308] {
        let response = answer_with(status, &location, "");
        let error = health_error(move |_| Reaction::Keep(response.clone())).await;
        assert!(
            error.to_string().contains(&format!("redirects ({status})")),
            "{error}"
        );
    }
    assert!(elsewhere.seen().is_empty());
}

#[tokio::test]
async fn what_is_no_agent_is_said_without_quoting_it() {
    let mark = "PRIVATE";
    for response in [
        answer(200, "text/html", "<html>PRIVATE</html>"),
        answer(200, "text/HTML; charset=utf-8", HEALTH),
        answer(403, "text/html", "<html>PRIVATE</html>"),
        answer(404, "text/html", "<html>PRIVATE</html>"),
        answer(200, "application/json", "PRIVATE"),
        answer(200, "application/json", ""),
        answer(
            200,
            "application/json",
            r#"{"status":"PRIVATE","timestamp":"PRIVATE"}"#,
        ),
        answer(200, "application/json", &"[".repeat(10_000)),
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: PRIVATE\r\nConnection: upgrade\r\n\r\n"
            .to_vec(),
        b"SSH-2.0-OpenSSH_9.2 PRIVATE\r\n\r\n".to_vec(),
    ] {
        let shown = String::from_utf8_lossy(&response).into_owned();
        let error = health_error(move |_| Reaction::Last(response.clone())).await;
        assert!(
            matches!(error, AgentError::NotTheContract(_)),
            "{shown}: {error:?}"
        );
        assert!(!format!("{error:?} {error}").contains(mark), "{error:?}");
        assert!(!error.is_retryable());
    }
}

#[tokio::test]
async fn a_dump_of_another_interface_is_refused() {
    let agent = serve_tcp(|_| ok(r#"{"interface":"wg1","peers":[]}"#)).await;
    let error = client(&agent.url).dump(&wg0()).await.unwrap_err();
    assert!(matches!(error, AgentError::NotTheContract(_)), "{error:?}");
}

#[tokio::test]
async fn unreachable_says_how() {
    let free = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let error = client(&format!("http://{free}"))
        .health()
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), format!("connection refused at {free}"));
    assert!(error.is_retryable());

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("none.sock");
    let error = client(&format!("unix://{}", path.display()))
        .health()
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("there is no socket at {}", path.display())
    );

    let error = client("http://no-such-host.invalid:8080")
        .health()
        .await
        .unwrap_err();
    let dns = matches!(
        error,
        AgentError::Unreachable {
            why: Unreachable::Dns,
            ..
        }
    );
    // Where no resolver answers at all, time runs out instead.
    let timed_out = matches!(
        error,
        AgentError::Unreachable {
            why: Unreachable::TimedOut,
            ..
        }
    );
    assert!(dns || timed_out, "{error:?}");
}

#[tokio::test]
async fn few_connections_at_once() {
    let agent = serve_tcp(|_| Reaction::Hang).await;
    let limits = Limits {
        max_connections: 2,
        ..short()
    };
    let client = client_with(&agent.url, limits);
    let calls: tokio::task::JoinSet<_> = (0..10)
        .map(|_| {
            let client = client.clone();
            async move { client.health().await }
        })
        .collect();
    for outcome in calls.join_all().await {
        assert!(
            matches!(outcome, Err(AgentError::TimedOut(_))),
            "{outcome:?}"
        );
    }
    assert!(agent.seen().len() <= 4, "{} requests", agent.seen().len());
}
