//! What is done to one peer with a button.

use axum::{extract::State, response::Response};
use wgfleet_proto::v1;

use super::{
    super::{
        form::Form,
        page::{SignedIn, see_other},
        refusal::Refused,
        text,
    },
    nodes, one,
};
use crate::facade::{
    Answer, Facade,
    input::{Id, OfPeer},
};

pub(super) async fn enable(
    State(mut facade): State<Facade>,
    signed: SignedIn,
    Id { id, .. }: Id<OfPeer>,
) -> Answer<Response> {
    let asked = v1::EnablePeerRequest {
        id: id.clone(),
        ..Default::default()
    };
    let outcome = facade.peers.enable(signed.caller.request(asked)).await;
    let outcome = outcome.map(|_| text::IS_ENABLED).map_err(Refused::from);
    back(facade, &signed, id, outcome).await
}

pub(super) async fn disable(
    State(mut facade): State<Facade>,
    signed: SignedIn,
    Id { id, .. }: Id<OfPeer>,
) -> Answer<Response> {
    let asked = v1::DisablePeerRequest {
        id: id.clone(),
        ..Default::default()
    };
    let outcome = facade.peers.disable(signed.caller.request(asked)).await;
    let outcome = outcome.map(|_| text::IS_DISABLED).map_err(Refused::from);
    back(facade, &signed, id, outcome).await
}

/// Moves it to the node that was typed.
pub(super) async fn relocate(
    State(mut facade): State<Facade>,
    signed: SignedIn,
    Id { id, .. }: Id<OfPeer>,
    form: Form,
) -> Answer<Response> {
    let target = form.text("node");
    match relocated(&mut facade, &signed, &id, target).await {
        Ok(said) => back(facade, &signed, id, Ok(said)).await,
        Err(refused) => one::page(facade, &signed, id, Some(refused), target.to_owned()).await,
    }
}

async fn relocated(
    facade: &mut Facade,
    signed: &SignedIn,
    id: &str,
    target: &str,
) -> Result<&'static str, Refused> {
    if target.is_empty() {
        let problem = crate::facade::problem::Problem::invalid_field("node", text::NO_TARGET);
        return Err(problem.into());
    }
    let asked = v1::UpdatePeerRequest {
        id: id.to_owned(),
        node_id: Some(nodes::find(facade, signed, target).await?),
        ..Default::default()
    };
    let answer = facade.peers.update(signed.caller.request(asked)).await?;
    Ok(if answer.into_inner().client_needs_config {
        text::MOVED_NEEDS_CONFIG
    } else {
        text::SAVED
    })
}

pub(super) async fn delete(
    State(mut facade): State<Facade>,
    signed: SignedIn,
    Id { id, .. }: Id<OfPeer>,
) -> Answer<Response> {
    let asked = v1::DeletePeerRequest {
        id: id.clone(),
        ..Default::default()
    };
    match facade.peers.delete(signed.caller.request(asked)).await {
        Ok(answer) => {
            let sync = answer.into_inner().sync.unwrap_or_default();
            signed.flash(text::deleted(sync.state(), &sync.reason));
            Ok(see_other("/peers"))
        }
        Err(status) => back(facade, &signed, id, Err(status.into())).await,
    }
}

/// To its page, with what came of it.
async fn back(
    facade: Facade,
    signed: &SignedIn,
    id: String,
    outcome: Result<&'static str, Refused>,
) -> Answer<Response> {
    match outcome {
        Ok(said) => {
            signed.flash(said);
            Ok(see_other(&format!("/peers/{id}")))
        }
        Err(refused) => one::page(facade, signed, id, Some(refused), String::new()).await,
    }
}
