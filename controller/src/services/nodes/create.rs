//! Adding a node: everything is checked first, then all of it is one transaction.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};
use tonic::Status;
use wgfleet_proto::v1::{self, event::Kind};
use wire_contract::{InterfaceName, PublicKey, signing::Secret};

use super::{
    fields::{self, GivenSecret},
    pools as pool_text, view,
};
use crate::{
    agent_client::{AgentClient, AgentUrl, Limits, Trust},
    dispatch::WorkerState,
    domain::{allocation::Pool, labels::check_labels, name::checked_name},
    events, failpoint,
    services::{Core, auth::Caller, once},
    store::{
        AgentId, Connection, NodeId, Sealer, StoreError, UnmanagedPeers, WriteTx,
        agents::{self, Slot},
        audit, nodes, pools,
    },
};

const DEFAULT_WEIGHT: u32 = 100;
/// Between looks at whether a new node was polled.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// A node that was checked as far as it can be without the store.
struct Draft {
    url: AgentUrl,
    interface: InterfaceName,
    trust: Trust,
    pools: Vec<Pool>,
    secret: Option<GivenSecret>,
    public_key: Option<PublicKey>,
    rest: v1::CreateNodeRequest,
}

pub(super) async fn create(
    core: &Core,
    caller: Caller,
    request: v1::CreateNodeRequest,
) -> Result<v1::CreateNodeResponse, Status> {
    let deadline = Instant::now() + core.options.apply_wait;
    let mut draft = Draft::check(request)?;
    caller.keep_in_scope(&draft.rest.labels)?;
    if draft.public_key.is_none() && draft.rest.enabled.unwrap_or(true) {
        let learning = deadline - core.options.apply_wait / 2;
        draft.public_key = learn_public_key(core, &caller, &draft, learning).await?;
    }
    // Drawn here, so that no lock is held while the system looks for randomness.
    let generated = GivenSecret::generate()?;
    let now_s = core.now_s();
    let (creates, once) = (caller.clone(), once::current());
    let (id, secret) = core
        .change(move |tx| {
            let (id, secret) = draft.insert(tx, &creates, &generated, now_s)?;
            if once.is_some() {
                let row = nodes::get(tx, id)?;
                let node = view::Fleet::read(tx, &creates)?.show(tx, tx.sealer(), &row)?;
                let (node, secret) = (Some(node), secret.clone());
                let answer = v1::CreateNodeResponse { node, secret };
                once::record(once.as_ref(), tx, &answer)?;
            }
            Ok((id, secret))
        })
        .await?;
    failpoint!("nodes.created");
    core.dispatch.reload(id).await?;
    let node = first_poll(core, &caller, id, deadline).await?;
    Ok(v1::CreateNodeResponse {
        node: Some(node),
        secret,
    })
}

impl Draft {
    fn check(mut request: v1::CreateNodeRequest) -> Result<Self, Status> {
        request.name = checked_name(&request.name)?.to_owned();
        check_labels(&request.labels)?;
        let pin = fields::pin(&request.tls_pin_sha256)?;
        let ca_pem = fields::ca_pem(&request.tls_ca_pem)?;
        let draft = Self {
            url: fields::agent_url(&request.agent_url)?,
            interface: fields::interface(&request.wg_interface)?,
            trust: fields::trust(pin.as_deref(), ca_pem.as_deref())?,
            pools: pool_text::parse(&request.ip_pool_cidr)?,
            secret: request.secret.take().map(GivenSecret::new).transpose()?,
            public_key: fields::public_key(&request.public_key)?,
            rest: request,
        };
        // Which agent it is does not matter to the checks of the other fields.
        draft.settings(AgentId::generate())?;
        Ok(draft)
    }

    fn settings(&self, agent_id: AgentId) -> Result<nodes::NodeSettings, Status> {
        let rest = &self.rest;
        let unmanaged = fields::unmanaged(rest.unmanaged_peers)?;
        let keepalive = rest.persistent_keepalive.unwrap_or(0);
        Ok(nodes::NodeSettings {
            name: rest.name.clone(),
            agent_id,
            wg_interface: self.interface.clone(),
            endpoint: fields::endpoint(&rest.endpoint)?,
            weight: rest.weight.unwrap_or(DEFAULT_WEIGHT),
            max_peers: rest.max_peers,
            enabled: rest.enabled.unwrap_or(true),
            labels: rest.labels.clone(),
            unmanaged_peers: unmanaged.unwrap_or(UnmanagedPeers::Ignore),
            reserved_ips: pool_text::reserved(&rest.reserved_ips)?,
            dns: fields::dns(&rest.dns)?,
            mtu: fields::mtu(rest.mtu.unwrap_or(0))?,
            client_allowed_ips: fields::networks("client_allowed_ips", &rest.client_allowed_ips)?,
            persistent_keepalive: fields::keepalive(keepalive)?,
            public_key: self.public_key,
            tls_pin_sha256: fields::pin(&rest.tls_pin_sha256)?,
            tls_ca_pem: fields::ca_pem(&rest.tls_ca_pem)?,
        })
    }

    fn insert(
        &self,
        tx: &WriteTx<'_>,
        caller: &Caller,
        generated: &GivenSecret,
        now_s: i64,
    ) -> Result<(NodeId, Option<String>), Status> {
        refuse_name_taken(tx, &self.rest.name)?;
        let (agent, secret) = self.agent(tx, caller, generated, now_s)?;
        let settings = self.settings(agent)?;
        let id = nodes::create(tx, &settings, now_s)?;
        let specs = pool_text::specs(&self.pools, &settings.reserved_ips);
        pools::set_pools(tx, id, &specs)?;
        let shown = pool_text::text(&pools::list(tx, id)?);
        let after = view::audited(&settings, &self.url.to_string(), &shown);
        let object = ("node", id.to_string());
        let entry = caller.audit(now_s, "node.create", object, None, Some(after.into()));
        audit::append(tx, &entry)?;
        let node = Some(view::within(tx, id)?);
        events::record(tx, now_s, Kind::NodeCreated(v1::NodeCreated { node }))?;
        Ok((id, secret))
    }

    /// The agent, with the text of its secret when that is new and nobody has seen it.
    fn agent(
        &self,
        tx: &WriteTx<'_>,
        caller: &Caller,
        generated: &GivenSecret,
        now_s: i64,
    ) -> Result<(AgentId, Option<String>), Status> {
        let url = self.url.to_string();
        let Some(agent) = agents::find(tx, &url)? else {
            let (secret, shown) = match &self.secret {
                Some(given) => (&given.text, None),
                None => (&generated.text, Some(generated.text.to_string())),
            };
            let agent = agents::create(tx, &url, secret.as_bytes(), now_s);
            let agent = agent.or_else(|error| Err(name_secret_holder(tx, error)?))?;
            return Ok((agent, shown));
        };
        let Some(given) = &self.secret else {
            refuse_foreign_agent(tx, caller, agent)?;
            return Ok((agent, None));
        };
        if !agents::has_secret(tx, tx.sealer(), agent, given.text.as_bytes())? {
            refuse_foreign_agent(tx, caller, agent)?;
            refuse_interface_taken(tx, agent, &self.interface)?;
            return Err(secret_differs(tx, &url, agent)?);
        }
        Ok((agent, None))
    }
}

/// Who adds a node on an agent that only nodes of others have must show its secret: knowing where it
/// is must not be enough.
pub(super) fn refuse_foreign_agent(
    tx: &WriteTx<'_>,
    caller: &Caller,
    agent: AgentId,
) -> Result<(), Status> {
    if may_use(tx, caller, agent)? {
        return Ok(());
    }
    let message = "the agent is known already: give the secret that it has now";
    Err(fields::agent_refusal(
        "secret_differs",
        "secret",
        message.into(),
    ))
}

fn may_use(conn: &Connection, caller: &Caller, agent: AgentId) -> Result<bool, StoreError> {
    let on_it = |row: &nodes::NodeRow| row.settings.agent_id == agent;
    Ok(!caller.is_scoped() || caller.nodes(conn)?.iter().any(on_it))
}

/// Before anything else is refused: whoever adds a node twice is told that, and not of its secret.
fn refuse_name_taken(tx: &WriteTx<'_>, name: &str) -> Result<(), Status> {
    let rows = nodes::list(tx)?;
    if rows.iter().any(|row| row.settings.name == name) {
        let other = format!("the node {name}");
        return Err(StoreError::Conflict {
            what: "name",
            other,
        }
        .into());
    }
    Ok(())
}

fn refuse_interface_taken(
    tx: &WriteTx<'_>,
    agent: AgentId,
    interface: &InterfaceName,
) -> Result<(), Status> {
    let rows = nodes::list(tx)?;
    let same = |row: &&nodes::NodeRow| {
        row.settings.agent_id == agent && row.settings.wg_interface == *interface
    };
    match rows.iter().find(same) {
        Some(row) => Err(StoreError::Conflict {
            what: "interface of this agent",
            other: format!("the node {}", row.settings.name),
        }
        .into()),
        None => Ok(()),
    }
}

fn secret_differs(tx: &WriteTx<'_>, url: &str, agent: AgentId) -> Result<Status, StoreError> {
    let names = names_of(tx, |row| row.settings.agent_id == agent)?;
    let message = format!(
        "the agent {url} has another secret, which it shares with {names}: leave the secret out, or \
         change it for all of them with a rotation"
    );
    Ok(fields::agent_refusal("secret_differs", "secret", message))
}

/// The store names the agent that has the same secret; people know its nodes.
pub(super) fn name_secret_holder(
    conn: &Connection,
    error: StoreError,
) -> Result<Status, StoreError> {
    let StoreError::Conflict {
        what: "secret",
        other,
    } = error
    else {
        return Ok(error.into());
    };
    let url = other.strip_prefix("the agent ").unwrap_or(&other);
    let names = names_of(conn, |row| row.agent_url == url)?;
    let other = format!("{other} ({names}); one secret belongs to one agent");
    Ok(StoreError::Conflict {
        what: "secret",
        other,
    }
    .into())
}

pub(super) fn names_of(
    conn: &Connection,
    which: impl Fn(&nodes::NodeRow) -> bool,
) -> Result<String, StoreError> {
    let rows = nodes::list(conn)?;
    let named = rows.iter().filter(|row| which(row));
    let names: Vec<_> = named
        .map(|row| format!("the node {}", row.settings.name))
        .collect();
    Ok(names.join(", "))
}

/// Asks the agent for the interface's key, so that the same interface under another URL is refused
/// now and not found out later. Not being told is no reason to refuse anything.
async fn learn_public_key(
    core: &Core,
    caller: &Caller,
    draft: &Draft,
    deadline: Instant,
) -> Result<Option<PublicKey>, Status> {
    let Some(secret) = known_secret(core, caller, draft).await? else {
        return Ok(None);
    };
    let limits = Limits {
        max_connections: 1,
        ..core.options.agent_limits
    };
    let url = draft.url.clone();
    let Ok(client) =
        AgentClient::with_clock(url, &draft.trust, &secret, limits, core.clock.clone())
    else {
        return Ok(None);
    };
    let device = timeout_at(deadline, client.device(&draft.interface)).await;
    Ok(match device {
        Ok(Ok(reply)) => reply.value.and_then(|device| device.public_key),
        _ => None,
    })
}

async fn known_secret(
    core: &Core,
    caller: &Caller,
    draft: &Draft,
) -> Result<Option<Secret>, Status> {
    if let Some(given) = &draft.secret {
        return Ok(Some(given.secret.clone()));
    }
    let (url, sealer) = (draft.url.to_string(), core.store.sealer());
    let caller = caller.clone();
    core.look(move |conn| Ok(current_secret(conn, &caller, &sealer, &url)?))
        .await
}

fn current_secret(
    conn: &Connection,
    caller: &Caller,
    sealer: &Sealer,
    url: &str,
) -> Result<Option<Secret>, StoreError> {
    match agents::find(conn, url)? {
        Some(agent) if may_use(conn, caller, agent)? => {
            agents::secret(conn, sealer, agent, Slot::Current)
        }
        Some(_) | None => Ok(None),
    }
}

/// Waits for the first poll, so that the answer's status means something.
pub(super) async fn first_poll(
    core: &Core,
    caller: &Caller,
    id: NodeId,
    deadline: Instant,
) -> Result<v1::Node, Status> {
    let polled = || {
        let worker = core.dispatch.worker(id);
        worker.is_none_or(|it| it.last_poll_at_s.is_some() || it.state == WorkerState::Stopped)
    };
    while !polled() && Instant::now() < deadline {
        sleep(LOOK_AGAIN).await;
    }
    view::node(core, caller, id).await
}
