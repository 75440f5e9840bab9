//! The node `local`: the agent of the controller's own host, there from the first start on.

use std::{collections::BTreeMap, time::Duration};

use serde_json::json;
use wire_contract::{InterfaceName, signing::Secret};

use super::RunError;
use crate::{
    agent_client::{AgentClient, Limits, Trust},
    config::LocalAgent,
    store::{
        Store, StoreError, UnmanagedPeers, WriteTx, agents,
        audit::{self, AuditEntry},
        nodes::{self, NodeSettings},
    },
};

const NAME: &str = "local";
/// What the interface is called where the agent does not tell.
const USUAL_INTERFACE: &str = "wg0";
/// How long the agent may take to tell.
const LEARN_WITHIN: Duration = Duration::from_secs(3);
const WEIGHT: u32 = 100;

/// Makes the node when there is no node at all. An operator who deletes it among others does not get
/// it back. Its peers are left alone: nobody has declared them.
pub(super) async fn ensure(store: &Store, agent: &LocalAgent, now_s: i64) -> Result<(), RunError> {
    if !store.read(nodes::list).await?.is_empty() {
        return Ok(());
    }
    let secret = Secret::new(agent.secret.as_bytes())
        .map_err(|error| RunError::LocalNode(format!("its secret: {error}")))?;
    let interface = interface(agent, &secret).await?;
    tracing::info!("the agent of this host becomes the node {NAME} ({interface})");
    let (url, text) = (agent.url.to_string(), agent.secret.clone());
    let write = store.write(move |tx| create(tx, &url, text.as_bytes(), interface, now_s));
    Ok(write.await?)
}

async fn interface(agent: &LocalAgent, secret: &Secret) -> Result<InterfaceName, RunError> {
    let refused = |error: &dyn std::fmt::Display| RunError::LocalNode(error.to_string());
    let trust = Trust::default();
    let client = AgentClient::new(agent.url.clone(), &trust, secret, Limits::default());
    let client = client.map_err(|error| refused(&error))?;
    match tokio::time::timeout(LEARN_WITHIN, client.interfaces()).await {
        Ok(Ok(reply)) => {
            let mut found = reply.value.into_iter().flat_map(|list| list.interfaces);
            if let Some(first) = found.next() {
                return Ok(first.interface);
            }
        }
        Ok(Err(error)) => tracing::warn!(%error, "the agent of this host does not answer well"),
        Err(_) => tracing::warn!("the agent of this host does not answer"),
    }
    let usual: Result<InterfaceName, _> = USUAL_INTERFACE.parse();
    usual.map_err(|error| refused(&error))
}

fn create(
    tx: &WriteTx<'_>,
    url: &str,
    secret: &[u8],
    interface: InterfaceName,
    now_s: i64,
) -> Result<(), StoreError> {
    let agent_id = match agents::find(tx, url)? {
        Some(known) => known,
        None => agents::create(tx, url, secret, now_s)?,
    };
    let after = json!({"name": NAME, "agent_url": url, "wg_interface": interface.as_str()});
    let settings = NodeSettings {
        name: NAME.into(),
        agent_id,
        wg_interface: interface,
        endpoint: None,
        weight: WEIGHT,
        max_peers: 0,
        enabled: true,
        labels: BTreeMap::new(),
        unmanaged_peers: UnmanagedPeers::Ignore,
        reserved_ips: Vec::new(),
        dns: Vec::new(),
        mtu: None,
        client_allowed_ips: Vec::new(),
        persistent_keepalive: None,
        public_key: None,
        tls_pin_sha256: None,
        tls_ca_pem: None,
    };
    let id = nodes::create(tx, &settings, now_s)?;
    let entry = AuditEntry {
        at: now_s,
        actor: "controller".into(),
        source: String::new(),
        action: "node.create".into(),
        object_kind: "node".into(),
        object_id: id.to_string(),
        before: None,
        after: Some(after),
    };
    audit::append(tx, &entry).map(drop)
}
