//! `/peers/chosen`: one thing done to many peers that were ticked.

use std::collections::BTreeSet;

use askama::Template;
use axum::{extract::State, response::Response};
use futures_util::{StreamExt as _, stream};
use tonic::Status;
use wgfleet_proto::v1::{self, bulk_result::Outcome};

use super::{
    super::{
        form::Form,
        page::{Nav, Page, SignedIn, html, see_other},
        refusal::Refused,
        text,
    },
    filter, nodes,
};
use crate::facade::{Answer, Facade, problem::Problem};

/// Most peers at once: many more than a page shows.
const MAX_CHOSEN: usize = 1000;
/// Peers that are changed at a time.
const AT_ONCE: usize = 8;
/// Failures that are named.
const MAX_NAMED: usize = 50;

#[derive(Template)]
#[template(path = "peers_chosen.html")]
struct ChosenPage {
    page: Page,
    heading: String,
    failures: Vec<Failure>,
    unnamed: usize,
    back: String,
}

/// A peer to which it was not done.
struct Failure {
    id: String,
    name: String,
    sentence: String,
}

/// What is done.
#[derive(Clone)]
enum Act {
    Enable,
    Disable,
    Delete,
    Move(String),
}

pub(super) async fn act(
    State(mut facade): State<Facade>,
    signed: SignedIn,
    form: Form,
) -> Answer<Response> {
    let back = filter::back(form.text("back"));
    // Each once.
    let ids: BTreeSet<_> = form.all("id").into_iter().collect();
    if ids.is_empty() {
        return Err(Problem::invalid_field("id", text::NOBODY_CHOSEN));
    }
    if ids.len() > MAX_CHOSEN {
        return Err(Problem::invalid_field("id", text::TOO_MANY_CHOSEN));
    }
    let (act, done) = match form.text("do") {
        "enable" => (Act::Enable, text::ENABLED),
        "disable" => (Act::Disable, text::DISABLED),
        "delete" => (Act::Delete, text::DELETED),
        "move" if form.text("node").is_empty() => {
            return Err(Problem::invalid_field("node", text::NO_TARGET));
        }
        "move" => {
            let node = nodes::find(&mut facade, &signed, form.text("node")).await?;
            (Act::Move(node), text::MOVED)
        }
        _ => return Err(Problem::invalid_field("do", text::NOTHING_TO_DO)),
    };
    let count = ids.len();
    let ids: Vec<_> = ids.into_iter().collect();
    let mut failures = match act {
        Act::Delete => delete(&mut facade, &signed, ids).await?,
        act => one_by_one(&facade, &signed, &act, ids).await,
    };
    let heading = text::of_many(count - failures.len(), count, done);
    if failures.is_empty() {
        signed.flash(heading);
        return Ok(see_other(&back));
    }
    let unnamed = failures.len().saturating_sub(MAX_NAMED);
    failures.truncate(MAX_NAMED);
    name(&mut facade, &signed, &mut failures).await;
    html(&ChosenPage {
        page: Page::new(&signed, Nav::Peers, "Peers"),
        heading,
        failures,
        unnamed,
        back,
    })
}

async fn one_by_one(
    facade: &Facade,
    signed: &SignedIn,
    act: &Act,
    ids: Vec<String>,
) -> Vec<Failure> {
    let each = ids.into_iter().map(|id| {
        let facade = facade.clone();
        async move {
            let outcome = change(facade, signed, act.clone(), id.clone()).await;
            outcome.err().map(|status| Failure::new(id, status))
        }
    });
    let outcomes = stream::iter(each).buffered(AT_ONCE);
    outcomes.filter_map(std::future::ready).collect().await
}

async fn change(mut facade: Facade, signed: &SignedIn, act: Act, id: String) -> Result<(), Status> {
    let caller = &signed.caller;
    let if_match = Vec::new();
    match act {
        Act::Enable => {
            let asked = v1::EnablePeerRequest { id, if_match };
            facade.peers.enable(caller.request(asked)).await?;
        }
        Act::Disable => {
            let asked = v1::DisablePeerRequest { id, if_match };
            facade.peers.disable(caller.request(asked)).await?;
        }
        Act::Delete => {
            let asked = v1::DeletePeerRequest { id, if_match };
            facade.peers.delete(caller.request(asked)).await?;
        }
        Act::Move(node_id) => {
            let asked = v1::UpdatePeerRequest {
                id,
                node_id: Some(node_id),
                ..Default::default()
            };
            facade.peers.update(caller.request(asked)).await?;
        }
    }
    Ok(())
}

async fn delete(facade: &mut Facade, signed: &SignedIn, ids: Vec<String>) -> Answer<Vec<Failure>> {
    let asked = v1::BulkDeletePeersRequest { ids: ids.clone() };
    let answer = facade
        .peers
        .bulk_delete(signed.caller.request(asked))
        .await?;
    let results = answer.into_inner().results.into_iter();
    let failures = ids.into_iter().zip(results).filter_map(|(id, result)| {
        let Some(Outcome::Refused(refusal)) = result.outcome else {
            return None;
        };
        Some(Failure {
            id,
            name: String::new(),
            sentence: text::sentence(&refusal.message),
        })
    });
    Ok(failures.collect())
}

async fn name(facade: &mut Facade, signed: &SignedIn, failures: &mut [Failure]) {
    for failure in failures {
        let id = failure.id.clone();
        let asked = signed.caller.request(v1::GetPeerRequest { id });
        if let Ok(peer) = facade.peers.get(asked).await {
            failure.name = peer.into_inner().name;
        }
    }
}

impl Failure {
    fn new(id: String, status: Status) -> Self {
        Self {
            id,
            name: String::new(),
            sentence: Refused::from(status).sentence,
        }
    }
}
