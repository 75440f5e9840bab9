//! Peers on their way: added in the background, a few hundred at a time.
//!
//! A session has one of these, and keeps what came of the last one until the next or its own end.

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use uuid::Uuid;
use wgfleet_proto::v1::{self, bulk_result::Outcome as Answered};
use zeroize::Zeroizing;

use super::{
    super::super::{refusal::Refused, text},
    plan::Planned,
};
use crate::facade::{Facade, caller::Caller};

/// Peers that are asked for together: few enough that one sees it move.
const AT_ONCE: usize = 200;

/// All that are added by one form.
pub(in crate::facade::pages) struct Job {
    pub(super) id: String,
    /// Whether the controller keeps the private keys.
    pub(super) keeps_keys: bool,
    state: Mutex<State>,
}

/// How far it is.
pub(super) struct State {
    /// What is still to be asked for, by the number of its row.
    left: Vec<(usize, v1::CreatePeerRequest)>,
    pub(super) rows: Vec<Made>,
    pub(super) done: usize,
    pub(super) added: usize,
    pub(super) failed: usize,
    pub(super) is_over: bool,
    /// Why it ended early.
    pub(super) stopped: String,
}

/// What became of one.
pub(super) struct Made {
    pub(super) place: String,
    pub(super) name: String,
    pub(super) outcome: Outcome,
}

/// No `Debug`: it holds keys.
pub(super) enum Outcome {
    Waiting,
    Added {
        id: String,
        /// When nobody else keeps it.
        private_key: Option<Zeroizing<String>>,
    },
    Refused(String),
}

impl Outcome {
    pub(super) const fn is_failure(&self) -> bool {
        !matches!(self, Self::Added { .. })
    }
}

impl Job {
    pub(super) fn new(planned: Vec<Planned>, keeps_keys: bool) -> Arc<Self> {
        let (mut left, mut rows) = (Vec::new(), Vec::new());
        for Planned { place, name, peer } in planned {
            let outcome = match peer {
                Ok(peer) => {
                    left.push((rows.len(), peer));
                    Outcome::Waiting
                }
                Err(sentence) => Outcome::Refused(sentence),
            };
            rows.push(Made {
                place,
                name,
                outcome,
            });
        }
        let failed = rows.len() - left.len();
        Arc::new(Self {
            id: Uuid::now_v7().to_string(),
            keeps_keys,
            state: Mutex::new(State {
                done: failed,
                failed,
                left,
                rows,
                added: 0,
                is_over: false,
                stopped: String::new(),
            }),
        })
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it has come to its end.
    pub(in crate::facade::pages) fn is_over(&self) -> bool {
        self.state().is_over
    }

    /// Takes some of what is left.
    fn take(&self) -> Vec<(usize, v1::CreatePeerRequest)> {
        let mut state = self.state();
        let rest = state.left.len().min(AT_ONCE);
        let rest = state.left.split_off(rest);
        mem::replace(&mut state.left, rest)
    }

    fn note(&self, row: usize, outcome: Outcome) {
        let mut state = self.state();
        state.done += 1;
        if outcome.is_failure() {
            state.failed += 1;
        } else {
            state.added += 1;
        }
        state.rows[row].outcome = outcome;
    }

    fn end(&self, stopped: String) {
        let mut state = self.state();
        state.left = Vec::new();
        state.stopped = stopped;
        state.is_over = true;
    }
}

/// However it ends, somebody may be waiting for that.
struct Ending<'a>(&'a Job);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        if !self.0.is_over() {
            self.0.end(text::STOPPED.to_owned());
        }
    }
}

/// Adds them all, as who asked for it.
pub(super) async fn run(job: Arc<Job>, mut facade: Facade, caller: Caller) {
    let ending = Ending(&job);
    loop {
        let (rows, peers): (Vec<_>, Vec<_>) = job.take().into_iter().unzip();
        if rows.is_empty() {
            job.end(String::new());
            break;
        }
        let asked = caller.request(v1::BulkCreatePeersRequest { peers });
        let answer = match facade.peers.bulk_create(asked).await {
            Ok(answer) => answer.into_inner(),
            Err(status) => {
                job.end(Refused::from(status).sentence);
                break;
            }
        };
        for (row, result) in rows.into_iter().zip(answer.results) {
            job.note(row, result.outcome.into());
        }
    }
    drop(ending);
}

impl From<Option<Answered>> for Outcome {
    fn from(answered: Option<Answered>) -> Self {
        match answered {
            Some(Answered::Created(made)) => Self::Added {
                id: made.peer.unwrap_or_default().id,
                private_key: made.private_key.map(Zeroizing::new),
            },
            Some(Answered::Refused(refusal)) => Self::Refused(text::sentence(&refusal.message)),
            Some(Answered::Deleted(_)) | None => Self::Waiting,
        }
    }
}
