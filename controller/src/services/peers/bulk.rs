//! Many peers at once: each is added or removed by itself, a few hundred in one transaction.
//!
//! With an idempotency key every transaction notes what it did: whoever sends the request again, after
//! a crash in the middle of it, goes on where it stopped and gets the same answers for what was done.

use std::{collections::BTreeMap, sync::Arc};

use tonic::Status;
use wgfleet_proto::v1::{
    BulkCreatePeersRequest, BulkDeletePeersRequest, BulkPeersResponse, BulkResult,
    CreatePeerRequest, CreatePeerResponse, PeerCreated, Refusal, bulk_result::Outcome, event::Kind,
};

use super::{
    Peers, create, delete,
    draft::Draft,
    finish::{self, Touched},
    peer_id,
    placing::{Counts, Placer},
    view,
};
use crate::{
    dispatch::Dispatch,
    events, failpoint,
    services::{
        Core,
        auth::Caller,
        once,
        status::{invalid, wgfleet_code, wgfleet_field},
    },
    store::{NodeId, WriteTx, peers},
};

/// Most peers of one request.
const MAX_ITEMS: usize = 10_000;
/// Peers of one transaction: long enough to share a sync of the disk, short enough that others, who
/// wait for the store meanwhile, do not notice.
const CHUNK: usize = 100;
/// Transactions after which the nodes are told. A worker brings everything there is, so telling a
/// hundred nodes after each would make each of them look a hundred times.
const TELL_EVERY: usize = 20;

/// What one transaction did.
#[derive(Default)]
struct Done {
    results: Vec<BulkResult>,
    touched: BTreeMap<NodeId, Touched>,
}

/// Adds peers.
///
/// # Errors
/// When there are too many, or the store fails; what is wrong with one peer is in its result.
pub(super) async fn create(
    service: &Peers,
    caller: &Caller,
    request: BulkCreatePeersRequest,
) -> Result<BulkPeersResponse, Status> {
    refuse_too_many("peers", request.peers.len())?;
    let core = &service.core;
    let _place = core.bulk.acquire().await.expect("never closed");
    let counts = Arc::new(service.kernel.read(core, None).await?);
    let mut run = Run::new(core);
    for items in request.peers.chunks(CHUNK) {
        if run.was_done().await? {
            continue;
        }
        let now_s = core.now_s();
        let drafts: Vec<_> = items
            .iter()
            .map(|item: &CreatePeerRequest| Draft::new(item.clone(), now_s))
            .collect();
        let (counts, caller) = (Arc::clone(&counts), caller.clone());
        let dispatch = core.dispatch.clone();
        run.commit(move |tx| create_all(tx, drafts, (&counts, &dispatch), &caller, now_s))
            .await?;
    }
    Ok(run.finish())
}

/// Removes peers.
///
/// # Errors
/// As [`create`].
pub(super) async fn delete(
    service: &Peers,
    caller: &Caller,
    request: BulkDeletePeersRequest,
) -> Result<BulkPeersResponse, Status> {
    refuse_too_many("ids", request.ids.len())?;
    let core = &service.core;
    let _place = core.bulk.acquire().await.expect("never closed");
    let mut run = Run::new(core);
    for ids in request.ids.chunks(CHUNK) {
        if run.was_done().await? {
            continue;
        }
        let (ids, caller, now_s) = (ids.to_vec(), caller.clone(), core.now_s());
        run.commit(move |tx| delete_all(tx, &ids, &caller, now_s))
            .await?;
    }
    Ok(run.finish())
}

/// A request on its way, transaction by transaction.
struct Run<'a> {
    core: &'a Core,
    once: Option<Arc<once::Once>>,
    part: usize,
    /// Nodes that have not been told yet.
    touched: BTreeMap<NodeId, Touched>,
    answer: BulkPeersResponse,
}

/// However it ends: what was committed is to reach its nodes.
impl Drop for Run<'_> {
    fn drop(&mut self) {
        self.tell();
    }
}

impl<'a> Run<'a> {
    fn new(core: &'a Core) -> Self {
        Self {
            core,
            once: once::current(),
            part: 0,
            touched: BTreeMap::new(),
            answer: BulkPeersResponse::default(),
        }
    }

    /// Whether the next transaction was made by the same request before.
    async fn was_done(&mut self) -> Result<bool, Status> {
        let Some(once) = &self.once else {
            return Ok(false);
        };
        let known: Option<BulkPeersResponse> = once.part(self.part).known(self.core).await?;
        let Some(known) = known else {
            return Ok(false);
        };
        self.part += 1;
        self.answer.results.extend(known.results);
        Ok(true)
    }

    async fn commit(
        &mut self,
        work: impl FnOnce(&WriteTx<'_>) -> Result<Done, Status> + Send + 'static,
    ) -> Result<(), Status> {
        let part = self.once.as_ref().map(|once| once.part(self.part));
        let done = self.core.change(move |tx| {
            let done = work(tx)?;
            if let Some(part) = part {
                let results = done.results.clone();
                part.record(
                    tx,
                    &BulkPeersResponse {
                        results,
                        ..BulkPeersResponse::default()
                    },
                )?;
            }
            Ok(done)
        });
        let done = done.await?;
        failpoint!("services.bulk.committed");
        self.part += 1;
        self.touched.extend(done.touched);
        if self.part.is_multiple_of(TELL_EVERY) {
            self.tell();
        }
        self.answer.results.extend(done.results);
        Ok(())
    }

    fn tell(&mut self) {
        let touched: Vec<_> = std::mem::take(&mut self.touched).into_values().collect();
        finish::wake(self.core, &touched);
    }

    fn finish(mut self) -> BulkPeersResponse {
        let refused = |result: &&BulkResult| matches!(result.outcome, Some(Outcome::Refused(_)));
        let failed = self.answer.results.iter().filter(refused).count();
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        self.answer.failed = count(failed);
        self.answer.succeeded = count(self.answer.results.len() - failed);
        std::mem::take(&mut self.answer)
    }
}

fn create_all(
    tx: &WriteTx<'_>,
    drafts: Vec<Result<Draft, Status>>,
    seen: (&Counts, &Dispatch),
    caller: &Caller,
    now_s: i64,
) -> Result<Done, Status> {
    let mut placer = Placer::read(tx, caller, seen.0)?;
    let mut done = Done::default();
    for draft in drafts {
        let outcome = match draft {
            Ok(draft) => tx.part(|| add(tx, &draft, &placer, seen, caller, now_s))?,
            Err(status) => Err(status),
        };
        done.results.push(match outcome {
            Ok((answer, touched)) => {
                placer.placed(tx, touched.node)?;
                done.touched.insert(touched.node, touched);
                result(Outcome::Created(answer))
            }
            Err(status) => refused(&status),
        });
    }
    Ok(done)
}

fn add(
    tx: &WriteTx<'_>,
    draft: &Draft,
    placer: &Placer<'_>,
    seen: (&Counts, &Dispatch),
    caller: &Caller,
    now_s: i64,
) -> Result<(CreatePeerResponse, Touched), Status> {
    let created = create::insert(tx, draft, placer, seen, caller, now_s)?;
    let peer = view::committed(peers::get(tx, created.id)?, now_s);
    let told = Some(peer.clone());
    events::record(tx, now_s, Kind::PeerCreated(PeerCreated { peer: told }))?;
    Ok((create::answer(draft, peer, &created.why), created.touched))
}

fn delete_all(
    tx: &WriteTx<'_>,
    ids: &[String],
    caller: &Caller,
    now_s: i64,
) -> Result<Done, Status> {
    let mut done = Done::default();
    for text in ids {
        let outcome = match peer_id(text) {
            Ok(id) => tx.part(|| delete::remove(tx, (id, &[]), caller, now_s))?,
            Err(status) => Err(status),
        };
        done.results.push(match outcome {
            Ok(gone) => {
                let touched = gone.touched.into_iter();
                done.touched.extend(touched.map(|it| (it.node, it)));
                result(Outcome::Deleted(text.clone()))
            }
            Err(status) => refused(&status),
        });
    }
    Ok(done)
}

fn refuse_too_many(field: &'static str, count: usize) -> Result<(), Status> {
    match count {
        1..=MAX_ITEMS => Ok(()),
        _ => Err(invalid(field, "1 to 10,000 at a time")),
    }
}

const fn result(outcome: Outcome) -> BulkResult {
    BulkResult {
        outcome: Some(outcome),
    }
}

fn refused(status: &Status) -> BulkResult {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    result(Outcome::Refused(Refusal {
        status: status.code().into(),
        code: text(wgfleet_code(status)),
        message: status.message().to_owned(),
        field: text(wgfleet_field(status)),
    }))
}
