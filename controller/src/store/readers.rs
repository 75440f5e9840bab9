//! A bounded pool of reading connections, used on blocking threads.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
};

use super::error::StoreError;

/// Cheap to clone; all clones share the connections.
#[derive(Clone)]
pub(super) struct Readers {
    idle: Arc<Mutex<Vec<Connection>>>,
    permits: Arc<Semaphore>,
}

impl Readers {
    pub(super) fn new(connections: Vec<Connection>) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(connections.len())),
            idle: Arc::new(Mutex::new(connections)),
        }
    }

    /// Runs `work` on one snapshot of the store.
    pub(super) async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let permit = Arc::clone(&self.permits)
            .acquire_owned()
            .await
            .map_err(|_| StoreError::Closed)?;
        let idle = Arc::clone(&self.idle);
        spawn_blocking(move || {
            let lent = Lent::take(idle, permit)?;
            let snapshot = lent.conn().unchecked_transaction()?;
            let outcome = work(&snapshot);
            snapshot.finish()?;
            outcome
        })
        .await
        .map_err(|_| StoreError::Internal("a read panicked".into()))?
    }

    /// No more reads; connections close as they come back.
    pub(super) fn close(&self) {
        self.permits.close();
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}

/// A connection that goes back to the pool, also when the reading panics. The permit goes last.
struct Lent {
    conn: Option<Connection>,
    idle: Arc<Mutex<Vec<Connection>>>,
    permit: OwnedSemaphorePermit,
}

impl Lent {
    fn take(
        idle: Arc<Mutex<Vec<Connection>>>,
        permit: OwnedSemaphorePermit,
    ) -> Result<Self, StoreError> {
        let conn = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if conn.is_none() {
            return Err(StoreError::Closed);
        }
        Ok(Self { conn, idle, permit })
    }

    fn conn(&self) -> &Connection {
        self.conn.as_ref().expect("taken only when dropped")
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if self.permit.semaphore().is_closed() {
            return;
        }
        if let Some(conn) = self.conn.take() {
            self.idle
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(conn);
        }
    }
}
