//! Recent events, in words, with the names of what they are about.

use std::collections::HashMap;

use wgfleet_proto::v1::{self, event::Kind};

use super::super::{
    page::SignedIn,
    show::{self, Ago},
    text,
};
use crate::facade::Facade;

/// One event.
pub(super) struct Told {
    pub(super) at: Ago,
    pub(super) what: &'static str,
    /// What it is about, by name; empty when that is gone.
    pub(super) name: String,
    /// The page of it; empty when there is none any more.
    pub(super) href: String,
    /// What it became, and why.
    pub(super) became: Option<show::Chip>,
    pub(super) reason: String,
}

/// `events` in words. A name that can't be looked up any more is left out.
pub(super) async fn tell(
    facade: &mut Facade,
    signed: &SignedIn,
    events: &[v1::Event],
) -> Vec<Told> {
    let (mut names, now) = (HashMap::new(), show::now_s());
    let mut told = Vec::with_capacity(events.len());
    for event in events {
        let about = About::of(event);
        if about.name.is_none() && !about.is_gone && !names.contains_key(&about.id) {
            let name = look_up(facade, signed, &about).await;
            names.insert(about.id.clone(), name);
        }
        let known = names.get(&about.id).cloned().flatten();
        let name = about.name.or(known).unwrap_or_default();
        let kind = if about.is_node { "nodes" } else { "peers" };
        told.push(Told {
            at: Ago::new(event.occurred_at, now),
            what: text::event(&event.name),
            href: if name.is_empty() || about.is_gone {
                String::new()
            } else {
                format!("/{kind}/{}", about.id)
            },
            name,
            became: about.became.map(Into::into),
            reason: text::sentence(&about.reason),
        });
    }
    told
}

async fn look_up(facade: &mut Facade, signed: &SignedIn, about: &About) -> Option<String> {
    let id = about.id.clone();
    if about.is_node {
        let node = facade
            .nodes
            .get(signed.caller.request(v1::GetNodeRequest { id }));
        node.await.ok().map(|node| node.into_inner().name)
    } else {
        let peer = facade
            .peers
            .get(signed.caller.request(v1::GetPeerRequest { id }));
        peer.await.ok().map(|peer| peer.into_inner().name)
    }
}

#[derive(Default)]
struct About {
    id: String,
    is_node: bool,
    is_gone: bool,
    name: Option<String>,
    became: Option<(&'static str, &'static str)>,
    reason: String,
}

impl About {
    fn of(event: &v1::Event) -> Self {
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
                is_gone: true,
                ..Self::default()
            },
            Kind::PeerSync(it) => {
                let sync = it.sync.clone().unwrap_or_default();
                Self {
                    id: it.peer_id.clone(),
                    became: Some(text::sync_state(sync.state())),
                    reason: sync.reason,
                    ..Self::default()
                }
            }
            Kind::PeerOnline(it) => Self::peer_id(&it.peer_id),
            Kind::PeerExpired(it) => Self::peer_id(&it.peer_id),
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
            name: Some(peer.name),
            ..Self::default()
        }
    }

    fn peer_id(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            ..Self::default()
        }
    }
}
