//! `/peers`: the table, a page at a time.

use askama::Template;
use axum::{extract::State, response::Response};
use wgfleet_proto::v1;

use super::{
    super::{
        page::{Nav, Page, SignedIn, html, html_with},
        refusal::Refused,
        show,
    },
    filter::Wanted,
    nodes::{self, Nodes},
    row::Row,
};
use crate::facade::{
    Answer, Facade,
    input::{Id, OfPeer},
    query::Parameters,
};

#[derive(Template)]
#[template(path = "peers.html")]
struct ListPage {
    page: Page,
    refused: Option<Refused>,
    table: Table,
    nodes: Vec<String>,
    heads: [Head; 4],
    total: String,
    next: String,
}

#[derive(Template)]
#[template(path = "peers_rows.html")]
struct RowsPart {
    table: Table,
}

#[derive(Template)]
#[template(path = "peers_row.html")]
struct RowPart {
    table: Table,
    row: Row,
}

/// What its rows need.
struct Table {
    wanted: Wanted,
    rows: Vec<Row>,
    may_change: bool,
}

/// A column that can be ordered by.
struct Head {
    label: &'static str,
    class: &'static str,
    href: String,
    /// As `aria-sort` has it; empty when it is not.
    order: &'static str,
}

pub(super) async fn show(
    State(mut facade): State<Facade>,
    signed: SignedIn,
    query: Parameters,
) -> Answer<Response> {
    let wanted = Wanted::read(query)?;
    let mut nodes = Nodes::read(&mut facade, &signed).await?;
    let found = find(&mut facade, &signed, &wanted, &nodes).await;
    let (found, refused) = match found {
        Ok(found) => (found, None),
        Err(problem) => (
            v1::ListPeersResponse::default(),
            Some(Refused::from(problem)),
        ),
    };
    let status = refused
        .as_ref()
        .map_or(axum::http::StatusCode::OK, |refused| refused.status);
    let around = found.page.unwrap_or_default();
    nodes.complete(&mut facade, &signed, &found.items).await;
    let page = ListPage {
        page: Page::new(&signed, Nav::Peers, "Peers"),
        refused,
        heads: heads(&wanted),
        total: show::count(around.total),
        next: wanted.next(&around.next_cursor),
        table: Table::new(&signed, wanted, found.items, &nodes),
        nodes: nodes.offered,
    };
    html_with(status, &page)
}

/// The rows alone, of the same page.
pub(super) async fn show_rows(
    State(mut facade): State<Facade>,
    signed: SignedIn,
    query: Parameters,
) -> Answer<Response> {
    let wanted = Wanted::read(query)?;
    let mut nodes = Nodes::read(&mut facade, &signed).await?;
    let found = find(&mut facade, &signed, &wanted, &nodes).await?;
    nodes.complete(&mut facade, &signed, &found.items).await;
    let table = Table::new(&signed, wanted, found.items, &nodes);
    html(&RowsPart { table })
}

/// One row alone.
pub(super) async fn show_row(
    State(mut facade): State<Facade>,
    signed: SignedIn,
    Id { id, .. }: Id<OfPeer>,
) -> Answer<Response> {
    let asked = signed.caller.request(v1::GetPeerRequest { id });
    let peer = facade.peers.get(asked).await?.into_inner();
    let mut nodes = Nodes::default();
    nodes
        .complete(&mut facade, &signed, std::slice::from_ref(&peer))
        .await;
    html(&RowPart {
        row: Row::new(peer, &nodes, show::now_s()),
        table: Table::new(&signed, Wanted::default(), Vec::new(), &nodes),
    })
}

async fn find(
    facade: &mut Facade,
    signed: &SignedIn,
    wanted: &Wanted,
    nodes: &Nodes,
) -> Answer<v1::ListPeersResponse> {
    let typed = wanted.text("node");
    let node_id = match nodes.id(typed) {
        Some(id) => id.to_owned(),
        None => nodes::find(facade, signed, typed).await?,
    };
    let asked = signed.caller.request(wanted.message(node_id)?);
    Ok(facade.peers.list(asked).await?.into_inner())
}

impl Table {
    fn new(signed: &SignedIn, wanted: Wanted, peers: Vec<v1::Peer>, nodes: &Nodes) -> Self {
        let now_s = show::now_s();
        let rows = peers.into_iter().map(|peer| Row::new(peer, nodes, now_s));
        Self {
            rows: rows.collect(),
            wanted,
            may_change: signed.who.may_change,
        }
    }
}

fn heads(wanted: &Wanted) -> [Head; 4] {
    let is_ascending = wanted.text("sort").is_empty() || wanted.is("sort", "name");
    let name = Head {
        label: "Name",
        class: "",
        href: wanted.sorted(if is_ascending { "-name" } else { "name" }),
        order: if is_ascending {
            "ascending"
        } else if wanted.is("sort", "-name") {
            "descending"
        } else {
            ""
        },
    };
    let from_greatest = |label, class, sort| Head {
        label,
        class,
        href: wanted.sorted(sort),
        order: if wanted.is("sort", sort) {
            "descending"
        } else {
            ""
        },
    };
    [
        name,
        from_greatest("Last seen", "", "-latest_handshake"),
        from_greatest("Download", "number", "-tx_bytes_total"),
        from_greatest("Upload", "number", "-rx_bytes_total"),
    ]
}
