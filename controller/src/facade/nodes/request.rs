//! What callers send about nodes.
//!
//! Values are checked by the service; here only their types and names are.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use wgfleet_proto::v1;

use super::super::{
    input::{Patch, given, required},
    openapi::format,
    problem::Problem,
};

/// A new node.
#[derive(Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[derive(Default)]
#[schemars(extend("required" = ["name", "agent_url", "wg_interface"]))]
pub(super) struct CreateNode {
    /// Unique.
    #[schemars(with = "format::Name")]
    name: Option<String>,
    /// `http://`, `https://` or `unix:///path`.
    #[schemars(with = "format::AgentUrl")]
    agent_url: Option<String>,
    #[schemars(with = "format::Interface")]
    wg_interface: Option<String>,
    /// `host:port` that clients connect to.
    #[schemars(with = "Option<format::Endpoint>")]
    endpoint: Option<String>,
    /// Networks separated by commas; without them peers bring their own addresses.
    #[schemars(with = "Option<format::Pools>")]
    ip_pool_cidr: Option<String>,
    /// 100 when absent.
    #[schemars(with = "Option<format::Count>")]
    weight: Option<u32>,
    /// Most peers on the interface; 0 is unlimited.
    #[schemars(with = "Option<format::Count>")]
    max_peers: Option<u32>,
    /// The one the agent has. When absent, that of a node with the same agent, or else a new one is
    /// generated and shown this once.
    #[schemars(with = "Option<format::Secret>")]
    secret: Option<String>,
    /// `true` when absent.
    enabled: Option<bool>,
    /// What placement selects by.
    #[schemars(with = "Option<format::Labels>")]
    labels: Option<BTreeMap<String, String>>,
    /// `ignore` when absent.
    #[schemars(with = "Option<format::Unmanaged>")]
    unmanaged_peers: Option<Unmanaged>,
    /// Addresses, networks and ranges `first-last` that no peer is given.
    #[schemars(with = "Option<format::Reserved>")]
    reserved_ips: Option<Vec<String>>,
    /// Learned from the agent when it can tell.
    #[schemars(with = "Option<format::OptionalKey>")]
    public_key: Option<String>,
    /// Servers and search domains for the configuration of its clients.
    #[schemars(with = "Option<format::Dns>")]
    dns: Option<Vec<String>>,
    /// For the configuration of its clients: 576 to 65535 bytes, 0 for none.
    #[schemars(with = "Option<format::Mtu>")]
    mtu: Option<u32>,
    /// What its clients route through the tunnel.
    #[schemars(with = "Option<format::Networks>")]
    client_allowed_ips: Option<Vec<String>>,
    /// Seconds; 0 is off.
    #[schemars(with = "Option<format::Keepalive>")]
    persistent_keepalive: Option<u32>,
    /// SHA-256 of the agent's certificate; not together with `tls_ca_pem`.
    #[schemars(with = "Option<format::Pin>")]
    tls_pin_sha256: Option<String>,
    /// The authority the agent's certificate must come from; without it the system's.
    #[schemars(with = "Option<format::Pem>")]
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
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct PatchNode {
    #[serde(deserialize_with = "given")]
    #[schemars(with = "format::Name")]
    name: Option<String>,
    #[serde(deserialize_with = "given")]
    #[schemars(with = "format::AgentUrl")]
    agent_url: Option<String>,
    #[serde(deserialize_with = "given")]
    #[schemars(with = "format::Interface")]
    wg_interface: Option<String>,
    /// `host:port` that clients connect to.
    #[schemars(with = "Option<format::Endpoint>")]
    endpoint: Patch<String>,
    /// Networks separated by commas; without them peers bring their own addresses.
    #[schemars(with = "Option<format::Pools>")]
    ip_pool_cidr: Patch<String>,
    #[serde(deserialize_with = "given")]
    #[schemars(with = "format::Count")]
    weight: Option<u32>,
    /// Most peers on the interface; 0 is unlimited.
    #[schemars(with = "Option<format::Count>")]
    max_peers: Patch<u32>,
    #[serde(deserialize_with = "given")]
    #[schemars(with = "bool")]
    enabled: Option<bool>,
    /// What placement selects by.
    #[schemars(with = "Option<format::Labels>")]
    labels: Patch<BTreeMap<String, String>>,
    #[serde(deserialize_with = "given")]
    #[schemars(with = "format::Unmanaged")]
    unmanaged_peers: Option<Unmanaged>,
    /// Addresses, networks and ranges `first-last` that no peer is given.
    #[schemars(with = "Option<format::Reserved>")]
    reserved_ips: Patch<Vec<String>>,
    /// Learned from the agent when it can tell.
    #[schemars(with = "Option<format::OptionalKey>")]
    public_key: Patch<String>,
    /// Servers and search domains for the configuration of its clients.
    #[schemars(with = "Option<format::Dns>")]
    dns: Patch<Vec<String>>,
    /// For the configuration of its clients: 576 to 65535 bytes, 0 for none.
    #[schemars(with = "Option<format::Mtu>")]
    mtu: Patch<u32>,
    /// What its clients route through the tunnel.
    #[schemars(with = "Option<format::Networks>")]
    client_allowed_ips: Patch<Vec<String>>,
    /// Seconds; 0 is off.
    #[schemars(with = "Option<format::Keepalive>")]
    persistent_keepalive: Patch<u32>,
    /// SHA-256 of the agent's certificate; not together with `tls_ca_pem`.
    #[schemars(with = "Option<format::Pin>")]
    tls_pin_sha256: Patch<String>,
    /// The authority the agent's certificate must come from; without it the system's.
    #[schemars(with = "Option<format::Pem>")]
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
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["agent_url", "wg_interface", "secret"]))]
pub(super) struct TestNode {
    #[schemars(with = "format::AgentUrl")]
    agent_url: Option<String>,
    #[schemars(with = "format::Interface")]
    wg_interface: Option<String>,
    #[schemars(with = "format::Secret")]
    secret: Option<String>,
    #[schemars(with = "Option<format::Pin>")]
    tls_pin_sha256: Option<String>,
    #[schemars(with = "Option<format::Pem>")]
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
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct SyncNode {
    /// `hash` of the plan that was seen: allows what was held back for an operator.
    pub(super) confirm: Option<String>,
}

/// What goes with `secret`.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RotateSecret {
    /// The one the agent holds as its second one. When absent, one is generated, kept as the next and
    /// shown this once.
    #[schemars(with = "Option<format::Secret>")]
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
