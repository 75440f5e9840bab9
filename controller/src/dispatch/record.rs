//! What the store is told: how the node is, and how each of its peers came out of a look.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use wgfleet_proto::v1::{self, event::Kind};
use wire_contract::{PublicKey, signing::WINDOW};

use super::{
    ObservedNode, ObservedPeer, cycle::would_adopt, desired::Desired, observation::Moment,
    poll::Seen, send::Sent, unix_s, worker::Worker,
};
use crate::{
    domain::{
        counters::Traffic,
        plan::{Consent, Plan},
        status::{NodeState, Poll},
    },
    events,
    store::{
        self, NodeId, NodeStatus, PeerId, StoreError, SyncState, WriteTx, allocations,
        audit::{self, AuditEntry},
        counters, generation, moves, node_status,
        nodes::{self, NodeRow},
        peer_nodes::{self, Placement},
        peers::{self, NewPeer, PeerSettings},
        pools, tombstones,
    },
};

const NOT_WRITTEN: &str = "differs on the node, and is not yet written to it";
const NOT_SEEN: &str = "written, but not yet seen on the node";
const NOT_COMPARED: &str = "adopted, and not yet compared with the node";
const HELD: &str = "waits for an operator to confirm the node's plan";

/// How one key came out.
type Outcome = (PublicKey, SyncState, String);

/// What the store knew of the node before a restart.
pub(super) fn restored(row: &NodeRow) -> NodeState {
    use crate::domain::status::NodeStatus as Status;
    let status = Status::from_name(row.state.status.as_str()).unwrap_or(Status::Offline);
    let since_ms = row.state.status_since.saturating_mul(1000);
    let state = NodeState::restored(status, row.state.status_reason.clone(), since_ms);
    state.after_enabled(row.settings.enabled, since_ms)
}

impl Worker {
    /// Takes in how a poll went.
    pub(super) async fn note_poll(
        &mut self,
        verdict: &Poll,
        seen: Option<&Seen>,
    ) -> Result<(), StoreError> {
        let now_s = unix_s(&self.shared.clock);
        let before = self.state.clone();
        self.state = self.state.after_poll(verdict, now_s.saturating_mul(1000));
        let mut row = store::node_status::NodeState::clone(&self.seen.load());
        row.status = store_status(&self.state);
        row.status_reason.clone_from(&self.state.reason);
        row.status_since = self.state.since_ms / 1000;
        if let Some(seen) = seen {
            self.take_in(seen, &mut row);
        }
        self.seen.store(Arc::new(row));
        self.update_view(|view| view.last_poll_at_s = Some(now_s));
        if before.status == self.state.status && before.reason == self.state.reason {
            return Ok(());
        }
        tracing::info!(node = %self.row.settings.name, status = %self.state.status,
            reason = %self.state.reason, "the node's status changed");
        let told = self.tell_status(now_s).await;
        if told.is_err() {
            // Not told: the next poll finds the same news.
            self.state = before;
        }
        told
    }

    /// Records the node's status and tells of it, unless it is recorded already: a worker that is
    /// stopped may have done so with its last breath. Nor does such a worker undo a disabling.
    async fn tell_status(&self, now_s: i64) -> Result<(), StoreError> {
        let (node, row) = (self.node, self.seen.load_full());
        let changed = v1::NodeStatusChanged {
            node_id: node.to_string(),
            status: proto_status(&self.state).into(),
            status_reason: self.state.reason.clone(),
            status_since: self.state.since_ms / 1000,
        };
        let write = self.shared.store.write(move |tx| {
            let known = nodes::get(tx, node)?;
            if !known.settings.enabled {
                return Ok(());
            }
            node_status::record(tx, node, &row)?;
            let known = (known.state.status, known.state.status_reason);
            if known != (row.status, row.status_reason.clone()) {
                events::record(tx, now_s, Kind::NodeStatus(changed))?;
            }
            Ok(())
        });
        write.await
    }

    fn take_in(&mut self, seen: &Seen, row: &mut store::node_status::NodeState) {
        let now = Moment {
            unix_ms: i64::try_from(self.shared.clock.now().as_millis()).unwrap_or(i64::MAX),
            instant: tokio::time::Instant::now(),
        };
        let now_s = now.unix_s();
        row.last_seen = Some(now_s);
        row.latency_ms = Some(u32::try_from(seen.latency.as_millis()).unwrap_or(u32::MAX));
        row.version = Some(seen.health.version.clone());
        row.uptime_s = Some(seen.health.uptime);
        if let Some(device) = &seen.device {
            row.boot_id = Some(device.boot_id.clone());
            row.ifindex = Some(device.ifindex);
        }
        let window_s =
            u32::try_from(self.shared.options.online_window.as_secs()).unwrap_or(u32::MAX);
        let observed = self
            .observation
            .observe(&seen.peers, seen.device.as_ref(), now, window_s);
        self.observed.store(observed);
    }

    pub(super) async fn save_state(&self) -> Result<(), StoreError> {
        let (node, row) = (self.node, self.seen.load_full());
        self.shared
            .store
            .write(move |tx| node_status::record(tx, node, &row))
            .await
    }

    /// Records how each peer stands after a look.
    pub(super) async fn record(
        &mut self,
        desired: &Desired,
        plan: &Plan,
        consent: Consent,
        sent: &Sent,
    ) -> Result<(), StoreError> {
        let now_s = unix_s(&self.shared.clock);
        let outcomes = self.news(desired, plan, consent, sent);
        let present: HashSet<PublicKey> = self
            .dump
            .iter()
            .flatten()
            .map(|peer| peer.public_key)
            .collect();
        let over = over(desired, &present, now_s);
        let generation = desired.node.desired_generation;
        let reached = plan.is_in_sync() && desired.node.observed_generation < generation;
        if outcomes.is_empty() && over.is_empty() && sent.answered.is_empty() && !reached {
            return Ok(());
        }
        let node = self.node;
        let (record, answered) = (outcomes.clone(), sent.answered.clone());
        let ids = ids(desired);
        let woken = self.shared.store.write(move |tx| {
            for outcome in &record {
                record_sync(tx, (node, generation), outcome, &ids, now_s)?;
            }
            answered
                .iter()
                .try_for_each(|key| tombstones::answered(tx, node, key))?;
            over.iter()
                .try_for_each(|key| tombstones::drop_one(tx, node, key))?;
            if reached {
                generation::record_observed(tx, node, generation)?;
            }
            moves::finish(tx, node, now_s)
        });
        for other in woken.await? {
            self.shared.wake(other);
        }
        self.remember(outcomes);
        Ok(())
    }

    /// The node could not be looked at: peers that wait for it go on waiting, and say for what.
    pub(super) async fn record_pending(&mut self, why: &str) -> Result<(), StoreError> {
        if why.is_empty() {
            return Ok(());
        }
        let desired = self.load_desired().await?;
        let reason = format!(
            "{} is {}: {why}",
            desired.node.settings.name, self.state.status
        );
        let waiting = desired
            .peers
            .iter()
            .filter(|peer| peer.sync_state == SyncState::Pending);
        let outcomes: Vec<Outcome> = waiting
            .map(|peer| (peer.public_key, SyncState::Pending, reason.clone()))
            .filter(|outcome| self.is_news(outcome, SyncState::Pending))
            .collect();
        if outcomes.is_empty() {
            return Ok(());
        }
        let (node, generation) = (self.node, desired.node.desired_generation);
        let (record, ids, now_s) = (outcomes.clone(), ids(&desired), unix_s(&self.shared.clock));
        self.shared
            .store
            .write(move |tx| {
                record.iter().try_for_each(|outcome| {
                    record_sync(tx, (node, generation), outcome, &ids, now_s)
                })
            })
            .await?;
        self.remember(outcomes);
        Ok(())
    }

    /// Outcomes that the store does not have yet.
    fn news(&self, desired: &Desired, plan: &Plan, consent: Consent, sent: &Sent) -> Vec<Outcome> {
        let mut open: HashMap<PublicKey, (SyncState, String)> = HashMap::new();
        let to_send: Vec<_> = plan.to_send(consent).collect();
        let mut untried = sent.untried(&desired.generations(), &to_send);
        if sent.cut_short.is_some() {
            // Why they were not tried is what there is to say of them.
            untried.clear();
        }
        for change in to_send {
            let key = change.call.public_key();
            if untried.contains(&key) {
                open.insert(key, (SyncState::Pending, NOT_WRITTEN.to_owned()));
                continue;
            }
            let outcome = match sent.errors.get(&key).or(sent.cut_short.as_ref()) {
                Some(error) if error.is_retryable() => (SyncState::Pending, error.to_string()),
                Some(error) => (SyncState::Failed, error.to_string()),
                None => (SyncState::Pending, NOT_SEEN.to_owned()),
            };
            open.insert(key, outcome);
        }
        for change in plan.held(consent) {
            let why = change
                .hold
                .map_or_else(|| HELD.to_owned(), |hold| hold.to_string());
            open.insert(change.call.public_key(), (SyncState::Pending, why));
        }
        for blocked in &plan.blocked {
            let outcome = (SyncState::Failed, blocked.reason.clone());
            open.insert(blocked.change.call.public_key(), outcome);
        }
        let declared = desired
            .peers
            .iter()
            .map(|peer| (peer.public_key, peer.sync_state));
        let buried = desired
            .tombstones
            .iter()
            .map(|t| (t.public_key, t.sync_state));
        declared
            .chain(buried)
            .map(|(key, was)| {
                let (state, reason) = open
                    .get(&key)
                    .cloned()
                    .unwrap_or((SyncState::Applied, String::new()));
                ((key, state, reason), was)
            })
            // Their turn comes; until then what is known of them stays.
            .filter(|((key, ..), was)| *was == SyncState::Applied || !untried.contains(key))
            .filter(|(outcome, was)| self.is_news(outcome, *was))
            .map(|(outcome, _)| outcome)
            .collect()
    }

    fn is_news(&self, (key, state, reason): &Outcome, was: SyncState) -> bool {
        if *state != was {
            return true;
        }
        *state != SyncState::Applied
            && self
                .recorded
                .get(key)
                .is_none_or(|(s, r)| s != state || r != reason)
    }

    fn remember(&mut self, outcomes: Vec<Outcome>) {
        for (key, state, reason) in outcomes {
            match state {
                SyncState::Applied => drop(self.recorded.remove(&key)),
                _ => drop(self.recorded.insert(key, (state, reason))),
            }
        }
    }

    /// Makes peers of what nobody declared, where the node's policy says so. Whether there were any.
    pub(super) async fn adopt(
        &mut self,
        desired: &Desired,
        plan: &Plan,
        consent: Consent,
    ) -> Result<bool, StoreError> {
        if consent == Consent::Nothing || !would_adopt(desired, plan) {
            return Ok(false);
        }
        let keys: HashSet<PublicKey> = plan.unmanaged.iter().map(|peer| peer.public_key).collect();
        let found: Vec<_> = self
            .dump
            .iter()
            .flatten()
            .filter(|peer| keys.contains(&peer.public_key))
            .cloned()
            .collect();
        let (node, now_s) = (self.node, unix_s(&self.shared.clock));
        let seen = self.observed.load_full();
        let adopted = self.shared.store.write(move |tx| {
            let generation = generation::bump(tx, node)?;
            found
                .iter()
                .try_for_each(|peer| adopt_one(tx, (node, &seen), peer, generation, now_s))
        });
        match adopted.await {
            Ok(()) => {
                tracing::info!(node = %self.row.settings.name, peers = keys.len(), "peers adopted");
                Ok(true)
            }
            // Another peer declared the same address: an operator must look.
            Err(error @ StoreError::Conflict { .. }) => {
                tracing::warn!(node = %self.row.settings.name, %error, "peers can't be adopted");
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}

fn adopt_one(
    tx: &WriteTx<'_>,
    (node, seen): (NodeId, &ObservedNode),
    found: &wire_contract::dto::DumpPeer,
    generation: u64,
    now_s: i64,
) -> Result<(), StoreError> {
    let id = PeerId::generate();
    let settings = PeerSettings {
        name: format!("adopted {}", &found.public_key.to_base64().as_str()[..8]),
        persistent_keepalive: found.persistent_keepalive,
        enabled: true,
        ..PeerSettings::default()
    };
    let (key, peer) = (found.public_key, id);
    let new = NewPeer {
        id,
        node_id: node,
        public_key: key,
        private_key: None,
        preshared_key: None,
        settings: &settings,
    };
    peers::insert(tx, &new, now_s)?;
    let pools = pools::list(tx, node)?;
    for allowed_ip in &found.allowed_ips {
        let host_bits = if allowed_ip.is_ipv4() { 32 } else { 128 };
        if allowed_ip.prefix_len() == host_bits {
            match allocations::allocate_exact(tx, &pools, allowed_ip.network(), peer) {
                Ok(_) | Err(StoreError::AddressRefused { .. }) => {}
                Err(error) => return Err(error),
            }
        }
    }
    peer_nodes::place(
        tx,
        &Placement {
            node_id: node,
            public_key: key,
            peer_id: id,
            allowed_ips: &found.allowed_ips,
            psk_confirmed: false,
            generation,
        },
    )?;
    let now = Traffic {
        rx_bytes: found.transfer_rx,
        tx_bytes: found.transfer_tx,
    };
    let moved = seen.peer(&key).map_or(now, ObservedPeer::total);
    counters::begin(tx, node, &key, moved, now, now_s)?;
    audit::append(
        tx,
        &AuditEntry {
            at: now_s,
            actor: "controller".into(),
            source: String::new(),
            action: "peer.adopt".into(),
            object_kind: "peer".into(),
            object_id: id.to_string(),
            before: None,
            after: None,
        },
    )?;
    let row = peers::get(tx, id)?;
    let sync = v1::Sync {
        state: proto_sync(row.sync_state).into(),
        reason: NOT_COMPARED.into(),
    };
    let seen = seen.peer(&key).cloned().unwrap_or_default();
    let peer = Some(events::shown_peer(row, sync, &seen, now_s));
    events::record(tx, now_s, Kind::PeerCreated(v1::PeerCreated { peer })).map(drop)
}

/// Records how one key came out, and tells of it if that is news and a peer has the key.
fn record_sync(
    tx: &WriteTx<'_>,
    (node, generation): (NodeId, u64),
    (key, state, reason): &Outcome,
    ids: &HashMap<PublicKey, PeerId>,
    now_s: i64,
) -> Result<(), StoreError> {
    let is_news = peer_nodes::record_sync(tx, node, key, generation, (*state, reason))?;
    let Some(id) = ids.get(key).filter(|_| is_news) else {
        return Ok(());
    };
    let changed = v1::PeerSyncChanged {
        peer_id: id.to_string(),
        node_id: node.to_string(),
        sync: Some(v1::Sync {
            state: proto_sync(*state).into(),
            reason: reason.clone(),
        }),
    };
    events::record(tx, now_s, Kind::PeerSync(changed)).map(drop)
}

fn ids(desired: &Desired) -> HashMap<PublicKey, PeerId> {
    let peers = desired.peers.iter();
    peers.map(|peer| (peer.public_key, peer.peer_id)).collect()
}

/// Tombstones that have done their work: the key is gone, and nothing signed for it can still arrive.
fn over(desired: &Desired, present: &HashSet<PublicKey>, now_s: i64) -> Vec<PublicKey> {
    let window_s = WINDOW.as_secs().cast_signed();
    desired
        .tombstones
        .iter()
        .filter(|tombstone| !present.contains(&tombstone.public_key))
        .filter(|tombstone| now_s.saturating_sub(tombstone.last_signed_at) > window_s)
        .map(|tombstone| tombstone.public_key)
        .collect()
}

fn store_status(state: &NodeState) -> NodeStatus {
    use crate::domain::status::NodeStatus as Status;
    match state.status {
        Status::Online => NodeStatus::Online,
        Status::Offline => NodeStatus::Offline,
        Status::Error => NodeStatus::Error,
        Status::Disabled => NodeStatus::Disabled,
    }
}

fn proto_status(state: &NodeState) -> v1::NodeStatus {
    use crate::domain::status::NodeStatus as Status;
    match state.status {
        Status::Online => v1::NodeStatus::Online,
        Status::Offline => v1::NodeStatus::Offline,
        Status::Error => v1::NodeStatus::Error,
        Status::Disabled => v1::NodeStatus::Disabled,
    }
}

const fn proto_sync(state: SyncState) -> v1::SyncState {
    match state {
        SyncState::Applied => v1::SyncState::Applied,
        SyncState::Pending => v1::SyncState::Pending,
        SyncState::Failed => v1::SyncState::Failed,
    }
}
