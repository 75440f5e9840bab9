//! Requests that may be sent again: with the same key, the same answer, and one change.
//!
//! A change notes its request and answer in its own transaction ([`Once::record`]), so that whoever
//! is killed after the commit finds the answer there. The answer a caller gets at last (with the
//! peer applied by then) takes its place before it goes out: all answers to one key are equal.
//! Requests that change nothing which could be made twice are noted when they are answered.

use std::{
    collections::HashSet,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
};

use prost::Message;
use ring::digest;
use tonic::{Code, Status};

use super::{
    Core,
    auth::Caller,
    status::{invalid, refuse},
};
use crate::{
    failpoint,
    store::{
        StoreError, WriteTx,
        idempotency::{self, IdempotencyKey, Known},
    },
};

/// Metadata key, and name of the header.
pub const KEY: &str = "idempotency-key";
const MAX_KEY_BYTES: usize = 255;

tokio::task_local! {
    static CURRENT: Option<Arc<Once>>;
}

/// Keys whose first request is under way.
#[derive(Default)]
pub struct Running(Mutex<HashSet<IdempotencyKey>>);

/// One request that may be sent again.
pub(super) struct Once {
    key: IdempotencyKey,
    body_hash: [u8; 32],
    now_s: i64,
}

/// The request under way, when it came with a key.
pub(super) fn current() -> Option<Arc<Once>> {
    CURRENT.try_with(Clone::clone).ok().flatten()
}

/// Notes the request under way, if it has a key, with the answer it would get now.
///
/// # Errors
/// When it was made before, or can't be written: the change is to be taken back.
pub(super) fn record(
    once: Option<&Arc<Once>>,
    tx: &WriteTx<'_>,
    answer: &impl Message,
) -> Result<(), StoreError> {
    once.map_or(Ok(()), |once| once.record(tx, answer))
}

/// Makes a request, unless it was made before: then its answer is given again. `route` names the
/// method, and what it is about where the message does not.
///
/// # Errors
/// `idempotency_key_reused` for another body, `request_running` while the first is under way, or
/// what `work` says.
pub(super) async fn run<R, M>(
    core: &Core,
    caller: &Caller,
    route: &str,
    request: &R,
    work: impl Future<Output = Result<M, Status>>,
) -> Result<M, Status>
where
    R: Message,
    M: Message + Default,
{
    let Some(key) = caller.idempotency_key.as_deref() else {
        return CURRENT.scope(None, work).await;
    };
    let once = Arc::new(Once::new(core, caller, route, checked(key)?, request));
    let _running = core.running.enter(&once.key)?;
    if let Some(answer) = once.known(core).await? {
        return Ok(answer);
    }
    match CURRENT.scope(Some(Arc::clone(&once)), work).await {
        Ok(answer) => {
            failpoint!("services.once.answered");
            once.settle(core, &answer).await?;
            failpoint!("services.once.settled");
            Ok(answer)
        }
        // Whatever went wrong after the commit: the change was made, and has its answer.
        Err(status) => match once.known(core).await {
            Ok(Some(answer)) => Ok(answer),
            _ => Err(status),
        },
    }
}

impl Once {
    fn new(core: &Core, caller: &Caller, route: &str, key: &str, request: &impl Message) -> Self {
        let hash = digest::digest(&digest::SHA256, &request.encode_to_vec());
        Self {
            key: IdempotencyKey {
                token_id: caller.token_id.to_string(),
                route: route.to_owned(),
                key: key.to_owned(),
            },
            body_hash: hash.as_ref().try_into().expect("SHA-256 has 32 bytes"),
            now_s: core.now_s(),
        }
    }

    /// A part of this request that is committed by itself.
    pub(super) fn part(&self, number: usize) -> Self {
        Self {
            key: IdempotencyKey {
                route: format!("{}#{number}", self.key.route),
                ..self.key.clone()
            },
            ..*self
        }
    }

    pub(super) fn record(&self, tx: &WriteTx<'_>, answer: &impl Message) -> Result<(), StoreError> {
        let response = answer.encode_to_vec();
        idempotency::record(tx, &self.key, &self.body_hash, &response, self.now_s)
    }

    /// The answer that was given, or would have been.
    pub(super) async fn known<M: Message + Default>(
        &self,
        core: &Core,
    ) -> Result<Option<M>, Status> {
        let (key, hash, now_s) = (self.key.clone(), self.body_hash, self.now_s);
        let sealer = core.store.sealer();
        let read = move |conn: &_| idempotency::find(conn, &sealer, &key, &hash, now_s);
        match core.store.read(read).await? {
            None => Ok(None),
            Some(Known::OtherBody) => Err(refuse(
                Code::FailedPrecondition,
                "idempotency_key_reused",
                Some(KEY),
                "this key came with another request before: give each request a key of its own",
            )),
            Some(Known::Answered(bytes)) => M::decode(bytes.as_slice())
                .map(Some)
                .map_err(|error| super::status::internal(&error.to_string())),
        }
    }

    async fn settle(self: &Arc<Self>, core: &Core, answer: &impl Message) -> Result<(), Status> {
        let (once, response) = (Arc::clone(self), answer.encode_to_vec());
        let written =
            core.store.write(
                move |tx| match idempotency::answer(tx, &once.key, &response) {
                    Err(StoreError::NotFound { .. }) => {
                        let (key, hash) = (&once.key, &once.body_hash);
                        idempotency::record(tx, key, hash, &response, once.now_s)
                    }
                    other => other,
                },
            );
        written.await.map_err(|error| {
            tracing::warn!(%error, "an answer could not be kept");
            let message = "the request was carried out, but its answer could not be kept: send it \
                           again with the same key";
            refuse(Code::Unavailable, "answer_not_kept", None, message)
        })
    }
}

impl Running {
    fn enter(&self, key: &IdempotencyKey) -> Result<Entered<'_>, Status> {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !running.insert(key.clone()) {
            let message = "the first request with this key is still under way: ask again soon";
            return Err(refuse(Code::Aborted, "request_running", Some(KEY), message));
        }
        Ok(Entered {
            running: self,
            key: key.clone(),
        })
    }
}

/// A request under way; it ends however its handler does.
struct Entered<'a> {
    running: &'a Running,
    key: IdempotencyKey,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        let running = &self.running.0;
        let mut running = running.lock().unwrap_or_else(PoisonError::into_inner);
        running.remove(&self.key);
    }
}

fn checked(key: &str) -> Result<&str, Status> {
    let visible = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
    if key.is_empty() || key.len() > MAX_KEY_BYTES || !key.bytes().all(visible) {
        let why = "an Idempotency-Key has 1 to 255 visible ASCII characters";
        return Err(invalid(KEY, why));
    }
    Ok(key)
}
