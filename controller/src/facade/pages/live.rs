//! `/live`: which parts of a page are no longer as they were shown.
//!
//! Server-sent events over the services' own: not what happened, but the topics it concerns, from which
//! `app.js` knows what to ask for again.
//!
//! | topic | when |
//! |---|---|
//! | `nodes` | anything about any node |
//! | `node:ID` | its status or settings |
//! | `peers` | anything about any peer |
//! | `peer:ID` | its settings, sync state, or whether it is online |
//! | `node-peers:ID` | anything about a peer on this node |
//! | `all` | what was missed can't be told any more |

use std::collections::BTreeSet;

use axum::{
    Router,
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
    routing::get,
};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use tonic::{Code, Status};
use wgfleet_proto::v1::{self, event::Kind};

use super::page::SignedIn;
use crate::facade::{Answer, Facade};

/// Events that are told in one message, at most.
const AT_ONCE: usize = 512;
/// Asks nginx not to collect the stream before it passes it on.
const NOT_BUFFERED: (HeaderName, HeaderValue) = (
    HeaderName::from_static("x-accel-buffering"),
    HeaderValue::from_static("no"),
);

pub(super) fn routes() -> Router<Facade> {
    Router::new().route("/live", get(follow))
}

async fn follow(
    State(mut facade): State<Facade>,
    signed: SignedIn,
    headers: HeaderMap,
) -> Answer<Response> {
    let seen = headers.get("last-event-id");
    let seen = seen.and_then(|id| id.to_str().ok()).unwrap_or_default();
    let mut watch = async |after_id: &str| {
        let message = v1::WatchRequest {
            after_id: after_id.to_owned(),
            ..Default::default()
        };
        facade.events.watch(signed.caller.request(message)).await
    };
    let (events, first) = match watch(seen).await {
        // Too old, or from a store that is another one by now.
        Err(status) if !seen.is_empty() && is_about_the_past(&status) => {
            (watch("").await?, "data: all\n\n")
        }
        outcome => (outcome?, ""),
    };
    let first = Bytes::from(format!("retry: 3000\n{first}\n"));
    let told = events.into_inner().ready_chunks(AT_ONCE).map(chunk);
    let told = stream::iter([first])
        .chain(told)
        .take_until(signed.session.ended.clone().cancelled_owned())
        .map(Ok::<_, std::convert::Infallible>);
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/event-stream"),
        ),
        (header::CONNECTION, HeaderValue::from_static("close")),
        NOT_BUFFERED,
    ];
    Ok((headers, Body::from_stream(told)).into_response())
}

fn is_about_the_past(status: &Status) -> bool {
    matches!(status.code(), Code::OutOfRange | Code::InvalidArgument)
}

/// What came together, as one message. An error ends the stream: the browser comes back by itself.
fn chunk(events: Vec<Result<v1::Event, Status>>) -> Bytes {
    let (mut id, mut topics) = (String::new(), BTreeSet::new());
    for event in events.into_iter().flatten() {
        id = event.id;
        if let Some(kind) = event.kind {
            add(&mut topics, kind);
        }
    }
    if id.is_empty() {
        return Bytes::from_static(b": the end\n\n");
    }
    let topics: Vec<_> = topics.into_iter().collect();
    if topics.is_empty() {
        return format!(": here\nid: {id}\n\n").into();
    }
    format!("id: {id}\ndata: {}\n\n", topics.join(" ")).into()
}

fn add(topics: &mut BTreeSet<String>, kind: Kind) {
    let mut node = |id: String| topics.extend(["nodes".to_owned(), format!("node:{id}")]);
    let (peer_id, node_id) = match kind {
        Kind::NodeStatus(it) => return node(it.node_id),
        Kind::NodeDeleted(it) => return node(it.node_id),
        Kind::NodeCreated(it) => return node(it.node.unwrap_or_default().id),
        Kind::NodeChanged(it) => return node(it.node.unwrap_or_default().id),
        Kind::PeerCreated(it) => of_peer(it.peer),
        Kind::PeerChanged(it) => {
            topics.insert(format!("node-peers:{}", it.previous_node_id));
            of_peer(it.peer)
        }
        Kind::PeerDeleted(it) => (it.peer_id, it.node_id),
        Kind::PeerSync(it) => (it.peer_id, it.node_id),
        Kind::PeerOnline(it) => (it.peer_id, it.node_id),
        Kind::PeerExpired(it) => (it.peer_id, it.node_id),
    };
    let peer = [format!("peer:{peer_id}"), format!("node-peers:{node_id}")];
    topics.extend(peer);
    topics.insert("peers".to_owned());
    topics.remove("node-peers:");
}

fn of_peer(peer: Option<v1::Peer>) -> (String, String) {
    let peer = peer.unwrap_or_default();
    (peer.id, peer.node_id)
}

#[cfg(test)]
mod tests {
    use wgfleet_proto::v1::{self, event::Kind};

    use super::chunk;

    fn event(id: u32, kind: Kind) -> Result<v1::Event, tonic::Status> {
        Ok(v1::Event {
            id: id.to_string(),
            kind: Some(kind),
            ..Default::default()
        })
    }

    #[test]
    fn a_burst_about_one_node_is_one_short_message() {
        let status = |id| {
            let node_id = "n".into();
            let changed = v1::NodeStatusChanged {
                node_id,
                ..Default::default()
            };
            event(id, Kind::NodeStatus(changed))
        };
        let told = chunk((1..=500).map(status).collect());
        assert_eq!(&told[..], b"id: 500\ndata: node:n nodes\n\n");
    }

    #[test]
    fn a_peer_that_moves_concerns_both_nodes() {
        let peer = v1::Peer {
            id: "p".into(),
            node_id: "b".into(),
            ..Default::default()
        };
        let moved = v1::PeerChanged {
            peer: Some(peer),
            previous_node_id: "a".into(),
        };
        let told = chunk(vec![event(9, Kind::PeerChanged(moved))]);
        let expected = "id: 9\ndata: node-peers:a node-peers:b peer:p peers\n\n";
        assert_eq!(told, expected);
    }

    #[test]
    fn a_sign_of_life_moves_the_id_on() {
        let here = v1::Event {
            id: "7".into(),
            ..Default::default()
        };
        assert_eq!(chunk(vec![Ok(here)]), ": here\nid: 7\n\n");
    }
}
