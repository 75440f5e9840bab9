//! An agent to send requests to.

use std::{
    num::NonZeroU32,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use serde_json::Value;
use tempfile::TempDir;
use wgfleet_agent::{
    clock::Clock,
    http::{AgentService, Limits, ServiceParts, Source},
    metrics::{Metrics, Scrape},
    state::replay::ReplayMemory,
    wireguard::{
        fingerprint::Fingerprinter,
        interface::Interfaces,
        simulated::{self, SimulatedBackend, SimulatedControl},
    },
};
use wire_contract::{
    InterfaceName,
    signing::{Secret, SignedParts, Signer, Verifier},
};

pub(crate) const NOW: i64 = 1_800_000_000;
const CURRENT: &str = "the current secret of this agent";
const NEXT: &str = "the next secret this agent is moving to";

pub(crate) fn wg0() -> InterfaceName {
    "wg0".parse().expect("a name")
}

/// A public key in base64, another one for each `n`; some contain `/` and `+`.
pub(crate) fn key(n: u8) -> String {
    wire_contract::PublicKey::from_bytes([n; 32]).to_string()
}

pub(crate) struct Rig {
    pub(crate) service: AgentService,
    pub(crate) control: SimulatedControl,
    pub(crate) clock: Arc<AtomicI64>,
    pub(crate) state: Arc<TempDir>,
    metrics: Arc<Metrics>,
    interfaces: Arc<Interfaces>,
    replay: Arc<ReplayMemory>,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) headers: hyper::HeaderMap,
    pub(crate) body: Bytes,
}

impl Answered {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a JSON body")
    }

    pub(crate) fn error(&self) -> String {
        self.json()["error"].as_str().unwrap_or_default().to_owned()
    }

    /// Asserts status and error code in one go, with the body in the message.
    #[track_caller]
    pub(crate) fn expect(&self, status: u16, error: &str) {
        assert_eq!(
            (self.status, self.error().as_str()),
            (status, error),
            "{:?}",
            self.body
        );
    }

    #[track_caller]
    pub(crate) fn expect_ok(&self) -> Value {
        assert_eq!(self.status, 200, "{:?}", self.body);
        self.json()
    }
}

/// A request in the making.
#[derive(Clone)]
pub(crate) struct Ask {
    method: String,
    target: String,
    body: Vec<u8>,
    timestamp: i64,
    secret: &'static str,
    headers: Vec<(String, String)>,
    signed_target: Option<String>,
    signed_method: Option<String>,
    signed_body: Option<Vec<u8>>,
}

impl Ask {
    pub(crate) fn new(method: &str, target: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            method: method.into(),
            target: target.into(),
            body: body.into(),
            timestamp: NOW,
            secret: CURRENT,
            headers: Vec::new(),
            signed_target: None,
            signed_method: None,
            signed_body: None,
        }
    }

    pub(crate) fn at(mut self, timestamp: i64) -> Self {
        self.timestamp = timestamp;
        self
    }

    pub(crate) fn with_next_secret(mut self) -> Self {
        self.secret = NEXT;
        self
    }

    pub(crate) fn with_wrong_secret(mut self) -> Self {
        self.secret = "somebody else's secret altogether";
        self
    }

    /// Adds a header beside those of the signature.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sends these parts under the signature of others.
    pub(crate) fn signed_for(mut self, method: &str, target: &str, body: &str) -> Self {
        self.signed_method = Some(method.into());
        self.signed_target = Some(target.into());
        self.signed_body = Some(body.into());
        self
    }

    pub(crate) fn signature(&self) -> String {
        let signer = Signer::new(&Secret::new(self.secret).expect("long enough"));
        let timestamp = u64::try_from(self.timestamp).expect("after 1970");
        signer.sign(
            SignedParts {
                method: self.signed_method.as_deref().unwrap_or(&self.method),
                target: self.signed_target.as_deref().unwrap_or(&self.target),
                body: self.signed_body.as_deref().unwrap_or(&self.body),
            },
            timestamp,
        )
    }

    /// With the two headers of the signature.
    pub(crate) fn build(self) -> Request<Full<Bytes>> {
        let signature = self.signature();
        let timestamp = self.timestamp.to_string();
        self.build_with(&[("x-signature", &signature), ("x-timestamp", &timestamp)])
    }

    /// With other headers in their place.
    pub(crate) fn build_with(self, headers: &[(&str, &str)]) -> Request<Full<Bytes>> {
        let mut request = Request::builder()
            .method(self.method.as_str())
            .uri(&self.target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        request
            .body(Full::new(self.body.into()))
            .expect("a request")
    }
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::in_state(Arc::new(TempDir::new().expect("a directory")), None)
    }

    /// One whose replay log costs nothing to sync: for thousands of them.
    pub(crate) fn in_memory() -> Self {
        let memory = Path::new("/dev/shm");
        let state = if memory.is_dir() {
            TempDir::new_in(memory)
        } else {
            TempDir::new()
        };
        Self::in_state(Arc::new(state.expect("a directory")), None)
    }

    pub(crate) fn with_rate_limit(per_sec: u32) -> Self {
        let state = Arc::new(TempDir::new().expect("a directory"));
        Self::in_state(state, NonZeroU32::new(per_sec))
    }

    /// The same agent after a restart: its memory, but a new (empty) interface.
    pub(crate) fn restarted(self) -> Self {
        let state = Arc::clone(&self.state);
        drop(self);
        Self::in_state(state, None)
    }

    fn in_state(state: Arc<TempDir>, rate_limit: Option<NonZeroU32>) -> Self {
        let fingerprinter = Fingerprinter::new();
        // Peers stay silent: a dump shows what was asked for and nothing else.
        let silence = simulated::Clock::stopped(Duration::from_secs(NOW.unsigned_abs()));
        let backend = SimulatedBackend::with_clock(fingerprinter.clone(), &[(wg0(), 0)], silence);
        let control = backend.control();
        let clock = Arc::new(AtomicI64::new(NOW));
        let manual = Clock::Manual(Arc::clone(&clock));
        let replay = Arc::new(ReplayMemory::open(state.path(), NOW).expect("a log"));
        let (interfaces, _deaths) = Interfaces::new(
            Arc::new(backend),
            fingerprinter,
            None,
            Arc::clone(&replay),
            manual.clone(),
        );
        let (current, next) = (Secret::new(CURRENT), Secret::new(NEXT));
        let verifier = Verifier::new(&current.expect("long"), Some(&next.expect("long")));
        let (interfaces, metrics) = (Arc::new(interfaces), Arc::<Metrics>::default());
        let service = AgentService::new(ServiceParts {
            verifier: Arc::new(ArcSwap::from_pointee(verifier)),
            interfaces: Arc::clone(&interfaces),
            replay: Arc::clone(&replay),
            limits: Arc::new(Limits::new(rate_limit)),
            clock: manual,
            metrics: Arc::clone(&metrics),
        });
        Self {
            service,
            control,
            clock,
            state,
            metrics,
            interfaces,
            replay,
        }
    }

    /// The page of metrics as it is now.
    pub(crate) async fn metrics_page(&self, per_peer: bool) -> String {
        let (metrics, interfaces) = (Arc::clone(&self.metrics), Arc::clone(&self.interfaces));
        Scrape::new(metrics, interfaces, Arc::clone(&self.replay), per_peer)
            .page()
            .await
    }

    /// Moves the agent's clock.
    pub(crate) fn pass(&self, seconds: i64) {
        self.clock.fetch_add(seconds, Ordering::Relaxed);
    }

    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Answered {
        self.send_from(request, Source::Unix).await
    }

    pub(crate) async fn send_from(
        &self,
        request: Request<Full<Bytes>>,
        source: Source,
    ) -> Answered {
        let response = self.service.answer(request, source, || ()).await;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("a whole body").to_bytes();
        Answered {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body,
        }
    }

    pub(crate) async fn ask(&self, method: &str, target: &str, body: &str) -> Answered {
        self.send(Ask::new(method, target, body).build()).await
    }

    pub(crate) async fn get(&self, target: &str) -> Answered {
        self.ask("GET", target, "").await
    }

    /// The peers of a dump.
    pub(crate) async fn peers(&self) -> Vec<Value> {
        let dump = self.get("/wg/wg0/dump").await.expect_ok();
        dump["peers"].as_array().expect("a list").clone()
    }

    /// How often the device was read or written.
    pub(crate) fn device_calls(&self) -> wgfleet_agent::wireguard::simulated::Calls {
        self.control.calls(&wg0())
    }
}
