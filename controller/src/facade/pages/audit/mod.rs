//! `/audit`: who did what, newest first.

mod difference;

use askama::Template;
use axum::{Router, extract::State, http::StatusCode, response::Response, routing::get};
use wgfleet_proto::v1;

use self::difference::Change;
use super::{
    moment,
    page::{Nav, Page, SignedIn, html_with},
    refusal::Refused,
    show::{self, Ago},
    text,
};
use crate::{
    domain::calendar::rfc3339,
    facade::{Answer, Facade, problem::Problem, query::Parameters},
};

const PATH: &str = "/audit";
const PAGE_SIZE: u32 = 50;
/// More changes of one entry are folded up.
const MANY_CHANGES: usize = 4;
/// What entries are about.
const KINDS: [&str; 5] = ["node", "peer", "token", "webhook", "store"];

pub(super) fn routes() -> Router<Facade> {
    Router::new().route(PATH, get(show))
}

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage {
    page: Page,
    filter: Filter,
    kinds: [&'static str; KINDS.len()],
    refused: Option<Refused>,
    entries: Vec<Entry>,
    first: String,
    next: String,
    total: String,
}

/// What was asked for, as it was typed.
#[derive(Debug, Default, PartialEq, Eq)]
struct Filter {
    actor: String,
    action: String,
    object_kind: String,
    object_id: String,
    source: String,
    since: String,
    until: String,
}

struct Entry {
    id: i64,
    at: String,
    ago: Ago,
    actor: String,
    source: String,
    action: String,
    kind: String,
    /// Its name when the entry has it, else the end of its id.
    object: String,
    object_id: String,
    /// Its page; empty when it has none.
    href: String,
    changes: Vec<Change>,
}

impl Entry {
    fn is_long(&self) -> bool {
        self.changes.len() > MANY_CHANGES
    }
}

async fn show(
    State(mut facade): State<Facade>,
    signed: SignedIn,
    mut query: Parameters,
) -> Answer<Response> {
    let filter = Filter::take(&mut query)?;
    let cursor = query.text("cursor")?.unwrap_or_default();
    query.finish()?;
    let found = match filter.message(cursor) {
        Ok(asked) => {
            let found = facade.audit.list(signed.caller.request(asked)).await;
            found
                .map(tonic::Response::into_inner)
                .map_err(Problem::from)
        }
        Err(problem) => Err(problem),
    };
    let (found, refused) = match found {
        Ok(found) => (found, None),
        // What was typed can be mended where it stands; whoever may not look is told so instead.
        Err(problem) if problem.status == StatusCode::BAD_REQUEST => {
            (v1::ListAuditResponse::default(), Some(problem.into()))
        }
        Err(problem) => return Err(problem),
    };
    let status = Refused::status(refused.as_ref());
    let info = found.page.unwrap_or_default();
    let now = show::now_s();
    html_with(
        status,
        &AuditPage {
            page: Page::new(&signed, Nav::Audit, "Audit"),
            kinds: KINDS,
            refused,
            entries: found.items.into_iter().map(|it| entry(it, now)).collect(),
            first: filter.link(""),
            next: match info.next_cursor.as_str() {
                "" => String::new(),
                cursor => filter.link(cursor),
            },
            total: show::count(info.total),
            filter,
        },
    )
}

fn entry(entry: v1::AuditEntry, now: i64) -> Entry {
    let is_gone = entry.action.ends_with(".delete") || entry.action.ends_with(".delete_peers");
    let has_page = ["node", "peer", "webhook"].contains(&entry.object_kind.as_str());
    let name = difference::name(&entry.before, &entry.after);
    Entry {
        id: entry.id,
        at: rfc3339(entry.at).replace('T', " ").replace('Z', ""),
        ago: Ago::new(entry.at, now),
        actor: entry.actor,
        source: entry.source,
        action: entry.action,
        object: name.unwrap_or_else(|| short(&entry.object_id)),
        href: if has_page && !is_gone {
            format!("/{}s/{}", entry.object_kind, entry.object_id)
        } else {
            String::new()
        },
        kind: entry.object_kind,
        object_id: entry.object_id,
        changes: difference::changes(&entry.before, &entry.after),
    }
}

/// The end of an id, in which ids of the same second differ.
fn short(id: &str) -> String {
    match id.rsplit_once('-') {
        Some((_, end)) => format!("…{end}"),
        None => id.to_owned(),
    }
}

impl Filter {
    fn take(query: &mut Parameters) -> Result<Self, Problem> {
        let mut text = |name| -> Result<String, Problem> {
            let typed = query.text(name)?.unwrap_or_default();
            Ok(typed.trim().to_owned())
        };
        Ok(Self {
            actor: text("actor")?,
            action: text("action")?,
            object_kind: text("object_kind")?,
            object_id: text("object_id")?,
            source: text("source")?,
            since: text("since")?,
            until: text("until")?,
        })
    }

    fn fields(&self) -> [(&'static str, &str); 7] {
        [
            ("actor", &self.actor),
            ("action", &self.action),
            ("object_kind", &self.object_kind),
            ("object_id", &self.object_id),
            ("source", &self.source),
            ("since", &self.since),
            ("until", &self.until),
        ]
    }

    fn is_empty(&self) -> bool {
        self.fields().iter().all(|(_, value)| value.is_empty())
    }

    /// The page from this cursor on, under the same filter.
    fn link(&self, cursor: &str) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let fields = self.fields().into_iter().chain([("cursor", cursor)]);
        query.extend_pairs(fields.filter(|(_, value)| !value.is_empty()));
        match query.finish().as_str() {
            "" => PATH.to_owned(),
            query => format!("{PATH}?{query}"),
        }
    }

    fn message(&self, cursor: String) -> Result<v1::ListAuditRequest, Problem> {
        let time = |field: &'static str, typed: &str| {
            if typed.is_empty() {
                return Ok(None);
            }
            let at = moment::parse(typed);
            at.map(Some)
                .ok_or_else(|| Problem::invalid_field(field, text::NO_TIME))
        };
        Ok(v1::ListAuditRequest {
            page: Some(v1::PageRequest {
                page_size: PAGE_SIZE,
                cursor,
            }),
            actor: self.actor.clone(),
            action: self.action.clone(),
            object_kind: self.object_kind.clone(),
            object_id: self.object_id.clone(),
            source: self.source.clone(),
            since: time("since", &self.since)?,
            until: time("until", &self.until)?,
        })
    }
}
