//! `/api/v1/audit`.

mod describe;

use axum::{Json, Router, extract::State, routing::get};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use wgfleet_proto::v1;

use super::{
    Answer, Facade,
    caller::Caller,
    openapi::format,
    query::Parameters,
    shape::{Page, text},
    time::Timestamp,
};

pub(super) use self::describe::operations;

pub(super) fn routes() -> Router<Facade> {
    Router::new().route("/audit", get(list))
}

/// One thing that was done.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "AuditEntry")]
struct Entry {
    /// Grows with time.
    id: i64,
    at: Timestamp,
    /// A token's name, or `controller`.
    actor: String,
    /// The address it came from, or `unix`.
    source: Option<String>,
    /// Such as `peer.create`.
    action: String,
    /// Such as `peer`.
    object_kind: String,
    object_id: String,
    /// Its fields before, never a secret.
    #[schemars(with = "Option<format::Object>")]
    before: Option<Value>,
    /// Its fields after, never a secret.
    #[schemars(with = "Option<format::Object>")]
    after: Option<Value>,
}

impl From<v1::AuditEntry> for Entry {
    fn from(entry: v1::AuditEntry) -> Self {
        Self {
            id: entry.id,
            at: Timestamp(entry.at),
            actor: entry.actor,
            source: text(entry.source),
            action: entry.action,
            object_kind: entry.object_kind,
            object_id: entry.object_id,
            before: serde_json::from_str(&entry.before).ok(),
            after: serde_json::from_str(&entry.after).ok(),
        }
    }
}

async fn list(
    State(mut facade): State<Facade>,
    caller: Caller,
    mut query: Parameters,
) -> Answer<Json<Page<Entry>>> {
    let message = v1::ListAuditRequest {
        page: Some(query.page()?),
        actor: query.text("actor")?.unwrap_or_default(),
        action: query.text("action")?.unwrap_or_default(),
        object_kind: query.text("object_kind")?.unwrap_or_default(),
        object_id: query.text("object_id")?.unwrap_or_default(),
        source: query.text("source")?.unwrap_or_default(),
        since: query.time_s("since")?,
        until: query.time_s("until")?,
    };
    query.finish()?;
    let answer = facade.audit.list(caller.request(message)).await?;
    let answer = answer.into_inner();
    Ok(Json(Page::new(answer.items, answer.page)))
}
