//! `GET /metrics`, on a listener of its own.

use std::{future::Future, sync::Arc};

use axum::{
    Router,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};

use super::{Metrics, fleet::Fleet};

/// The OpenMetrics text format, which is what Prometheus prefers.
const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The one page. `look` says how the fleet is; `None` when that can't be known just now, and then
/// the page has what is counted and no more.
pub fn router<F>(metrics: Metrics, look: impl Fn() -> F + Send + Sync + 'static) -> Router
where
    F: Future<Output = Option<Fleet>> + Send + 'static,
{
    let look = Arc::new(look);
    let page = move || {
        let (metrics, look) = (metrics.clone(), Arc::clone(&look));
        async move { answer(&metrics, look().await.as_ref()) }
    };
    Router::new().route("/metrics", get(page))
}

fn answer(metrics: &Metrics, fleet: Option<&Fleet>) -> Response {
    let encode = || {
        let mut text = metrics.encode()?;
        if let Some(fleet) = fleet {
            fleet.encode(&mut text)?;
        }
        text.push_str("# EOF\n");
        Ok::<_, std::fmt::Error>(text)
    };
    match encode() {
        Ok(text) => ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
