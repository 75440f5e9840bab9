//! What others hold of an interface's owner, and how their requests get to it.
//!
//! Mutations travel together: whoever finds the outbox empty becomes the [`Courier`] of all that
//! gather there, takes them to the owner and brings the answers back.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::{
    mutation::Mutation,
    owner::{DeviceReport, Failure, MutationError},
    survey::Survey,
};
use crate::{metrics::InterfaceMetrics, state::replay::Ticket};

pub(super) type Reply<T> = oneshot::Sender<T>;
pub(super) type DumpReply = Reply<Result<Bytes, Failure>>;
pub(super) type DeviceReply = Reply<Result<DeviceReport, Failure>>;
pub(super) type SurveyReply = Reply<Result<Survey, Failure>>;

pub(super) enum Request {
    Dump(DumpReply),
    Device(DeviceReply),
    Survey {
        per_peer: bool,
        reply: SurveyReply,
    },
    /// Several, gathered by the one who asks; all answers come back together.
    Mutate(Vec<PendingMutation>, Reply<Vec<Answer>>),
}

pub(super) struct PendingMutation {
    pub(super) mutation: Mutation,
    pub(super) ticket: Ticket,
    reply: Reply<Result<(), MutationError>>,
}

pub(super) type Answer = (PendingMutation, Result<(), MutationError>);

/// A cheap handle to an interface's owner.
#[derive(Clone)]
pub struct Handle {
    requests: mpsc::Sender<Request>,
    /// Mutations that somebody is about to ask for.
    outbox: Arc<Mutex<Vec<PendingMutation>>>,
    life: Arc<Life>,
    metrics: Arc<InterfaceMetrics>,
}

/// What an owner and its handles tell each other beside requests.
#[derive(Default)]
pub(super) struct Life {
    /// The number of the interface that was read last; 0 before the first time.
    pub(super) ifindex: AtomicU32,
    /// The interface is gone, and another owner may have one of the same name by now.
    pub(super) retired: AtomicBool,
}

impl Handle {
    /// A handle that puts its requests there.
    pub(super) fn new(
        requests: mpsc::Sender<Request>,
        life: Arc<Life>,
        metrics: Arc<InterfaceMetrics>,
    ) -> Self {
        Self {
            requests,
            outbox: Arc::default(),
            life,
            metrics,
        }
    }

    /// The body of a dump that began after this call.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn dump(&self) -> Result<Bytes, Failure> {
        self.ask(Request::Dump)
            .await
            .unwrap_or(Err(Failure::OwnerGone))
    }

    /// The device as a dump shows it that began after this call.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn device(&self) -> Result<DeviceReport, Failure> {
        self.ask(Request::Device)
            .await
            .unwrap_or(Err(Failure::OwnerGone))
    }

    /// Sums over the interface's peers as a dump shows them that began at most 2 s before this call;
    /// with `per_peer`, each peer as well, from a dump that began after it.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn survey(&self, per_peer: bool) -> Result<Survey, Failure> {
        self.ask(|reply| Request::Survey { per_peer, reply })
            .await
            .unwrap_or(Err(Failure::OwnerGone))
    }

    /// What the owner counts.
    #[must_use]
    pub fn metrics(&self) -> &Arc<InterfaceMetrics> {
        &self.metrics
    }

    /// Makes a change. It is made even if this future is dropped once it has been polled.
    ///
    /// # Errors
    /// See [`MutationError`].
    pub async fn mutate(&self, mutation: Mutation, ticket: Ticket) -> Result<(), MutationError> {
        let (reply, answer) = oneshot::channel();
        let pending = PendingMutation {
            mutation,
            ticket,
            reply,
        };
        if let Some(courier) = self.post(pending) {
            courier.carry().await;
        }
        answer.await.unwrap_or(Err(Failure::OwnerGone.into()))
    }

    /// Puts a mutation into the outbox. Whoever finds it empty carries all of it to the owner.
    fn post(&self, pending: PendingMutation) -> Option<Courier<'_>> {
        let mut outbox = lock(&self.outbox);
        outbox.push(pending);
        (outbox.len() == 1).then(|| Courier {
            handle: self,
            has_left: false,
        })
    }

    /// Ends the owner's business if the interface it serves is the one that had `ifindex`: what it
    /// has not done yet finds no interface. Whether it was that one.
    #[must_use]
    pub fn retire(&self, ifindex: u32) -> bool {
        let served = self.life.ifindex.load(Ordering::Acquire);
        let is_it = served == ifindex;
        if is_it {
            self.life.retired.store(true, Ordering::Release);
        }
        is_it
    }

    async fn ask<T>(&self, request: impl FnOnce(Reply<T>) -> Request) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(request(reply)).await.ok()?;
        answer.await.ok()
    }
}

/// Takes mutations to the owner and the answers back, many at a time: a thread is woken once for all
/// of them, and one netlink message and one sync of the log are for all of them.
struct Courier<'h> {
    handle: &'h Handle,
    /// The outbox is somebody else's from then on.
    has_left: bool,
}

impl Courier<'_> {
    async fn carry(mut self) {
        // All requests that have been received already get into the outbox first.
        tokio::task::yield_now().await;
        let (reply, answers) = oneshot::channel();
        let handle = self.handle;
        let Ok(permit) = handle.requests.reserve().await else {
            return;
        };
        permit.send(Request::Mutate(self.take(), reply));
        // None when they came back with somebody else's.
        if let Ok(answers) = answers.await {
            tell(answers);
        }
    }

    fn take(&mut self) -> Vec<PendingMutation> {
        self.has_left = true;
        std::mem::take(&mut *lock(&self.handle.outbox))
    }
}

impl Drop for Courier<'_> {
    /// Others rely on a courier even if the request that began it is given up.
    fn drop(&mut self) {
        if !self.has_left {
            let (reply, _) = oneshot::channel();
            let request = Request::Mutate(self.take(), reply);
            // Without an owner, or with one that is far behind, they hear that there is none.
            let _ = self.handle.requests.try_send(request);
        }
    }
}

/// Tells each what became of its mutation.
pub(super) fn tell(answers: Vec<Answer>) {
    for (PendingMutation { ticket, reply, .. }, outcome) in answers {
        // Whoever waits for the same request shall find its outcome.
        drop(ticket);
        // The client is gone; its change holds all the same.
        let _ = reply.send(outcome);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
