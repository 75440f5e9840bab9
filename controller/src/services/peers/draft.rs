//! A new peer as it was asked for, checked.

use tonic::Status;
use wgfleet_proto::v1::CreatePeerRequest;
use wire_contract::{AllowedIp, Keepalive, PublicKey, key::KEY_BYTES};
use zeroize::Zeroizing;

use super::{
    input::{self, PresharedKeyChange},
    keys::{self, KeyPair},
    placing::Target,
};
use crate::{
    domain::{name::checked_name, quota::Quota},
    services::{quota::QuotaPatch, status::invalid},
    store::peers::PeerSettings,
};

/// A new peer. No `Debug`: it holds keys.
pub(super) struct Draft {
    pub(super) target: Target,
    pub(super) key: DraftKey,
    pub(super) preshared_key: PresharedKeyChange,
    /// Empty: from the node's pools.
    pub(super) allowed_ips: Vec<AllowedIp>,
    /// `None`: the node's default.
    pub(super) persistent_keepalive: Option<Keepalive>,
    /// All but the keepalive.
    pub(super) settings: PeerSettings,
    pub(super) quota: Option<Quota>,
}

/// The key of a new peer.
pub(super) enum DraftKey {
    /// The client keeps its private key to itself.
    Given(PublicKey),
    /// Drawn here; kept, or else answered once.
    Generated { pair: KeyPair, keep: bool },
}

impl DraftKey {
    fn new(text: &str, keep: Option<bool>) -> Result<Self, Status> {
        if text.is_empty() {
            let (pair, keep) = (KeyPair::generate()?, keep.unwrap_or(true));
            return Ok(Self::Generated { pair, keep });
        }
        input::public_key(text).map(Self::Given)
    }

    /// The public key.
    pub(super) const fn public(&self) -> PublicKey {
        match self {
            Self::Given(key) => *key,
            Self::Generated { pair, .. } => pair.public,
        }
    }

    /// The private key, when it is to be kept.
    pub(super) fn to_keep(&self) -> Option<&[u8; KEY_BYTES]> {
        match self {
            Self::Generated { pair, keep: true } => Some(&pair.private),
            Self::Given(_) | Self::Generated { .. } => None,
        }
    }

    /// The private key in base64, when the caller gets it now or never.
    pub(super) fn to_answer(&self) -> Option<Zeroizing<String>> {
        match self {
            Self::Generated { pair, keep: false } => Some(keys::private_base64(&pair.private)),
            Self::Given(_) | Self::Generated { .. } => None,
        }
    }
}

impl Draft {
    /// Checks everything that can be checked without the store.
    ///
    /// # Errors
    /// INVALID_ARGUMENT that names the field.
    pub(super) fn new(request: CreatePeerRequest, now_s: i64) -> Result<Self, Status> {
        let target = target(&request)?;
        let preshared_key =
            input::preshared_key(request.preshared_key)?.unwrap_or(PresharedKeyChange::None);
        let is_named = !request.public_key.is_empty() && matches!(target, Target::Given(_));
        if !preshared_key.is_known() && !is_named {
            let why =
                "what a node has is kept of a peer that is there: give its public_key and node_id";
            return Err(invalid("preshared_key", why));
        }
        input::labels("labels", &request.labels)?;
        let quota = QuotaPatch::new(request.quota_bytes, request.quota_period)?;
        let quota = quota.of_new(now_s)?;
        let settings = PeerSettings {
            name: checked_name(&request.name)?.to_owned(),
            persistent_keepalive: Keepalive::OFF,
            dns: input::dns(&request.dns)?,
            mtu: request.mtu.map(input::mtu).transpose()?,
            client_allowed_ips: input::networks("client_allowed_ips", &request.client_allowed_ips)?,
            labels: request.labels,
            enabled: request.enabled.unwrap_or(true),
            disabled_reason: String::new(),
            expires_at: match request.expires_at {
                Some(at_s) => Some(input::expiry(at_s, now_s)?),
                None => None,
            },
        };
        Ok(Self {
            target,
            allowed_ips: input::networks("allowed_ips", &request.allowed_ips)?,
            persistent_keepalive: request
                .persistent_keepalive
                .map(input::keepalive)
                .transpose()?,
            settings,
            quota,
            preshared_key,
            // Last: drawing a pair for a request that is refused anyway is for nothing.
            key: DraftKey::new(&request.public_key, request.keep_private_key)?,
        })
    }
}

fn target(request: &CreatePeerRequest) -> Result<Target, Status> {
    input::labels("selector", &request.selector)?;
    match input::optional_node(&request.node_id)? {
        Some(_) if !request.selector.is_empty() => {
            let why = "a node that is given is not selected: leave one of node_id and selector out";
            Err(invalid("selector", why))
        }
        Some(id) => Ok(Target::Given(id)),
        None => Ok(Target::Picked(request.selector.clone())),
    }
}
