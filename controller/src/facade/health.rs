//! Whether the program lives, and whether it can do its work. Nothing here needs a token, and
//! nothing here tells a stranger more than that.

mod describe;

use std::{future::Future, pin::Pin, sync::Arc};

use axum::{Json, Router, extract::State, http::StatusCode, routing::get};
use serde_json::{Value, json};

use super::{Answer, Facade, problem::Problem};

pub(super) use self::describe::operations;

/// Asks whether the controller can do its work.
#[derive(Clone)]
pub struct Readiness(Arc<dyn Fn() -> Pin<Box<dyn Future<Output = bool> + Send>> + Send + Sync>);

impl Readiness {
    /// Ready when `check` says so. It is asked each time.
    pub fn new<F>(check: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = bool> + Send + 'static,
    {
        Self(Arc::new(move || Box::pin(check())))
    }
}

pub(super) fn routes() -> Router<Facade> {
    Router::new()
        .route("/healthz", get(|| async { Json(json!({"status": "ok"})) }))
        .route("/readyz", get(ready))
}

async fn ready(State(facade): State<Facade>) -> Answer<Json<Value>> {
    if (facade.ready.0)().await {
        return Ok(Json(json!({"status": "ready"})));
    }
    let detail = "the store can't be read just now";
    let status = StatusCode::SERVICE_UNAVAILABLE;
    Err(Problem::new(status, "not_ready", detail))
}
