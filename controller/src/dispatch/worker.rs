//! A worker's life: it waits for its beat, for somebody who wakes it, for a retry, or for a question.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use tokio::{
    sync::{Notify, mpsc, oneshot, watch},
    time::{Instant, MissedTickBehavior, interval_at},
};
use tokio_util::sync::CancellationToken;
use wire_contract::{PublicKey, dto::DumpPeer};

use super::{
    DispatchError, ObservedNode, PlanView, Shared, WorkerState, WorkerView, desired::Written,
    observation::Observation,
};
use crate::{
    agent_client::AgentClient,
    domain::status::NodeState,
    store::{
        self, NodeId, StoreError, SyncState,
        agents::{self, Slot},
        nodes::{self, NodeRow},
        tombstones,
    },
};

/// How often counters and what was last seen of the node go to the store.
const CHECKPOINT: Duration = Duration::from_secs(60);
/// Questions waiting for a worker.
const COMMANDS: usize = 64;

/// A question to a worker.
pub(super) enum Command {
    Plan {
        reply: oneshot::Sender<Result<PlanView, DispatchError>>,
    },
    Sync {
        confirm: Option<String>,
        reply: oneshot::Sender<Result<(), DispatchError>>,
    },
}

/// What others hold of a worker.
#[derive(Clone)]
pub(super) struct WorkerHandle {
    pub(super) wake: Arc<Notify>,
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) observed: Arc<ArcSwap<ObservedNode>>,
    pub(super) dealt_with: watch::Sender<u64>,
    pub(super) stop: CancellationToken,
    view: Arc<Mutex<WorkerView>>,
    seen: Arc<ArcSwap<store::node_status::NodeState>>,
}

impl WorkerHandle {
    pub(super) fn new(worker: &Worker, stop: CancellationToken) -> (Self, mpsc::Receiver<Command>) {
        let (commands, receiver) = mpsc::channel(COMMANDS);
        let handle = Self {
            wake: Arc::new(Notify::new()),
            commands,
            observed: Arc::clone(&worker.observed),
            dealt_with: watch::Sender::new(0),
            stop,
            view: Arc::clone(&worker.view),
            seen: Arc::clone(&worker.seen),
        };
        (handle, receiver)
    }

    pub(super) fn view(&self) -> WorkerView {
        self.view
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) fn seen(&self) -> Arc<store::node_status::NodeState> {
        self.seen.load_full()
    }
}

/// One node's worker.
pub(super) struct Worker {
    pub(super) shared: Arc<Shared>,
    pub(super) node: NodeId,
    pub(super) row: NodeRow,
    /// `Err`: why there can't be one.
    pub(super) client: Result<AgentClient, String>,
    pub(super) observed: Arc<ArcSwap<ObservedNode>>,
    pub(super) view: Arc<Mutex<WorkerView>>,
    pub(super) seen: Arc<ArcSwap<store::node_status::NodeState>>,
    pub(super) observation: Observation,
    pub(super) state: NodeState,
    /// The last dump; `None` when it can't be relied on.
    pub(super) dump: Option<Vec<DumpPeer>>,
    pub(super) written: Written,
    /// What the store holds of peers that are not as they should be.
    pub(super) recorded: HashMap<PublicKey, (SyncState, String)>,
    pub(super) failures: u32,
    pub(super) retry_at: Option<Instant>,
    /// There is more to do than one look did, and whoever declared it tells us sooner or not at all.
    pub(super) looks_again_at: Option<Instant>,
    pub(super) next_checkpoint: Instant,
}

impl Worker {
    /// A worker for the node as the store has it; `None` when it is gone.
    pub(super) async fn load(
        shared: Arc<Shared>,
        node: NodeId,
    ) -> Result<Option<Self>, StoreError> {
        let sealer = shared.store.sealer();
        let loaded = shared.store.read(move |conn| {
            let row = nodes::get(conn, node)?;
            let secret = agents::secret(conn, &sealer, row.settings.agent_id, Slot::Current)?;
            Ok((row, secret))
        });
        let (row, secret) = match loaded.await {
            Ok(found) => found,
            Err(StoreError::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let secret = secret.ok_or(StoreError::NotFound {
            what: "secret of the agent",
        })?;
        let client = shared.clients.of(&row, &secret);
        let doubts = shared
            .store
            .read(move |conn| tombstones::doubts(conn, node));
        let written = Written::restored(doubts.await?);
        let (observation, observed) = {
            let tally = shared.tally(node).await?;
            Observation::load(&shared.store, node, tally).await?
        };
        Ok(Some(Self {
            client,
            observed: Arc::new(ArcSwap::from_pointee(observed)),
            view: Arc::new(Mutex::new(WorkerView::new(row.settings.enabled))),
            seen: Arc::new(ArcSwap::from_pointee(row.state.clone())),
            observation,
            state: super::record::restored(&row),
            dump: None,
            written,
            recorded: HashMap::new(),
            failures: 0,
            retry_at: None,
            looks_again_at: None,
            next_checkpoint: Instant::now() + phase(node, CHECKPOINT),
            node,
            row,
            shared,
        }))
    }

    /// Works until stopped, then writes a last checkpoint.
    pub(super) async fn run(mut self, handle: WorkerHandle, mut commands: mpsc::Receiver<Command>) {
        let enabled = self.row.settings.enabled;
        // At once, then at a beat of its own: workers that began together, or were all held up by the
        // same thing, would else poll in one burst ever after.
        let mut first = enabled;
        let every = self.shared.options.poll_interval;
        let mut beat = interval_at(Instant::now() + phase(self.node, every), every);
        beat.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            let retry_at = self.retry_at;
            let again_at = self.looks_again_at;
            let stop = handle.stop.clone();
            let turn = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(command) = commands.recv() => Turn::Command(command),
                () = handle.wake.notified() => Turn::Look { poll: false },
                () = sleep_until(retry_at), if retry_at.is_some() => Turn::Look { poll: true },
                () = sleep_until(again_at), if again_at.is_some() => Turn::Look { poll: false },
                () = std::future::ready(()), if first => Turn::Beat { due: Instant::now() },
                due = beat.tick(), if enabled => Turn::Beat { due },
            };
            if !matches!(turn, Turn::Command(_)) {
                self.looks_again_at = None;
            }
            first &= !matches!(turn, Turn::Beat { .. });
            // What is under way when the worker is stopped is dropped; a request that was sent all
            // the same is accounted for by the time it was signed.
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = self.turn(turn, &handle) => {}
            }
        }
        let seen = self.observed.load_full();
        let (store, turn) = (&self.shared.store, &self.shared.checkpoints);
        let saved = self
            .observation
            .checkpoint(store, self.node, &seen, turn)
            .await;
        if let Err(error) = saved {
            tracing::warn!(node = %self.row.settings.name, %error, "the last checkpoint is missing");
        }
    }

    async fn turn(&mut self, turn: Turn, handle: &WorkerHandle) {
        match turn {
            Turn::Command(Command::Plan { reply }) => {
                // Nobody waits any more: not an error.
                let _ = reply.send(self.answer_plan().await);
            }
            Turn::Command(Command::Sync { confirm, reply }) => {
                let _ = reply.send(self.answer_sync(confirm, handle).await);
            }
            Turn::Look { .. } if !self.row.settings.enabled => self.show(WorkerState::Stopped),
            Turn::Look { poll } => self.look(poll, handle).await,
            Turn::Beat { due } => {
                self.shared.metrics.poll_began(due.elapsed());
                // One good poll makes up for earlier failures.
                self.retry_at = None;
                self.look(true, handle).await;
                self.checkpoint().await;
            }
        }
    }

    async fn checkpoint(&mut self) {
        if Instant::now() < self.next_checkpoint {
            return;
        }
        self.next_checkpoint = Instant::now() + CHECKPOINT;
        let seen = self.observed.load_full();
        let (store, turn) = (&self.shared.store, &self.shared.checkpoints);
        let counters = self
            .observation
            .checkpoint(store, self.node, &seen, turn)
            .await;
        if let Err(error) = counters.and(self.save_state().await) {
            tracing::warn!(node = %self.row.settings.name, %error, "a checkpoint is missing");
        }
    }

    pub(super) fn show(&self, state: WorkerState) {
        self.update_view(|view| view.state = state);
    }

    pub(super) fn update_view(&self, update: impl FnOnce(&mut WorkerView)) {
        update(&mut self.view.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

enum Turn {
    Command(Command),
    Look {
        poll: bool,
    },
    Beat {
        /// When it should have begun.
        due: Instant,
    },
}

/// A node's part of a time, so that workers that began together don't all do something together ever
/// after.
fn phase(node: NodeId, of: Duration) -> Duration {
    // The end of a version 7 id is random, its beginning is when it was made.
    let [.., high, low] = *node.as_uuid().as_bytes();
    of * u32::from(u16::from_be_bytes([high, low])) / (u32::from(u16::MAX) + 1)
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beats_are_spread_over_the_whole_interval() {
        let interval = Duration::from_secs(10);
        let mut tenths = [0; 10];
        for _ in 0..1000 {
            let at = phase(NodeId::generate(), interval);
            assert!(at < interval);
            tenths[usize::try_from(at.as_secs()).expect("under ten")] += 1;
        }
        assert!(
            tenths.iter().all(|count| (40..=180).contains(count)),
            "{tenths:?}"
        );
    }

    #[test]
    fn a_node_keeps_its_beat() {
        let node = NodeId::generate();
        assert_eq!(phase(node, CHECKPOINT), phase(node, CHECKPOINT));
    }
}
