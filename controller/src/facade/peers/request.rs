//! What callers send about peers.
//!
//! Values are checked by the service; here only their types and names are.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de::Error};
use wgfleet_proto::v1::{self, preshared_key_choice::Choice};

use super::super::{
    input::{Patch, given, required},
    openapi::format,
    problem::Problem,
    shape::QUOTA_PERIODS,
    time::Timestamp,
};

/// The word that has a preshared key drawn.
const GENERATE: &str = "generate";
/// The word that leaves the preshared key to the node, where only a new peer can have it.
const KEEP: &str = "keep";

/// A new peer.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["name"]))]
pub(super) struct CreatePeer {
    /// For people; need not be unique.
    #[schemars(with = "format::Name")]
    name: Option<String>,
    /// When absent a node is picked.
    node_id: Option<String>,
    /// Only nodes with all of these labels are picked from; not together with `node_id`.
    #[schemars(with = "Option<format::Labels>")]
    selector: Option<BTreeMap<String, String>>,
    /// When absent a key pair is generated.
    #[schemars(with = "Option<format::OptionalKey>")]
    public_key: Option<String>,
    /// A generated one is kept, encrypted, unless this is `false`: then it is shown this once.
    keep_private_key: Option<bool>,
    /// A key, or `generate` for a new one. `keep`, with the `public_key` of a peer that the node
    /// `node_id` has already, leaves the one that is there; it can't be known here.
    #[schemars(with = "Option<format::KeyGenerateOrKeep>")]
    preshared_key: Option<String>,
    /// When absent or empty, the next free address of each family of the node's pools.
    #[schemars(with = "Option<format::Networks>")]
    allowed_ips: Option<Vec<String>>,
    /// Seconds between keepalives the node sends; 0 is off.
    #[schemars(with = "Option<format::Keepalive>")]
    persistent_keepalive: Option<u32>,
    #[schemars(with = "Option<format::Labels>")]
    labels: Option<BTreeMap<String, String>>,
    /// `true` when absent.
    enabled: Option<bool>,
    /// A time to come.
    #[schemars(with = "Option<format::Future>")]
    expires_at: Option<Timestamp>,
    /// For the client's configuration; empty takes the node's.
    #[schemars(with = "Option<format::Dns>")]
    dns: Option<Vec<String>>,
    /// For the client's configuration; without it the node's.
    #[schemars(with = "Option<format::GivenMtu>")]
    mtu: Option<u32>,
    /// What the client routes through the tunnel; empty takes the node's.
    #[schemars(with = "Option<format::Networks>")]
    client_allowed_ips: Option<Vec<String>>,
    /// What it may move in a period, received and sent together.
    #[schemars(with = "Option<format::Quota>")]
    quota_bytes: Option<u64>,
    /// `none` when absent; only with `quota_bytes`.
    #[schemars(with = "Option<format::Period>")]
    quota_period: Option<Period>,
}

impl TryFrom<CreatePeer> for v1::CreatePeerRequest {
    type Error = Problem;

    fn try_from(peer: CreatePeer) -> Result<Self, Problem> {
        Ok(Self {
            name: required("name", peer.name)?,
            node_id: peer.node_id.unwrap_or_default(),
            selector: peer.selector.unwrap_or_default(),
            public_key: peer.public_key.unwrap_or_default(),
            keep_private_key: peer.keep_private_key,
            preshared_key: peer.preshared_key.map(|text| {
                if text == KEEP {
                    return chosen(Choice::Keep(true));
                }
                preshared_key(text)
            }),
            allowed_ips: peer.allowed_ips.unwrap_or_default(),
            persistent_keepalive: peer.persistent_keepalive,
            labels: peer.labels.unwrap_or_default(),
            enabled: peer.enabled,
            expires_at: peer.expires_at.map(|time| time.0),
            dns: peer.dns.unwrap_or_default(),
            mtu: peer.mtu,
            client_allowed_ips: peer.client_allowed_ips.unwrap_or_default(),
            quota_bytes: peer.quota_bytes,
            quota_period: Period::number(peer.quota_period),
        })
    }
}

/// A patch of a peer. What can't be cleared can't be `null`.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct PatchPeer {
    #[serde(deserialize_with = "given")]
    #[schemars(with = "format::Name")]
    name: Option<String>,
    /// Another one than the present one moves the peer; not together with `public_key`.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "format::Uuid")]
    node_id: Option<String>,
    #[serde(deserialize_with = "given")]
    #[schemars(with = "format::Key")]
    public_key: Option<String>,
    /// A key, or `generate` for a new one.
    #[schemars(with = "Option<format::KeyOrGenerate>")]
    preshared_key: Patch<String>,
    /// Empty takes the next free addresses of the node's pools.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "format::Networks")]
    allowed_ips: Option<Vec<String>>,
    /// Seconds between keepalives the node sends; 0 is off.
    #[schemars(with = "Option<format::Keepalive>")]
    persistent_keepalive: Patch<u32>,
    #[schemars(with = "Option<format::Labels>")]
    labels: Patch<BTreeMap<String, String>>,
    #[serde(deserialize_with = "given")]
    #[schemars(with = "bool")]
    enabled: Option<bool>,
    /// A time to come.
    #[schemars(with = "Option<format::Future>")]
    expires_at: Patch<Timestamp>,
    /// For the client's configuration; empty takes the node's.
    #[schemars(with = "Option<format::Dns>")]
    dns: Patch<Vec<String>>,
    /// 576 to 65535 bytes; 0 or `null` takes the node's.
    #[schemars(with = "Option<format::Mtu>")]
    mtu: Patch<u32>,
    /// What the client routes through the tunnel; empty takes the node's.
    #[schemars(with = "Option<format::Networks>")]
    client_allowed_ips: Patch<Vec<String>>,
    /// 0 or `null` takes the quota away; what is used stays used.
    #[schemars(with = "Option<format::QuotaPatch>")]
    quota_bytes: Patch<u64>,
    /// Another period begins with nothing used.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "format::Period")]
    quota_period: Option<Period>,
}

impl PatchPeer {
    pub(super) fn message(self, id: String, if_match: Vec<String>) -> v1::UpdatePeerRequest {
        let list = |patch: Patch<Vec<String>>| {
            let values = patch.or_cleared(Vec::new())?;
            Some(v1::StringList { values })
        };
        let labels = self.labels.or_cleared(BTreeMap::new());
        let expires_at = self.expires_at.or_cleared(Timestamp(0));
        v1::UpdatePeerRequest {
            id,
            name: self.name,
            node_id: self.node_id,
            public_key: self.public_key,
            preshared_key: match self.preshared_key {
                Patch::Keep => None,
                Patch::Clear => Some(chosen(Choice::None(true))),
                Patch::Set(text) => Some(preshared_key(text)),
            },
            allowed_ips: self.allowed_ips.map(|values| v1::StringList { values }),
            persistent_keepalive: self.persistent_keepalive.or_cleared(0),
            labels: labels.map(|values| v1::Labels { values }),
            enabled: self.enabled,
            expires_at: expires_at.map(|time| time.0),
            dns: list(self.dns),
            mtu: self.mtu.or_cleared(0),
            client_allowed_ips: list(self.client_allowed_ips),
            if_match,
            quota_bytes: self.quota_bytes.or_cleared(0),
            quota_period: Period::number(self.quota_period),
        }
    }
}

/// One of the words for a period.
struct Period(v1::QuotaPeriod);

impl Period {
    fn number(given: Option<Self>) -> i32 {
        given
            .map_or(v1::QuotaPeriod::Unspecified, |period| period.0)
            .into()
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let found = QUOTA_PERIODS.iter().find(|(word, _)| *word == text);
        let found = found.map(|(_, period)| Self(*period));
        found.ok_or_else(|| D::Error::custom("expected one of none, day, week, month"))
    }
}

fn preshared_key(text: String) -> v1::PresharedKeyChoice {
    chosen(if text == GENERATE {
        Choice::Generate(true)
    } else {
        Choice::Key(text)
    })
}

fn chosen(choice: Choice) -> v1::PresharedKeyChoice {
    v1::PresharedKeyChoice {
        choice: Some(choice),
    }
}
