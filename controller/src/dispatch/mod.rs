//! One worker for each node: brings the node to what the store says.
//!
//! Level-triggered: a worker never carries an operation, it compares what the store says now with the
//! node's last dump and sends what differs. A node that agrees gets no write. Waking a worker twice
//! is the same as waking it once.

//!
//! Read first: [`cycle`] for what a worker does when it looks at its node.

mod clients;
mod cycle;
mod desired;
mod glance;
mod observation;
mod poll;
mod presence;
mod record;
mod send;
mod summary;
mod tally;
mod worker;

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::{Notify, Semaphore, oneshot};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use wire_contract::{AllowedIp, PublicKey};

use crate::{
    agent_client::WallClock,
    domain::{
        counters::Traffic,
        plan::{Consent, Plan},
    },
    metrics::Metrics,
    store::{NodeId, Store, StoreError, events, meta, node_status, nodes, samples},
};

use clients::Clients;
pub use glance::Glances;
pub use summary::Summary;
pub use tally::Gained;
use tally::Tally;
use worker::{Command, Worker, WorkerHandle};

/// A store that no controller has worked with for longer must not remove what nobody declared
/// before an operator has looked.
const STALE_HEARTBEAT_S: i64 = 15 * 60;
/// How often the store is told that a controller works with it.
const HEARTBEAT: Duration = Duration::from_secs(60);
/// Dumps that are read and compared at a time. Waiting for a node to answer at all does not count:
/// a node that hangs takes nobody's place.
const DUMPS_AT_ONCE: usize = 64;

/// How workers behave.
#[derive(Clone)]
pub struct DispatchOptions {
    /// From the beginning of one poll to that of the next.
    pub poll_interval: Duration,
    /// A peer whose last handshake is no older is online.
    pub online_window: Duration,
    /// Where polls and writes are counted.
    pub metrics: Metrics,
}

impl Default for DispatchOptions {
    fn default() -> Self {
        Self {
            poll_interval: Duration::from_secs(10),
            online_window: Duration::from_secs(180),
            metrics: Metrics::new(),
        }
    }
}

/// All workers. Cheap to clone.
#[derive(Clone)]
pub struct Dispatch(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    tasks: TaskTracker,
    stop: CancellationToken,
    /// Cancelled when a worker panicked.
    died: CancellationToken,
}

/// What all workers use.
struct Shared {
    store: Store,
    clock: WallClock,
    options: DispatchOptions,
    metrics: Metrics,
    clients: Clients,
    dumps: Semaphore,
    /// Whose turn it is to write a checkpoint.
    checkpoints: Semaphore,
    /// A peer has used up its quota.
    used_up: Notify,
    tallies: Mutex<HashMap<NodeId, Arc<Tally>>>,
    workers: Mutex<HashMap<NodeId, WorkerHandle>>,
}

impl Shared {
    fn wake(&self, node: NodeId) {
        if let Some(handle) = self.workers().get(&node) {
            handle.wake.notify_one();
        }
    }

    fn workers(&self) -> MutexGuard<'_, HashMap<NodeId, WorkerHandle>> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tallies(&self) -> MutexGuard<'_, HashMap<NodeId, Arc<Tally>>> {
        self.tallies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The node's tally, from what its samples add up to when it has none yet.
    async fn tally(&self, node: NodeId) -> Result<Arc<Tally>, StoreError> {
        if let Some(known) = self.tallies().get(&node) {
            return Ok(Arc::clone(known));
        }
        let read = move |conn: &_| samples::marks(conn, node);
        let sampled = self.store.read(read).await?.sampled;
        let mut tallies = self.tallies();
        let tally = tallies
            .entry(node)
            .or_insert_with(|| Arc::new(Tally::new(sampled)));
        Ok(Arc::clone(tally))
    }
}

/// A node's peers as its last dump showed them.
#[derive(Debug, Clone, Default)]
pub struct ObservedNode {
    /// Every peer of the interface, declared or not.
    pub peers: HashMap<PublicKey, ObservedPeer>,
    /// Declared peers that are not on the interface now, with the totals they left with.
    pub absent: HashMap<PublicKey, ObservedPeer>,
    /// When the dump was read, Unix seconds; 0 before the first one.
    pub at_s: i64,
    /// All of it together.
    pub summary: Summary,
    /// What lists go by.
    pub glances: Glances,
}

impl ObservedNode {
    /// What was last seen of a peer, whether or not it is on the interface now.
    #[must_use]
    pub fn peer(&self, key: &PublicKey) -> Option<&ObservedPeer> {
        self.peers.get(key).or_else(|| self.absent.get(key))
    }
}

/// What was last seen of a peer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObservedPeer {
    /// Networks routed to it now; empty before the first poll and for a peer that is not there.
    pub allowed_ips: Vec<AllowedIp>,
    /// Where.
    pub endpoint: Option<SocketAddr>,
    /// Unix seconds; 0 is never.
    pub latest_handshake: i64,
    /// A handshake within the online window.
    pub online: bool,
    /// As the kernel counts now.
    pub rx_bytes: u64,
    /// As the kernel counts now.
    pub tx_bytes: u64,
    /// Over all resets.
    pub rx_bytes_total: u64,
    /// Over all resets.
    pub tx_bytes_total: u64,
}

impl ObservedPeer {
    /// What it has moved over all resets.
    #[must_use]
    pub const fn total(&self) -> Traffic {
        Traffic {
            rx_bytes: self.rx_bytes_total,
            tx_bytes: self.tx_bytes_total,
        }
    }
}

/// What a worker does now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkerState {
    /// The node agrees with the store.
    Idle,
    /// A poll or a write is under way.
    Working,
    /// A write failed; the next try waits.
    BackingOff,
    /// Writes wait for an operator.
    Held,
    /// The node is disabled.
    Stopped,
}

/// A look at one worker.
#[derive(Debug, Clone)]
pub struct WorkerView {
    /// What it does.
    pub state: WorkerState,
    /// One sentence on the last failure; empty after a good run.
    pub last_error: String,
    /// When writing is tried again, Unix seconds.
    pub retry_at_s: Option<i64>,
    /// Failures in a row.
    pub failures: u32,
    /// End of the last poll, Unix seconds.
    pub last_poll_at_s: Option<i64>,
    /// Last time the node agreed with the store, Unix seconds.
    pub last_in_sync_at_s: Option<i64>,
}

impl WorkerView {
    const fn new(enabled: bool) -> Self {
        Self {
            state: if enabled {
                WorkerState::Idle
            } else {
                WorkerState::Stopped
            },
            last_error: String::new(),
            retry_at_s: None,
            failures: 0,
            last_poll_at_s: None,
            last_in_sync_at_s: None,
        }
    }
}

/// A plan, and what may be sent of it.
#[derive(Debug, Clone)]
pub struct PlanView {
    /// From a fresh dump and the store as it was then.
    pub plan: Plan,
    /// What an operator has agreed to so far.
    pub consent: Consent,
    /// Peers that nobody declared are to be adopted, once an operator has agreed.
    pub adoption_waits: bool,
}

/// Why a worker could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum DispatchError {
    /// There is no such node.
    #[error("no such node")]
    NoSuchNode,
    /// The node is disabled.
    #[error("the node is disabled")]
    Disabled,
    /// The node can't be read: why.
    #[error("{0}")]
    Unreachable(String),
    /// The plan is another one by now: the hash of the present one.
    #[error("the plan has changed meanwhile; look at it again (now {0})")]
    PlanChanged(String),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Dispatch {
    /// Starts a worker for every node of the store.
    ///
    /// # Errors
    /// When the store can't be read or written.
    pub async fn start(
        store: Store,
        clock: WallClock,
        options: DispatchOptions,
    ) -> Result<Self, StoreError> {
        let now_s = unix_s(&clock);
        store
            .write(move |tx| hold_what_may_be_outdated(tx, now_s))
            .await?;
        let shared = Arc::new(Shared {
            store,
            clients: Clients::new(clock.clone()),
            clock,
            metrics: options.metrics.clone(),
            options,
            dumps: Semaphore::new(DUMPS_AT_ONCE),
            checkpoints: Semaphore::new(1),
            used_up: Notify::new(),
            tallies: Mutex::default(),
            workers: Mutex::default(),
        });
        let dispatch = Self(Arc::new(Inner {
            shared: Arc::clone(&shared),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            died: CancellationToken::new(),
        }));
        dispatch.spawn(keep_heartbeat(Arc::clone(&shared), dispatch.0.stop.clone()));
        for node in shared.store.read(nodes::list).await? {
            dispatch.reload(node.id).await?;
        }
        Ok(dispatch)
    }

    /// Ends all workers, each after its last checkpoint.
    pub async fn shutdown(&self) {
        self.0.stop.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    /// Resolves when a worker has panicked: a bug, after which nothing can be trusted.
    pub async fn died(&self) {
        self.0.died.cancelled().await;
    }

    /// Starts the worker of a node that is new, or starts it anew after its settings, its secret or
    /// its being enabled changed, or ends it when the node is gone.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn reload(&self, node: NodeId) -> Result<(), StoreError> {
        if let Some(before) = self.workers().remove(&node) {
            before.stop.cancel();
        }
        let Some(worker) = Worker::load(Arc::clone(&self.0.shared), node).await? else {
            return Ok(());
        };
        let (handle, commands) = WorkerHandle::new(&worker, self.0.stop.child_token());
        if let Some(racing) = self.workers().insert(node, handle.clone()) {
            racing.stop.cancel();
        }
        self.spawn(worker.run(handle, commands));
        Ok(())
    }

    /// Lets the worker look at the store now.
    pub fn wake(&self, node: NodeId) {
        self.0.shared.wake(node);
    }

    /// Waits until the worker has dealt with what was declared up to `generation`, at most that
    /// long. Whether it has; how each peer came out of it is in the store.
    pub async fn settled(&self, node: NodeId, generation: u64, within: Duration) -> bool {
        let Some(mut dealt_with) = self.workers().get(&node).map(|h| h.dealt_with.subscribe())
        else {
            return false;
        };
        let done = dealt_with.wait_for(|dealt_with| *dealt_with >= generation);
        matches!(tokio::time::timeout(within, done).await, Ok(Ok(_)))
    }

    /// Reads the node and compares it with the store.
    ///
    /// # Errors
    /// See [`DispatchError`].
    pub async fn plan(&self, node: NodeId) -> Result<PlanView, DispatchError> {
        self.ask(node, |reply| Command::Plan { reply }).await?
    }

    /// Reads the node and brings it in line now. With `confirm`, the hash of the plan an operator has
    /// seen, what was held back is sent as well, and from then on need not be confirmed again.
    ///
    /// # Errors
    /// See [`DispatchError`].
    pub async fn sync(&self, node: NodeId, confirm: Option<String>) -> Result<(), DispatchError> {
        self.ask(node, |reply| Command::Sync { confirm, reply })
            .await?
    }

    /// The node's peers as last seen; empty before the first poll.
    #[must_use]
    pub fn observed(&self, node: NodeId) -> Arc<ObservedNode> {
        self.workers()
            .get(&node)
            .map(|handle| handle.observed.load_full())
            .unwrap_or_default()
    }

    /// A look at a node's worker.
    #[must_use]
    pub fn worker(&self, node: NodeId) -> Option<WorkerView> {
        self.workers().get(&node).map(WorkerHandle::view)
    }

    /// A look at all workers.
    #[must_use]
    pub fn workers_now(&self) -> Vec<(NodeId, WorkerView)> {
        let workers = self.workers();
        let view = |(node, handle): (&NodeId, &WorkerHandle)| (*node, handle.view());
        workers.iter().map(view).collect()
    }

    /// How the node was last seen: fresher than the store, which has it from the last checkpoint or
    /// change of status.
    #[must_use]
    pub fn seen(&self, node: NodeId) -> Option<Arc<node_status::NodeState>> {
        self.workers().get(&node).map(WorkerHandle::seen)
    }

    /// Takes what nodes have moved since the last time and is not in their history yet. What can't be
    /// written comes back by [`put_back_gained`](Self::put_back_gained).
    #[must_use]
    pub fn take_gained(&self) -> Vec<(NodeId, Gained)> {
        let workers: Vec<NodeId> = self.workers().keys().copied().collect();
        let mut tallies = self.0.shared.tallies();
        // Nobody counts any more for a node that is gone.
        tallies.retain(|node, _| workers.contains(node));
        let take = |(node, tally): (&NodeId, &Arc<Tally>)| (*node, tally.take());
        tallies.iter().map(take).collect()
    }

    /// Lets wait again what could not be written.
    pub fn put_back_gained(&self, gained: &[(NodeId, Gained)]) {
        let tallies = self.0.shared.tallies();
        for (node, gained) in gained {
            if let Some(tally) = tallies.get(node) {
                tally.put_back(gained);
            }
        }
    }

    /// Resolves when a worker saw that a peer has used up its quota, and has written that down.
    pub async fn quota_used_up(&self) {
        self.0.shared.used_up.notified().await;
    }

    async fn ask<T>(
        &self,
        node: NodeId,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, DispatchError> {
        let commands = self
            .workers()
            .get(&node)
            .map(|handle| handle.commands.clone());
        let (reply, answer) = oneshot::channel();
        let commands = commands.ok_or(DispatchError::NoSuchNode)?;
        let gone =
            || DispatchError::Unreachable("the node's worker was restarted; ask again".into());
        commands.send(command(reply)).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())
    }

    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let guard = DiesLoudly(self.0.died.clone());
        self.0.tasks.spawn(async move {
            let _guard = guard;
            work.await;
        });
    }

    fn workers(&self) -> MutexGuard<'_, HashMap<NodeId, WorkerHandle>> {
        self.0.shared.workers()
    }
}

/// Reports the panic of the task that drops it.
struct DiesLoudly(CancellationToken);

impl Drop for DiesLoudly {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.cancel();
        }
    }
}

/// A store that was away, or put back from a backup, may not know what is on the nodes by now.
fn hold_what_may_be_outdated(tx: &crate::store::WriteTx<'_>, now_s: i64) -> Result<(), StoreError> {
    if meta::restored_at(tx)?.is_some() {
        let nodes = node_status::hold_all_writes(tx)?;
        events::start_anew(tx)?;
        meta::clear_restored(tx)?;
        tracing::warn!(
            nodes,
            "the store was restored: nothing is written to a node until its plan \
            is confirmed"
        );
    }
    if meta::heartbeat_at(tx)?.is_some_and(|beat| now_s.saturating_sub(beat) > STALE_HEARTBEAT_S) {
        let nodes = node_status::withdraw_removals(tx)?;
        tracing::warn!(
            nodes,
            "the store was not in use for a while: removals of undeclared peers \
            wait for an operator again"
        );
    }
    meta::beat(tx, now_s)
}

async fn keep_heartbeat(shared: Arc<Shared>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(HEARTBEAT) => {}
        }
        let now_s = unix_s(&shared.clock);
        if let Err(error) = shared.store.write(move |tx| meta::beat(tx, now_s)).await {
            tracing::warn!(%error, "the store's heartbeat could not be written");
        }
    }
}

/// The time of day, Unix seconds.
fn unix_s(clock: &WallClock) -> i64 {
    i64::try_from(clock.now().as_secs()).unwrap_or(i64::MAX)
}
