//! Adding a peer: node, addresses, keys and all, in one transaction.

use std::sync::Arc;

use tonic::Status;
use wgfleet_proto::v1::{CreatePeerRequest, CreatePeerResponse, Peer, PeerCreated, event::Kind};
use wire_contract::PublicKey;

use super::{
    Peers,
    addresses::Place,
    draft::Draft,
    finish::{self, Touched},
    placing::{self, Counts, Placer},
    record, view,
};
use crate::{
    dispatch::Dispatch,
    domain::counters::Traffic,
    events,
    services::{auth::Caller, once, status::invalid},
    store::{
        NodeId, PeerId, WriteTx, audit, counters, generation,
        nodes::NodeRow,
        peer_nodes::{self, Placement},
        peers::{self, NewPeer},
        quotas,
    },
};

/// Adds a peer.
///
/// # Errors
/// A refusal that names the field, or what is taken, or what was wrong with each node.
pub(super) async fn create(
    service: &Peers,
    caller: &Caller,
    request: CreatePeerRequest,
) -> Result<CreatePeerResponse, Status> {
    let core = &service.core;
    let now_s = core.now_s();
    let draft = Arc::new(Draft::new(request, now_s)?);
    let counts = service.kernel.read(core, draft.target.given()).await?;
    let (work, caller, dispatch) = (Arc::clone(&draft), caller.clone(), core.dispatch.clone());
    let once = once::current();
    let created = core
        .change(move |tx| {
            let placer = Placer::read(tx, &caller, &counts)?;
            let created = insert(tx, &work, &placer, (&counts, &dispatch), &caller, now_s)?;
            let told = Some(view::within(tx, &dispatch, created.id, now_s)?);
            events::record(tx, now_s, Kind::PeerCreated(PeerCreated { peer: told }))?;
            let peer = view::committed(peers::get(tx, created.id)?, now_s);
            once::record(once.as_ref(), tx, &answer(&work, peer, &created.why))?;
            Ok(created)
        })
        .await?;
    let peer = finish::settle(core, created.id, &[created.touched]).await?;
    Ok(answer(&draft, peer, &created.why))
}

/// What the caller is told.
pub(super) fn answer(draft: &Draft, peer: Peer, why: &str) -> CreatePeerResponse {
    CreatePeerResponse {
        peer: Some(peer),
        placement: why.to_owned(),
        private_key: draft.key.to_answer().map(|key| key.as_str().to_owned()),
        preshared_key: draft.preshared_key.to_answer(),
    }
}

/// A peer that was just put into the store.
pub(super) struct Created {
    pub(super) id: PeerId,
    pub(super) touched: Touched,
    pub(super) why: String,
}

/// Puts a new peer into the store, on the node that is given or picked.
///
/// # Errors
/// What is wrong with it, or taken.
pub(super) fn insert(
    tx: &WriteTx<'_>,
    draft: &Draft,
    placer: &Placer<'_>,
    (counts, dispatch): (&Counts, &Dispatch),
    caller: &Caller,
    now_s: i64,
) -> Result<Created, Status> {
    let needs_addresses = draft.allowed_ips.is_empty();
    let chosen = placer.choose(&draft.target, needs_addresses)?;
    let (node, public_key) = (&chosen.node, draft.key.public());
    refuse_own_key(node, &public_key)?;
    let id = PeerId::generate();
    insert_row(tx, draft, id, node, now_s)?;
    let in_use = placing::in_use(counts, node.id);
    let allowed_ips = Place::new(tx, node, id, &in_use)?.take(&draft.allowed_ips)?;
    let generation = generation::bump(tx, node.id)?;
    let placement = Placement {
        node_id: node.id,
        public_key,
        peer_id: id,
        allowed_ips: &allowed_ips,
        psk_confirmed: draft.preshared_key.is_known(),
        generation,
    };
    peer_nodes::place(tx, &placement)?;
    let observed = dispatch.observed(node.id);
    let seen = observed.peer(&public_key);
    if !draft.preshared_key.is_known() && seen.is_none() {
        let name = &node.settings.name;
        let why = format!("{name} does not have this peer, so it has no preshared key to keep");
        return Err(invalid("preshared_key", why));
    }
    // A key that is there already has moved something, and none of it is this peer's.
    if let Some(seen) = seen {
        let counters = Traffic {
            rx_bytes: seen.rx_bytes,
            tx_bytes: seen.tx_bytes,
        };
        counters::begin(tx, node.id, &public_key, seen.total(), counters, now_s)?;
    }
    let after = record::describe(&peers::get(tx, id)?);
    let object = ("peer", id.to_string());
    let entry = caller.audit(now_s, "peer.create", object, None, Some(after.into()));
    audit::append(tx, &entry)?;
    let touched = touched(node.id, generation);
    let why = chosen.why;
    Ok(Created { id, touched, why })
}

fn insert_row(
    tx: &WriteTx<'_>,
    draft: &Draft,
    id: PeerId,
    node: &NodeRow,
    now_s: i64,
) -> Result<(), Status> {
    let mut settings = draft.settings.clone();
    settings.persistent_keepalive = draft
        .persistent_keepalive
        .or(node.settings.persistent_keepalive)
        .unwrap_or_default();
    let peer = NewPeer {
        id,
        node_id: node.id,
        public_key: draft.key.public(),
        private_key: draft.key.to_keep(),
        preshared_key: draft.preshared_key.key(),
        settings: &settings,
    };
    peers::insert(tx, &peer, now_s)?;
    Ok(quotas::set(tx, id, draft.quota.as_ref())?)
}

/// The kernel drops a peer that has the interface's own key, without a word.
///
/// # Errors
/// INVALID_ARGUMENT.
pub(super) fn refuse_own_key(node: &NodeRow, key: &PublicKey) -> Result<(), Status> {
    if node.settings.public_key.as_ref() == Some(key) {
        let why = format!("that is the key of {} itself", node.settings.name);
        return Err(invalid("public_key", why));
    }
    Ok(())
}

const fn touched(node: NodeId, generation: u64) -> Touched {
    Touched { node, generation }
}
