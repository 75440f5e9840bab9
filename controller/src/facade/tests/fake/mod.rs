//! Services that remember what they were asked and answer one thing each.

mod events;
mod history;
mod nodes;
mod peers;
mod tokens;
mod webhooks;

use std::{
    fmt::Debug,
    sync::{Arc, Mutex},
};

use tonic::{Request, Response, Status, metadata::MetadataMap};
use wgfleet_proto::v1;

use super::ID;

#[derive(Clone)]
pub(in crate::facade) struct Fake {
    /// What every call is refused with.
    pub(super) refusal: Option<Status>,
    /// What the message that is refused is called; absent refuses all.
    pub(super) only: Option<&'static str>,
    /// What callers are refused with before they are let in.
    pub(super) closed: Option<Status>,
    pub(super) ready: bool,
    /// What nodes, peers and the token are called on pages; absent is their usual names.
    pub(super) name: Option<String>,
    /// How the fleet is; absent is as usual.
    pub(super) overview: Option<v1::OverviewResponse>,
    /// The role of a token for the whole fleet; absent is the usual token.
    pub(super) role: Option<v1::TokenRole>,
    /// Messages, as `Debug` shows them, with what came beside them.
    pub(super) asked: Arc<Mutex<Vec<(String, MetadataMap)>>>,
}

impl Fake {
    pub(in crate::facade) fn new() -> Self {
        Self {
            refusal: None,
            only: None,
            closed: None,
            ready: true,
            name: None,
            overview: None,
            role: None,
            asked: Arc::default(),
        }
    }

    pub(super) fn refusing(status: Status) -> Self {
        Self {
            refusal: Some(status),
            ..Self::new()
        }
    }

    /// The last message.
    pub(super) fn last(&self) -> String {
        self.last_with_metadata().0
    }

    pub(super) fn last_with_metadata(&self) -> (String, MetadataMap) {
        self.asked
            .lock()
            .expect("not poisoned")
            .last()
            .expect("a call")
            .clone()
    }

    /// The last message of that kind.
    pub(super) fn last_of(&self, kind: &str) -> String {
        let asked = self.asked.lock().expect("not poisoned");
        let mut messages = asked.iter().map(|(message, _)| message).rev();
        let last = messages.find(|message| message.starts_with(kind));
        last.expect("it was asked").clone()
    }

    /// The last message that adds many peers.
    pub(super) fn last_bulk(&self) -> String {
        self.last_of("BulkCreatePeersRequest")
    }

    fn called(&self, usual: &str) -> String {
        self.name.clone().unwrap_or_else(|| usual.to_owned())
    }

    pub(in crate::facade) fn calls(&self) -> usize {
        self.asked.lock().expect("not poisoned").len()
    }

    pub(super) fn reply<M: Debug, A>(
        &self,
        request: &Request<M>,
        answer: A,
    ) -> Result<Response<A>, Status> {
        let entry = (
            format!("{:?}", request.get_ref()),
            request.metadata().clone(),
        );
        let is_meant = self.only.is_none_or(|only| entry.0.starts_with(only));
        self.asked.lock().expect("not poisoned").push(entry);
        let refusal = self.refusal.clone().filter(|_| is_meant);
        refusal.map_or(Ok(Response::new(answer)), Err)
    }
}

fn pending() -> v1::Sync {
    v1::Sync {
        state: v1::SyncState::Pending.into(),
        reason: "the node is offline".into(),
    }
}

fn page() -> Option<v1::PageInfo> {
    Some(v1::PageInfo {
        next_cursor: "abc".into(),
        total: 7,
    })
}

type Reply<T> = Result<Response<T>, Status>;
