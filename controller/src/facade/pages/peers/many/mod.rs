//! `/peers/many`: many peers, by a pattern of names or from CSV. They are added in the background, and
//! their page tells how far it is.

mod job;
mod plan;
mod sheet;
mod zip;

use std::sync::Arc;

use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
    routing::get,
};

use super::{
    super::{
        form::Form,
        page::{Nav, Page, SignedIn, html, html_with, see_other},
        refusal::Refused,
        show, text,
    },
    nodes::Nodes,
    typed::Typed,
};
use crate::{
    domain::peer_file,
    facade::{Answer, Facade, problem::Problem, query::Parameters},
};

pub(in crate::facade::pages) use self::job::Job;
use self::{
    job::{Made, Outcome},
    plan::Many,
};

/// Rows of a page.
const PAGE_ROWS: usize = 100;

pub(super) fn routes() -> Router<Facade> {
    Router::new()
        .route("/peers/many", get(show).post(start))
        .route("/peers/many/{job}", get(show_job))
        .route("/peers/many/{job}/progress", get(show_progress))
        .route("/peers/many/{job}/zip", get(zip::download))
}

#[derive(Template)]
#[template(path = "peers_many.html")]
struct ManyPage {
    page: Page,
    refused: Option<Refused>,
    many: Many,
    typed: Typed,
    nodes: Vec<String>,
    most: String,
    columns: String,
}

#[derive(Template)]
#[template(path = "peers_job.html")]
struct JobPage {
    page: Page,
    progress: Progress,
}

#[derive(Template)]
#[template(path = "peers_progress.html")]
struct ProgressPart {
    progress: Progress,
}

/// How far it is, and what came of each.
struct Progress {
    id: String,
    total: usize,
    done: usize,
    added: usize,
    failed: usize,
    is_over: bool,
    /// Why it ended early; empty when it did not.
    stopped: String,
    keeps_keys: bool,
    only_failed: bool,
    rows: Vec<Line>,
    /// Empty when there is none.
    previous: String,
    next: String,
}

/// What came of one.
struct Line {
    place: String,
    name: String,
    /// Empty when there is no such peer.
    id: String,
    sentence: String,
    state: show::Chip,
}

async fn show(State(facade): State<Facade>, signed: SignedIn) -> Answer<Response> {
    form(facade, &signed, None, Many::new(), Typed::new()).await
}

async fn start(State(mut facade): State<Facade>, signed: SignedIn, form: Form) -> Answer<Response> {
    let (many, typed) = (Many::of(&form), Typed::of(&form));
    let planned = many.plan(&mut facade, &signed, &typed).await;
    let started = planned.map_err(Refused::from).and_then(|rows| {
        let job = Job::new(rows, typed.keeps_private_key);
        signed.session.begin(&job).map_err(|()| {
            Refused::from(Problem::new(
                StatusCode::CONFLICT,
                "conflict",
                text::STILL_ADDING,
            ))
        })?;
        Ok(job)
    });
    match started {
        Ok(job) => {
            let place = format!("/peers/many/{}", job.id);
            tokio::spawn(job::run(job, facade, signed.caller));
            Ok(see_other(&place))
        }
        Err(refused) => {
            let typed = typed.refused_at(&refused.field);
            self::form(facade, &signed, Some(refused), many, typed).await
        }
    }
}

async fn form(
    mut facade: Facade,
    signed: &SignedIn,
    refused: Option<Refused>,
    many: Many,
    typed: Typed,
) -> Answer<Response> {
    let status = Refused::status(refused.as_ref());
    let nodes = Nodes::offered(&mut facade, signed).await;
    let page = ManyPage {
        page: Page::new(signed, Nav::Peers, "Add many peers"),
        refused,
        many,
        typed,
        nodes,
        most: text::at_most(&show::count(plan::MAX_ROWS as u64)),
        columns: text::csv_hint(&peer_file::COLUMNS.join(", ")),
    };
    html_with(status, &page)
}

async fn show_job(signed: SignedIn, Path(id): Path<String>, query: Parameters) -> Answer<Response> {
    let progress = progress(&*find(&signed, &id)?, query)?;
    html(&JobPage {
        page: Page::new(&signed, Nav::Peers, "Add many peers"),
        progress,
    })
}

async fn show_progress(
    signed: SignedIn,
    Path(id): Path<String>,
    query: Parameters,
) -> Answer<Response> {
    let progress = progress(&*find(&signed, &id)?, query)?;
    html(&ProgressPart { progress })
}

/// That job of this session.
fn find(signed: &SignedIn, id: &str) -> Answer<Arc<Job>> {
    let job = signed.session.job().filter(|job| job.id == id);
    job.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "route_not_found", text::NO_SUCH_JOB))
}

fn progress(job: &Job, mut query: Parameters) -> Answer<Progress> {
    let from = query.parsed("from", "a number", |text| text.parse::<usize>().ok())?;
    let only_failed = query.flag("failed")?.unwrap_or(false);
    query.finish()?;
    let from = from.unwrap_or(0);
    let state = job.state();
    let shown = state
        .rows
        .iter()
        .filter(|made| !only_failed || made.outcome.is_failure());
    let mut rows: Vec<_> = shown
        .skip(from)
        .take(PAGE_ROWS + 1)
        .map(Line::from)
        .collect();
    let has_more = rows.len() > PAGE_ROWS;
    rows.truncate(PAGE_ROWS);
    let link = |there_is: bool, from: usize| {
        if !there_is {
            return String::new();
        }
        let failed = if only_failed { "&failed=true" } else { "" };
        format!("/peers/many/{}?from={from}{failed}", job.id)
    };
    Ok(Progress {
        id: job.id.clone(),
        total: state.rows.len(),
        done: state.done,
        added: state.added,
        failed: state.failed,
        is_over: state.is_over,
        stopped: state.stopped.clone(),
        keeps_keys: job.keeps_keys,
        only_failed,
        rows: if state.is_over { rows } else { Vec::new() },
        previous: link(from > 0, from.saturating_sub(PAGE_ROWS)),
        next: link(has_more, from.saturating_add(PAGE_ROWS)),
    })
}

impl From<&Made> for Line {
    fn from(made: &Made) -> Self {
        let (id, sentence, state) = match &made.outcome {
            Outcome::Waiting => (String::new(), String::new(), text::NOT_TRIED),
            Outcome::Added { id, .. } => (id.clone(), String::new(), text::ROW_ADDED),
            Outcome::Refused(sentence) => (String::new(), sentence.clone(), text::ROW_REFUSED),
        };
        Self {
            place: made.place.clone(),
            name: made.name.clone(),
            id,
            sentence,
            state: state.into(),
        }
    }
}
