//! Peers on a node that nobody declared: what is done with them.

use axum::{extract::State, response::Response};
use wgfleet_proto::v1;

use super::{
    super::{
        form::Form,
        page::{SignedIn, see_other},
        refusal::Refused,
        text,
    },
    address,
    show::NodePage,
    typed,
};
use crate::facade::{
    Answer, Facade,
    input::{Id, OfNode},
    problem::Problem,
};

/// Enough of a key to tell it from others in a name.
const KEY_CHARS: usize = 8;

/// Sets the node's policy.
pub(super) async fn choose(
    State(mut facade): State<Facade>,
    signed: SignedIn,
    Id { id, .. }: Id<OfNode>,
    form: Form,
) -> Answer<Response> {
    let policy = typed::policy(form.text("unmanaged_peers"))?;
    let message = v1::UpdateNodeRequest {
        id: id.clone(),
        unmanaged_peers: policy.into(),
        ..Default::default()
    };
    match facade.nodes.update(signed.caller.request(message)).await {
        Ok(_) => {
            signed.flash(text::unmanaged_chosen(policy));
            Ok(see_other(&address(&id)))
        }
        Err(status) => NodePage::refusing(&mut facade, &signed, id, status.into()).await,
    }
}

/// Declares one of them, as the node has it.
pub(super) async fn adopt(
    State(mut facade): State<Facade>,
    signed: SignedIn,
    Id { id, .. }: Id<OfNode>,
    form: Form,
) -> Answer<Response> {
    match declare(&mut facade, &signed, &id, form.text("public_key")).await {
        Ok(name) => {
            signed.flash(format!("It is the peer “{name}” now."));
            Ok(see_other(&address(&id)))
        }
        Err(problem) => NodePage::refusing(&mut facade, &signed, id, Refused::from(problem)).await,
    }
}

async fn declare(
    facade: &mut Facade,
    signed: &SignedIn,
    node_id: &str,
    public_key: &str,
) -> Answer<String> {
    let id = node_id.to_owned();
    let asked = signed.caller.request(v1::PlanNodeRequest { id });
    let plan = facade.nodes.plan(asked).await?.into_inner();
    let found = plan.unmanaged.into_iter();
    let found = found.into_iter().find(|peer| peer.public_key == public_key);
    let found = found.ok_or_else(|| Problem::invalid_field("public_key", text::NOT_UNMANAGED))?;
    let start: String = public_key.chars().take(KEY_CHARS).collect();
    let message = v1::CreatePeerRequest {
        name: format!("adopted {start}"),
        node_id: node_id.to_owned(),
        public_key: found.public_key,
        allowed_ips: found.allowed_ips,
        ..Default::default()
    };
    let made = facade.peers.create(signed.caller.request(message)).await?;
    Ok(made.into_inner().peer.unwrap_or_default().name)
}
