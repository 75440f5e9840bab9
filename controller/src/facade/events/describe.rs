//! The route of events, for programs.

use schemars::Schema;
use serde_json::{Map, Value, json};

use super::super::openapi::{Operation, parameters, reference};

const ABOUT: &str = "Every change, in order and each once, also over restarts of the controller: `id:`, \
    `event:` with the kind, and `data:` with an `Event` as JSON. At the beginning and every 15 s a comment \
    with an `id:` says how far the stream is. A stream that ends tells why in a last event `stream.ended` with \
    a `code`: `too_slow` or `unauthenticated`. Events are kept for 7 days and at most 500,000 of them.";

pub(in crate::facade) fn operations() -> Vec<Operation> {
    let filters = vec![
        parameters::text("after", "The last event that was seen: as `Last-Event-ID`."),
        parameters::text("node_id", "Only events about this node and its peers."),
        parameters::text("peer_id", "Only events about this peer."),
        parameters::kinds(),
    ];
    let stream = json!({
        "type": "string",
        "example": "id: 4711\nevent: peer.deleted\ndata: {\"id\":\"4711\",\"kind\":\"peer.deleted\",…}\n\n",
    });
    let operation = Operation::get("/events", "followEvents")
        .does("Events", "Changes as they happen", ABOUT)
        .parameter(reference("LastEventId"))
        .query(filters)
        .refuses(404, &["node_not_found", "peer_not_found"])
        .refuses(410, &["event_too_old"])
        .refuses(503, &["too_many_streams"])
        .sends(
            &[("text/event-stream", stream)],
            "A stream that does not end by itself.",
        );
    vec![operation]
}

/// One object with the fields of all kinds: who reads events looks at `kind` and takes what is there.
pub(super) fn merge(schema: &mut Schema) {
    let Some(Value::Array(kinds)) = schema.remove("anyOf") else {
        return;
    };
    let mut properties = Map::new();
    for mut kind in kinds {
        if let Some(fields) = kind["properties"].as_object_mut() {
            properties.append(fields);
        }
    }
    if let Some(own) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        own.append(&mut properties);
    }
}
