//! An agent of the documented contract, with the `device` extension, in as few lines as will do.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use axum::{
    body::{Body, to_bytes},
    extract::{Request, State},
    response::Response,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;
use wire_contract::signing::{Mac, Secret, SignedParts, Timestamp, Verifier};

/// What the agent is like.
#[derive(Default)]
pub(super) struct Host {
    /// Those it accepts.
    pub(super) secrets: Vec<String>,
    /// Its interface's key.
    pub(super) public_key: Option<String>,
    /// By key, as a dump shows them.
    pub(super) peers: BTreeMap<String, Value>,
}

/// An agent on a loopback port of its own; ends when dropped.
pub(super) struct Agent {
    pub(super) url: String,
    pub(super) host: Arc<Mutex<Host>>,
    _task: AbortOnDropHandle<()>,
}

impl Agent {
    pub(super) async fn start(secret: &str, public_key: Option<&str>) -> Self {
        let host = Arc::new(Mutex::new(Host {
            secrets: vec![secret.to_owned()],
            public_key: public_key.map(ToOwned::to_owned),
            peers: BTreeMap::new(),
        }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = axum::Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&host));
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            url,
            host,
            _task: AbortOnDropHandle::new(task),
        }
    }

    pub(super) fn keys(&self) -> Vec<String> {
        self.host.lock().unwrap().peers.keys().cloned().collect()
    }
}

async fn answer(State(host): State<Arc<Mutex<Host>>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    let mut host = host.lock().unwrap();
    let target = head.uri.to_string();
    let (status, answer) = if is_signed(&host, head.method.as_str(), &target, &body, &head.headers)
    {
        host.react(head.method.as_str(), &target, &body)
    } else {
        (401, failure("unauthorized"))
    };
    Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .body(Body::from(answer.to_string()))
        .unwrap()
}

fn is_signed(
    host: &Host,
    method: &str,
    target: &str,
    body: &[u8],
    headers: &axum::http::HeaderMap,
) -> bool {
    let timestamp = Timestamp::parse(headers["x-timestamp"].as_bytes()).unwrap();
    let mac = Mac::parse(headers["x-signature"].as_bytes()).unwrap();
    let parts = || SignedParts {
        method,
        target,
        body,
    };
    host.secrets.iter().any(|secret| {
        let secret = Secret::new(secret.as_bytes()).unwrap();
        let verifier = Verifier::new(&secret, None);
        verifier.verify(parts(), timestamp, &mac).is_ok()
    })
}

impl Host {
    fn react(&mut self, method: &str, target: &str, body: &[u8]) -> (u16, Value) {
        let path = target.split('?').next().unwrap();
        let key = path.strip_prefix("/wg/wg0/peers/").map(decoded);
        match (method, path, key) {
            ("GET", "/health", _) => (200, self.health()),
            ("GET", "/wg/wg0", _) if self.public_key.is_some() => (200, self.device()),
            ("GET", "/wg/wg0/dump", _) => {
                let peers: Vec<_> = self.peers.values().collect();
                (200, json!({"interface": "wg0", "peers": peers}))
            }
            ("POST", "/wg/wg0/peers", _) => self.add(&serde_json::from_slice(body).unwrap()),
            ("DELETE", _, Some(key)) => match self.peers.remove(&key) {
                Some(_) => (200, done()),
                None => (404, failure("peer_not_found")),
            },
            _ => (404, failure("interface_not_found")),
        }
    }

    fn health(&self) -> Value {
        let capabilities = if self.public_key.is_some() {
            json!(["device", "nonce"])
        } else {
            json!(["nonce"])
        };
        json!({"status": "ok", "timestamp": 1, "uptime": 60, "version": "1.2.3",
               "capabilities": capabilities})
    }

    fn device(&self) -> Value {
        json!({"interface": "wg0", "public_key": self.public_key, "listen_port": 51820,
               "fwmark": 0, "addresses": [], "mtu": 1420, "up": true,
               "peer_count": self.peers.len(), "backend": "kernel", "ifindex": 7, "boot_id": "b"})
    }

    fn add(&mut self, peer: &Value) -> (u16, Value) {
        let key = peer["public_key"].as_str().unwrap().to_owned();
        let shown = json!({"public_key": key, "endpoint": null,
            "allowed_ips": peer["allowed_ips"], "latest_handshake": 0, "transfer_rx": 0,
            "transfer_tx": 0, "persistent_keepalive": 0});
        self.peers.insert(key, shown);
        (200, done())
    }
}

fn done() -> Value {
    json!({"status": "success", "message": "done"})
}

fn failure(code: &str) -> Value {
    json!({"status": "error", "error": code, "message": code})
}

fn decoded(key: &str) -> String {
    key.replace("%2F", "/")
        .replace("%2B", "+")
        .replace("%3D", "=")
}
