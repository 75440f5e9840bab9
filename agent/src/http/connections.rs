//! Who is connected, and who must go when there are too many.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;

/// All connections. At the cap, the oldest that has not authenticated makes room: a stranger can
/// hold connections, but not keep a controller out.
pub(super) struct Connections {
    table: Mutex<Table>,
    max: usize,
    metrics: Arc<Metrics>,
}

#[derive(Default)]
struct Table {
    next_id: u64,
    count: usize,
    /// By age.
    strangers: BTreeMap<u64, CancellationToken>,
}

/// A place among the connections; given back when dropped.
pub(super) struct Place {
    connections: Arc<Connections>,
    id: u64,
    evicted: CancellationToken,
    authenticated: AtomicBool,
}

impl Connections {
    pub(super) fn new(max: usize, metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self {
            table: Mutex::default(),
            max,
            metrics,
        })
    }

    /// A place for a new connection; `None` when all are held by authenticated ones.
    pub(super) fn admit(self: &Arc<Self>) -> Option<Place> {
        let mut table = self.lock();
        if table.count >= self.max {
            let (_, oldest) = table.strangers.pop_first()?;
            oldest.cancel();
        }
        let id = table.next_id;
        let evicted = CancellationToken::new();
        table.next_id += 1;
        table.count += 1;
        table.strangers.insert(id, evicted.clone());
        drop(table);
        self.metrics.connections.opened();
        let connections = Arc::clone(self);
        Some(Place {
            connections,
            id,
            evicted,
            authenticated: AtomicBool::new(false),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// From now on this connection is no stranger's.
    pub(super) fn authenticated(&self) {
        if !self.authenticated.swap(true, Ordering::Relaxed) {
            self.connections.lock().strangers.remove(&self.id);
        }
    }

    /// Resolves when the connection must make room.
    pub(super) async fn evicted(&self) {
        self.evicted.cancelled().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut table = self.connections.lock();
        table.count -= 1;
        table.strangers.remove(&self.id);
        drop(table);
        self.connections.metrics.connections.closed();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_stranger_makes_room() {
        let connections = Connections::new(2, Arc::default());
        let known = connections.admit().expect("room");
        known.authenticated();
        let stranger = connections.admit().expect("room");
        let newcomer = connections.admit().expect("the stranger makes room");
        assert!(stranger.evicted.is_cancelled());
        assert!(!known.evicted.is_cancelled() && !newcomer.evicted.is_cancelled());
    }

    #[test]
    fn open_connections_are_counted() {
        let metrics = Arc::new(Metrics::default());
        let connections = Connections::new(2, Arc::clone(&metrics));
        let places = [connections.admit(), connections.admit()];
        assert_eq!(metrics.connections.count(), 2);
        drop(places);
        assert_eq!(metrics.connections.count(), 0);
    }

    #[test]
    fn the_authenticated_are_never_evicted() {
        let connections = Connections::new(1, Arc::default());
        let known = connections.admit().expect("room");
        known.authenticated();
        assert!(connections.admit().is_none());
        drop(known);
        assert!(connections.admit().is_some());
    }
}
