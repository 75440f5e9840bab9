//! Moving an agent to another secret.
//!
//! The agent holds two secrets for a while and takes either. Here the new one is first kept beside
//! the old one, then proven with a signed call, and only then is the old one let go: stopped at any
//! point, one that works is still there, and asking again goes on from where it was.

use serde_json::json;
use tonic::Status;
use wgfleet_proto::v1;
use wire_contract::signing::Secret;

use super::{
    connection::Access,
    create::name_secret_holder,
    fields::{GivenSecret, agent_refusal},
};
use crate::{
    failpoint,
    services::{
        Core,
        auth::Caller,
        once,
        status::{no_such_node, parse_id, refuse},
    },
    store::{
        AgentId, NodeId, WriteTx,
        agents::{self, Slot},
        audit, nodes,
    },
};

const NOT_THERE_YET: &str = "give the agent this secret as its second one, then call again with it";

/// The agent to rotate, seen from one of its nodes.
struct Target {
    agent: AgentId,
    node: NodeId,
    access: Access,
    all_nodes: Vec<NodeId>,
}

pub(super) async fn rotate(
    core: &Core,
    caller: Caller,
    request: v1::RotateNodeSecretRequest,
) -> Result<v1::RotateNodeSecretResponse, Status> {
    let node: NodeId = parse_id(&request.id, no_such_node)?;
    let given = request.secret.map(GivenSecret::new).transpose()?;
    let target = target(core, caller.clone(), node).await?;
    let Some(given) = given else {
        let drawn = GivenSecret::generate()?;
        let answer = target.answer(Some(NOT_THERE_YET.into()), Some(drawn.text.to_string()));
        keep_as_next(core, &caller, &target, &drawn, Some(&answer)).await?;
        return Ok(answer);
    };
    if !keep_as_next(core, &caller, &target, &given, None).await? {
        return Ok(target.answer(None, None));
    }
    failpoint!("secret.kept_as_next");
    let report = target.access.probe(core, &given.secret).await;
    if !report.accepts_secret {
        let reason = report.reason.unwrap_or_else(|| NOT_THERE_YET.into());
        return Ok(target.answer(Some(reason), None));
    }
    failpoint!("secret.proven");
    promote(core, &caller, &target, given.secret).await?;
    failpoint!("secret.promoted");
    target.reload(core).await?;
    Ok(target.answer(None, None))
}

impl Target {
    fn answer(
        &self,
        reason: Option<String>,
        secret: Option<String>,
    ) -> v1::RotateNodeSecretResponse {
        v1::RotateNodeSecretResponse {
            completed: reason.is_none(),
            reason: reason.unwrap_or_default(),
            secret,
            node_ids: self.all_nodes.iter().map(ToString::to_string).collect(),
        }
    }

    async fn reload(&self, core: &Core) -> Result<(), Status> {
        for node in &self.all_nodes {
            core.dispatch.reload(*node).await?;
        }
        Ok(())
    }

    fn note(
        &self,
        tx: &WriteTx<'_>,
        caller: &Caller,
        now_s: i64,
        step: &str,
    ) -> Result<(), Status> {
        let object = ("node", self.node.to_string());
        let after = json!({ "secret": step });
        let entry = caller.audit(now_s, "node.rotate_secret", object, None, Some(after));
        audit::append(tx, &entry)?;
        Ok(())
    }
}

async fn target(
    core: &Core,
    caller: Caller,
    node: NodeId,
) -> Result<std::sync::Arc<Target>, Status> {
    core.look(move |conn| {
        let row = caller.node(conn, node)?;
        let agent = row.settings.agent_id;
        let mut all = nodes::list(conn)?;
        all.retain(|other| other.settings.agent_id == agent);
        if !all.iter().all(|other| caller.sees(&other.settings.labels)) {
            let message = "nodes that this token is not for share the agent and its secret";
            return Err(agent_refusal("agent_shared", "id", message.into()));
        }
        Ok(std::sync::Arc::new(Target {
            agent,
            node,
            access: Access::of(&row)?,
            all_nodes: all.iter().map(|row| row.id).collect(),
        }))
    })
    .await
}

/// Keeps the new secret beside the old one, and lets the workers know of it. Whether there is more
/// to do: not when it is the current one already. `answer` is the one that shows it.
async fn keep_as_next(
    core: &Core,
    caller: &Caller,
    target: &std::sync::Arc<Target>,
    given: &GivenSecret,
    answer: Option<&v1::RotateNodeSecretResponse>,
) -> Result<bool, Status> {
    let noted = once::current().zip(answer.cloned());
    let (text, now_s) = (given.text.clone(), core.now_s());
    let (caller, shared) = (caller.clone(), target.clone());
    let kept = core
        .change(move |tx| {
            if agents::has_secret(tx, tx.sealer(), shared.agent, text.as_bytes())? {
                return Ok(false);
            }
            let kept = agents::set_secret(tx, shared.agent, Slot::Next, text.as_bytes(), now_s);
            kept.or_else(|error| Err(name_secret_holder(tx, error)?))?;
            shared.note(tx, &caller, now_s, "kept as the next one")?;
            if let Some((once, answer)) = &noted {
                once.record(tx, answer)?;
            }
            Ok(true)
        })
        .await?;
    if kept {
        target.reload(core).await?;
    }
    Ok(kept)
}

async fn promote(
    core: &Core,
    caller: &Caller,
    target: &std::sync::Arc<Target>,
    proven: Secret,
) -> Result<(), Status> {
    let (caller, shared, now_s) = (caller.clone(), target.clone(), core.now_s());
    core.change(move |tx| {
        let held = |slot| agents::secret(tx, tx.sealer(), shared.agent, slot);
        // A worker whose old secret was refused moves by itself when the next one is accepted.
        if held(Slot::Current)?.as_ref() == Some(&proven) {
            return Ok(());
        }
        // Another rotation may have come between; only what was proven is moved to.
        if held(Slot::Next)?.as_ref() != Some(&proven) {
            let message = "another rotation of this agent came between; call again";
            let code = tonic::Code::Aborted;
            return Err(refuse(code, "rotation_overtaken", Some("secret"), message));
        }
        agents::promote_next(tx, shared.agent)?;
        shared.note(tx, &caller, now_s, "moved to the next one")
    })
    .await
}
