//! Changing a peer. One transaction, whatever the patch holds; the generation of a node grows only
//! when what the node has to know of the peer is another thing now.

use std::sync::Arc;

use tonic::{Code, Status};
use wgfleet_proto::v1::{UpdatePeerRequest, UpdatePeerResponse, event::Kind};
use wire_contract::PublicKey;

use super::{
    Peers,
    addresses::Place,
    create::refuse_own_key,
    finish::{self, Touched},
    input::PresharedKeyChange,
    moving,
    patch::{Patch, concerns_node},
    peer_id,
    placing::{Counts, in_use},
    record, view,
};
use crate::{
    dispatch::Dispatch,
    domain::quota::Quota,
    events,
    services::{auth::Caller, etag, status::refuse},
    store::{
        PeerId, WriteTx, audit, generation, nodes,
        peer_nodes::{self, Placement},
        peers::{self, PeerRow},
        quotas, tombstones,
    },
};

/// Applies a patch.
///
/// # Errors
/// A refusal that names the field, or what is taken.
pub(super) async fn update(
    service: &Peers,
    caller: &Caller,
    request: UpdatePeerRequest,
) -> Result<UpdatePeerResponse, Status> {
    let (core, id) = (&service.core, peer_id(&request.id)?);
    let if_match = request.if_match.clone();
    let now_s = core.now_s();
    let patch = Arc::new(Patch::new(request, now_s)?);
    let counts = match patch.node {
        Some(target) => service.kernel.read(core, Some(target)).await?,
        None if patch.allowed_ips.is_some() => service.kernel.read(core, None).await?,
        None => Counts::new(),
    };
    let (work, changes, dispatch) = (Arc::clone(&patch), caller.clone(), core.dispatch.clone());
    let change = core
        .change(move |tx| {
            let change = Change::new(tx, &changes, id, &work, now_s)?;
            etag::check(
                &if_match,
                &view::committed(change.before.clone(), now_s).etag,
            )?;
            let changed = change.make(&counts)?;
            if changed.is_change {
                change.tell(&dispatch)?;
            }
            Ok(changed)
        })
        .await?;
    let peer = if change.is_change {
        finish::settle(core, id, &change.touched).await?
    } else {
        view::read(core, id).await?
    };
    let generated = patch.preshared_key.as_ref();
    Ok(UpdatePeerResponse {
        peer: Some(peer),
        client_needs_config: change.client_needs_config,
        preshared_key: generated.and_then(PresharedKeyChange::to_answer),
    })
}

/// What came of it.
struct Changed {
    is_change: bool,
    touched: Vec<Touched>,
    client_needs_config: bool,
}

struct Change<'a> {
    tx: &'a WriteTx<'a>,
    caller: &'a Caller,
    id: PeerId,
    before: PeerRow,
    patch: &'a Patch,
    now_s: i64,
}

impl<'a> Change<'a> {
    fn new(
        tx: &'a WriteTx<'a>,
        caller: &'a Caller,
        id: PeerId,
        patch: &'a Patch,
        now_s: i64,
    ) -> Result<Self, Status> {
        let before = caller.peer(tx, id)?;
        Ok(Self {
            tx,
            caller,
            id,
            before,
            patch,
            now_s,
        })
    }

    fn make(&self, counts: &Counts) -> Result<Changed, Status> {
        let mut concerns_node = self.change_settings()?;
        concerns_node |= self.change_preshared_key()?;
        let target = self.patch.node.filter(|node| *node != self.before.node_id);
        let public_key = self
            .patch
            .public_key
            .filter(|key| *key != self.before.public_key);
        if let Some(target) = target {
            let wanted = self.patch.allowed_ips.as_deref();
            // Read again: a preshared key that was unknown may have been given just now.
            let row = peers::get(self.tx, self.id)?;
            let to = (target, counts);
            moving::start(self.tx, self.caller, &row, to, wanted, self.now_s)?;
        } else {
            concerns_node |= self.change_addresses(counts)?;
        }
        if let Some(key) = &public_key {
            self.change_key(key)?;
        }
        concerns_node |= target.is_some() || public_key.is_some();
        let touched = if concerns_node {
            self.bump()?
        } else {
            Vec::new()
        };
        self.record(touched)
    }

    /// Whether the node has to be told.
    fn change_settings(&self) -> Result<bool, Status> {
        let before = &self.before.settings;
        let (after, quota) = self.patch.apply(&self.before, self.now_s)?;
        if quota != self.before.quota {
            quotas::set(self.tx, self.id, quota.as_ref())?;
        }
        let limits = |quota: Option<Quota>| quota.map(|quota| (quota.bytes, quota.period));
        if after == *before && limits(quota) == limits(self.before.quota) {
            return Ok(false);
        }
        peers::update_settings(self.tx, self.id, &after, self.now_s)?;
        Ok(concerns_node(before, &after))
    }

    fn change_preshared_key(&self) -> Result<bool, Status> {
        let Some(change) = &self.patch.preshared_key else {
            return Ok(false);
        };
        let present = peers::preshared_key(self.tx, self.tx.sealer(), self.id)?;
        if self.before.psk_confirmed && present.as_ref() == change.key() {
            return Ok(false);
        }
        peers::set_preshared_key(self.tx, self.id, change.key(), self.now_s)?;
        Ok(true)
    }

    fn change_addresses(&self, counts: &Counts) -> Result<bool, Status> {
        let Some(wanted) = &self.patch.allowed_ips else {
            return Ok(false);
        };
        let (row, tx) = (&self.before, self.tx);
        if *wanted == row.allowed_ips {
            return Ok(false);
        }
        let node = nodes::get(tx, row.node_id)?;
        let in_use = in_use(counts, node.id);
        let place = Place::new(tx, &node, self.id, &in_use)?;
        let taken = place.replace(&row.allowed_ips, wanted)?;
        if taken == row.allowed_ips {
            return Ok(false);
        }
        peer_nodes::set_allowed_ips(tx, row.node_id, &row.public_key, &taken)?;
        self.touch_row()?;
        Ok(true)
    }

    /// The old key leaves its node like a deleted peer's; the new one comes like a new peer's.
    fn change_key(&self, key: &PublicKey) -> Result<(), Status> {
        let (row, tx) = (&self.before, self.tx);
        if peer_nodes::nodes_of(tx, self.id)?.len() > 1 {
            let why =
                "the peer is on its way between two nodes; change its key when it has arrived";
            let code = Code::FailedPrecondition;
            return Err(refuse(code, "peer_moving", Some("public_key"), why));
        }
        refuse_own_key(&nodes::get(tx, row.node_id)?, key)?;
        let allowed_ips = peers::get(tx, self.id)?.allowed_ips;
        let generation = generation::bump(tx, row.node_id)?;
        tombstones::bury(tx, row.node_id, &row.public_key, self.now_s)?;
        // Its private key, if one is kept, belongs to the old pair.
        peers::set_key_pair(tx, self.id, key, None, self.now_s)?;
        let placement = Placement {
            node_id: row.node_id,
            public_key: *key,
            peer_id: self.id,
            allowed_ips: &allowed_ips,
            psk_confirmed: row.psk_confirmed || self.patch.preshared_key.is_some(),
            generation,
        };
        Ok(peer_nodes::place(tx, &placement)?)
    }

    /// Notes the time of a change that leaves the peer's own row as it is.
    fn touch_row(&self) -> Result<(), Status> {
        let settings = peers::get(self.tx, self.id)?.settings;
        Ok(peers::update_settings(
            self.tx, self.id, &settings, self.now_s,
        )?)
    }

    /// Every node the peer stands on has to be brought in line: two of them while it moves.
    fn bump(&self) -> Result<Vec<Touched>, Status> {
        let nodes = peer_nodes::nodes_of(self.tx, self.id)?;
        let bump = |node| {
            let generation = generation::bump(self.tx, node)?;
            peer_nodes::mark_pending(self.tx, node, self.id, generation)?;
            Ok(Touched { node, generation })
        };
        nodes.into_iter().map(bump).collect()
    }

    fn tell(&self, dispatch: &Dispatch) -> Result<(), Status> {
        let peer = view::within(self.tx, dispatch, self.id, self.now_s)?;
        let changed = moving::changed(self.before.node_id, peer);
        events::record(self.tx, self.now_s, Kind::PeerChanged(changed))?;
        Ok(())
    }

    fn record(&self, touched: Vec<Touched>) -> Result<Changed, Status> {
        let after = peers::get(self.tx, self.id)?;
        let (old, mut new) = record::difference(&self.before, &after);
        let rekeyed = self.patch.preshared_key.is_some() && !touched.is_empty();
        if rekeyed && let Some(fields) = new.as_object_mut() {
            fields.insert("preshared_key".into(), "replaced".into());
        }
        let is_change = !touched.is_empty() || old != new;
        if is_change {
            let action = self.action(&after);
            let object = ("peer", self.id.to_string());
            let (old, new) = (Some(old), Some(new));
            let entry = self.caller.audit(self.now_s, action, object, old, new);
            audit::append(self.tx, &entry)?;
        }
        let client_needs_config = rekeyed
            || after.node_id != self.before.node_id
            || after.public_key != self.before.public_key
            || after.allowed_ips != self.before.allowed_ips;
        Ok(Changed {
            is_change,
            touched,
            client_needs_config,
        })
    }

    fn action(&self, after: &PeerRow) -> &'static str {
        let was_enabled = self.before.settings.enabled;
        match after.settings.enabled {
            _ if after.node_id != self.before.node_id => "peer.move",
            true if !was_enabled => "peer.enable",
            false if was_enabled => "peer.disable",
            _ => "peer.update",
        }
    }
}
