//! Changing a node's settings.

use tokio::time::Instant;
use tonic::Status;
use wgfleet_proto::v1::{self, event::Kind};

use super::{create, fields, pools as pool_text, view};
use crate::{
    agent_client::AgentUrl,
    domain::{allocation::Pool, labels::check_labels, name::checked_name},
    events, failpoint,
    services::{
        Core,
        auth::Caller,
        status::{no_such_node, parse_id},
    },
    store::{
        AgentId, NodeId, NodeStatus, StoreError, WriteTx, agents, audit, generation, node_status,
        nodes::{self, NodeRow, NodeSettings},
        pools,
    },
};

/// A patch that was checked as far as it can be without the store.
struct Patch {
    url: Option<AgentUrl>,
    pools: Option<Vec<Pool>>,
    fields: v1::UpdateNodeRequest,
}

/// What a change means for those outside the store.
#[derive(Default)]
struct Effect {
    /// The worker must start anew.
    reload: bool,
}

pub(super) async fn update(
    core: &Core,
    caller: Caller,
    request: v1::UpdateNodeRequest,
) -> Result<v1::Node, Status> {
    let deadline = Instant::now() + core.options.apply_wait;
    let id: NodeId = parse_id(&request.id, no_such_node)?;
    let patch = Patch::check(request)?;
    let now_s = core.now_s();
    let changes = caller.clone();
    let effect = core
        .change(move |tx| patch.apply(tx, id, &changes, now_s))
        .await?;
    failpoint!("nodes.updated");
    if effect.reload {
        core.dispatch.reload(id).await?;
    } else {
        core.dispatch.wake(id);
    }
    let node = if effect.reload {
        create::first_poll(core, &caller, id, deadline).await?
    } else {
        view::node(core, &caller, id).await?
    };
    Ok(node)
}

pub(super) async fn set_enabled(
    core: &Core,
    caller: Caller,
    (id, if_match): (String, Vec<String>),
    enabled: bool,
) -> Result<v1::Node, Status> {
    let patch = v1::UpdateNodeRequest {
        id,
        enabled: Some(enabled),
        if_match,
        ..Default::default()
    };
    update(core, caller, patch).await
}

fn tell(tx: &WriteTx<'_>, id: NodeId, has_new_status: bool, now_s: i64) -> Result<(), StoreError> {
    let node = view::within(tx, id)?;
    if has_new_status {
        let changed = v1::NodeStatusChanged {
            node_id: node.id.clone(),
            status: node.status,
            status_reason: node.status_reason.clone(),
            status_since: node.status_since,
        };
        events::record(tx, now_s, Kind::NodeStatus(changed))?;
    }
    let node = Some(node);
    events::record(tx, now_s, Kind::NodeChanged(v1::NodeChanged { node }))?;
    Ok(())
}

impl Patch {
    fn check(mut fields: v1::UpdateNodeRequest) -> Result<Self, Status> {
        if let Some(name) = &mut fields.name {
            *name = checked_name(name)?.to_owned();
        }
        if let Some(labels) = &fields.labels {
            check_labels(&labels.values)?;
        }
        let url = fields.agent_url.as_deref().map(fields::agent_url);
        let pools = fields.ip_pool_cidr.as_deref().map(pool_text::parse);
        Ok(Self {
            url: url.transpose()?,
            pools: pools.transpose()?,
            fields,
        })
    }

    fn apply(
        &self,
        tx: &WriteTx<'_>,
        id: NodeId,
        caller: &Caller,
        now_s: i64,
    ) -> Result<Effect, Status> {
        let before = caller.node(tx, id)?;
        view::check_etag((tx, tx.sealer()), caller, &before, &self.fields.if_match)?;
        let before_pools = pool_text::text(&pools::list(tx, id)?);
        let mut settings = before.settings.clone();
        self.set_fields(&mut settings)?;
        caller.keep_in_scope(&settings.labels)?;
        settings.agent_id = self.agent(tx, caller, &before)?;
        nodes::update(tx, id, &settings, now_s)?;
        self.set_pools(tx, id, &before, &settings)?;
        let effect = settle(tx, &before, &settings, self.url.as_ref(), now_s)?;
        let after = nodes::get(tx, id)?;
        let has_new_status = before.state.status != after.state.status;
        let after_pools = pool_text::text(&pools::list(tx, id)?);
        let (before, after) = view::changed_fields(
            view::audited(&before.settings, &before.agent_url, &before_pools),
            view::audited(&after.settings, &after.agent_url, &after_pools),
        );
        let object = ("node", id.to_string());
        let entry = caller.audit(now_s, "node.update", object, Some(before), Some(after));
        audit::append(tx, &entry)?;
        tell(tx, id, has_new_status, now_s)?;
        Ok(effect)
    }

    fn set_fields(&self, settings: &mut NodeSettings) -> Result<(), Status> {
        let patch = &self.fields;
        set(&mut settings.name, patch.name.clone());
        set(&mut settings.weight, patch.weight);
        set(&mut settings.max_peers, patch.max_peers);
        set(&mut settings.enabled, patch.enabled);
        let labels = patch.labels.as_ref().map(|labels| labels.values.clone());
        set(&mut settings.labels, labels);
        let policy = fields::unmanaged(patch.unmanaged_peers)?;
        set(&mut settings.unmanaged_peers, policy);
        self.set_texts(settings)?;
        self.set_client_defaults(settings)
    }

    fn set_texts(&self, settings: &mut NodeSettings) -> Result<(), Status> {
        let patch = &self.fields;
        let checked = |text: &Option<String>, check: fn(&str) -> Result<Option<String>, Status>| {
            text.as_deref().map(check).transpose()
        };
        set(
            &mut settings.endpoint,
            checked(&patch.endpoint, fields::endpoint)?,
        );
        let pin = checked(&patch.tls_pin_sha256, fields::pin)?;
        set(&mut settings.tls_pin_sha256, pin);
        set(
            &mut settings.tls_ca_pem,
            checked(&patch.tls_ca_pem, fields::ca_pem)?,
        );
        let (pin, ca_pem) = (&settings.tls_pin_sha256, &settings.tls_ca_pem);
        fields::trust(pin.as_deref(), ca_pem.as_deref())?;
        if let Some(name) = &patch.wg_interface {
            let interface = fields::interface(name)?;
            // Another interface has another key.
            if interface != settings.wg_interface {
                settings.public_key = None;
            }
            settings.wg_interface = interface;
        }
        let key = patch.public_key.as_deref().map(fields::public_key);
        set(&mut settings.public_key, key.transpose()?);
        Ok(())
    }

    fn set_client_defaults(&self, settings: &mut NodeSettings) -> Result<(), Status> {
        let patch = &self.fields;
        if let Some(list) = &patch.reserved_ips {
            settings.reserved_ips = pool_text::reserved(&list.values)?;
        }
        if let Some(list) = &patch.dns {
            settings.dns = fields::dns(&list.values)?;
        }
        if let Some(list) = &patch.client_allowed_ips {
            let networks = fields::networks("client_allowed_ips", &list.values)?;
            settings.client_allowed_ips = networks;
        }
        if let Some(bytes) = patch.mtu {
            settings.mtu = fields::mtu(bytes)?;
        }
        if let Some(seconds) = patch.persistent_keepalive {
            settings.persistent_keepalive = fields::keepalive(seconds)?;
        }
        Ok(())
    }

    /// The agent after the change. One whose only node this is moves with its secret; one that other
    /// nodes share stays with them.
    fn agent(
        &self,
        tx: &WriteTx<'_>,
        caller: &Caller,
        before: &NodeRow,
    ) -> Result<AgentId, Status> {
        let agent = before.settings.agent_id;
        let Some(url) = self.url.as_ref().map(ToString::to_string) else {
            return Ok(agent);
        };
        if url == before.agent_url {
            return Ok(agent);
        }
        if let Some(other) = agents::find(tx, &url)? {
            create::refuse_foreign_agent(tx, caller, other)?;
            return Ok(other);
        }
        let others = create::names_of(tx, |row| {
            row.settings.agent_id == agent && row.id != before.id
        })?;
        if !others.is_empty() {
            let message = format!(
                "the agent {} is shared with {others}: delete this node and add it anew with the \
                 secret of the agent at {url}",
                before.agent_url
            );
            return Err(fields::agent_refusal("agent_shared", "agent_url", message));
        }
        agents::rename(tx, agent, &url)?;
        Ok(agent)
    }

    fn set_pools(
        &self,
        tx: &WriteTx<'_>,
        id: NodeId,
        before: &NodeRow,
        settings: &NodeSettings,
    ) -> Result<(), Status> {
        let reserved_changed = before.settings.reserved_ips != settings.reserved_ips;
        if self.pools.is_none() && !reserved_changed {
            return Ok(());
        }
        let kept = || -> Result<_, Status> {
            let rows = pools::list(tx, id)?;
            Ok(rows.iter().map(|row| Pool::new(row.cidr)).collect())
        };
        let pools = self.pools.clone().map_or_else(kept, Ok)?;
        let specs = pool_text::specs(&pools, &settings.reserved_ips);
        Ok(pools::set_pools(tx, id, &specs)?)
    }
}

/// What follows from the change besides the settings themselves.
fn settle(
    tx: &WriteTx<'_>,
    before: &NodeRow,
    after: &NodeSettings,
    url: Option<&AgentUrl>,
    now_s: i64,
) -> Result<Effect, Status> {
    let old = &before.settings;
    let other_agent = old.agent_id != after.agent_id;
    let other_url = url.is_some_and(|url| url.to_string() != before.agent_url);
    let other_interface = other_agent || other_url || old.wg_interface != after.wg_interface;
    if other_agent {
        agents::drop_unused(tx, old.agent_id)?;
    }
    if other_interface {
        // Its peers are to be brought there, and what was agreed to remove was on the old one.
        generation::bump(tx, before.id)?;
        node_status::set_removal_confirmed(tx, before.id, false)?;
    }
    let toggled = old.enabled != after.enabled;
    if toggled {
        let (status, reason) = if after.enabled {
            (NodeStatus::Offline, "not polled yet")
        } else {
            (NodeStatus::Disabled, "")
        };
        let mut state = before.state.clone();
        state.status = status;
        state.status_reason = reason.to_owned();
        state.status_since = now_s;
        node_status::record(tx, before.id, &state)?;
    }
    let other_trust =
        (&old.tls_pin_sha256, &old.tls_ca_pem) != (&after.tls_pin_sha256, &after.tls_ca_pem);
    let other_policy = old.unmanaged_peers != after.unmanaged_peers;
    Ok(Effect {
        reload: other_interface || toggled || other_trust || other_policy,
    })
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}
