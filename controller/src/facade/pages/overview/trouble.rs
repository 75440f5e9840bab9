//! What is not as it should be: the worst of it, and where the rest is.

use wgfleet_proto::v1::{self, NodeStatus};

use super::super::{
    page::SignedIn,
    show::{self, Chip},
    text,
};
use crate::facade::{Answer, Facade};

/// Nodes that are shown, and failed peers; lists have them all.
const SHOWN: u32 = 10;

/// What needs a look.
pub(super) struct Trouble {
    /// The worst nodes.
    pub(super) nodes: Vec<Troubled>,
    /// Those that are not shown.
    pub(super) more_nodes: u32,
    /// Where those are.
    pub(super) lists: Vec<List>,
    pub(super) peers: Vec<FailedPeer>,
    /// Failed peers that are not shown; empty when all are.
    pub(super) more_peers: String,
}

pub(super) struct Troubled {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) status: Chip,
    pub(super) reason: String,
    pub(super) pending: u32,
    pub(super) failed: u32,
}

pub(super) struct FailedPeer {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) reason: String,
}

/// A list with some of what is not shown.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct List {
    pub(super) label: String,
    pub(super) href: &'static str,
}

impl Trouble {
    pub(super) async fn of(
        facade: &mut Facade,
        signed: &SignedIn,
        seen: &v1::OverviewResponse,
    ) -> Answer<Self> {
        let peers = if seen.peers_failed == 0 {
            Vec::new()
        } else {
            failed_peers(facade, signed).await?
        };
        let shown = seen.troubled_nodes.iter().take(SHOWN as usize);
        let nodes: Vec<_> = shown.cloned().map(Troubled::from).collect();
        let count = u32::try_from(nodes.len()).unwrap_or(SHOWN);
        let more_peers = seen.peers_failed.saturating_sub(peers.len() as u64);
        Ok(Self {
            more_nodes: seen.troubled_nodes_total.saturating_sub(count),
            lists: lists(seen),
            nodes,
            peers,
            more_peers: if more_peers == 0 {
                String::new()
            } else {
                show::count(more_peers)
            },
        })
    }

    pub(super) const fn is_none(&self) -> bool {
        self.nodes.is_empty() && self.peers.is_empty()
    }
}

/// Where the nodes are that are not among the shown ones, by what is wrong with them.
fn lists(seen: &v1::OverviewResponse) -> Vec<List> {
    let shown: Vec<_> = seen.troubled_nodes.iter().take(SHOWN as usize).collect();
    let hidden = |all: u32, of: &dyn Fn(NodeStatus) -> bool| {
        let shown = shown.iter().filter(|node| of(node.status())).count();
        all.saturating_sub(u32::try_from(shown).unwrap_or(SHOWN))
    };
    let answers = |status| !matches!(status, NodeStatus::Error | NodeStatus::Offline);
    let backlogs = seen.troubled_nodes_total;
    let backlogs = backlogs.saturating_sub(seen.nodes_error.saturating_add(seen.nodes_offline));
    let unsettled = if seen.peers_failed > 0 {
        "/peers?sync=failed"
    } else {
        "/peers?sync=pending"
    };
    let lists = [
        (
            hidden(seen.nodes_error, &|status| status == NodeStatus::Error),
            text::IN_ERROR,
            "/nodes?status=error",
        ),
        (
            hidden(seen.nodes_offline, &|status| status == NodeStatus::Offline),
            text::OFFLINE,
            "/nodes?status=offline",
        ),
        (hidden(backlogs, &answers), text::WITH_BACKLOG, unsettled),
    ];
    let some = lists.into_iter().filter(|(count, ..)| *count > 0);
    some.map(|(count, what, href)| List {
        label: format!("{count} {what}"),
        href,
    })
    .collect()
}

async fn failed_peers(facade: &mut Facade, signed: &SignedIn) -> Answer<Vec<FailedPeer>> {
    let asked = v1::ListPeersRequest {
        page: Some(v1::PageRequest {
            page_size: SHOWN,
            cursor: String::new(),
        }),
        sync: v1::SyncState::Failed.into(),
        ..Default::default()
    };
    let found = facade.peers.list(signed.caller.request(asked)).await?;
    let peers = found.into_inner().items.into_iter();
    let shown = peers.map(|peer| FailedPeer {
        id: peer.id,
        name: peer.name,
        reason: text::sentence(&peer.sync.unwrap_or_default().reason),
    });
    Ok(shown.collect())
}

impl From<v1::TroubledNode> for Troubled {
    fn from(node: v1::TroubledNode) -> Self {
        Self {
            status: text::node_status(node.status()).into(),
            id: node.node_id,
            name: node.name,
            reason: text::sentence(&node.reason),
            pending: node.pending,
            failed: node.failed,
        }
    }
}
