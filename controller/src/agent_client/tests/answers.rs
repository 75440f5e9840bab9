//! Agents that behave: what is sent, and how it is read.

use tokio::net::UnixListener;
use wire_contract::{
    Keepalive, PresharedKey,
    dto::{AddPeer, PresharedKeyChange, UpdatePeer},
};

use super::*;
use crate::agent_client::{
    AgentError,
    tests::server::{answer, answer_with},
};

#[tokio::test]
async fn every_call_is_signed_as_it_stands_on_the_wire() {
    let agent = serve_agent().await;
    let client = client(&agent.url);
    let preshared_key = PresharedKey::from_bytes([7; 32]);
    let add = AddPeer {
        public_key: key(),
        allowed_ips: vec!["10.0.1.2/32".parse().unwrap()],
        preshared_key: Some(preshared_key.clone()),
        persistent_keepalive: Keepalive::from_secs(25),
        endpoint: None,
    };
    let change = UpdatePeer {
        preshared_key: PresharedKeyChange::Set(preshared_key),
        ..UpdatePeer::default()
    };

    assert_eq!(client.health().await.unwrap().value.uptime, 86400);
    assert!(client.dump(&wg0()).await.unwrap().value.peers.is_empty());
    client.add_peer(&wg0(), &add).await.unwrap();
    client.update_peer(&wg0(), &key(), &change).await.unwrap();
    client.delete_peer(&wg0(), &key()).await.unwrap();
    assert_eq!(client.interfaces().await.unwrap().value, None);
    assert_eq!(client.device(&wg0()).await.unwrap().value, None);

    let seen = agent.seen();
    assert!(seen.iter().all(Seen::is_signed));
    assert!(
        seen.iter()
            .all(|seen| seen.header("content-type") == "application/json")
    );
    assert!(
        seen.iter().all(|seen| seen.connection == 0),
        "one connection serves them all"
    );
    let lines: Vec<_> = seen
        .iter()
        .map(|it| format!("{} {}", it.method, it.target))
        .collect();
    // Of a key only the `/` is encoded.
    let peer = format!("/wg/wg0/peers/{}", KEY.replace('/', "%2F"));
    assert_eq!(
        lines,
        [
            "GET /health",
            "GET /wg/wg0/dump",
            "POST /wg/wg0/peers",
            &format!("PUT {peer}"),
            &format!("DELETE {peer}"),
            "GET /wg",
            "GET /wg/wg0",
        ]
    );
    assert_eq!(
        serde_json::from_slice::<AddPeer>(&seen[2].body).unwrap(),
        add
    );
    assert_eq!(
        serde_json::from_slice::<UpdatePeer>(&seen[3].body).unwrap(),
        change
    );
}

#[tokio::test]
async fn a_prefix_stands_before_each_path_and_is_signed() {
    let agent = serve_tcp(|seen| {
        assert!(seen.is_signed());
        ok(HEALTH)
    })
    .await;
    client(&format!("{}/agents/7/", agent.url))
        .health()
        .await
        .unwrap();
    assert_eq!(agent.seen()[0].target, "/agents/7/health");
    assert_eq!(
        format!("http://{}", agent.seen()[0].header("host")),
        agent.url
    );
}

#[tokio::test]
async fn unix_socket() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("agent.sock");
    let listener = Arc::new(UnixListener::bind(&path).unwrap());
    let agent = serve(
        format!("unix://{}", path.display()),
        Arc::new(agent),
        move || {
            let listener = listener.clone();
            async move { Ok(listener.accept().await?.0) }
        },
    );
    client(&agent.url).health().await.unwrap();
    assert!(agent.seen()[0].is_signed());
    assert_eq!(agent.seen()[0].header("host"), "localhost");
}

#[tokio::test]
async fn device_of_an_agent_that_has_it() {
    let agent = serve_tcp(|seen| match seen.target.as_str() {
        "/wg" => ok(r#"{"interfaces":[{"interface":"wg0","backend":"kernel"}]}"#),
        "/wg/wg0" => ok(
            r#"{"interface":"wg0","public_key":null,"listen_port":51820,"fwmark":0,"addresses":[],"mtu":1420,"up":true,"peer_count":3,"backend":"kernel","ifindex":7,"boot_id":"b"}"#,
        ),
        _ => ok_status(
            404,
            r#"{"status":"error","error":"interface_not_found","message":"no such interface"}"#,
        ),
    })
    .await;
    let client = client(&agent.url);
    assert_eq!(
        client
            .interfaces()
            .await
            .unwrap()
            .value
            .unwrap()
            .interfaces
            .len(),
        1
    );
    assert_eq!(
        client
            .device(&wg0())
            .await
            .unwrap()
            .value
            .unwrap()
            .peer_count,
        3
    );
    let missing = client.device(&"wg9".parse().unwrap()).await.unwrap_err();
    assert!(missing.is_no_interface(), "{missing:?}");
}

#[tokio::test]
async fn an_extension_unknown_in_whatever_words_is_none() {
    for (status, content_type, body) in [
        (404, "text/html", "<h1>Not Found</h1>"),
        (404, "text/plain", "404 page not found"),
        (
            405,
            "application/json",
            r#"{"detail":"Method Not Allowed"}"#,
        ),
        (
            404,
            "application/json",
            r#"{"status":"error","error":"not_found","message":"-"}"#,
        ),
    ] {
        let agent = serve_tcp(move |_| Reaction::Keep(answer(status, content_type, body))).await;
        assert_eq!(
            client(&agent.url).device(&wg0()).await.unwrap().value,
            None,
            "{body}"
        );
    }
}

#[tokio::test]
async fn a_large_dump_is_read() {
    let peer = |n: u32| {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&n.to_le_bytes());
        let key = PublicKey::from_bytes(bytes);
        format!(
            r#"{{"public_key":"{key}","endpoint":"(none)","allowed_ips":["(none)"],"latest_handshake":null,"transfer_rx":1,"transfer_tx":2,"persistent_keepalive":"off"}}"#
        )
    };
    let peers: Vec<_> = (0..10_000).map(peer).collect();
    let dump = format!(r#"{{"interface":"wg0","peers":[{}]}}"#, peers.join(","));
    assert!(dump.len() > 1 << 20);
    let agent = serve_tcp(move |_| ok(&dump)).await;
    let dump = client(&agent.url).dump(&wg0()).await.unwrap().value;
    assert_eq!(dump.peers.len(), 10_000);
    assert!(
        dump.peers
            .iter()
            .all(|peer| peer.allowed_ips.is_empty() && peer.endpoint.is_none())
    );
}

#[tokio::test]
async fn agents_with_their_dumps_under_v1_alone() {
    let agent = serve_tcp(|seen| match seen.target.as_str() {
        "/health" => ok(HEALTH),
        "/v1/wg/wg0/dump" => ok(EMPTY_DUMP),
        target if target.starts_with("/v1/wg/wg0/peers/") => ok(DONE),
        _ => ok_status(404, r#"{"detail":"Not Found"}"#),
    })
    .await;
    let client = client(&agent.url);
    client.dump(&wg0()).await.unwrap();
    client.dump(&wg0()).await.unwrap();
    client.delete_peer(&wg0(), &key()).await.unwrap();
    client.health().await.unwrap();
    let targets: Vec<_> = agent.seen().into_iter().map(|seen| seen.target).collect();
    assert_eq!(
        targets[..3],
        ["/wg/wg0/dump", "/v1/wg/wg0/dump", "/v1/wg/wg0/dump"]
    );
    assert!(agent.seen().iter().all(Seen::is_signed));
}

#[tokio::test]
async fn refusals_keep_code_and_sentence() {
    let refusal = |status, body: &'static str| async move {
        let agent = serve_tcp(move |_| ok_status(status, body)).await;
        client(&agent.url)
            .delete_peer(&wg0(), &key())
            .await
            .unwrap_err()
    };
    let api = |status, code: Option<&str>, message: &str| AgentError::Api {
        status,
        code: code.map(|code| code.parse().unwrap()),
        message: message.into(),
    };
    assert_eq!(
        refusal(
            404,
            r#"{"status":"error","error":"peer_not_found","message":"no peer"}"#
        )
        .await,
        api(404, Some("peer_not_found"), "no peer")
    );
    assert_eq!(
        refusal(500, r#"{"error":"Failed\nto add\u001b[2J"}"#).await,
        api(500, None, "Failed to add [2J")
    );
    assert_eq!(
        refusal(503, "").await,
        api(503, None, "service unavailable")
    );
    assert_eq!(
        refusal(200, r#"{"status":"error","message":"wg failed"}"#).await,
        api(200, None, "wg failed")
    );
    assert!(refusal(503, "").await.is_retryable());
    assert!(
        !refusal(409, r#"{"error":"peer_exists"}"#)
            .await
            .is_retryable()
    );
    assert!(refusal(409, r#"{"error":"replayed"}"#).await.is_retryable());
}

#[tokio::test]
async fn an_echoed_preshared_key_does_not_get_into_the_error() {
    let psk = PresharedKey::from_bytes([9; 32]);
    let quoted = psk.expose_base64().to_string();
    let message = format!(r#"{{"error":"wg set preshared-key {quoted} failed"}}"#);
    let agent = serve_tcp(move |_| ok_status(500, &message)).await;
    let change = UpdatePeer {
        preshared_key: PresharedKeyChange::Set(psk),
        ..UpdatePeer::default()
    };
    let error = client(&agent.url)
        .update_peer(&wg0(), &key(), &change)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("(preshared key)"), "{error}");
    assert!(!format!("{error:?} {error}").contains(&quoted));
}

#[tokio::test]
async fn a_wrong_secret_is_told_from_a_wrong_clock() {
    let dated = |date: &str| answer_with(401, &format!("Date: {date}\r\n"), UNAUTHORIZED);
    let at = |secs: u64| httpdate::fmt_http_date(std::time::UNIX_EPOCH + Duration::from_secs(secs));
    for (agent_secs, expected) in [
        (1_000_000, AgentError::Unauthorized { skew_secs: Some(0) }),
        (
            1_000_300,
            AgentError::Unauthorized {
                skew_secs: Some(300),
            },
        ),
        (1_000_600, AgentError::ClockSkew { secs: 600 }),
        (999_400, AgentError::ClockSkew { secs: -600 }),
    ] {
        let response = dated(&at(agent_secs));
        let agent = serve_tcp(move |_| Reaction::Keep(response.clone())).await;
        let client = AgentClient::with_clock(
            agent.url.parse().unwrap(),
            &Trust::SystemRoots,
            &secret(),
            Limits::default(),
            WallClock::new(|| Duration::from_secs(1_000_000)),
        );
        assert_eq!(client.unwrap().health().await.unwrap_err(), expected);
    }
}

#[tokio::test]
async fn replies_tell_latency_and_skew() {
    let date = httpdate::fmt_http_date(std::time::SystemTime::now() - Duration::from_secs(60));
    let response = answer_with(200, &format!("Date: {date}\r\n"), HEALTH);
    let agent = serve_tcp(move |_| Reaction::Keep(response.clone())).await;
    let reply = client(&agent.url).health().await.unwrap();
    assert!(
        (-62..=-58).contains(&reply.clock_skew_secs.unwrap()),
        "{reply:?}"
    );
    assert!(reply.latency > Duration::ZERO && reply.latency < Duration::from_secs(5));
}

#[test]
fn nothing_shows_the_secret() {
    let client = client("http://127.0.0.1:1");
    assert_eq!(format!("{client:?}"), "AgentClient(http://127.0.0.1:1)");
}
