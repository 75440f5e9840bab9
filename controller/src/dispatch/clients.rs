//! One client for each agent, shared by the nodes on it: its connections, and its memory of what was
//! signed within the last second.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use wire_contract::signing::Secret;

use crate::{
    agent_client::{AgentClient, Limits, Trust, WallClock},
    store::{AgentId, nodes::NodeRow},
};

/// Connections to one agent. Many writes are small and wait for the agent's disk, which they share.
const MAX_CONNECTIONS: usize = 32;

pub(super) struct Clients {
    clock: WallClock,
    known: Mutex<HashMap<AgentId, Known>>,
}

struct Known {
    url: String,
    secret: Secret,
    pin: Option<String>,
    ca: Option<String>,
    client: AgentClient,
}

impl Known {
    fn fits(&self, node: &NodeRow, secret: &Secret) -> bool {
        self.url == node.agent_url
            && self.secret == *secret
            && self.pin == node.settings.tls_pin_sha256
            && self.ca == node.settings.tls_ca_pem
    }
}

impl Clients {
    pub(super) fn new(clock: WallClock) -> Self {
        Self {
            clock,
            known: Mutex::default(),
        }
    }

    /// The client of the node's agent, or why there can't be one.
    pub(super) fn of(&self, node: &NodeRow, secret: &Secret) -> Result<AgentClient, String> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let agent = node.settings.agent_id;
        if let Some(found) = known.get(&agent).filter(|found| found.fits(node, secret)) {
            return Ok(found.client.clone());
        }
        let client = self.connect(node, secret)?;
        let entry = Known {
            url: node.agent_url.clone(),
            secret: secret.clone(),
            pin: node.settings.tls_pin_sha256.clone(),
            ca: node.settings.tls_ca_pem.clone(),
            client: client.clone(),
        };
        known.insert(agent, entry);
        Ok(client)
    }

    fn connect(&self, node: &NodeRow, secret: &Secret) -> Result<AgentClient, String> {
        let url = node
            .agent_url
            .parse()
            .map_err(|e| format!("the agent URL: {e}"))?;
        let trust = trust(node)?;
        let limits = Limits {
            max_connections: MAX_CONNECTIONS,
            ..Limits::default()
        };
        AgentClient::with_clock(url, &trust, secret, limits, self.clock.clone())
            .map_err(|e| e.to_string())
    }
}

fn trust(node: &NodeRow) -> Result<Trust, String> {
    if let Some(pin) = &node.settings.tls_pin_sha256 {
        return pin
            .parse()
            .map(Trust::Pinned)
            .map_err(|e| format!("the pinned certificate: {e}"));
    }
    Ok(node
        .settings
        .tls_ca_pem
        .clone()
        .map_or(Trust::SystemRoots, Trust::Ca))
}
