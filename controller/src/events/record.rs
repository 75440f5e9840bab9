//! Writing events down, and reading them as messages.

use prost::Message as _;
use wgfleet_proto::v1::{Event, event::Kind};

use crate::store::{
    StoreError, WriteTx,
    events::{self, EventRow, NewEvent},
};

/// The words for what happened, as callers see and filter them.
pub const KINDS: [&str; 11] = [
    "node.created",
    "node.changed",
    "node.deleted",
    "node.status",
    "peer.created",
    "peer.changed",
    "peer.deleted",
    "peer.sync",
    "peer.online",
    "peer.offline",
    "peer.expired",
];

/// Appends an event in the transaction of what it tells of; its id. Nothing in `kind` may be secret.
///
/// # Errors
/// When it can't be written.
#[expect(
    clippy::needless_pass_by_value,
    reason = "an event is made to be recorded"
)]
pub fn record(tx: &WriteTx<'_>, now_s: i64, kind: Kind) -> Result<i64, StoreError> {
    let event = Event {
        kind: Some(kind.clone()),
        ..Event::default()
    };
    let about = Subject::of(&kind);
    events::append(
        tx,
        &NewEvent {
            at: now_s,
            kind: about.kind,
            node_id: about.node.parse().ok(),
            from_node_id: about.from_node.parse().ok(),
            peer_id: about.peer.parse().ok(),
            payload: &event.encode_to_vec(),
        },
    )
}

/// The event as it is told.
///
/// # Errors
/// When it is none that this program wrote.
pub fn message(row: &EventRow) -> Result<Event, StoreError> {
    let event = Event::decode(row.payload.as_slice())
        .map_err(|error| StoreError::Internal(format!("event {}: {error}", row.id)))?;
    Ok(Event {
        id: row.id.to_string(),
        occurred_at: row.at,
        name: row.kind.clone(),
        ..event
    })
}

/// What an event is about.
struct Subject<'a> {
    kind: &'static str,
    node: &'a str,
    from_node: &'a str,
    peer: &'a str,
}

impl<'a> Subject<'a> {
    fn of(kind: &'a Kind) -> Self {
        let (kind, node, peer) = match kind {
            Kind::NodeCreated(it) => ("node.created", id_of_node(it.node.as_ref()), ""),
            Kind::NodeChanged(it) => ("node.changed", id_of_node(it.node.as_ref()), ""),
            Kind::NodeDeleted(it) => ("node.deleted", it.node_id.as_str(), ""),
            Kind::NodeStatus(it) => ("node.status", it.node_id.as_str(), ""),
            Kind::PeerCreated(it) => of_peer("peer.created", it.peer.as_ref()),
            Kind::PeerChanged(it) => {
                let (kind, node, peer) = of_peer("peer.changed", it.peer.as_ref());
                return Self {
                    kind,
                    node,
                    from_node: &it.previous_node_id,
                    peer,
                };
            }
            Kind::PeerDeleted(it) => ("peer.deleted", it.node_id.as_str(), it.peer_id.as_str()),
            Kind::PeerSync(it) => ("peer.sync", it.node_id.as_str(), it.peer_id.as_str()),
            Kind::PeerOnline(it) => {
                let kind = if it.online {
                    "peer.online"
                } else {
                    "peer.offline"
                };
                (kind, it.node_id.as_str(), it.peer_id.as_str())
            }
            Kind::PeerExpired(it) => ("peer.expired", it.node_id.as_str(), it.peer_id.as_str()),
        };
        Self {
            kind,
            node,
            from_node: "",
            peer,
        }
    }
}

fn id_of_node(node: Option<&wgfleet_proto::v1::Node>) -> &str {
    node.map_or("", |node| node.id.as_str())
}

fn of_peer<'a>(
    kind: &'static str,
    peer: Option<&'a wgfleet_proto::v1::Peer>,
) -> (&'static str, &'a str, &'a str) {
    peer.map_or((kind, "", ""), |peer| (kind, &peer.node_id, &peer.id))
}
