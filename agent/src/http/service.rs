//! A request in, an answer out: everything behind the connection, testable without a socket.

use std::{
    cell::RefCell,
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use arc_swap::ArcSwap;
use bytes::Bytes;
use futures_util::FutureExt;
use http_body_util::Full;
use hyper::{
    Request, Response,
    body::Body,
    header::{DATE, HeaderValue},
};
use tokio_util::task::TaskTracker;
use wire_contract::{path::Resource, signing::Verifier};

use super::{
    answer::Answer,
    gate::Gate,
    handlers::Handlers,
    limits::{Limits, Source},
    mutations::Mutations,
};
use crate::{
    clock::Clock,
    metrics::{Metrics, Route},
    state::replay::ReplayMemory,
    wireguard::interface::Interfaces,
};

/// What a service is made of.
pub struct ServiceParts {
    /// Accepts signatures; may be exchanged while running.
    pub verifier: Arc<ArcSwap<Verifier>>,
    /// Who owns what.
    pub interfaces: Arc<Interfaces>,
    /// What was seen before.
    pub replay: Arc<ReplayMemory>,
    /// How much of what.
    pub limits: Arc<Limits>,
    /// The time of day.
    pub clock: Clock,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

/// The agent behind its connections.
pub struct AgentService {
    gate: Gate,
    handlers: Handlers,
    limits: Arc<Limits>,
    mutations: TaskTracker,
    clock: Clock,
    metrics: Arc<Metrics>,
}

impl AgentService {
    /// Puts the parts together.
    #[must_use]
    pub fn new(parts: ServiceParts) -> Self {
        let ServiceParts {
            verifier,
            interfaces,
            replay,
            limits,
            clock,
            metrics,
        } = parts;
        let tracker = TaskTracker::new();
        let mutations = Mutations::new(
            Arc::clone(&interfaces),
            replay,
            clock.clone(),
            tracker.clone(),
        );
        Self {
            gate: Gate::new(
                verifier,
                clock.clone(),
                Arc::clone(&limits),
                Arc::clone(&metrics),
            ),
            handlers: Handlers::new(interfaces, mutations, clock.clone()),
            clock,
            limits,
            mutations: tracker,
            metrics,
        }
    }

    /// What is counted.
    #[must_use]
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Answers one request. Calls `authenticated` as soon as it has proven to be authentic.
    pub async fn answer<B>(
        &self,
        request: Request<B>,
        source: Source,
        authenticated: impl FnOnce(),
    ) -> Response<Full<Bytes>>
    where
        B: Body<Data = Bytes> + Unpin,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (parts, body) = request.into_parts();
        let (method, uri) = (&parts.method, &parts.uri);
        let request = match self.gate.check(&parts, body, source).await {
            Ok(authentic) => authentic,
            Err(turned) => {
                let response = turned.answer.into_response(turned.close);
                let route = Route::Unauthenticated;
                self.metrics
                    .requests
                    .count(route, method, response.status());
                tracing::debug!(%method, %uri, %source, status = %response.status(), "turned away");
                return self.dated(response);
            }
        };
        authenticated();
        let limited = self.limits.signed(source).err();
        let target = uri.path_and_query();
        let resource = Resource::parse(target.map_or("", |target| target.as_str()));
        let route = Route::of(&resource);
        let handled = self.handlers.handle(request, resource, source, limited);
        // A panic is a bug, but it must not take the connection's other requests with it.
        let answer = AssertUnwindSafe(handled)
            .catch_unwind()
            .await
            .unwrap_or_else(|_| {
                tracing::error!(%method, %uri, "a handler panicked");
                Answer::internal()
            });
        let response = answer.into_response(false);
        self.metrics
            .requests
            .count(route, method, response.status());
        tracing::debug!(%method, %uri, %source, status = %response.status(), "answered");
        self.dated(response)
    }

    /// The date that hyper itself would put there stands still when the clock is set back, until the
    /// clock has caught up with it: a controller would see a clock that is wrong.
    fn dated(&self, mut response: Response<Full<Bytes>>) -> Response<Full<Bytes>> {
        if let Some(date) = date_header(self.clock.unix_seconds()) {
            response.headers_mut().insert(DATE, date);
        }
        response
    }

    /// Waits for the mutations under way, whose clients may be gone.
    pub async fn drained(&self) {
        self.mutations.close();
        self.mutations.wait().await;
    }
}

/// A second as the header has it; each thread keeps the last one, since most answers are of one second.
fn date_header(unix_seconds: i64) -> Option<HeaderValue> {
    thread_local! {
        static LAST: RefCell<Option<(i64, HeaderValue)>> = const { RefCell::new(None) };
    }
    LAST.with_borrow_mut(|last| {
        if let Some((of, date)) = last
            && *of == unix_seconds
        {
            return Some(date.clone());
        }
        let now = Duration::from_secs(u64::try_from(unix_seconds).unwrap_or(0));
        let date = HeaderValue::try_from(httpdate::fmt_http_date(UNIX_EPOCH + now)).ok()?;
        *last = Some((unix_seconds, date.clone()));
        Some(date)
    })
}
