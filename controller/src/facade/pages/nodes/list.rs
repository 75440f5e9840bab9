//! `/nodes`: the table. There are hundreds of nodes at most, so one call has them all, and they are
//! sorted and paged here.

use askama::Template;
use axum::{extract::State, response::Response};
use wgfleet_proto::v1::{self, NodeStatus};

use super::{
    super::{
        page::{Nav, Page, SignedIn, html},
        show,
    },
    read,
    row::{Row, SORTS, Sort},
};
use crate::facade::{
    Answer, Facade,
    input::{Id, OfNode},
    nodes::STATUSES,
    problem::Problem,
    query::Parameters,
    shape::word,
};

/// Rows of a page.
const SHOWN: usize = 100;
/// Nodes in one answer of the service.
const AT_ONCE: u32 = 1000;

#[derive(Template)]
#[template(path = "nodes.html")]
struct NodesPage {
    page: Page,
    statuses: Vec<&'static str>,
    table: Table,
}

#[derive(Template)]
#[template(path = "nodes_table.html")]
struct TablePart {
    table: Table,
}

#[derive(Template)]
#[template(path = "nodes_row.html")]
struct RowPart {
    row: Row,
}

/// What of the nodes is shown.
struct Asked {
    q: String,
    status: NodeStatus,
    labels: Vec<String>,
    selector: std::collections::BTreeMap<String, String>,
    sort: Sort,
    page: usize,
}

struct Table {
    asked: Asked,
    rows: Vec<Row>,
    /// Number of the first row, from 1.
    first: usize,
    total: usize,
    may_change: bool,
}

/// A column that can be sorted by.
struct Head {
    label: &'static str,
    href: String,
    /// `ascending`, `descending`, or empty when another column decides.
    order: &'static str,
    class: &'static str,
}

pub(super) async fn show(
    State(facade): State<Facade>,
    signed: SignedIn,
    query: Parameters,
) -> Answer<Response> {
    html(&NodesPage {
        table: table(facade, &signed, query).await?,
        statuses: STATUSES.iter().map(|(word, _)| *word).collect(),
        page: Page::new(&signed, Nav::Nodes, "Nodes"),
    })
}

pub(super) async fn show_rows(
    State(facade): State<Facade>,
    signed: SignedIn,
    query: Parameters,
) -> Answer<Response> {
    let table = table(facade, &signed, query).await?;
    html(&TablePart { table })
}

pub(super) async fn show_row(
    State(mut facade): State<Facade>,
    signed: SignedIn,
    Id { id, .. }: Id<OfNode>,
) -> Answer<Response> {
    let node = read(&mut facade, &signed, id).await?;
    let row = Row::new(node, &signed, show::now_s());
    html(&RowPart { row })
}

async fn table(mut facade: Facade, signed: &SignedIn, query: Parameters) -> Answer<Table> {
    let asked = Asked::read(query)?;
    let mut nodes = Vec::new();
    let mut cursor = String::new();
    loop {
        let message = v1::ListNodesRequest {
            page: Some(v1::PageRequest {
                page_size: AT_ONCE,
                cursor,
            }),
            status: asked.status.into(),
            label: asked.selector.clone(),
            q: asked.q.clone(),
        };
        let answer = facade.nodes.list(signed.caller.request(message)).await?;
        let answer = answer.into_inner();
        let found = answer.items.len();
        nodes.extend(answer.items);
        cursor = answer.page.unwrap_or_default().next_cursor;
        if cursor.is_empty() || found < AT_ONCE as usize {
            break;
        }
    }
    nodes.sort_by(|a, b| asked.sort.compare(a, b));
    let (total, now_s) = (nodes.len(), show::now_s());
    // A page that is no more, for nodes went, is the last one.
    let pages = total.div_ceil(SHOWN).max(1);
    let start = (asked.page.min(pages) - 1) * SHOWN;
    let rows = nodes.into_iter().skip(start).take(SHOWN);
    Ok(Table {
        rows: rows.map(|node| Row::new(node, signed, now_s)).collect(),
        asked,
        first: start + 1,
        total,
        may_change: signed.who.may_change,
    })
}

impl Asked {
    fn read(mut query: Parameters) -> Answer<Self> {
        let q = query.text("q")?.unwrap_or_default().trim().to_owned();
        let status = choice(&mut query, "status", &STATUSES)?.unwrap_or_default();
        let sort = choice(&mut query, "sort", &SORTS)?.unwrap_or(Sort::Trouble);
        let page = query.parsed("page", "a number from 1 on", |text| {
            text.parse().ok().filter(|page| *page > 0)
        })?;
        let selector = query.labels()?;
        query.finish()?;
        let pair = |(key, value): (&String, &String)| format!("{key}={value}");
        Ok(Self {
            q,
            status,
            labels: selector.iter().map(pair).collect(),
            selector,
            sort,
            page: page.unwrap_or(1),
        })
    }

    fn has_filter(&self) -> bool {
        !self.q.is_empty() || self.status != NodeStatus::Unspecified || !self.labels.is_empty()
    }

    fn is_status(&self, word: &str) -> bool {
        let status = STATUSES.iter().find(|(known, _)| known == &word);
        status.is_some_and(|(_, status)| *status == self.status)
    }

    fn address(&self, path: &str, sort: Sort, page: usize) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        if !self.q.is_empty() {
            query.append_pair("q", &self.q);
        }
        if self.status != NodeStatus::Unspecified {
            query.append_pair("status", word(&STATUSES, self.status));
        }
        for label in &self.labels {
            query.append_pair("label", label);
        }
        if sort != Sort::Trouble {
            query.append_pair("sort", word(&SORTS, sort));
        }
        if page > 1 {
            query.append_pair("page", &page.to_string());
        }
        let query = query.finish();
        if query.is_empty() {
            path.to_owned()
        } else {
            format!("{path}?{query}")
        }
    }
}

/// One of some words; an empty one is none, as a form sends what was not chosen.
fn choice<T: Copy>(
    query: &mut Parameters,
    name: &'static str,
    words: &[(&'static str, T)],
) -> Result<Option<T>, Problem> {
    let Some(text) = query.text(name)?.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let found = words.iter().find(|(word, _)| *word == text);
    let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
    let wrong = || Problem::invalid_field(name, format!("{name}: one of {}", known.join(", ")));
    found.map(|(_, value)| Some(*value)).ok_or_else(wrong)
}

impl Table {
    /// Where the same rows come from.
    fn source(&self) -> String {
        let Asked { sort, page, .. } = self.asked;
        self.asked.address("/nodes/rows", sort, page)
    }

    fn heads(&self) -> Vec<Head> {
        let columns = [
            ("Name", Sort::Name, ""),
            ("Status", Sort::Trouble, ""),
            ("Latency", Sort::Latency, "number"),
            ("Peers", Sort::Peers, "number"),
            ("Weight", Sort::Weight, "number"),
            ("Download / upload", Sort::Throughput, "number"),
            ("Agent", Sort::Version, ""),
            ("Last seen", Sort::LastSeen, ""),
        ];
        let head = |(label, sort, class): (&'static str, Sort, &'static str)| Head {
            label,
            href: self.asked.address("/nodes", sort, 1),
            order: match (self.asked.sort == sort, sort.is_descending()) {
                (false, _) => "",
                (true, true) => "descending",
                (true, false) => "ascending",
            },
            class,
        };
        columns.into_iter().map(head).collect()
    }

    /// Which rows these are.
    fn shown(&self) -> String {
        let last = self.first + self.rows.len().max(1) - 1;
        format!("{} to {last}", self.first)
    }

    fn is_paged(&self) -> bool {
        self.total > SHOWN
    }

    fn first_page(&self) -> String {
        self.asked.address("/nodes", self.asked.sort, 1)
    }

    /// Empty on the last page.
    fn next_page(&self) -> String {
        if self.first + self.rows.len() > self.total {
            return String::new();
        }
        let next = self.first / SHOWN + 2;
        self.asked.address("/nodes", self.asked.sort, next)
    }
}
