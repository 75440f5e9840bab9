//! The client against servers that behave, and servers that don't.

mod answers;
mod misbehaviour;
mod probing;
mod repeats;
mod server;
mod trust;
mod urls;

use std::{sync::Arc, time::Duration};

use tokio::{net::TcpListener, time::Instant};
use wire_contract::{InterfaceName, PublicKey, signing::Secret};

use self::server::{Reaction, Seen, Served, ok, serve};
use super::{AgentClient, Limits, Trust, WallClock};

const SECRET: &str = "an example of a shared secret 32";
const HEALTH: &str = r#"{"status":"ok","timestamp":1,"uptime":86400,"version":"1.0.0"}"#;
const HEALTH_WITH_ALL: &str = r#"{"status":"ok","timestamp":1,"uptime":86400,"version":"1.0.0","backend":"kernel","capabilities":["device","nonce"]}"#;
const EMPTY_DUMP: &str = r#"{"interface":"wg0","peers":[]}"#;
const DONE: &str = r#"{"status":"success","message":"Peer updated successfully"}"#;
const UNAUTHORIZED: &str = r#"{"status":"error","error":"unauthorized","message":"refused"}"#;
/// Its base64 has `/`, `+` and `=`.
const KEY: &str = "+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/8=";

fn secret() -> Secret {
    Secret::new(SECRET).unwrap()
}

fn wg0() -> InterfaceName {
    "wg0".parse().unwrap()
}

fn key() -> PublicKey {
    KEY.parse().unwrap()
}

/// Limits short enough to wait for.
fn short() -> Limits {
    Limits {
        connect_timeout: Duration::from_millis(500),
        request_timeout: Duration::from_millis(500),
        dump_timeout: Duration::from_millis(500),
        ..Limits::default()
    }
}

fn client(url: &str) -> AgentClient {
    client_with(url, Limits::default())
}

fn client_with(url: &str, limits: Limits) -> AgentClient {
    AgentClient::new(url.parse().unwrap(), &Trust::SystemRoots, &secret(), limits).unwrap()
}

/// A clock that starts `at_ms` after the epoch and goes with tokio's, paused or not.
fn tokio_clock(at_ms: u64) -> WallClock {
    let start = Instant::now();
    WallClock::new(move || Duration::from_millis(at_ms) + start.elapsed())
}

/// Serves HTTP on a loopback port of its own.
async fn serve_tcp(react: impl Fn(&Seen) -> Reaction + Send + Sync + 'static) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let listener = Arc::new(listener);
    serve(url, Arc::new(react), move || {
        let listener = listener.clone();
        async move { Ok(listener.accept().await?.0) }
    })
}

/// An agent that checks signatures and answers everything it knows.
async fn serve_agent() -> Served {
    serve_tcp(|seen| {
        if seen.is_signed() {
            agent(seen)
        } else {
            ok_status(401, UNAUTHORIZED)
        }
    })
    .await
}

fn ok_status(status: u16, body: &str) -> Reaction {
    Reaction::Keep(server::answer(status, "application/json", body))
}

fn agent(seen: &Seen) -> Reaction {
    match (seen.method.as_str(), seen.target.as_str()) {
        ("GET", "/health") => ok(HEALTH),
        ("GET", "/wg/wg0/dump") => ok(EMPTY_DUMP),
        ("GET", _) => ok_status(404, r#"{"detail":"Not Found"}"#),
        _ => ok(DONE),
    }
}
