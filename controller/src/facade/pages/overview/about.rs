//! What an event is about.

use wgfleet_proto::v1::{self, event::Kind};

use super::super::text;

/// The subject of an event, and what became of it.
#[derive(Debug, Default)]
pub(super) struct About {
    pub(super) id: String,
    /// The node of a peer; empty when it is a node itself.
    pub(super) node_id: String,
    pub(super) is_node: bool,
    pub(super) is_gone: bool,
    /// When the event says it.
    pub(super) name: Option<String>,
    pub(super) became: Option<(&'static str, &'static str)>,
    pub(super) reason: String,
}

impl About {
    /// The node it happened on; where there is none, what it happened to.
    pub(super) fn place(&self) -> &str {
        if self.node_id.is_empty() {
            &self.id
        } else {
            &self.node_id
        }
    }

    pub(super) fn of(event: &v1::Event) -> Self {
        let Some(kind) = &event.kind else {
            return Self {
                is_gone: true,
                ..Self::default()
            };
        };
        match kind {
            Kind::NodeCreated(it) => Self::node(it.node.as_ref()),
            Kind::NodeChanged(it) => Self::node(it.node.as_ref()),
            Kind::NodeStatus(it) => Self {
                id: it.node_id.clone(),
                is_node: true,
                became: Some(text::node_status(it.status())),
                reason: it.status_reason.clone(),
                ..Self::default()
            },
            Kind::NodeDeleted(it) => Self {
                id: it.node_id.clone(),
                is_node: true,
                is_gone: true,
                ..Self::default()
            },
            Kind::PeerCreated(it) => Self::peer(it.peer.as_ref()),
            Kind::PeerChanged(it) => Self::peer(it.peer.as_ref()),
            Kind::PeerDeleted(it) => Self {
                id: it.peer_id.clone(),
                node_id: it.node_id.clone(),
                is_gone: true,
                ..Self::default()
            },
            Kind::PeerSync(it) => {
                let sync = it.sync.clone().unwrap_or_default();
                Self {
                    id: it.peer_id.clone(),
                    node_id: it.node_id.clone(),
                    became: Some(text::sync_state(sync.state())),
                    reason: sync.reason,
                    ..Self::default()
                }
            }
            Kind::PeerOnline(it) => Self::peer_id(&it.peer_id, &it.node_id),
            Kind::PeerExpired(it) => Self::peer_id(&it.peer_id, &it.node_id),
        }
    }

    fn node(node: Option<&v1::Node>) -> Self {
        let node = node.cloned().unwrap_or_default();
        Self {
            id: node.id,
            is_node: true,
            name: Some(node.name),
            ..Self::default()
        }
    }

    fn peer(peer: Option<&v1::Peer>) -> Self {
        let peer = peer.cloned().unwrap_or_default();
        Self {
            id: peer.id,
            node_id: peer.node_id,
            name: Some(peer.name),
            ..Self::default()
        }
    }

    fn peer_id(id: &str, node_id: &str) -> Self {
        Self {
            id: id.to_owned(),
            node_id: node_id.to_owned(),
            ..Self::default()
        }
    }
}
