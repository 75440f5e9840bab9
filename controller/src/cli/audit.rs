//! `wgfleet audit`: who did what to what.

use clap::Args;
use serde_json::Value;

use super::{
    client::Query,
    failure::Failure,
    find,
    output::{Column, text},
    session::Session,
    values::Time,
};

/// Longer ones are cut: CSV and JSON have all of them.
const MAX_CHARS: usize = 100;

const COLUMNS: &[Column] = &[
    Column::of("at").headed("AT"),
    Column::of("actor").headed("ACTOR"),
    Column::of("source").headed("FROM"),
    Column::of("action").headed("ACTION"),
    Column::of("object_kind"),
    Column::of("object_id").headed("OBJECT"),
    Column::of("before").as_(document),
    Column::of("after").headed("AFTER").as_(document),
    Column::of("id"),
];

/// What to look for.
#[derive(Debug, Args)]
pub(super) struct AuditFlags {
    /// Only of this token's name, or `controller`
    #[arg(long, value_name = "NAME")]
    actor: Option<String>,

    /// Only this, such as peer.create
    #[arg(long, value_name = "ACTION")]
    action: Option<String>,

    /// Only with this kind of thing: node, peer, token, webhook …
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,

    /// Only with the thing of this id
    #[arg(long, value_name = "ID")]
    object: Option<String>,

    /// Only from this address
    #[arg(long, value_name = "ADDRESS")]
    source: Option<String>,

    /// Only from then on: 2026-03-01T12:00:00Z, or 12h ago
    #[arg(long, value_name = "TIME")]
    since: Option<Time>,

    /// Only before then
    #[arg(long, value_name = "TIME")]
    until: Option<Time>,

    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: usize,
}

/// Shows it.
pub(super) async fn run(session: &Session, flags: AuditFlags) -> Result<(), Failure> {
    let query = Query::of("/audit")
        .maybe("actor", flags.actor)
        .maybe("action", flags.action)
        .maybe("object_kind", flags.kind)
        .maybe("object_id", flags.object)
        .maybe("source", flags.source)
        .maybe("since", flags.since.map(|time| time.back()))
        .maybe("until", flags.until.map(|time| time.back()));
    let mut entries = find::all(&session.client, &query, Some(flags.limit)).await?;
    if session.output.is_csv() {
        for field in ["before", "after"] {
            entries
                .iter_mut()
                .for_each(|entry| entry[field] = as_text(&entry[field]));
        }
    }
    session.output.list(COLUMNS, &entries)
}

/// A document in one cell.
fn as_text(document: &Value) -> Value {
    match document {
        Value::Null => Value::Null,
        other => other.to_string().into(),
    }
}

/// The fields of what was there, as far as they fit a line.
fn document(value: &Value) -> String {
    let text = match value {
        Value::Null => return String::new(),
        Value::Object(fields) => {
            let told = fields.iter().filter(|(_, value)| !is_empty(value));
            let told = told.map(|(name, value)| format!("{name}: {}", text(value)));
            told.collect::<Vec<_>>().join("; ")
        }
        other => text(other),
    };
    match text.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}
