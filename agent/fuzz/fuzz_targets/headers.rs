//! The gate of the whole service: what is authentic is what bare HMAC says is.
//!
//! The input is a request in text: `METHOD TARGET`, header lines, an empty line, the body. In header
//! values `{current}`, `{next}` and `{stranger}` stand for the signature that the secret of that name
//! makes over this very request, `{CURRENT}` for the same in capitals.

#![no_main]

use std::{
    cell::Cell,
    net::{IpAddr, Ipv4Addr},
    sync::{
        Arc, LazyLock,
        atomic::{AtomicI64, AtomicU32, Ordering},
    },
};

use arc_swap::ArcSwap;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, Uri, header::HeaderName, http::HeaderValue};
use libfuzzer_sys::fuzz_target;
use ring::hmac;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use wgfleet_agent::{
    clock::Clock,
    http::{AgentService, Limits, ServiceParts, Source},
    state::replay::ReplayMemory,
    wireguard::{fingerprint::Fingerprinter, interface::Interfaces, simulated::SimulatedBackend},
};
use wire_contract::signing::{Secret, Verifier};

const NOW: i64 = 1_700_000_000;
/// As in the contract's vectors.
const CURRENT: &str = "your-shared-secret";
const NEXT: &str = "gemeinsames Geheimnis: söt 🔑";
const STRANGER: &str = "not-your-shared-secret";

struct Agent {
    service: AgentService,
    runtime: Runtime,
    _state: TempDir,
}

static AGENT: LazyLock<Agent> = LazyLock::new(agent);

fn agent() -> Agent {
    let state = TempDir::new().expect("a directory");
    let clock = Clock::Manual(Arc::new(AtomicI64::new(NOW)));
    let fingerprinter = Fingerprinter::new();
    let backend = SimulatedBackend::new(fingerprinter.clone(), &[]);
    let replay = Arc::new(ReplayMemory::open(state.path(), NOW).expect("a log"));
    let (interfaces, _deaths) = Interfaces::new(
        Arc::new(backend),
        fingerprinter,
        None,
        Arc::clone(&replay),
        clock.clone(),
    );
    let secret = |text| Secret::new(text).expect("long enough");
    let verifier = Verifier::new(&secret(CURRENT), Some(&secret(NEXT)));
    let service = AgentService::new(ServiceParts {
        verifier: Arc::new(ArcSwap::from_pointee(verifier)),
        interfaces: Arc::new(interfaces),
        replay,
        limits: Arc::new(Limits::new(None)),
        clock,
        metrics: Arc::default(),
    });
    Agent {
        service,
        runtime: Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a runtime"),
        _state: state,
    }
}

/// A request as the input tells it.
struct Told<'a> {
    method: &'a str,
    target: &'a str,
    headers: Vec<(&'a str, Vec<u8>)>,
    body: &'a [u8],
}

impl<'a> Told<'a> {
    fn read(data: &'a [u8]) -> Option<Self> {
        let mut rest = data;
        let (method, target) = line(&mut rest)?.split_once(' ')?;
        let mut told = Self {
            method,
            target,
            headers: Vec::new(),
            body: b"",
        };
        loop {
            match line(&mut rest)? {
                "" => break,
                header => {
                    let (name, value) = header.split_once(": ")?;
                    told.headers.push((name, value.as_bytes().to_vec()));
                }
            }
        }
        told.body = rest;
        told.sign();
        Some(told)
    }

    fn sign(&mut self) {
        let timestamp = self.values("x-timestamp").next().unwrap_or_default();
        let message = self.message(&timestamp.to_vec());
        for (_, value) in &mut self.headers {
            let secret = match value.as_slice() {
                b"{current}" | b"{CURRENT}" => CURRENT,
                b"{next}" => NEXT,
                b"{stranger}" => STRANGER,
                _ => continue,
            };
            let tag = hmac::sign(&key(secret), &message);
            let hex: String = tag.as_ref().iter().map(|b| format!("{b:02x}")).collect();
            let is_shouted = value.as_slice() == b"{CURRENT}";
            *value = if is_shouted { hex.to_uppercase() } else { hex }.into_bytes();
        }
    }

    fn message(&self, timestamp: &[u8]) -> Vec<u8> {
        let (method, target) = (self.method.as_bytes(), self.target.as_bytes());
        [method, target, self.body, timestamp].join(&b'|')
    }

    fn values(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        let of_name = move |header: &&(&str, Vec<u8>)| header.0.eq_ignore_ascii_case(name);
        self.headers
            .iter()
            .filter(of_name)
            .map(|(_, value)| value.as_slice())
    }

    /// `None` for what hyper itself would not have taken off the wire.
    fn request(&self) -> Option<Request<Full<Bytes>>> {
        let mut request = Request::builder()
            .method(Method::from_bytes(self.method.as_bytes()).ok()?)
            .uri(Uri::try_from(self.target).ok()?);
        for (name, value) in &self.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
            request = request.header(name, HeaderValue::from_bytes(value).ok()?);
        }
        request
            .body(Full::new(Bytes::copy_from_slice(self.body)))
            .ok()
    }

    /// Whether it can be signed at all, so that it comes to the signature.
    fn is_signable(&self) -> bool {
        let is_framed_twice = self.values("content-length").next().is_some()
            && self.values("transfer-encoding").next().is_some();
        self.target.starts_with('/') && !self.target.contains('|') && !is_framed_twice
    }

    /// The contract's rules for the two headers, and then bare HMAC.
    fn is_authentic(&self) -> bool {
        let only = |name| {
            let values: Vec<_> = self.values(name).collect();
            <[&[u8]; 1]>::try_from(values).ok().map(|[value]| value)
        };
        let (Some(signature), Some(timestamp)) = (only("x-signature"), only("x-timestamp")) else {
            return false;
        };
        let is_recent = matches!(timestamp, [b'0'..=b'9', ..] if timestamp.len() <= 12)
            && timestamp.iter().all(u8::is_ascii_digit)
            && std::str::from_utf8(timestamp)
                .expect("digits")
                .parse::<i128>()
                .is_ok_and(|then| (then - i128::from(NOW)).abs() <= 300);
        let message = self.message(timestamp);
        let signs = |secret| hmac::verify(&key(secret), &message, &unhex(signature)).is_ok();
        is_recent && signature.len() == 64 && (signs(CURRENT) || signs(NEXT))
    }
}

fn line<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    let end = rest.iter().position(|byte| *byte == b'\n')?;
    let line = std::str::from_utf8(&rest[..end]).ok()?;
    *rest = &rest[end + 1..];
    Some(line)
}

fn key(secret: &str) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes())
}

/// Empty for what is no hex, which signs nothing.
fn unhex(text: &[u8]) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pairs = text.chunks_exact(2).map(|pair| {
        let value = digit(pair[0])? * 16 + digit(pair[1])?;
        u8::try_from(value).ok()
    });
    pairs.collect::<Option<_>>().unwrap_or_default()
}

fuzz_target!(|data: &[u8]| {
    /// Each request from another address: no allowance is ever used up.
    static SOURCE: AtomicU32 = AtomicU32::new(0);
    let Some((told, request)) = Told::read(data).and_then(|told| {
        let request = told.request()?;
        Some((told, request))
    }) else {
        return;
    };
    // hyper's `Uri` drops a fragment, which has no place in a request.
    if told.target.contains('#') {
        return;
    }
    let address = Ipv4Addr::from(SOURCE.fetch_add(1, Ordering::Relaxed));
    let source = Source::from(IpAddr::from(address));
    let was_authentic = Cell::new(false);
    let Agent {
        service, runtime, ..
    } = &*AGENT;
    let (status, body) = runtime.block_on(async {
        let answer = service.answer(request, source, || was_authentic.set(true));
        let (parts, body) = answer.await.into_parts();
        let body = body.collect().await.expect("a whole body").to_bytes();
        (parts.status.as_u16(), body)
    });
    let expected = told.is_signable() && told.is_authentic();
    assert_eq!(was_authentic.get(), expected, "answered {status}");
    assert_eq!(status == 401, told.is_signable() && !expected);
    assert!(
        status != 500 && (told.is_signable() || status == 400),
        "{status}"
    );
    serde_json::from_slice::<serde_json::Value>(&body).expect("every answer is JSON");
});
