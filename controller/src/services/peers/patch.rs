//! A patch of a peer, checked: what is absent stays.

use std::collections::BTreeMap;

use tonic::{Code, Status};
use wgfleet_proto::v1::{StringList, UpdatePeerRequest};
use wire_contract::{AllowedIp, Keepalive, PublicKey};

use super::input::{self, PresharedKeyChange};
use crate::{
    domain::{name::checked_name, quota::Quota},
    services::{
        quota::{self, QuotaPatch},
        status::{invalid, no_such_node, parse_id, refuse},
    },
    store::{
        NodeId,
        peers::{PeerRow, PeerSettings},
    },
};

/// What is to change. No `Debug`: it may hold a preshared key.
#[derive(Default)]
pub(super) struct Patch {
    pub(super) node: Option<NodeId>,
    pub(super) public_key: Option<PublicKey>,
    pub(super) preshared_key: Option<PresharedKeyChange>,
    /// Present and empty: from the node's pools.
    pub(super) allowed_ips: Option<Vec<AllowedIp>>,
    name: Option<String>,
    persistent_keepalive: Option<Keepalive>,
    labels: Option<BTreeMap<String, String>>,
    enabled: Option<bool>,
    /// The inner `None` is never.
    expires_at: Option<Option<i64>>,
    dns: Option<Vec<String>>,
    /// The inner `None` takes the node's.
    mtu: Option<Option<u32>>,
    client_allowed_ips: Option<Vec<AllowedIp>>,
    quota: QuotaPatch,
}

impl Patch {
    /// Checks everything that can be checked without the store.
    ///
    /// # Errors
    /// INVALID_ARGUMENT that names the field.
    pub(super) fn new(request: UpdatePeerRequest, now_s: i64) -> Result<Self, Status> {
        if request.node_id.is_some() && request.public_key.is_some() {
            let why = "a peer changes its node or its key, not both at once: send two patches";
            return Err(invalid("public_key", why));
        }
        let labels = request.labels.map(|labels| labels.values);
        if let Some(labels) = &labels {
            input::labels("labels", labels)?;
        }
        let node = |text: String| parse_id(&text, no_such_node);
        let name = |text: String| checked_name(&text).map(str::to_owned);
        let preshared_key = input::preshared_key(request.preshared_key)?;
        if preshared_key.as_ref().is_some_and(|key| !key.is_known()) {
            let why = "a peer that is there keeps its preshared key when the patch leaves it out";
            return Err(invalid("preshared_key", why));
        }
        Ok(Self {
            node: request.node_id.map(node).transpose()?,
            public_key: optional(request.public_key, |text| input::public_key(&text))?,
            preshared_key,
            allowed_ips: networks("allowed_ips", request.allowed_ips)?,
            name: request.name.map(name).transpose()?,
            persistent_keepalive: optional(request.persistent_keepalive, input::keepalive)?,
            labels,
            enabled: request.enabled,
            expires_at: optional(request.expires_at, |at_s| match at_s {
                0 => Ok(None),
                _ => input::expiry(at_s, now_s).map(Some),
            })?,
            dns: optional(request.dns, |list| input::dns(&list.values))?,
            mtu: optional(request.mtu, |bytes| match bytes {
                0 => Ok(None),
                _ => input::mtu(bytes).map(Some),
            })?,
            client_allowed_ips: networks("client_allowed_ips", request.client_allowed_ips)?,
            quota: QuotaPatch::new(request.quota_bytes, request.quota_period)?,
        })
    }

    /// The settings and the quota with the patch.
    ///
    /// # Errors
    /// `peer_expired`, when it enables a peer whose time is up and stays so; `peer_quota_used_up`,
    /// when it enables one that has nothing left.
    pub(super) fn apply(
        &self,
        before: &PeerRow,
        now_s: i64,
    ) -> Result<(PeerSettings, Option<Quota>), Status> {
        let mut after = before.settings.clone();
        set(&mut after.name, self.name.as_ref());
        set(
            &mut after.persistent_keepalive,
            self.persistent_keepalive.as_ref(),
        );
        set(&mut after.labels, self.labels.as_ref());
        set(&mut after.expires_at, self.expires_at.as_ref());
        set(&mut after.dns, self.dns.as_ref());
        set(&mut after.mtu, self.mtu.as_ref());
        set(
            &mut after.client_allowed_ips,
            self.client_allowed_ips.as_ref(),
        );
        if let Some(enabled) = self.enabled {
            after.enabled = enabled;
            // From here on it is by hand.
            after.disabled_reason.clear();
        }
        if self.enabled == Some(true) && after.expires_at.is_some_and(|at_s| at_s <= now_s) {
            let why = "the peer has expired: give it a later expires_at, or 0 for never";
            let code = Code::FailedPrecondition;
            return Err(refuse(code, "peer_expired", Some("expires_at"), why));
        }
        let mut quota = self.quota.apply(before.quota, now_s)?;
        let was_held = before.quota.is_some_and(|quota| quota.held);
        quota::settle(&mut after, &mut quota, was_held, self.enabled)?;
        Ok((after, quota))
    }
}

/// Whether the node has to be told, and not only the client.
pub(super) fn concerns_node(before: &PeerSettings, after: &PeerSettings) -> bool {
    before.persistent_keepalive != after.persistent_keepalive
        || before.enabled != after.enabled
        || before.expires_at != after.expires_at
}

fn networks(field: &str, list: Option<StringList>) -> Result<Option<Vec<AllowedIp>>, Status> {
    optional(list, |list| input::networks(field, &list.values))
}

fn optional<T, U>(
    value: Option<T>,
    check: impl FnOnce(T) -> Result<U, Status>,
) -> Result<Option<U>, Status> {
    value.map(check).transpose()
}

fn set<T: Clone>(field: &mut T, value: Option<&T>) {
    if let Some(value) = value {
        field.clone_from(value);
    }
}
