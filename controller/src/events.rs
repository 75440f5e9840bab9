//! What happens, told to whoever listens: workers and services publish, the event service and what
//! grows from it subscribe.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tokio::sync::broadcast;
use wgfleet_proto::v1::{Event, event::Kind};

use crate::agent_client::WallClock;

/// Events a slow listener may fall behind before it is cut off.
const BACKLOG: usize = 4096;

/// Hands events to all listeners. Cheap to clone.
#[derive(Clone)]
pub struct EventBus {
    sender: broadcast::Sender<Event>,
    last_id: Arc<AtomicU64>,
    clock: WallClock,
}

impl EventBus {
    /// A bus without listeners.
    #[must_use]
    pub fn new(clock: WallClock) -> Self {
        // Ids grow across restarts too: they begin with the time.
        let start = u64::try_from(clock.now().as_micros()).unwrap_or(0);
        Self {
            sender: broadcast::channel(BACKLOG).0,
            last_id: Arc::new(AtomicU64::new(start)),
            clock,
        }
    }

    /// Tells all listeners. Never blocks and never fails: nobody need be listening.
    pub fn publish(&self, kind: Kind) {
        let id = self.last_id.fetch_add(1, Ordering::Relaxed) + 1;
        let occurred_at = i64::try_from(self.clock.now().as_secs()).unwrap_or(i64::MAX);
        let event = Event {
            id: id.to_string(),
            occurred_at,
            kind: Some(kind),
        };
        // An error says that nobody listens.
        let _ = self.sender.send(event);
    }

    /// Everything published from now on.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.sender.subscribe()
    }
}
