//! `/nodes/{id}`: one node. Its parts are asked for again one by one; what has to ask the agent comes
//! after the page itself.

use askama::Template;
use axum::{Json, extract::State, response::Response};
use wgfleet_proto::v1;

use super::{
    super::{
        page::{Nav, Page, SignedIn, html, html_with},
        plot::{Plot, RANGES, Range, Traffic},
        refusal::Refused,
        show::{self, Ago, Chip},
        text,
    },
    drift::Drift,
    read,
    row::{none, peers, why},
    tested::Tested,
};
use crate::facade::{
    Answer, Facade,
    input::{Id, OfNode},
    query::Parameters,
};

/// Peers that are shown; their list has them all.
const PEERS_SHOWN: u32 = 10;
/// Status changes that are shown, and how far they go back.
const STATUSES_SHOWN: usize = 20;
const STATUSES_S: i64 = 14 * 86_400;

#[derive(Template)]
#[template(path = "nodes_show.html")]
pub(super) struct NodePage {
    page: Page,
    now: Now,
    peers: Peers,
    statuses: Statuses,
    /// Absent: the browser asks for it afterwards.
    drift: Option<Drift>,
    pub(super) tested: Option<Tested>,
    refused: Option<Refused>,
}

#[derive(Template)]
#[template(path = "nodes_now.html")]
struct NowPart {
    now: Now,
}

#[derive(Template)]
#[template(path = "nodes_peers.html")]
struct PeersPart {
    peers: Peers,
}

#[derive(Template)]
#[template(path = "nodes_statuses.html")]
struct StatusesPart {
    statuses: Statuses,
}

/// How the node is, and what can be done to it.
struct Now {
    id: String,
    name: String,
    csrf: String,
    may_change: bool,
    enabled: bool,
    status: Chip,
    reason: String,
    since: Ago,
    last_seen: Option<Ago>,
    latency: String,
    down: String,
    up: String,
    version: String,
    uptime: String,
    agent_url: String,
    wg_interface: String,
    endpoint: String,
    pools: String,
    weight: u32,
    peers: String,
    public_key: String,
    labels: Vec<String>,
    unmanaged: &'static str,
    warnings: Vec<String>,
    created: Ago,
}

struct Peers {
    node_id: String,
    rows: Vec<PeerRow>,
    total: u64,
}

struct PeerRow {
    id: String,
    name: String,
    online: bool,
    addresses: String,
    down: String,
    up: String,
    handshake: Option<Ago>,
    sync: Chip,
    reason: String,
}

struct Statuses {
    node_id: String,
    changes: Vec<StatusRow>,
}

struct StatusRow {
    at: Ago,
    status: Chip,
    reason: String,
}

pub(super) async fn show(
    State(mut facade): State<Facade>,
    signed: SignedIn,
    Id { id, .. }: Id<OfNode>,
    mut query: Parameters,
) -> Answer<Response> {
    let with_drift = query.flag("drift")?.unwrap_or_default();
    query.finish()?;
    let mut page = NodePage::look(&mut facade, &signed, id.clone()).await?;
    if with_drift {
        let node = read(&mut facade, &signed, id).await?;
        page.drift = Some(Drift::look(&mut facade, &signed, &node).await);
    }
    html(&page)
}

pub(super) async fn show_now(
    State(mut facade): State<Facade>,
    signed: SignedIn,
    Id { id, .. }: Id<OfNode>,
) -> Answer<Response> {
    let node = read(&mut facade, &signed, id).await?;
    let now = Now::new(node, &signed);
    html(&NowPart { now })
}

pub(super) async fn show_peers(
    State(mut facade): State<Facade>,
    signed: SignedIn,
    Id { id, .. }: Id<OfNode>,
) -> Answer<Response> {
    let peers = Peers::look(&mut facade, &signed, id).await?;
    html(&PeersPart { peers })
}

pub(super) async fn show_statuses(
    State(mut facade): State<Facade>,
    signed: SignedIn,
    Id { id, .. }: Id<OfNode>,
) -> Answer<Response> {
    let statuses = Statuses::look(&mut facade, &signed, id).await?;
    html(&StatusesPart { statuses })
}

pub(super) async fn throughput(
    State(mut facade): State<Facade>,
    signed: SignedIn,
    Id { id: node_id, .. }: Id<OfNode>,
    mut query: Parameters,
) -> Answer<Json<Plot>> {
    let range = Range::or_day(query.word("range", &RANGES)?);
    query.finish()?;
    let now_s = show::now_s();
    let range = Some(range.until(now_s));
    let asked = v1::NodeHistoryRequest { node_id, range };
    let history = facade.history.node_history(signed.caller.request(asked));
    let history = history.await?.into_inner();
    let mut traffic = Traffic::default();
    traffic.add(&history.points);
    let (from, to) = (history.from, history.to);
    Ok(Json(traffic.plot(from, to, history.step_s, now_s)))
}

impl NodePage {
    /// The page as it is now.
    pub(super) async fn look(facade: &mut Facade, signed: &SignedIn, id: String) -> Answer<Self> {
        let node = read(facade, signed, id.clone()).await?;
        Ok(Self {
            page: Page::new(signed, Nav::Nodes, &node.name),
            now: Now::new(node, signed),
            peers: Peers::look(facade, signed, id.clone()).await?,
            statuses: Statuses::look(facade, signed, id).await?,
            drift: None,
            tested: None,
            refused: None,
        })
    }

    /// The page with what was refused just now.
    pub(super) async fn refusing(
        facade: &mut Facade,
        signed: &SignedIn,
        id: String,
        refused: Refused,
    ) -> Answer<Response> {
        let mut page = Self::look(facade, signed, id).await?;
        let status = refused.status;
        page.refused = Some(refused);
        html_with(status, &page)
    }
}

impl Now {
    fn new(node: v1::Node, signed: &SignedIn) -> Self {
        let now_s = show::now_s();
        let given = |text: String| if text.is_empty() { none() } else { text };
        Self {
            csrf: signed.session.csrf.clone(),
            may_change: signed.who.may_change,
            enabled: node.enabled,
            status: text::node_status(node.status()).into(),
            reason: why(&node),
            since: Ago::new(node.status_since, now_s),
            last_seen: node.last_seen.map(|at| Ago::new(at, now_s)),
            latency: node.latency_ms.map_or_else(none, |ms| format!("{ms} ms")),
            down: node.tx_bytes_per_s.map_or_else(none, show::rate),
            up: node.rx_bytes_per_s.map_or_else(none, show::rate),
            uptime: node.uptime_s.map_or_else(none, show::duration),
            peers: peers(&node),
            unmanaged: text::unmanaged(node.unmanaged_peers()),
            labels: {
                let pairs = node.labels.iter();
                pairs.map(|(key, value)| format!("{key}={value}")).collect()
            },
            warnings: node.warnings.iter().map(|it| text::sentence(it)).collect(),
            version: given(node.version),
            endpoint: given(node.endpoint),
            pools: given(node.ip_pool_cidr),
            public_key: given(node.public_key),
            agent_url: node.agent_url,
            wg_interface: node.wg_interface,
            weight: node.weight,
            created: Ago::new(node.created_at, now_s),
            name: node.name,
            id: node.id,
        }
    }
}

impl Peers {
    async fn look(facade: &mut Facade, signed: &SignedIn, node_id: String) -> Answer<Self> {
        let asked = v1::ListPeersRequest {
            page: Some(v1::PageRequest {
                page_size: PEERS_SHOWN,
                cursor: String::new(),
            }),
            node_id: node_id.clone(),
            ..Default::default()
        };
        let found = facade.peers.list(signed.caller.request(asked)).await?;
        let (found, now_s) = (found.into_inner(), show::now_s());
        let rows = found.items.into_iter();
        Ok(Self {
            node_id,
            rows: rows.map(|peer| PeerRow::new(peer, now_s)).collect(),
            total: found.page.unwrap_or_default().total,
        })
    }

    fn count(&self) -> String {
        show::count(self.total)
    }

    fn has_more(&self) -> bool {
        self.total > self.rows.len() as u64
    }
}

impl PeerRow {
    /// A peer downloads what its node sends.
    fn new(peer: v1::Peer, now_s: i64) -> Self {
        let sync = peer.sync.unwrap_or_default();
        Self {
            online: peer.online,
            addresses: peer.allowed_ips.join(", "),
            down: show::bytes(peer.tx_bytes_total),
            up: show::bytes(peer.rx_bytes_total),
            handshake: (peer.latest_handshake > 0).then(|| Ago::new(peer.latest_handshake, now_s)),
            sync: text::sync_state(sync.state()).into(),
            reason: text::sentence(&sync.reason),
            name: peer.name,
            id: peer.id,
        }
    }
}

impl Statuses {
    async fn look(facade: &mut Facade, signed: &SignedIn, node_id: String) -> Answer<Self> {
        let now_s = show::now_s();
        let asked = v1::NodeHistoryRequest {
            node_id: node_id.clone(),
            range: Some(v1::HistoryRange {
                from: Some(now_s - STATUSES_S),
                to: Some(now_s),
                // The fewest spans: nobody looks at them here.
                step_s: 86_400,
            }),
        };
        let history = facade.history.node_history(signed.caller.request(asked));
        let changes = history.await?.into_inner().status_changes;
        let latest = changes.into_iter().rev().take(STATUSES_SHOWN);
        let row = |change: v1::StatusChange| StatusRow {
            at: Ago::new(change.at, now_s),
            status: text::node_status(change.status()).into(),
            reason: text::sentence(&change.reason),
        };
        Ok(Self {
            node_id,
            changes: latest.map(row).collect(),
        })
    }
}
