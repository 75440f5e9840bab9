//! `/`: what is wrong at a glance, and how much goes on.

mod about;
mod happened;
mod runs;
mod throughput;
mod trouble;

use std::mem;

use askama::Template;
use axum::{Router, extract::State, response::Response, routing::get};
use wgfleet_proto::v1;

use super::{
    page::{Nav, Page, SignedIn, html},
    show, text,
};
use crate::facade::{Answer, Facade};

use self::{happened::Told, trouble::Trouble};

/// Events that are read: enough for what is done to many peers at once to be told in a few lines.
const EVENTS: u32 = 500;

pub(super) fn routes() -> Router<Facade> {
    Router::new()
        .route("/", get(show))
        .route("/overview/now", get(show_now))
        .route("/overview/happened", get(show_happened))
        .route("/overview/throughput", get(throughput::answer))
}

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    page: Page,
    now: Now,
    happened: Happened,
}

#[derive(Template)]
#[template(path = "overview_now.html")]
struct NowPart {
    now: Now,
}

#[derive(Template)]
#[template(path = "overview_happened.html")]
struct HappenedPart {
    happened: Happened,
}

/// How the fleet is.
struct Now {
    may_change: bool,
    nodes: Vec<Tally>,
    nodes_total: u32,
    peers: String,
    peers_online: String,
    peers_online_share: u64,
    applied: String,
    pending: u64,
    failed: u64,
    down: String,
    up: String,
    trouble: Trouble,
    version: String,
    uptime: String,
}

impl Now {
    fn pending_count(&self) -> String {
        show::count(self.pending)
    }

    fn failed_count(&self) -> String {
        show::count(self.failed)
    }
}

/// Who moves most, and what happened last.
struct Happened {
    talkers: Vec<Talker>,
    events: Vec<Told>,
}

/// Nodes in one status.
struct Tally {
    count: u32,
    word: &'static str,
    class: &'static str,
}

struct Talker {
    id: String,
    name: String,
    down: String,
    up: String,
}

async fn show(State(mut facade): State<Facade>, signed: SignedIn) -> Answer<Response> {
    let mut seen = look(&mut facade, &signed, EVENTS).await?;
    let happened = happened(&mut facade, &signed, &mut seen).await;
    html(&OverviewPage {
        now: now(&mut facade, &signed, seen).await?,
        happened,
        page: Page::new(&signed, Nav::Overview, "Overview"),
    })
}

async fn show_now(State(mut facade): State<Facade>, signed: SignedIn) -> Answer<Response> {
    let seen = look(&mut facade, &signed, 0).await?;
    let now = now(&mut facade, &signed, seen).await?;
    html(&NowPart { now })
}

async fn show_happened(State(mut facade): State<Facade>, signed: SignedIn) -> Answer<Response> {
    let mut seen = look(&mut facade, &signed, EVENTS).await?;
    let happened = happened(&mut facade, &signed, &mut seen).await;
    html(&HappenedPart { happened })
}

async fn look(facade: &mut Facade, signed: &SignedIn, events: u32) -> Answer<v1::OverviewResponse> {
    let asked = signed.caller.request(v1::OverviewRequest {
        recent_events: Some(events),
    });
    Ok(facade.history.overview(asked).await?.into_inner())
}

async fn happened(
    facade: &mut Facade,
    signed: &SignedIn,
    seen: &mut v1::OverviewResponse,
) -> Happened {
    let talkers = mem::take(&mut seen.top_talkers);
    Happened {
        talkers: talkers.into_iter().map(Into::into).collect(),
        events: happened::tell(facade, signed, &seen.recent_events, EVENTS).await,
    }
}

async fn now(facade: &mut Facade, signed: &SignedIn, seen: v1::OverviewResponse) -> Answer<Now> {
    let trouble = Trouble::of(facade, signed, &seen).await?;
    let nodes = tallies(&seen);
    Ok(Now {
        may_change: signed.who.may_change,
        nodes_total: nodes.iter().map(|tally| tally.count).sum(),
        nodes,
        peers: show::count(seen.peers),
        peers_online: show::count(seen.peers_online),
        peers_online_share: (seen.peers_online * 100)
            .checked_div(seen.peers)
            .map_or(0, |share| share.min(100)),
        applied: show::count(seen.peers_applied),
        pending: seen.peers_pending,
        failed: seen.peers_failed,
        down: show::rate(seen.tx_bytes_per_s),
        up: show::rate(seen.rx_bytes_per_s),
        trouble,
        version: seen.version,
        uptime: show::duration(seen.uptime_s),
    })
}

fn tallies(seen: &v1::OverviewResponse) -> Vec<Tally> {
    let counts = [
        (v1::NodeStatus::Online, seen.nodes_online),
        (v1::NodeStatus::Offline, seen.nodes_offline),
        (v1::NodeStatus::Error, seen.nodes_error),
        (v1::NodeStatus::Disabled, seen.nodes_disabled),
    ];
    let tally = |(status, count)| {
        let (word, class) = text::node_status(status);
        // A zero is not worth a colour.
        let class = if count == 0 { "off" } else { class };
        Tally { count, word, class }
    };
    counts.map(tally).into()
}

/// A peer downloads what its node sends.
impl From<v1::Talker> for Talker {
    fn from(talker: v1::Talker) -> Self {
        Self {
            id: talker.peer_id,
            name: talker.name,
            down: show::rate(talker.tx_bytes_per_s),
            up: show::rate(talker.rx_bytes_per_s),
        }
    }
}
