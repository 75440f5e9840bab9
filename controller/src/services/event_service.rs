//! What happens, as it happens, and what happened since.

use std::{pin::Pin, sync::Arc, time::Duration};

use futures_util::{Stream, stream};
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Interval, MissedTickBehavior, interval},
};
use tonic::{Code, Request, Response, Status};
use wgfleet_proto::v1::{Event, WatchRequest, event_service_server::EventService};

use super::{
    Core,
    auth::{Caller, authorize_scoped, scope::Visible, still_valid, unauthenticated},
    status::{invalid, no_such_node, parse_id, refuse},
};
use crate::{
    events::{self, FollowError, Follower, KINDS},
    store::{NodeId, PeerId, Role, StoreError, events::EventRow},
};

/// How often a stream says that it lives, and how far it is.
const BEAT: Duration = Duration::from_secs(15);
/// How often the token of a stream is looked at again.
const LOOK_AT_TOKEN: Duration = Duration::from_secs(2);

/// The service of events.
#[derive(Clone)]
pub struct Events(Arc<Core>);

impl Events {
    /// The service.
    #[must_use]
    pub const fn new(core: Arc<Core>) -> Self {
        Self(core)
    }
}

#[tonic::async_trait]
impl EventService for Events {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<Event, Status>> + Send>>;

    async fn watch(
        &self,
        request: Request<WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let caller = authorize_scoped(&self.0, request.metadata(), Role::Viewer).await?;
        let request = request.into_inner();
        let filter = Filter::new(&request)?;
        let after = match request.after_id.as_str() {
            "" => None,
            id => Some(parse_event_id(id)?),
        };
        let place = self.0.events.admit().ok_or_else(too_many)?;
        let follower = self.0.events.follow(after).await.map_err(refused)?;
        let (reader, last) = (caller.clone(), follower.last_id());
        let visible = self
            .0
            .look(move |conn| Ok(Visible::after(conn, &reader, last)?));
        let watch = Watch {
            core: Arc::clone(&self.0),
            caller,
            visible: visible.await?,
            filter,
            follower,
            beat: every(BEAT),
            look: every(LOOK_AT_TOKEN),
            _place: place,
        };
        Ok(Response::new(Box::pin(stream::unfold(
            Some(watch),
            |watch| async { watch?.next().await },
        ))))
    }
}

/// Which events a reader asked for.
struct Filter {
    node: Option<NodeId>,
    peer: Option<PeerId>,
    kinds: Vec<String>,
}

impl Filter {
    fn new(request: &WatchRequest) -> Result<Self, Status> {
        let node = match request.node_id.as_str() {
            "" => None,
            id => Some(parse_id(id, no_such_node)?),
        };
        let peer = match request.peer_id.as_str() {
            "" => None,
            id => Some(parse_id(id, || {
                refuse(Code::NotFound, "peer_not_found", None, "no such peer")
            })?),
        };
        Ok(Self {
            node,
            peer,
            kinds: known_kinds("kind", &request.kinds)?,
        })
    }

    fn admits(&self, row: &EventRow) -> bool {
        let on_node = |node| row.node_id == Some(node) || row.from_node_id == Some(node);
        self.node.is_none_or(on_node)
            && self.peer.is_none_or(|peer| row.peer_id == Some(peer))
            && (self.kinds.is_empty() || self.kinds.contains(&row.kind))
    }
}

/// Kinds of events, each of which there is.
///
/// # Errors
/// INVALID_ARGUMENT that names `field`.
pub(super) fn known_kinds(field: &str, kinds: &[String]) -> Result<Vec<String>, Status> {
    match kinds.iter().find(|kind| !KINDS.contains(&kind.as_str())) {
        None => Ok(kinds.to_vec()),
        Some(unknown) => {
            let unknown: String = unknown.chars().take(32).collect();
            let known = KINDS.join(", ");
            let message = format!("there is no kind {unknown:?} of events; there are {known}");
            Err(invalid(field, message))
        }
    }
}

/// One reader.
struct Watch {
    core: Arc<Core>,
    caller: Caller,
    visible: Visible,
    filter: Filter,
    follower: Follower,
    beat: Interval,
    look: Interval,
    _place: OwnedSemaphorePermit,
}

type Step = Option<(Result<Event, Status>, Option<Watch>)>;

impl Watch {
    /// The stream ends with the error that says why; when the controller stops, it just ends.
    async fn next(mut self) -> Step {
        loop {
            tokio::select! {
                biased;
                () = self.core.events.stopped() => return None,
                _ = self.look.tick() => {
                    if !still_valid(&self.core, &self.caller).await {
                        return Some((Err(unauthenticated()), None));
                    }
                }
                _ = self.beat.tick() => return Some((Ok(self.position()), Some(self))),
                row = self.follower.next() => match row {
                    Err(FollowError::Stopped) => return None,
                    Err(error) => return Some((Err(refused(error)), None)),
                    Ok(row) => {
                        if let Some(event) = self.show(&row).transpose() {
                            let event = event.map_err(Status::from);
                            return Some((event, Some(self)));
                        }
                    }
                }
            }
        }
    }

    /// The event, if they may see it and asked for it. What they may see follows from the events
    /// themselves, so each passes through here, whatever was asked for.
    fn show(&mut self, row: &EventRow) -> Result<Option<Event>, StoreError> {
        if !self.caller.is_scoped() && !self.filter.admits(row) {
            return Ok(None);
        }
        let event = self.visible.show(events::message(row)?);
        Ok(event.filter(|_| self.filter.admits(row)))
    }

    fn position(&self) -> Event {
        Event {
            id: self.follower.last_id().to_string(),
            occurred_at: self.core.now_s(),
            ..Event::default()
        }
    }
}

fn every(period: Duration) -> Interval {
    let mut interval = interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

fn parse_event_id(text: &str) -> Result<i64, Status> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    let id = text.parse().ok().filter(|_| is_number);
    id.ok_or_else(|| invalid("after_id", "not the id of an event"))
}

fn refused(error: FollowError) -> Status {
    match error {
        FollowError::TooOld => {
            let message = "what followed this event is not kept any more: read the lists again and \
                           follow from now on";
            refuse(Code::OutOfRange, "event_too_old", Some("after_id"), message)
        }
        FollowError::TooSlow => {
            let message =
                "too slow: resume with the last id that was seen, or read the lists again";
            refuse(Code::ResourceExhausted, "too_slow", None, message)
        }
        FollowError::Stopped => StoreError::Closed.into(),
        FollowError::Store(error) => error.into(),
    }
}

fn too_many() -> Status {
    let message = "too many readers follow events already; close one, or come back later";
    refuse(Code::Unavailable, "too_many_streams", None, message)
}
