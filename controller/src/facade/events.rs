//! `/api/v1/events`: what happens, as server-sent events.

mod describe;

use axum::{
    Router,
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
    routing::get,
};
use bytes::Bytes;
use futures_util::StreamExt as _;
use schemars::JsonSchema;
use serde::{Serialize, Serializer};
use tonic::Status;
use wgfleet_proto::v1::{self, event::Kind};

use super::{
    Answer, Facade,
    caller::Caller,
    nodes::{Node, STATUSES},
    openapi::format,
    peers::Peer,
    problem::Problem,
    query::Parameters,
    shape::{Sync, text, word},
    time::Timestamp,
};

pub(super) use self::describe::operations;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Asks nginx not to collect the stream before it passes it on.
const NOT_BUFFERED: (HeaderName, HeaderValue) = (
    HeaderName::from_static("x-accel-buffering"),
    HeaderValue::from_static("no"),
);

pub(super) fn routes() -> Router<Facade> {
    Router::new().route("/events", get(follow))
}

async fn follow(
    State(mut facade): State<Facade>,
    caller: Caller,
    headers: HeaderMap,
    query: Parameters,
) -> Answer<Response> {
    let message = watch_request(query, &headers)?;
    let stream = facade.events.watch(caller.request(message)).await?;
    let chunks = stream.into_inner().map(|event| {
        let chunk = event.as_ref().map_or_else(end, chunk);
        Ok::<_, std::convert::Infallible>(chunk)
    });
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/event-stream"),
        ),
        // Nothing follows a stream that ended.
        (header::CONNECTION, HeaderValue::from_static("close")),
        NOT_BUFFERED,
    ];
    Ok((headers, Body::from_stream(chunks)).into_response())
}

/// A browser that comes back says so in the header, whatever it asked for at first.
fn watch_request(mut query: Parameters, headers: &HeaderMap) -> Result<v1::WatchRequest, Problem> {
    let after = query.text("after")?;
    let seen = headers.get(LAST_EVENT_ID).map(HeaderValue::to_str);
    let seen = seen.transpose().map_err(|_| {
        let detail = "the header Last-Event-ID is not the id of an event";
        Problem::invalid_field("Last-Event-ID", detail)
    })?;
    let message = v1::WatchRequest {
        after_id: seen.map_or(after.unwrap_or_default(), ToOwned::to_owned),
        node_id: query.text("node_id")?.unwrap_or_default(),
        peer_id: query.text("peer_id")?.unwrap_or_default(),
        kinds: query.texts("kind"),
    };
    query.finish()?;
    Ok(message)
}

/// An event as one piece of the stream. One without a kind is a comment that moves the last id on.
fn chunk(event: &v1::Event) -> Bytes {
    let id = &event.id;
    if event.kind.is_none() {
        return format!(": here\nid: {id}\n\n").into();
    }
    let json = event_json(event);
    let json = String::from_utf8_lossy(&json);
    format!("id: {id}\nevent: {}\ndata: {json}\n\n", event.name).into()
}

/// The last piece: why the stream ends.
fn end(status: &Status) -> Bytes {
    #[derive(Serialize)]
    struct End<'a> {
        code: &'a str,
        detail: &'a str,
    }
    let problem = Problem::from(status.clone());
    let (code, detail) = (&*problem.code, problem.detail.as_str());
    let json = serde_json::to_string(&End { code, detail }).expect("texts are always JSON");
    format!(": {detail}\nevent: stream.ended\ndata: {json}\n\n").into()
}

/// An event as callers and webhooks are told of it.
///
/// # Panics
/// Never: everything in it can be JSON.
#[must_use]
pub fn event_json(event: &v1::Event) -> Vec<u8> {
    let told = Told::from(event);
    serde_json::to_vec(&told).expect("texts, numbers and lists of them are always JSON")
}

/// An event in the middle of another answer, the same as anywhere.
pub(super) struct PastEvent(v1::Event);

impl From<v1::Event> for PastEvent {
    fn from(event: v1::Event) -> Self {
        Self(event)
    }
}

impl Serialize for PastEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Told::from(&self.0).serialize(serializer)
    }
}

impl<'a> From<&'a v1::Event> for Told<'a> {
    fn from(event: &'a v1::Event) -> Self {
        Self {
            id: &event.id,
            kind: &event.name,
            occurred_at: Timestamp(event.occurred_at),
            about: event.kind.clone().map(Into::into),
        }
    }
}

/// What happened. What else is there depends on `kind`.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Event", transform = describe::merge)]
pub(super) struct Told<'a> {
    /// Grows with time; resumes a stream.
    id: &'a str,
    #[schemars(with = "format::EventKind")]
    kind: &'a str,
    occurred_at: Timestamp,
    #[serde(flatten)]
    about: Option<About>,
}

#[derive(JsonSchema, Serialize)]
#[serde(untagged)]
enum About {
    Node {
        node_id: String,
        node: Box<Node>,
    },
    Status {
        node_id: String,
        #[schemars(with = "format::Status")]
        status: &'static str,
        status_reason: Option<String>,
        status_since: Timestamp,
    },
    NodeGone {
        node_id: String,
    },
    Peer {
        peer_id: String,
        node_id: String,
        /// The node it leaves by this change.
        #[serde(skip_serializing_if = "Option::is_none")]
        previous_node_id: Option<String>,
        peer: Box<Peer>,
    },
    PeerGone {
        peer_id: String,
        node_id: String,
        public_key: String,
    },
    Sync {
        peer_id: String,
        node_id: String,
        sync: Sync,
    },
    Online {
        peer_id: String,
        node_id: String,
        online: bool,
        latest_handshake: Option<Timestamp>,
    },
    Expired {
        peer_id: String,
        node_id: String,
    },
}

impl From<Kind> for About {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::NodeCreated(it) => Self::node(it.node),
            Kind::NodeChanged(it) => Self::node(it.node),
            Kind::NodeDeleted(it) => Self::NodeGone {
                node_id: it.node_id,
            },
            Kind::NodeStatus(it) => Self::Status {
                status: word(&STATUSES, it.status()),
                node_id: it.node_id,
                status_reason: text(it.status_reason),
                status_since: Timestamp(it.status_since),
            },
            Kind::PeerCreated(it) => Self::peer(it.peer, String::new()),
            Kind::PeerChanged(it) => Self::peer(it.peer, it.previous_node_id),
            Kind::PeerDeleted(it) => Self::PeerGone {
                peer_id: it.peer_id,
                node_id: it.node_id,
                public_key: it.public_key,
            },
            Kind::PeerSync(it) => Self::Sync {
                peer_id: it.peer_id,
                node_id: it.node_id,
                sync: it.sync.unwrap_or_default().into(),
            },
            Kind::PeerOnline(it) => Self::Online {
                peer_id: it.peer_id,
                node_id: it.node_id,
                online: it.online,
                latest_handshake: Timestamp::unless_zero(it.latest_handshake),
            },
            Kind::PeerExpired(it) => Self::Expired {
                peer_id: it.peer_id,
                node_id: it.node_id,
            },
        }
    }
}

impl About {
    fn node(node: Option<v1::Node>) -> Self {
        let node = node.unwrap_or_default();
        Self::Node {
            node_id: node.id.clone(),
            node: Box::new(node.into()),
        }
    }

    fn peer(peer: Option<v1::Peer>, previous_node_id: String) -> Self {
        let peer = peer.unwrap_or_default();
        Self::Peer {
            peer_id: peer.id.clone(),
            node_id: peer.node_id.clone(),
            previous_node_id: text(previous_node_id),
            peer: Box::new(peer.into()),
        }
    }
}
