//! Reading a body that may be endless, slow or never come.

use std::{pin::pin, sync::Arc};

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use http_body_util::BodyExt;
use hyper::body::Body;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use super::limits::{BODY_TIMEOUT, MAX_BODY_BYTES};

/// A whole body, and its share of the budget for bodies not verified yet.
pub(super) struct Unverified {
    pub(super) bytes: Bytes,
    _share: Option<OwnedSemaphorePermit>,
}

/// Why a body was not read.
#[derive(Debug)]
pub(super) enum BodyError {
    TooLarge,
    TooSlow,
    /// Too many unverified bodies are waiting for their end.
    NoRoom,
    /// The connection broke, or the framing is wrong.
    Broken(Box<dyn std::error::Error + Send + Sync>),
}

/// Reads the body within its limits of size, time and shared room.
pub(super) async fn read<B>(body: B, budget: &Arc<Semaphore>) -> Result<Unverified, BodyError>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    if body.is_end_stream() {
        return Ok(Unverified {
            bytes: Bytes::new(),
            _share: None,
        });
    }
    if body.size_hint().lower() > MAX_BODY_BYTES as u64 {
        return Err(BodyError::TooLarge);
    }
    let mut collecting = pin!(collect(body, budget));
    // Nearly every body comes together with its head: no timer then.
    if let Some(collected) = collecting.as_mut().now_or_never() {
        return collected;
    }
    timeout(BODY_TIMEOUT, collecting)
        .await
        .unwrap_or(Err(BodyError::TooSlow))
}

async fn collect<B>(mut body: B, budget: &Arc<Semaphore>) -> Result<Unverified, BodyError>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    let mut share: Option<OwnedSemaphorePermit> = None;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| BodyError::Broken(error.into()))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if first.len() + rest.len() + data.len() > MAX_BODY_BYTES {
            return Err(BodyError::TooLarge);
        }
        let permits = u32::try_from(data.len()).map_err(|_| BodyError::TooLarge)?;
        let more = Arc::clone(budget).try_acquire_many_owned(permits);
        let more = more.map_err(|_| BodyError::NoRoom)?;
        match &mut share {
            None => share = Some(more),
            Some(share) => share.merge(more),
        }
        // Nearly every body comes in one piece, which then need not be copied.
        if first.is_empty() {
            first = data;
        } else {
            rest.extend_from_slice(&data);
        }
    }
    let bytes = if rest.is_empty() {
        first
    } else {
        [first, rest.freeze()].concat().into()
    };
    Ok(Unverified {
        bytes,
        _share: share,
    })
}
