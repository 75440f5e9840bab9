//! Trying a connection, before a node is saved and after.

use tonic::Status;
use wgfleet_proto::v1::{self, test_node_request::Target};
use wire_contract::{InterfaceName, signing::Secret};

use super::fields::{self, GivenSecret};
use crate::{
    agent_client::{AgentClient, AgentUrl, ProbeReport, Trust},
    services::{
        Core,
        auth::Caller,
        status::{internal, invalid, no_such_node, parse_id},
    },
    store::{
        Connection, NodeId, Sealer, StoreError,
        agents::{self, Slot},
        nodes::NodeRow,
    },
};

/// All it takes to reach a node.
pub(super) struct Access {
    pub(super) url: AgentUrl,
    pub(super) trust: Trust,
    pub(super) interface: InterfaceName,
}

impl Access {
    pub(super) fn of(row: &NodeRow) -> Result<Self, Status> {
        let settings = &row.settings;
        let (pin, ca_pem) = (&settings.tls_pin_sha256, &settings.tls_ca_pem);
        Ok(Self {
            url: fields::agent_url(&row.agent_url)?,
            trust: fields::trust(pin.as_deref(), ca_pem.as_deref())?,
            interface: settings.wg_interface.clone(),
        })
    }

    pub(super) async fn probe(&self, core: &Core, secret: &Secret) -> ProbeReport {
        let (url, limits) = (self.url.clone(), core.options.agent_limits);
        let client = AgentClient::with_clock(url, &self.trust, secret, limits, core.clock.clone());
        match client {
            Ok(client) => client.probe(&self.interface).await,
            Err(error) => ProbeReport {
                reason: Some(error.to_string()),
                ..ProbeReport::default()
            },
        }
    }
}

pub(super) async fn test(
    core: &Core,
    caller: Caller,
    request: v1::TestNodeRequest,
) -> Result<v1::TestNodeResponse, Status> {
    let (access, secret) = match request.target {
        Some(Target::Id(id)) => saved(core, caller, &id).await?,
        Some(Target::Unsaved(node)) => unsaved(node)?,
        None => return Err(invalid("target", "a node's id, or the settings to try")),
    };
    Ok(answer(access.probe(core, &secret).await))
}

async fn saved(core: &Core, caller: Caller, id: &str) -> Result<(Access, Secret), Status> {
    let id: NodeId = parse_id(id, no_such_node)?;
    let sealer = core.store.sealer();
    core.look(move |conn| {
        let row = caller.node(conn, id)?;
        let secret = current_secret(conn, &sealer, &row)?;
        let secret = secret.ok_or_else(|| internal("an agent has no secret"))?;
        Ok((Access::of(&row)?, secret))
    })
    .await
}

fn current_secret(
    conn: &Connection,
    sealer: &Sealer,
    row: &NodeRow,
) -> Result<Option<Secret>, StoreError> {
    agents::secret(conn, sealer, row.settings.agent_id, Slot::Current)
}

fn unsaved(node: v1::UnsavedNode) -> Result<(Access, Secret), Status> {
    let pin = fields::pin(&node.tls_pin_sha256)?;
    let ca_pem = fields::ca_pem(&node.tls_ca_pem)?;
    let access = Access {
        url: fields::agent_url(&node.agent_url)?,
        trust: fields::trust(pin.as_deref(), ca_pem.as_deref())?,
        interface: fields::interface(&node.wg_interface)?,
    };
    Ok((access, GivenSecret::new(node.secret)?.secret))
}

fn answer(report: ProbeReport) -> v1::TestNodeResponse {
    let latency_ms = report.latency.map(|it| it.as_millis());
    v1::TestNodeResponse {
        ok: report.is_ok(),
        reachable: report.reachable,
        secret_accepted: report.accepts_secret,
        wrong_signature_refused: report.refuses_wrong_signature,
        interface_found: report.has_interface,
        latency_ms: latency_ms.map(|ms| u32::try_from(ms).unwrap_or(u32::MAX)),
        reason: report.reason.unwrap_or_default(),
        version: report.version.unwrap_or_default(),
        public_key: report
            .public_key
            .map(|key| key.to_string())
            .unwrap_or_default(),
    }
}
