//! What a token with a label scope sees: nodes that have all of its labels, and the peers on them.
//! Everything else is to it as if it were not there.

use std::collections::{HashMap, HashSet};

use tonic::{Code, Status};
use wgfleet_proto::v1::{Event, Node, NodeChanged, NodeCreated, event::Kind};

use super::Caller;
use crate::{
    domain::labels::{Labels, first_mismatch, matches},
    events::message,
    services::status::refuse,
    store::{
        Connection, NodeId, PeerId, StoreError, events,
        nodes::{self, NodeRow},
        peers::{self, PeerRow},
    },
};

impl Caller {
    /// Whether there are nodes this caller must not know of.
    #[must_use]
    pub fn is_scoped(&self) -> bool {
        !self.label_scope.is_empty()
    }

    /// Whether a node with these labels is theirs to see.
    #[must_use]
    pub fn sees(&self, labels: &Labels) -> bool {
        matches(&self.label_scope, labels)
    }

    /// The node.
    ///
    /// # Errors
    /// The same for one that is not theirs as for one that is not.
    pub fn node(&self, conn: &Connection, id: NodeId) -> Result<NodeRow, StoreError> {
        let row = nodes::get(conn, id)?;
        if self.sees(&row.settings.labels) {
            return Ok(row);
        }
        Err(StoreError::NotFound { what: "node" })
    }

    /// The peer.
    ///
    /// # Errors
    /// The same for one on a node that is not theirs as for one that is not.
    pub fn peer(&self, conn: &Connection, id: PeerId) -> Result<PeerRow, StoreError> {
        let row = peers::get(conn, id)?;
        if self.is_scoped() {
            let node = self.node(conn, row.node_id);
            node.map_err(|_| StoreError::NotFound { what: "peer" })?;
        }
        Ok(row)
    }

    /// Their nodes, by name.
    ///
    /// # Errors
    /// When they can't be read.
    pub fn nodes(&self, conn: &Connection) -> Result<Vec<NodeRow>, StoreError> {
        let mut rows = nodes::list(conn)?;
        rows.retain(|row| self.sees(&row.settings.labels));
        Ok(rows)
    }

    /// A node they make or change must stay theirs.
    ///
    /// # Errors
    /// `outside_scope`.
    pub fn keep_in_scope(&self, labels: &Labels) -> Result<(), Status> {
        let Some((key, value)) = first_mismatch(&self.label_scope, labels) else {
            return Ok(());
        };
        let message = format!("this token is for nodes with the label {key}={value}");
        let code = Code::PermissionDenied;
        Err(refuse(code, "outside_scope", Some("labels"), message))
    }
}

/// Which events a caller is shown, as nodes come into their scope and leave it.
pub struct Visible {
    scope: Labels,
    nodes: HashSet<String>,
}

impl Visible {
    /// What this caller saw right after the event with the id `last`. A node whose labels of then
    /// nobody knows any more is not theirs until an event says so.
    ///
    /// # Errors
    /// When nodes or events can't be read.
    pub fn after(conn: &Connection, caller: &Caller, last: i64) -> Result<Self, StoreError> {
        let mut visible = Self {
            scope: caller.label_scope.clone(),
            nodes: HashSet::new(),
        };
        if caller.is_scoped() {
            let present = caller.nodes(conn)?;
            visible.nodes = present.iter().map(|row| row.id.to_string()).collect();
            for (node, is_theirs) in visible.told(conn, last)? {
                if is_theirs {
                    visible.nodes.insert(node);
                } else {
                    visible.nodes.remove(&node);
                }
            }
        }
        Ok(visible)
    }

    /// Which nodes were in the scope right after `last`, of those that events tell of.
    fn told(&self, conn: &Connection, last: i64) -> Result<HashMap<String, bool>, StoreError> {
        let mut told = HashMap::new();
        for row in events::of_nodes(conn)? {
            let (node, was, is) = match message(&row)?.kind {
                Some(Kind::NodeCreated(NodeCreated { node: Some(node) })) => {
                    let is_theirs = matches(&self.scope, &node.labels);
                    (node.id, false, is_theirs)
                }
                Some(Kind::NodeChanged(NodeChanged { node: Some(node) })) => {
                    let is_theirs = matches(&self.scope, &node.labels);
                    (node.id, false, is_theirs)
                }
                Some(Kind::NodeDeleted(gone)) => {
                    (gone.node_id, matches(&self.scope, &gone.labels), false)
                }
                _ => continue,
            };
            if row.id <= last {
                told.insert(node, is);
            } else {
                told.entry(node).or_insert(was);
            }
        }
        Ok(told)
    }

    /// The event as the caller may see it; `None` when it is about what they don't see. Events are
    /// shown in order.
    pub fn show(&mut self, mut event: Event) -> Option<Event> {
        if self.scope.is_empty() {
            return Some(event);
        }
        let seen = match event.kind.as_mut()? {
            Kind::NodeCreated(it) => self.node(it.node.as_mut()?),
            Kind::NodeChanged(it) => self.node(it.node.as_mut()?),
            Kind::NodeDeleted(it) => self.nodes.remove(&it.node_id),
            Kind::NodeStatus(it) => self.nodes.contains(&it.node_id),
            Kind::PeerCreated(it) => self.nodes.contains(&it.peer.as_ref()?.node_id),
            Kind::PeerChanged(it) => {
                if !self.nodes.contains(&it.previous_node_id) {
                    it.previous_node_id.clear();
                }
                self.nodes.contains(&it.peer.as_ref()?.node_id)
            }
            Kind::PeerDeleted(it) => self.nodes.contains(&it.node_id),
            Kind::PeerSync(it) => self.nodes.contains(&it.node_id),
            Kind::PeerOnline(it) => self.nodes.contains(&it.node_id),
            Kind::PeerExpired(it) => self.nodes.contains(&it.node_id),
        };
        seen.then_some(event)
    }

    fn node(&mut self, node: &mut Node) -> bool {
        // They may name other nodes.
        node.warnings.clear();
        if matches(&self.scope, &node.labels) {
            self.nodes.insert(node.id.clone());
            return true;
        }
        self.nodes.remove(&node.id);
        false
    }
}

#[cfg(test)]
mod tests {
    use wgfleet_proto::v1::{NodeDeleted, Peer, PeerChanged, PeerDeleted};

    use super::*;

    fn event(kind: Kind) -> Event {
        Event {
            kind: Some(kind),
            ..Event::default()
        }
    }

    fn changed(id: &str, team: &str) -> Event {
        let node = Node {
            id: id.into(),
            labels: [("team".into(), team.into())].into(),
            warnings: vec!["the pool overlaps that of another node".into()],
            ..Node::default()
        };
        event(Kind::NodeChanged(NodeChanged { node: Some(node) }))
    }

    fn peer_deleted(node_id: &str) -> Event {
        event(Kind::PeerDeleted(PeerDeleted {
            node_id: node_id.into(),
            ..PeerDeleted::default()
        }))
    }

    fn node_deleted(node_id: &str) -> Event {
        let node_id = node_id.into();
        event(Kind::NodeDeleted(NodeDeleted {
            node_id,
            ..NodeDeleted::default()
        }))
    }

    #[test]
    fn events_follow_the_labels_of_their_node() {
        let mut visible = Visible {
            scope: [("team".into(), "red".into())].into(),
            nodes: HashSet::from(["a".to_owned()]),
        };
        assert!(visible.show(peer_deleted("a")).is_some());
        assert!(visible.show(peer_deleted("b")).is_none());
        assert!(visible.show(node_deleted("b")).is_none());
        let shown = visible.show(changed("b", "red")).expect("it came in");
        assert!(!format!("{shown:?}").contains("another node"));
        assert!(visible.show(peer_deleted("b")).is_some());
        assert!(visible.show(changed("a", "blue")).is_none());
        assert!(visible.show(peer_deleted("a")).is_none());
        assert!(visible.show(node_deleted("b")).is_some());
        assert!(visible.show(node_deleted("b")).is_none());
    }

    #[test]
    fn where_a_peer_came_from_is_told_to_those_who_see_it() {
        let mut visible = Visible {
            scope: [("team".into(), "red".into())].into(),
            nodes: HashSet::from(["a".to_owned(), "b".to_owned()]),
        };
        for (from, told) in [("a", "a"), ("c", "")] {
            let peer = Some(Peer {
                node_id: "b".into(),
                ..Peer::default()
            });
            let moved = event(Kind::PeerChanged(PeerChanged {
                peer,
                previous_node_id: from.into(),
            }));
            let shown = visible.show(moved).and_then(|event| event.kind);
            let Some(Kind::PeerChanged(shown)) = shown else {
                panic!("it came to a node of theirs");
            };
            assert_eq!(shown.previous_node_id, told);
        }
    }

    #[test]
    fn without_a_scope_everything_is_shown_as_it_is() {
        let mut visible = Visible {
            scope: Labels::new(),
            nodes: HashSet::new(),
        };
        let event = changed("a", "red");
        assert_eq!(visible.show(event.clone()), Some(event));
    }
}
