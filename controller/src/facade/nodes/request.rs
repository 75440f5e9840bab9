//! What callers send about nodes.
//!
//! Values are checked by the service; here only their types and names are.

use std::collections::BTreeMap;

use serde::Deserialize;
use wgfleet_proto::v1;

use super::super::{
    input::{Patch, given, required},
    problem::Problem,
};

/// A new node.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
#[derive(Default)]
pub(super) struct CreateNode {
    name: Option<String>,
    agent_url: Option<String>,
    wg_interface: Option<String>,
    endpoint: Option<String>,
    ip_pool_cidr: Option<String>,
    weight: Option<u32>,
    max_peers: Option<u32>,
    secret: Option<String>,
    enabled: Option<bool>,
    labels: Option<BTreeMap<String, String>>,
    unmanaged_peers: Option<Unmanaged>,
    reserved_ips: Option<Vec<String>>,
    public_key: Option<String>,
    dns: Option<Vec<String>>,
    mtu: Option<u32>,
    client_allowed_ips: Option<Vec<String>>,
    persistent_keepalive: Option<u32>,
    tls_pin_sha256: Option<String>,
    tls_ca_pem: Option<String>,
}

impl TryFrom<CreateNode> for v1::CreateNodeRequest {
    type Error = Problem;

    fn try_from(node: CreateNode) -> Result<Self, Problem> {
        Ok(Self {
            name: required("name", node.name)?,
            agent_url: required("agent_url", node.agent_url)?,
            wg_interface: required("wg_interface", node.wg_interface)?,
            endpoint: node.endpoint.unwrap_or_default(),
            ip_pool_cidr: node.ip_pool_cidr.unwrap_or_default(),
            weight: node.weight,
            max_peers: node.max_peers.unwrap_or_default(),
            secret: node.secret,
            enabled: node.enabled,
            labels: node.labels.unwrap_or_default(),
            unmanaged_peers: unmanaged(node.unmanaged_peers),
            reserved_ips: node.reserved_ips.unwrap_or_default(),
            public_key: node.public_key.unwrap_or_default(),
            dns: node.dns.unwrap_or_default(),
            mtu: node.mtu,
            client_allowed_ips: node.client_allowed_ips.unwrap_or_default(),
            persistent_keepalive: node.persistent_keepalive,
            tls_pin_sha256: node.tls_pin_sha256.unwrap_or_default(),
            tls_ca_pem: node.tls_ca_pem.unwrap_or_default(),
        })
    }
}

/// A patch of a node. What can't be cleared can't be `null`.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct PatchNode {
    #[serde(deserialize_with = "given")]
    name: Option<String>,
    #[serde(deserialize_with = "given")]
    agent_url: Option<String>,
    #[serde(deserialize_with = "given")]
    wg_interface: Option<String>,
    endpoint: Patch<String>,
    ip_pool_cidr: Patch<String>,
    #[serde(deserialize_with = "given")]
    weight: Option<u32>,
    max_peers: Patch<u32>,
    #[serde(deserialize_with = "given")]
    enabled: Option<bool>,
    labels: Patch<BTreeMap<String, String>>,
    #[serde(deserialize_with = "given")]
    unmanaged_peers: Option<Unmanaged>,
    reserved_ips: Patch<Vec<String>>,
    public_key: Patch<String>,
    dns: Patch<Vec<String>>,
    mtu: Patch<u32>,
    client_allowed_ips: Patch<Vec<String>>,
    persistent_keepalive: Patch<u32>,
    tls_pin_sha256: Patch<String>,
    tls_ca_pem: Patch<String>,
}

impl PatchNode {
    pub(super) fn message(self, id: String, if_match: Vec<String>) -> v1::UpdateNodeRequest {
        let list = |patch: Patch<Vec<String>>| {
            let values = patch.or_cleared(Vec::new())?;
            Some(v1::StringList { values })
        };
        let labels = self.labels.or_cleared(BTreeMap::new());
        v1::UpdateNodeRequest {
            id,
            name: self.name,
            agent_url: self.agent_url,
            wg_interface: self.wg_interface,
            endpoint: self.endpoint.or_cleared(String::new()),
            ip_pool_cidr: self.ip_pool_cidr.or_cleared(String::new()),
            weight: self.weight,
            max_peers: self.max_peers.or_cleared(0),
            enabled: self.enabled,
            labels: labels.map(|values| v1::Labels { values }),
            unmanaged_peers: unmanaged(self.unmanaged_peers),
            reserved_ips: list(self.reserved_ips),
            public_key: self.public_key.or_cleared(String::new()),
            dns: list(self.dns),
            mtu: self.mtu.or_cleared(0),
            client_allowed_ips: list(self.client_allowed_ips),
            persistent_keepalive: self.persistent_keepalive.or_cleared(0),
            tls_pin_sha256: self.tls_pin_sha256.or_cleared(String::new()),
            tls_ca_pem: self.tls_ca_pem.or_cleared(String::new()),
            if_match,
        }
    }
}

/// A connection to try before it is saved.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct TestNode {
    agent_url: Option<String>,
    wg_interface: Option<String>,
    secret: Option<String>,
    tls_pin_sha256: Option<String>,
    tls_ca_pem: Option<String>,
}

impl TryFrom<TestNode> for v1::UnsavedNode {
    type Error = Problem;

    fn try_from(node: TestNode) -> Result<Self, Problem> {
        Ok(Self {
            agent_url: required("agent_url", node.agent_url)?,
            wg_interface: required("wg_interface", node.wg_interface)?,
            secret: required("secret", node.secret)?,
            tls_pin_sha256: node.tls_pin_sha256.unwrap_or_default(),
            tls_ca_pem: node.tls_ca_pem.unwrap_or_default(),
        })
    }
}

/// What goes with `sync`.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct SyncNode {
    pub(super) confirm: Option<String>,
}

/// What goes with `secret`.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RotateSecret {
    pub(super) secret: Option<String>,
}

/// The word for what happens to peers nobody declared. Read from a text: serde's own enums would
/// take `{"ignore": null}` as well.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
struct Unmanaged(v1::UnmanagedPeers);

impl TryFrom<String> for Unmanaged {
    type Error = &'static str;

    fn try_from(word: String) -> Result<Self, Self::Error> {
        let found = super::answer::UNMANAGED
            .iter()
            .find(|(known, _)| *known == word);
        found
            .map(|(_, value)| Self(*value))
            .ok_or("must be one of ignore, adopt, remove")
    }
}

fn unmanaged(word: Option<Unmanaged>) -> i32 {
    word.map_or(v1::UnmanagedPeers::Unspecified, |word| word.0)
        .into()
}
