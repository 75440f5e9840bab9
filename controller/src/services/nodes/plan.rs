//! What would be written to a node, and the word to write it.

use std::time::Duration;

use serde_json::json;
use tonic::Status;
use wgfleet_proto::v1;

use super::delete;
use crate::{
    dispatch::{DispatchError, PlanView},
    domain::plan::{Change, Consent, FieldDrift, FieldValue},
    services::{
        Core,
        auth::Caller,
        status::{no_such_node, parse_id},
    },
    store::{NodeId, audit, generation},
};

pub(super) async fn plan(
    core: &Core,
    caller: Caller,
    id: &str,
) -> Result<v1::PlanNodeResponse, Status> {
    let id: NodeId = parse_id(id, no_such_node)?;
    core.look(move |conn| Ok(caller.node(conn, id)?)).await?;
    Ok(shown(&core.dispatch.plan(id).await?))
}

pub(super) async fn sync(
    core: &Core,
    caller: Caller,
    request: v1::SyncNodeRequest,
) -> Result<v1::SyncNodeResponse, Status> {
    let id: NodeId = parse_id(&request.id, no_such_node)?;
    let asks = caller.clone();
    core.look(move |conn| Ok(asks.node(conn, id)?)).await?;
    let confirm = request.confirm.filter(|hash| !hash.is_empty());
    let outcome = core.dispatch.sync(id, confirm.clone()).await;
    let mut reason = match outcome {
        Ok(()) => String::new(),
        // The change is kept and is tried for as long as it takes: that is an answer.
        Err(DispatchError::Unreachable(why)) if confirm.is_none() => why,
        Err(error) => return Err(error.into()),
    };
    if let Some(hash) = confirm {
        note_confirmation(core, &caller, id, hash).await?;
    }
    let wait = if reason.is_empty() {
        core.options.apply_wait
    } else {
        Duration::ZERO
    };
    let applied = delete::settled(core, id, wait).await? && reason.is_empty();
    if !applied && reason.is_empty() {
        reason = why_not(core, id);
    }
    let (desired_generation, observed_generation) = generations(core, id).await?;
    let state = if applied {
        v1::SyncState::Applied
    } else {
        v1::SyncState::Pending
    };
    Ok(v1::SyncNodeResponse {
        sync: Some(v1::Sync {
            state: state.into(),
            reason,
        }),
        desired_generation,
        observed_generation,
    })
}

async fn generations(core: &Core, id: NodeId) -> Result<(u64, u64), Status> {
    core.look(move |conn| Ok(generation::get(conn, id)?)).await
}

async fn note_confirmation(
    core: &Core,
    caller: &Caller,
    id: NodeId,
    hash: String,
) -> Result<(), Status> {
    let after = json!({ "confirmed": hash });
    let object = ("node", id.to_string());
    let entry = caller.audit(core.now_s(), "node.confirm", object, None, Some(after));
    core.change(move |tx| Ok(audit::append(tx, &entry)?))
        .await?;
    Ok(())
}

fn why_not(core: &Core, id: NodeId) -> String {
    let worker = core.dispatch.worker(id);
    let error = worker.map(|worker| worker.last_error).unwrap_or_default();
    if error.is_empty() {
        "the node is not yet as it should be".into()
    } else {
        error
    }
}

fn shown(view: &PlanView) -> v1::PlanNodeResponse {
    let PlanView {
        plan,
        consent,
        adoption_waits,
    } = view;
    let writes_wait = plan.held(*consent).next().is_some();
    let needs_confirmation = writes_wait || *adoption_waits;
    let waits = match consent {
        _ if !needs_confirmation => "",
        _ if !writes_wait => {
            "the store comes from a backup: peers that nobody declared here are adopted only once \
             the plan is confirmed"
        }
        Consent::Nothing => {
            "the store comes from a backup: nothing is written to this node until its plan is \
             confirmed"
        }
        _ => "peers that nobody declared here would be removed: that waits for an operator's word",
    };
    let blocked = plan.blocked.iter();
    v1::PlanNodeResponse {
        in_sync: plan.is_in_sync(),
        hash: plan.hash(*consent),
        changes: plan
            .changes
            .iter()
            .map(|it| change(it, held_reason(it, *consent)))
            .collect(),
        unmanaged: plan
            .unmanaged
            .iter()
            .map(|peer| v1::UnmanagedPeer {
                public_key: peer.public_key.to_string(),
                allowed_ips: peer.allowed_ips.iter().map(ToString::to_string).collect(),
                persistent_keepalive: peer.persistent_keepalive.as_secs().into(),
            })
            .collect(),
        needs_confirmation,
        confirmation_reason: waits.to_owned(),
        blocked: blocked
            .map(|it| change(&it.change, it.reason.clone()))
            .collect(),
    }
}

fn held_reason(change: &Change, consent: Consent) -> String {
    match (consent, change.hold) {
        (Consent::Nothing, _) => "waits for an operator to confirm the plan".into(),
        (Consent::Declared, Some(hold)) => hold.to_string(),
        _ => String::new(),
    }
}

fn change(change: &Change, reason: String) -> v1::Change {
    let action = match change.call.action() {
        "add" => v1::ChangeAction::Add,
        "update" => v1::ChangeAction::Update,
        _ => v1::ChangeAction::Remove,
    };
    let fields = change.fields.iter();
    v1::Change {
        action: action.into(),
        public_key: change.call.public_key().to_string(),
        fields: fields
            .map(|(name, drift)| ((*name).to_owned(), field_change(drift)))
            .collect(),
        reason,
    }
}

fn field_change(drift: &FieldDrift) -> v1::FieldChange {
    let text =
        |value: &Option<FieldValue>| value.as_ref().map(ToString::to_string).unwrap_or_default();
    v1::FieldChange {
        from: text(&drift.observed),
        to: text(&drift.desired),
    }
}
