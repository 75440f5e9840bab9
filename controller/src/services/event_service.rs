//! What happens, as it happens.

use std::{pin::Pin, sync::Arc};

use futures_util::{Stream, StreamExt as _, stream};
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Request, Response, Status};
use wgfleet_proto::v1::{Event, WatchRequest, event::Kind, event_service_server::EventService};

use super::{
    Core,
    auth::{authorize_scoped, scope::Visible},
    status::{invalid, no_such_node, parse_id, refuse},
};
use crate::store::{NodeId, Role};

/// The service of events.
#[derive(Clone)]
pub struct Events {
    core: Arc<Core>,
    stop: CancellationToken,
}

impl Events {
    /// The service.
    #[must_use]
    pub fn new(core: Arc<Core>) -> Self {
        let stop = CancellationToken::new();
        Self { core, stop }
    }

    /// The same, with streams that end then: whoever only listens must not hold up a server that
    /// waits for its calls.
    #[must_use]
    pub fn until(self, stop: CancellationToken) -> Self {
        Self { stop, ..self }
    }
}

#[tonic::async_trait]
impl EventService for Events {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<Event, Status>> + Send>>;

    async fn watch(
        &self,
        request: Request<WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let caller = authorize_scoped(&self.core, request.metadata(), Role::Viewer).await?;
        let request = request.into_inner();
        if !request.after_id.is_empty() {
            // Nothing is kept yet to resume from.
            return Err(resume(&request.after_id));
        }
        let node: Option<NodeId> = match request.node_id.as_str() {
            "" => None,
            id => Some(parse_id(id, no_such_node)?),
        };
        let node = node.map(|id| id.to_string());
        let receiver = self.core.events.subscribe();
        // After subscribing: what changes in between is shown as an event.
        let visible = self.core.look(move |conn| Ok(Visible::now(conn, &caller)?));
        let mut visible = visible.await?;
        let events = stream::unfold(Some(receiver), next).filter_map(move |event| {
            let event = match event {
                Ok(event) => visible.show(event).map(Ok),
                Err(status) => Some(Err(status)),
            };
            let wanted = event.filter(|event| match (event, &node) {
                (Ok(event), Some(node)) => is_about(event, node),
                _ => true,
            });
            async move { wanted }
        });
        let events = events.take_until(self.stop.clone().cancelled_owned());
        Ok(Response::new(Box::pin(events)))
    }
}

type Step = Option<(Result<Event, Status>, Option<Receiver<Event>>)>;

/// The stream ends with the error that says why.
async fn next(receiver: Option<Receiver<Event>>) -> Step {
    let mut receiver = receiver?;
    match receiver.recv().await {
        Ok(event) => Some((Ok(event), Some(receiver))),
        Err(RecvError::Lagged(_)) => {
            let message =
                "too slow: resume with the last id that was seen, or read the lists again";
            let status = refuse(Code::ResourceExhausted, "too_slow", None, message);
            Some((Err(status), None))
        }
        Err(RecvError::Closed) => None,
    }
}

fn resume(after_id: &str) -> Status {
    if after_id.parse::<u64>().is_err() {
        return invalid("after_id", "not the id of an event");
    }
    let message = "this event is too old to resume from: read the lists again";
    refuse(Code::OutOfRange, "event_too_old", Some("after_id"), message)
}

fn is_about(event: &Event, node: &str) -> bool {
    let Some(kind) = &event.kind else {
        return false;
    };
    let id = match kind {
        Kind::NodeStatus(it) => Some(&it.node_id),
        Kind::NodeCreated(it) => it.node.as_ref().map(|node| &node.id),
        Kind::NodeChanged(it) => it.node.as_ref().map(|node| &node.id),
        Kind::NodeDeleted(it) => Some(&it.node_id),
        Kind::PeerCreated(it) => it.peer.as_ref().map(|peer| &peer.node_id),
        Kind::PeerChanged(it) => it.peer.as_ref().map(|peer| &peer.node_id),
        Kind::PeerDeleted(it) => Some(&it.node_id),
        Kind::PeerSync(it) => Some(&it.node_id),
        Kind::PeerOnline(it) => Some(&it.node_id),
        Kind::PeerExpired(it) => Some(&it.node_id),
    };
    id.is_some_and(|id| id == node)
}
