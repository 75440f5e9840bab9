//! What a peer moved over time, and what was done to it.

use axum::{Json, extract::State};
use serde_json::{Map, Value};
use wgfleet_proto::v1;

use super::super::{
    page::SignedIn,
    plot::{Plot, RANGES, Range, Traffic},
    show::{self, Ago},
};
use crate::facade::{
    Answer, Facade,
    input::{Id, OfPeer},
    query::Parameters,
};

/// The shortest spans there are of a peer.
const LEAST_STEP_S: u32 = 300;
const DEEDS_SHOWN: u32 = 20;
/// Characters of a value, and changes of a deed.
const MAX_CHARS: usize = 60;
const MAX_CHANGES: usize = 6;

/// An entry of the audit.
pub(super) struct Deed {
    pub(super) at: Ago,
    pub(super) actor: String,
    pub(super) action: String,
    pub(super) changes: Vec<Changed>,
}

/// A field that was changed.
pub(super) struct Changed {
    pub(super) field: String,
    pub(super) was: String,
    pub(super) is: String,
}

pub(super) async fn traffic(
    State(mut facade): State<Facade>,
    signed: SignedIn,
    Id { id, .. }: Id<OfPeer>,
    mut query: Parameters,
) -> Answer<Json<Plot>> {
    let range = Range::or_day(query.word("range", &RANGES)?);
    query.finish()?;
    let now_s = show::now_s();
    let mut range = range.until(now_s);
    range.step_s = range.step_s.max(LEAST_STEP_S);
    let asked = v1::PeerHistoryRequest {
        peer_id: id,
        range: Some(range),
    };
    let history = facade
        .history
        .peer_history(signed.caller.request(asked))
        .await?;
    let history = history.into_inner();
    let mut traffic = Traffic::default();
    traffic.add(&history.points);
    Ok(Json(traffic.plot(
        history.from,
        history.to,
        history.step_s,
        now_s,
    )))
}

/// What was done last, for those who may see the audit.
pub(super) async fn deeds(
    facade: &mut Facade,
    signed: &SignedIn,
    id: &str,
) -> Answer<Option<Vec<Deed>>> {
    if !signed.who.is_admin {
        return Ok(None);
    }
    let asked = v1::ListAuditRequest {
        page: Some(v1::PageRequest {
            page_size: DEEDS_SHOWN,
            cursor: String::new(),
        }),
        object_kind: "peer".into(),
        object_id: id.to_owned(),
        ..Default::default()
    };
    let entries = facade.audit.list(signed.caller.request(asked)).await?;
    let now_s = show::now_s();
    let deeds = entries.into_inner().items.into_iter().map(|entry| Deed {
        at: Ago::new(entry.at, now_s),
        changes: changes(&entry.before, &entry.after),
        actor: entry.actor,
        action: entry.action,
    });
    Ok(Some(deeds.collect()))
}

/// What differs, of a change; of what was added or deleted, nothing.
fn changes(before: &str, after: &str) -> Vec<Changed> {
    let read = |text: &str| serde_json::from_str::<Map<String, Value>>(text).ok();
    let (Some(before), Some(after)) = (read(before), read(after)) else {
        return Vec::new();
    };
    let of = |fields: &Map<String, Value>, field: &str| match fields.get(field) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => shortened(text),
        Some(other) => shortened(&other.to_string()),
    };
    let all: std::collections::BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let differing = all
        .into_iter()
        .filter(|field| before.get(*field) != after.get(*field));
    let changed = differing.take(MAX_CHANGES).map(|field| Changed {
        was: of(&before, field),
        is: of(&after, field),
        field: field.clone(),
    });
    changed.collect()
}

fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(MAX_CHARS).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::changes;

    #[test]
    fn what_differs() {
        let found = changes("{\"a\":1,\"b\":\"x\",\"c\":[]}", "{\"a\":1,\"b\":\"y\"}");
        let found: Vec<_> = found
            .iter()
            .map(|it| (it.field.as_str(), it.was.as_str(), it.is.as_str()))
            .collect();
        assert_eq!(found, [("b", "x", "y"), ("c", "[]", "")]);
        assert!(changes("", "{\"a\":1}").is_empty());
    }
}
