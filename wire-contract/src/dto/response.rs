//! Bodies an agent answers with.

use std::net::SocketAddr;

use serde::{Deserialize, Deserializer, Serialize};

use crate::{AllowedIp, InterfaceName, Keepalive, PublicKey};

/// `GET /health`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// `"ok"`
    pub status: String,
    /// The agent's clock, Unix seconds.
    pub timestamp: i64,
    /// How long the host has been up, seconds.
    pub uptime: u64,
    /// The agent's version.
    pub version: String,
    /// What drives WireGuard: `kernel`, `userspace` or `simulated`. Absent on other agents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend: Option<String>,
    /// Extensions this agent has. Absent on agents that have none.
    #[serde(default)]
    pub capabilities: Vec<String>,
}

/// `GET /wg/{interface}/dump`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dump {
    /// Whose peers these are.
    pub interface: InterfaceName,
    /// All of them.
    pub peers: Vec<DumpPeer>,
}

/// One peer of a [`Dump`]. Read leniently: `latest_handshake: null` is never, `allowed_ips:
/// ["(none)"]` is empty, `persistent_keepalive: "off"` or `null` is 0, an unreadable endpoint such as
/// `"(none)"` is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DumpPeer {
    /// Who.
    pub public_key: PublicKey,
    /// Where it was last heard from; `null` when it never was.
    #[serde(default, deserialize_with = "lenient::endpoint")]
    pub endpoint: Option<SocketAddr>,
    /// Networks routed to it, in the kernel's order.
    #[serde(default, deserialize_with = "lenient::allowed_ips")]
    pub allowed_ips: Vec<AllowedIp>,
    /// Unix seconds; 0 is never.
    #[serde(default, deserialize_with = "null_as_default")]
    pub latest_handshake: i64,
    /// Bytes the node received from the peer.
    #[serde(default, deserialize_with = "null_as_default")]
    pub transfer_rx: u64,
    /// Bytes the node sent to the peer.
    #[serde(default, deserialize_with = "null_as_default")]
    pub transfer_tx: u64,
    /// Seconds; 0 is off.
    #[serde(default, deserialize_with = "lenient::keepalive")]
    pub persistent_keepalive: Keepalive,
}

/// 200 to `POST /wg/{interface}/peers`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerAdded {
    /// Always `"success"`.
    pub status: SuccessStatus,
    /// For a person.
    pub message: String,
    /// What was added.
    pub peer: AddedPeer,
}

/// The peer of a [`PeerAdded`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddedPeer {
    /// Who.
    pub public_key: PublicKey,
    /// Its networks, host bits masked off.
    pub allowed_ips: Vec<AllowedIp>,
}

/// 200 to PUT and DELETE of `/wg/{interface}/peers/{public_key}`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerChanged {
    /// Always `"success"`.
    pub status: SuccessStatus,
    /// For a person.
    pub message: String,
}

/// The constant `status` of a success body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SuccessStatus {
    /// `"success"`
    Success,
}

/// `GET /wg` (extension)
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interfaces {
    /// The WireGuard interfaces this agent manages, by name.
    pub interfaces: Vec<Interface>,
}

/// One of [`Interfaces`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// Its name.
    pub interface: InterfaceName,
    /// What drives it.
    pub backend: String,
}

/// `GET /wg/{interface}` (extension `device`)
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Its name.
    pub interface: InterfaceName,
    /// The device's own key; `null` while it has none.
    pub public_key: Option<PublicKey>,
    /// UDP port; 0 while the interface is down and none was chosen.
    pub listen_port: u16,
    /// Firewall mark; 0 is none.
    pub fwmark: u32,
    /// Addresses with their prefix length, e.g. `10.8.0.1/24`. Host bits are kept: they are the point.
    pub addresses: Vec<String>,
    /// Bytes.
    pub mtu: u32,
    /// Administratively up.
    pub up: bool,
    /// How many peers the kernel holds.
    pub peer_count: usize,
    /// What drives it.
    pub backend: String,
    /// The kernel's number for this interface: another one after it was deleted and made again.
    pub ifindex: u32,
    /// Changes with every boot: counters of different boots do not continue each other.
    pub boot_id: String,
}

fn null_as_default<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Default + Deserialize<'de>,
    D: Deserializer<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// What agents in the field send in place of the documented form.
mod lenient {
    use super::{AllowedIp, Deserialize, Deserializer, Keepalive, SocketAddr};

    pub(super) fn endpoint<'de, D: Deserializer<'de>>(
        d: D,
    ) -> Result<Option<SocketAddr>, D::Error> {
        Ok(Option::<String>::deserialize(d)?.and_then(|text| text.parse().ok()))
    }

    pub(super) fn allowed_ips<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<AllowedIp>, D::Error> {
        let list = Option::<Vec<String>>::deserialize(d)?.unwrap_or_default();
        let listed = list
            .iter()
            .filter(|text| !matches!(text.as_str(), "(none)" | ""));
        listed
            .map(|text| text.parse().map_err(serde::de::Error::custom))
            .collect()
    }

    pub(super) fn keepalive<'de, D: Deserializer<'de>>(d: D) -> Result<Keepalive, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Seconds(u16),
            Text(String),
            Null,
        }

        match Form::deserialize(d)? {
            Form::Seconds(seconds) => Ok(Keepalive::from_secs(seconds)),
            Form::Null => Ok(Keepalive::OFF),
            Form::Text(text) if text == "off" => Ok(Keepalive::OFF),
            Form::Text(text) => text
                .parse()
                .map(Keepalive::from_secs)
                .map_err(serde::de::Error::custom),
        }
    }
}
