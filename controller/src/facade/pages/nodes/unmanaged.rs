//! Peers on a node that nobody declared: what is done with all of them. One is declared by
//! [`adopt`](super::adopt).

use axum::{extract::State, response::Response};
use wgfleet_proto::v1;

use super::{
    super::{
        form::Form,
        page::{SignedIn, see_other},
        text,
    },
    address,
    show::NodePage,
    typed,
};
use crate::facade::{
    Answer, Facade,
    input::{Id, OfNode},
};

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
