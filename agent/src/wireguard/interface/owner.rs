//! The thread that owns an interface.

use std::{
    collections::HashSet,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::sync::mpsc;
use wire_contract::InterfaceName;

use super::{
    both::Both,
    dump_json::DumpJson,
    handle::{
        Answer, DeviceReply, DumpReply, Handle, Life, PendingMutation, Request, SurveyReply, tell,
    },
    index::PeerIndex,
    mutation::{Mutation, Refusal, Step},
    survey::{Sums, Survey, Traffic, TrafficList},
};
use crate::{
    clock::Clock,
    metrics::InterfaceMetrics,
    state::replay::ReplayMemory,
    wireguard::{BackendError, Device, DeviceFacts, PeerChange, fingerprint::Fingerprinter},
};

/// A write that needs to know the peers reads them again when it knew them this long ago.
const INDEX_MAX_AGE: Duration = Duration::from_secs(2);
/// Requests waiting for an owner; more wait in their connections.
const QUEUE: usize = 4096;
/// Changes of a failed batch that may fail one by one before the rest is given up.
const MAX_FAILURES_IN_A_ROW: u32 = 3;

/// Why an owner could not answer. Shared by all who asked for the same dump.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Failure {
    /// No such interface, or no longer.
    #[error("no WireGuard interface of that name")]
    InterfaceNotFound,
    /// The device would not do it; the log has the whole story.
    #[error("{0}")]
    Unavailable(Arc<str>),
    /// The owner is gone: a bug, or the agent is stopping.
    #[error("the owner of the interface is gone")]
    OwnerGone,
}

impl From<&BackendError> for Failure {
    fn from(error: &BackendError) -> Self {
        match error {
            BackendError::InterfaceNotFound => Self::InterfaceNotFound,
            other => Self::Unavailable(other.to_string().into()),
        }
    }
}

/// Why a mutation was not made.
#[derive(Debug, Clone, thiserror::Error)]
pub enum MutationError {
    /// It must not be.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It could not be.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// The replay log can't be written, so nothing may be changed.
    #[error("the replay log can't be written")]
    LogUnavailable,
}

/// What a dump says of the device itself.
#[derive(Debug, Clone, Copy)]
pub struct DeviceReport {
    /// The device.
    pub device: DeviceFacts,
    /// How many peers it holds.
    pub peer_count: usize,
}

/// An owner, ready to run on a thread of its own.
pub(super) struct Owner {
    name: InterfaceName,
    device: Box<dyn Device>,
    requests: mpsc::Receiver<Request>,
    life: Arc<Life>,
    index: PeerIndex,
    /// When the index was read; `None` while it is void.
    read_at: Option<Instant>,
    json: DumpJson,
    /// Of the last dump.
    sums: Sums,
    traffic: Traffic,
    replay: Arc<ReplayMemory>,
    clock: Clock,
    metrics: Arc<InterfaceMetrics>,
}

impl Owner {
    pub(super) fn new(
        name: &InterfaceName,
        device: Box<dyn Device>,
        fingerprinter: Fingerprinter,
        replay: Arc<ReplayMemory>,
        clock: Clock,
    ) -> (Self, Handle) {
        let (sender, requests) = mpsc::channel(QUEUE);
        let life = Arc::new(Life::default());
        let metrics = Arc::new(InterfaceMetrics::default());
        let handle = Handle::new(sender, Arc::clone(&life), Arc::clone(&metrics));
        let owner = Self {
            name: name.clone(),
            device,
            requests,
            life,
            index: PeerIndex::new(fingerprinter),
            read_at: None,
            json: DumpJson::new(name),
            sums: Sums::default(),
            traffic: Traffic::default(),
            replay,
            clock,
            metrics,
        };
        (owner, handle)
    }

    /// Serves until every handle is gone.
    pub(super) fn run(mut self) {
        let mut requests = Vec::new();
        while self.requests.blocking_recv_many(&mut requests, QUEUE) > 0 {
            let (mut dumps, mut devices, mut mutations) = (Vec::new(), Vec::new(), Vec::new());
            let mut surveys = Vec::new();
            let mut courier = None;
            for request in requests.drain(..) {
                match request {
                    Request::Dump(reply) => dumps.push(reply),
                    Request::Device(reply) => devices.push(reply),
                    Request::Survey { per_peer, reply } => surveys.push((per_peer, reply)),
                    Request::Mutate(mut several, reply) => {
                        mutations.append(&mut several);
                        courier = Some(reply);
                    }
                }
            }
            let answers = self.mutate(mutations);
            // One courier for all: the others are told by it, as everybody is.
            if let Some(courier) = courier
                && let Err(answers) = courier.send(answers)
            {
                tell(answers);
            }
            self.answer_reads(dumps, devices);
            self.answer_surveys(surveys);
        }
        tracing::debug!(interface = %self.name, "the owner of the interface ends");
    }

    fn answer_reads(&mut self, dumps: Vec<DumpReply>, devices: Vec<DeviceReply>) {
        if !dumps.is_empty() {
            let body = self.dump();
            for reply in dumps {
                // Nobody waits any more: not an error.
                let _ = reply.send(body.clone());
            }
        } else if !devices.is_empty() {
            self.read_at = None;
        }
        if !devices.is_empty() {
            let report = self.refresh().map(|()| self.report());
            for reply in devices {
                let _ = reply.send(report.clone());
            }
        }
    }

    fn answer_surveys(&mut self, surveys: Vec<(bool, SurveyReply)>) {
        if surveys.is_empty() {
            return;
        }
        let per_peer = surveys.iter().any(|(per_peer, _)| *per_peer);
        let survey = self.survey(per_peer);
        for (_, reply) in surveys {
            let _ = reply.send(survey.clone());
        }
    }

    fn survey(&mut self, per_peer: bool) -> Result<Survey, Failure> {
        let mut each = TrafficList::default();
        if per_peer {
            self.check_retired()?;
            let started = self.begin_dump();
            let mut own = Both(&mut self.index, &mut self.sums);
            let outcome = self.device.dump(&mut Both(&mut each, &mut own));
            self.dumped(started, outcome)?;
        } else {
            self.refresh()?;
        }
        Ok(Survey {
            peers: self.index.len() as u64,
            active_peers: self.sums.active_peers,
            received_bytes: self.traffic.received.total,
            sent_bytes: self.traffic.sent.total,
            each: each.0.into(),
        })
    }

    fn report(&self) -> DeviceReport {
        let device = *self
            .index
            .device_facts()
            .expect("a dump reports its device");
        DeviceReport {
            device,
            peer_count: self.index.len(),
        }
    }

    fn dump(&mut self) -> Result<Bytes, Failure> {
        self.check_retired()?;
        let started = self.begin_dump();
        let mut own = Both(&mut self.index, &mut self.sums);
        let outcome = self.device.dump(&mut Both(&mut self.json, &mut own));
        self.dumped(started, outcome)?;
        Ok(self.json.finish())
    }

    /// Makes sure the index is recent enough to decide by.
    fn refresh(&mut self) -> Result<(), Failure> {
        self.check_retired()?;
        let is_recent = self
            .read_at
            .is_some_and(|read_at| read_at.elapsed() < INDEX_MAX_AGE);
        if is_recent && self.is_of_this_interface() {
            return Ok(());
        }
        let started = self.begin_dump();
        let mut own = Both(&mut self.index, &mut self.sums);
        let outcome = self.device.dump(&mut own);
        self.dumped(started, outcome)
    }

    fn begin_dump(&mut self) -> Instant {
        self.sums = Sums::at(self.clock.unix_seconds());
        Instant::now()
    }

    fn check_retired(&self) -> Result<(), Failure> {
        if self.life.retired.load(Ordering::Acquire) {
            return Err(Failure::InterfaceNotFound);
        }
        Ok(())
    }

    /// The interface may have been deleted, and made again, without word of it having come here.
    fn is_of_this_interface(&mut self) -> bool {
        let read = self.index.device_facts().map(|device| device.ifindex);
        read.is_some_and(|ifindex| self.device.is_still(ifindex))
    }

    fn dumped(
        &mut self,
        started: Instant,
        outcome: Result<(), BackendError>,
    ) -> Result<(), Failure> {
        self.metrics
            .dumped(started.elapsed(), outcome.is_ok(), self.device.retries());
        match outcome {
            Ok(()) => {
                // Older than it is rather than younger: peers may change while they are read.
                self.read_at = Some(started);
                self.traffic.follow(&self.sums);
                let ifindex = self.index.device_facts().map_or(0, |device| device.ifindex);
                self.life.ifindex.store(ifindex, Ordering::Release);
                Ok(())
            }
            Err(error) => {
                self.read_at = None;
                if !matches!(error, BackendError::InterfaceNotFound) {
                    tracing::warn!(interface = %self.name, %error, "the dump failed");
                }
                Err(Failure::from(&error))
            }
        }
    }

    fn mutate(&mut self, pending: Vec<PendingMutation>) -> Vec<Answer> {
        if pending.is_empty() {
            return Vec::new();
        }
        let now = self.clock.unix_seconds();
        let mut batch = Batch::default();
        if let Err(error) = self
            .replay
            .begin(pending.iter().map(|one| &one.ticket), now)
        {
            tracing::warn!(%error, "mutations are refused while the replay log can't be written");
            let refused = |one| (one, Err(MutationError::LogUnavailable));
            batch.answers = pending.into_iter().map(refused).collect();
        } else {
            for one in pending {
                // A second change to one peer waits for the first: what holds after a failure must
                // be told for each by itself.
                if batch.keys.contains(one.mutation.public_key()) {
                    self.flush(&mut batch);
                }
                self.plan(one, &mut batch);
            }
            self.flush(&mut batch);
        }
        self.record(&batch.answers);
        batch.answers
    }

    /// Plans one mutation into the batch, or answers it.
    fn plan(&mut self, one: PendingMutation, batch: &mut Batch) {
        // While a batch is being gathered the index is ahead of the device and must not be read
        // again.
        if batch.changes.is_empty()
            && let Err(failure) = self.refresh()
        {
            batch.answers.push((one, Err(failure.into())));
            return;
        }
        match one.mutation.plan(&self.index) {
            Err(refusal) => batch.answers.push((one, Err(refusal.into()))),
            Ok(Step::Holds) => batch.answers.push((one, Ok(()))),
            Ok(Step::Apply(change)) => {
                self.index.apply(&change);
                batch.keys.insert(change.public_key);
                batch.changes.push(change);
                batch.pending.push(one);
            }
        }
    }

    /// Writes what was gathered and answers it.
    fn flush(&mut self, batch: &mut Batch) {
        let changes = std::mem::take(&mut batch.changes);
        let pending = std::mem::take(&mut batch.pending);
        batch.keys.clear();
        if changes.is_empty() {
            return;
        }
        match self.set(&changes) {
            Ok(()) => batch
                .answers
                .extend(pending.into_iter().map(|one| (one, Ok(())))),
            Err(error) => {
                tracing::warn!(interface = %self.name, %error, changes = changes.len(),
                    "a batch of changes failed; reading back what holds");
                self.settle(pending, &mut batch.answers);
            }
        }
    }

    /// After a batch stopped half way: answers each by what holds, and tries the rest one by one.
    fn settle(&mut self, pending: Vec<PendingMutation>, answers: &mut Vec<Answer>) {
        let mut failures_in_a_row = 0;
        for one in pending {
            // What keeps failing fails for the rest as well, without asking the kernel each time.
            let gave_up = answers
                .last()
                .filter(|_| failures_in_a_row >= MAX_FAILURES_IN_A_ROW);
            let outcome = match gave_up {
                Some((_, outcome)) => outcome.clone(),
                None => self.settle_one(&one.mutation),
            };
            match &outcome {
                Err(MutationError::Failed(_)) => failures_in_a_row += 1,
                _ => failures_in_a_row = 0,
            }
            answers.push((one, outcome));
        }
    }

    fn settle_one(&mut self, mutation: &Mutation) -> Result<(), MutationError> {
        self.refresh()?;
        let change = match mutation.plan(&self.index) {
            Ok(Step::Holds) => return Ok(()),
            // It was there when the batch was planned: the part that was applied removed it.
            Err(Refusal::PeerNotFound(_)) if matches!(mutation, Mutation::Remove(_)) => {
                return Ok(());
            }
            Err(refusal) => return Err(refusal.into()),
            Ok(Step::Apply(change)) => change,
        };
        self.index.apply(&change);
        self.set(&[change]).map_err(|error| {
            tracing::warn!(interface = %self.name, %error, peer = %mutation.public_key(),
                "a change failed");
            Failure::from(&error).into()
        })
    }

    /// Writes to the interface that was read. After an error the index is void.
    fn set(&mut self, changes: &[PeerChange]) -> Result<(), BackendError> {
        let ifindex = self
            .index
            .device_facts()
            .ok_or(BackendError::InterfaceNotFound)?
            .ifindex;
        let outcome = self.device.set(ifindex, changes);
        self.metrics.wrote(changes.len(), outcome.is_ok());
        outcome.inspect_err(|_| self.read_at = None)
    }

    /// Records all outcomes, in the order in which they came about, before anybody hears of them.
    fn record(&self, answers: &[Answer]) {
        let outcomes = answers
            .iter()
            .map(|(one, outcome)| (&one.ticket, outcome.is_ok()));
        self.replay.finish(outcomes, self.clock.unix_seconds());
    }
}

/// Changes on their way to the device, who waits for each, and who has an answer already.
#[derive(Default)]
struct Batch {
    keys: HashSet<wire_contract::PublicKey>,
    changes: Vec<PeerChange>,
    pending: Vec<PendingMutation>,
    answers: Vec<Answer>,
}
