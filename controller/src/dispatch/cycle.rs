//! What a worker does when it looks at its node: read it, compare, send what differs, read it again,
//! and record what came of it.

use std::{collections::HashSet, time::Duration};

use ring::rand::{SecureRandom, SystemRandom};
use tokio::time::Instant;
use wire_contract::PublicKey;

use super::{
    DispatchError, PlanView, WorkerState,
    desired::Desired,
    poll::{self, Seen},
    send::{Sent, Target},
    unix_s,
    worker::{Worker, WorkerHandle},
};
use crate::{
    domain::{
        backoff::write_delay,
        plan::{Change, Consent, Plan, plan},
        status::{Fault, Poll},
    },
    failpoint,
    metrics::PollOutcome,
    store::{
        StoreError, UnmanagedPeers,
        agents::{self, Slot},
        generation, node_status,
        nodes::NodeRow,
        peer_nodes::DesiredPeer,
    },
};

/// Sending and reading again, until the node agrees; what still differs then waits for a retry.
const ROUNDS: u32 = 3;
/// How long what was declared during a look waits, when nobody tells of it: many peers at once are
/// declared in many transactions, and their nodes told after some of them.
const NEWS_WAIT: Duration = Duration::from_secs(1);

impl Worker {
    /// Looks at the node and brings it in line. Without `must_poll` the last dump is good enough.
    pub(super) async fn look(&mut self, must_poll: bool, handle: &WorkerHandle) {
        self.show(WorkerState::Working);
        let looked = self.try_look(must_poll).await;
        let dealt_with = match looked {
            Ok(generation) => generation,
            Err(error) => {
                tracing::warn!(node = %self.row.settings.name, %error, "the store failed a worker");
                self.back_off(&error.to_string());
                return;
            }
        };
        handle.dealt_with.send_if_modified(|known| {
            let later = dealt_with > *known;
            *known = dealt_with.max(*known);
            later
        });
    }

    async fn try_look(&mut self, must_poll: bool) -> Result<u64, StoreError> {
        if (must_poll || self.dump.is_none()) && !self.poll().await? {
            return self.record_silence().await;
        }
        self.bring_in_line(None).await
    }

    /// Reads the node. Whether it could be read; its status follows either way.
    pub(super) async fn poll(&mut self) -> Result<bool, StoreError> {
        let began = Instant::now();
        let mut outcome = self.read_node().await;
        if let Err(poll) = &outcome
            && poll::is_wrong_secret(poll)
            && self.take_next_secret().await?
        {
            outcome = self.read_node().await;
        }
        let verdict = match &outcome {
            Ok(_) => Poll::Good,
            Err(poll) => poll.clone(),
        };
        let outcome = match outcome {
            Ok(seen) => match self.learn_key(&seen).await? {
                None => Ok(seen),
                Some(fault) => Err(Poll::Faulty(fault)),
            },
            Err(poll) => Err(poll),
        };
        let verdict = outcome.as_ref().err().cloned().unwrap_or(verdict);
        let good = outcome.is_ok();
        self.shared
            .metrics
            .polled(counted(&verdict), began.elapsed());
        self.note_poll(&verdict, outcome.as_ref().ok()).await?;
        let seen = self.observed.load_full();
        let (store, node) = (&self.shared.store, self.node);
        self.observation.save_leavers(store, node, &seen).await?;
        self.dump = outcome.ok().map(|seen| seen.peers);
        Ok(good)
    }

    async fn read_node(&self) -> Result<Seen, Poll> {
        let client = self.client.as_ref().map_err(|why| unusable(why))?;
        let interface = &self.row.settings.wg_interface;
        let (health, device, latency) = poll::greet(client, interface).await?;
        // A node that does not even greet holds nobody up here.
        let _place = self.shared.dumps.acquire().await.expect("never closed");
        let dump = client.dump(interface).await;
        let dump = dump.map_err(|error| poll::verdict(&error, interface))?;
        Ok(Seen {
            peers: dump.value.peers,
            health,
            device,
            latency,
        })
    }

    /// The agent may have let go of the old secret before we did: a rotation that was cut short.
    async fn take_next_secret(&mut self) -> Result<bool, StoreError> {
        let (sealer, agent) = (self.shared.store.sealer(), self.row.settings.agent_id);
        let next = self
            .shared
            .store
            .read(move |conn| agents::secret(conn, &sealer, agent, Slot::Next));
        let Some(secret) = next.await? else {
            return Ok(false);
        };
        let Ok(client) = self.shared.clients.of(&self.row, &secret) else {
            return Ok(false);
        };
        if client.health().await.is_err() {
            return Ok(false);
        }
        self.shared
            .store
            .write(move |tx| agents::promote_next(tx, agent))
            .await?;
        tracing::info!(node = %self.row.settings.name, "moved to the agent's next secret");
        self.client = Ok(client);
        Ok(true)
    }

    /// Notes the interface's key. A fault when it is another node's: the same interface twice.
    async fn learn_key(&mut self, seen: &Seen) -> Result<Option<Fault>, StoreError> {
        let key = seen.device.as_ref().and_then(|device| device.public_key);
        let Some(key) = key.filter(|key| self.row.settings.public_key != Some(*key)) else {
            return Ok(None);
        };
        let node = self.node;
        let learnt = self
            .shared
            .store
            .write(move |tx| node_status::learn_public_key(tx, node, &key))
            .await;
        match learnt {
            Ok(()) => {
                self.row.settings.public_key = Some(key);
                Ok(None)
            }
            Err(error @ StoreError::Conflict { .. }) => {
                Ok(Some(Fault::Reported(error.to_string())))
            }
            Err(error) => Err(error),
        }
    }

    /// Compares and sends until the node agrees. `allowed` is the plan an operator has agreed to.
    /// The generation that was dealt with.
    pub(super) async fn bring_in_line(
        &mut self,
        allowed: Option<Consent>,
    ) -> Result<u64, StoreError> {
        let mut sent = Sent::default();
        let mut dealt_with = 0;
        for round in 1..=ROUNDS {
            let desired = self.load_desired().await?;
            if round == 1 {
                self.tell_presence(&desired).await?;
            }
            self.charge_quotas(&desired).await?;
            let (plan, consent) = self.compare(&desired, allowed);
            if self.adopt(&desired, &plan, consent).await? {
                continue;
            }
            let changes: Vec<&Change> = plan.to_send(consent).collect();
            let waits = self.retry_at.is_some_and(|at| Instant::now() < at);
            let has_news = || !sent.untried(&desired.generations(), &changes).is_empty();
            if round > 1 && !waits && sent.cut_short.is_none() && has_news() {
                // Declared while we were sending: that is work, and nobody's failure.
                self.record(&desired, &plan, consent, &sent).await?;
                self.looks_again_at = Some(Instant::now() + NEWS_WAIT);
                return Ok(dealt_with);
            }
            if changes.is_empty() || waits || round == ROUNDS || sent.cut_short.is_some() {
                return self.conclude(&desired, &plan, consent, &sent).await;
            }
            dealt_with = desired.node.desired_generation;
            let before = std::mem::take(&mut sent);
            sent = self.send(&desired, &changes).await?;
            sent.follows(before);
            self.dump = None;
            if sent.cut_short.is_none() && !self.poll().await? {
                return self.record_silence().await;
            }
            if self.dump.is_none() {
                return self.record_silence().await;
            }
        }
        // Every round adopted somebody; the next look goes on.
        self.load_desired()
            .await
            .map(|desired| desired.node.desired_generation)
    }

    pub(super) async fn load_desired(&mut self) -> Result<Desired, StoreError> {
        let desired = Desired::load(&self.shared.store, self.node).await?;
        self.written.settle_doubts(unix_s(&self.shared.clock));
        let declared: HashSet<PublicKey> = desired
            .peers
            .iter()
            .map(|peer| peer.public_key)
            .chain(
                desired
                    .tombstones
                    .iter()
                    .map(|tombstone| tombstone.public_key),
            )
            .collect();
        self.written.keep_only(&declared);
        self.recorded.retain(|key, _| declared.contains(key));
        self.observation.keep_only(declared);
        Ok(desired)
    }

    /// Writes down what peers have moved that have used up their quota by now, and tells whoever
    /// disables them. Others are written down at the next checkpoint.
    async fn charge_quotas(&mut self, desired: &Desired) -> Result<(), StoreError> {
        let now_s = unix_s(&self.shared.clock);
        let used_up = |peer: &&DesiredPeer| {
            let unsaved = self.observation.unsaved(&peer.public_key);
            let quota = peer.quota.map(|quota| quota.charged(unsaved, now_s));
            peer.enabled && quota.is_some_and(|quota| quota.is_used_up())
        };
        let keys: Vec<PublicKey> = desired
            .peers
            .iter()
            .filter(used_up)
            .map(|peer| peer.public_key)
            .collect();
        if keys.is_empty() {
            return Ok(());
        }
        let seen = self.observed.load_full();
        self.observation
            .save(&self.shared.store, self.node, &seen, &keys)
            .await?;
        self.shared.used_up.notify_one();
        Ok(())
    }

    fn compare(&self, desired: &Desired, allowed: Option<Consent>) -> (Plan, Consent) {
        let wanted = desired.to_plan(unix_s(&self.shared.clock), &self.written);
        let dump = self.dump.as_deref().unwrap_or_default();
        (
            plan(&wanted, dump),
            allowed.unwrap_or_else(|| consent(&desired.node)),
        )
    }

    async fn send(&mut self, desired: &Desired, changes: &[&Change]) -> Result<Sent, StoreError> {
        let Ok(client) = self.client.clone() else {
            return Ok(Sent::default());
        };
        let generations = desired.generations();
        let shared = std::sync::Arc::clone(&self.shared);
        let interface = self.row.settings.wg_interface.clone();
        let target = Target {
            shared: &shared,
            client: &client,
            node: self.node,
            interface: &interface,
        };
        target.send(changes, &generations, &mut self.written).await
    }

    /// Records how each peer came out of it, and decides when to try again.
    async fn conclude(
        &mut self,
        desired: &Desired,
        plan: &Plan,
        consent: Consent,
        sent: &Sent,
    ) -> Result<u64, StoreError> {
        failpoint!("dispatch.before_record");
        self.record(desired, plan, consent, sent).await?;
        failpoint!("dispatch.after_record");
        if plan.to_send(consent).next().is_some() {
            let why = sent
                .cut_short
                .as_ref()
                .or_else(|| sent.errors.values().next());
            self.back_off(&why.map_or_else(
                || "the node does not show what was written to it".to_owned(),
                ToString::to_string,
            ));
        } else {
            self.failures = 0;
            self.retry_at = None;
            let adoption_waits = consent == Consent::Nothing && would_adopt(desired, plan);
            let held = adoption_waits || plan.held(consent).next().is_some();
            let now_s = unix_s(&self.shared.clock);
            self.update_view(|view| {
                view.state = if held {
                    WorkerState::Held
                } else {
                    WorkerState::Idle
                };
                view.last_error.clear();
                view.failures = 0;
                view.retry_at_s = None;
                if plan.is_in_sync() {
                    view.last_in_sync_at_s = Some(now_s);
                }
            });
        }
        Ok(desired.node.desired_generation)
    }

    pub(super) fn back_off(&mut self, why: &str) {
        let mut random = [0; 8];
        // Without randomness nodes come back together: no reason to fail.
        let _ = SystemRandom::new().fill(&mut random);
        let delay = write_delay(self.failures, u64::from_ne_bytes(random));
        self.failures = self.failures.saturating_add(1);
        self.retry_at = Some(Instant::now() + delay);
        let retry_at_s = unix_s(&self.shared.clock)
            .saturating_add(i64::try_from(delay.as_secs()).unwrap_or(i64::MAX));
        let failures = self.failures;
        self.update_view(|view| {
            view.state = WorkerState::BackingOff;
            why.clone_into(&mut view.last_error);
            view.failures = failures;
            view.retry_at_s = Some(retry_at_s);
        });
    }

    /// Reads the node for somebody who wants to know what would be sent.
    pub(super) async fn answer_plan(&mut self) -> Result<PlanView, DispatchError> {
        self.must_read().await?;
        let desired = self.load_desired().await?;
        let (plan, consent) = self.compare(&desired, None);
        Ok(PlanView {
            adoption_waits: consent == Consent::Nothing && would_adopt(&desired, &plan),
            plan,
            consent,
        })
    }

    pub(super) async fn answer_sync(
        &mut self,
        confirm: Option<String>,
        handle: &WorkerHandle,
    ) -> Result<(), DispatchError> {
        self.must_read().await?;
        let allowed = match confirm {
            None => None,
            Some(confirmed) => {
                let desired = self.load_desired().await?;
                let (plan, consent) = self.compare(&desired, None);
                let present = plan.hash(consent);
                if present != confirmed {
                    return Err(DispatchError::PlanChanged(present));
                }
                self.note_consent(consent).await?;
                Some(Consent::Everything)
            }
        };
        self.retry_at = None;
        let dealt_with = self.bring_in_line(allowed).await?;
        handle.dealt_with.send_if_modified(|known| {
            let later = dealt_with > *known;
            *known = dealt_with.max(*known);
            later
        });
        Ok(())
    }

    async fn must_read(&mut self) -> Result<(), DispatchError> {
        if !self.row.settings.enabled {
            return Err(DispatchError::Disabled);
        }
        if self.poll().await? {
            return Ok(());
        }
        let reason = match self.state.reason.as_str() {
            "" => "the node did not answer",
            reason => reason,
        };
        Err(DispatchError::Unreachable(reason.to_owned()))
    }

    /// The operator's word holds from now on: also after a crash half way through.
    async fn note_consent(&mut self, asked: Consent) -> Result<(), StoreError> {
        let node = self.node;
        let removes = self.row.settings.unmanaged_peers == UnmanagedPeers::Remove;
        self.shared
            .store
            .write(move |tx| {
                if asked == Consent::Nothing {
                    node_status::set_writes_held(tx, node, false)?;
                }
                if removes {
                    node_status::set_removal_confirmed(tx, node, true)?;
                }
                Ok(())
            })
            .await
    }

    /// The node can't be read: nothing was changed, and that is what was done about it.
    async fn record_silence(&mut self) -> Result<u64, StoreError> {
        let why = self.state.reason.clone();
        self.record_pending(&why).await?;
        self.back_off(if why.is_empty() {
            "the node did not answer"
        } else {
            &why
        });
        // A poll has a beat of its own; the backoff is for writes.
        self.retry_at = None;
        let node = self.node;
        let (desired, _) = self
            .shared
            .store
            .read(move |conn| generation::get(conn, node))
            .await?;
        Ok(desired)
    }
}

/// Whether there are peers that nobody declared on a node that adopts such.
pub(super) fn would_adopt(desired: &Desired, plan: &Plan) -> bool {
    desired.node.settings.unmanaged_peers == UnmanagedPeers::Adopt && !plan.unmanaged.is_empty()
}

/// What an operator has agreed to so far.
fn consent(node: &NodeRow) -> Consent {
    if node.writes_held {
        Consent::Nothing
    } else if node.removal_confirmed {
        Consent::Everything
    } else {
        Consent::Declared
    }
}

fn unusable(why: &str) -> Poll {
    Poll::Faulty(Fault::Reported(why.to_owned()))
}

const fn counted(verdict: &Poll) -> PollOutcome {
    match verdict {
        Poll::Good => PollOutcome::Good,
        Poll::Missed(_) => PollOutcome::Missed,
        Poll::Faulty(_) => PollOutcome::Faulty,
    }
}
