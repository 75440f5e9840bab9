//! A node as a row of the table.

use std::cmp::{Ordering, Reverse};

use wgfleet_proto::v1::{self, NodeStatus};

use super::super::{
    page::SignedIn,
    show::{self, Ago, Chip},
    text,
};

/// What the table shows of a node.
pub(super) struct Row {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) status: Chip,
    /// Why, and what waits for somebody.
    pub(super) reason: String,
    pub(super) latency: String,
    pub(super) peers: String,
    pub(super) weight: u32,
    pub(super) down: String,
    pub(super) up: String,
    pub(super) version: String,
    pub(super) last_seen: Option<Ago>,
    pub(super) enabled: bool,
    pub(super) may_change: bool,
    pub(super) csrf: String,
}

impl Row {
    pub(super) fn new(node: v1::Node, signed: &SignedIn, now_s: i64) -> Self {
        Self {
            status: text::node_status(node.status()).into(),
            reason: why(&node),
            latency: node.latency_ms.map_or_else(none, |ms| format!("{ms} ms")),
            peers: peers(&node),
            weight: node.weight,
            down: node.tx_bytes_per_s.map_or_else(none, show::rate),
            up: node.rx_bytes_per_s.map_or_else(none, show::rate),
            version: if node.version.is_empty() {
                none()
            } else {
                node.version
            },
            last_seen: node.last_seen.map(|at| Ago::new(at, now_s)),
            enabled: node.enabled,
            may_change: signed.who.may_change,
            csrf: signed.session.csrf.clone(),
            name: node.name,
            id: node.id,
        }
    }
}

/// What stands where there is nothing to show.
pub(super) fn none() -> String {
    "–".to_owned()
}

/// How many peers, of how many at most.
pub(super) fn peers(node: &v1::Node) -> String {
    let count = show::count(node.peer_count.into());
    match node.max_peers {
        0 => count,
        most => format!("{count} / {}", show::count(most.into())),
    }
}

/// Why the node has its status, and whether somebody's word is waited for.
pub(super) fn why(node: &v1::Node) -> String {
    let reason = text::sentence(&node.status_reason);
    match (reason.is_empty(), node.awaits_confirmation) {
        (_, false) => reason,
        (true, true) => text::AWAITS_CONFIRMATION.to_owned(),
        (false, true) => format!("{reason} {}", text::AWAITS_CONFIRMATION),
    }
}

/// What the table can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    /// What is wrong first.
    Trouble,
    Name,
    Latency,
    Peers,
    Weight,
    Throughput,
    Version,
    LastSeen,
}

/// The words for them in a query.
pub(super) const SORTS: [(&str, Sort); 8] = [
    ("trouble", Sort::Trouble),
    ("name", Sort::Name),
    ("latency", Sort::Latency),
    ("peers", Sort::Peers),
    ("weight", Sort::Weight),
    ("throughput", Sort::Throughput),
    ("version", Sort::Version),
    ("last-seen", Sort::LastSeen),
];

impl Sort {
    /// Largest first is what one looks for in numbers.
    pub(super) const fn is_descending(self) -> bool {
        matches!(
            self,
            Self::Latency | Self::Peers | Self::Weight | Self::Throughput | Self::LastSeen
        )
    }

    /// In the order of this column, and of the names where that says nothing.
    pub(super) fn compare(self, a: &v1::Node, b: &v1::Node) -> Ordering {
        let rate = |node: &v1::Node| {
            let rates = (node.rx_bytes_per_s, node.tx_bytes_per_s);
            rates.0.unwrap_or(0).saturating_add(rates.1.unwrap_or(0))
        };
        let order = match self {
            Self::Trouble => trouble(a).cmp(&trouble(b)),
            Self::Name => Ordering::Equal,
            Self::Latency => Reverse(a.latency_ms).cmp(&Reverse(b.latency_ms)),
            Self::Peers => Reverse(a.peer_count).cmp(&Reverse(b.peer_count)),
            Self::Weight => Reverse(a.weight).cmp(&Reverse(b.weight)),
            Self::Throughput => Reverse(rate(a)).cmp(&Reverse(rate(b))),
            Self::Version => a.version.cmp(&b.version),
            Self::LastSeen => Reverse(a.last_seen).cmp(&Reverse(b.last_seen)),
        };
        order.then_with(|| a.name.cmp(&b.name))
    }
}

/// The lower, the sooner somebody should look.
fn trouble(node: &v1::Node) -> u8 {
    match node.status() {
        NodeStatus::Error => 0,
        NodeStatus::Offline | NodeStatus::Unspecified => 1,
        NodeStatus::Online if node.awaits_confirmation => 2,
        NodeStatus::Online => 3,
        NodeStatus::Disabled => 4,
    }
}

#[cfg(test)]
mod tests {
    use wgfleet_proto::v1::{Node, NodeStatus};

    use super::Sort;

    #[test]
    fn what_is_wrong_comes_first_and_names_decide_between_equals() {
        let node = |name: &str, status: NodeStatus, awaits_confirmation, peer_count| Node {
            name: name.into(),
            status: status.into(),
            awaits_confirmation,
            peer_count,
            ..Node::default()
        };
        let mut nodes = [
            node("well", NodeStatus::Online, false, 7),
            node("off", NodeStatus::Disabled, false, 0),
            node("gone", NodeStatus::Offline, false, 9),
            node("also well", NodeStatus::Online, false, 7),
            node("waits", NodeStatus::Online, true, 1),
            node("wrong", NodeStatus::Error, false, 3),
        ];
        nodes.sort_by(|a, b| Sort::Trouble.compare(a, b));
        let names: Vec<_> = nodes.iter().map(|node| node.name.as_str()).collect();
        assert_eq!(
            names,
            ["wrong", "gone", "waits", "also well", "well", "off"]
        );
        nodes.sort_by(|a, b| Sort::Peers.compare(a, b));
        let names: Vec<_> = nodes.iter().map(|node| node.name.as_str()).collect();
        assert_eq!(
            names,
            ["gone", "also well", "well", "wrong", "waits", "off"]
        );
    }
}
