//! Every operation of the product, as methods of gRPC services.
//!
//! A method asks [`auth`] who calls, checks all that was sent, makes its change in one transaction
//! together with the node's next generation, an audit row and the event that tells of it, and only
//! then wakes the workers. What it refuses goes through [`status`], so that each refusal has one stable
//! code wherever it shows up.
//!
//! Nothing here knows HTTP: the facade is a client of these services, as is everything else.
//!
//! Read first: [`Core`], what all services share; then [`auth`] and [`status`].

pub mod audit_service;
pub mod auth;
pub mod backup_service;
pub mod dispatch_service;
mod etag;
pub mod event_service;
pub mod history;
pub mod lapses;
pub mod nodes;
pub mod once;
pub mod peers;
mod quota;
pub mod status;
pub mod tokens;
pub mod webhooks;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::Semaphore;
use tonic::Status;

use self::auth::{Access, AccessLimits};
use crate::{
    agent_client::{Limits, WallClock},
    dispatch::Dispatch,
    events::EventLog,
    store::{Connection, Store, StoreError, WriteTx},
};

/// Bulk requests that are worked on at a time.
const BULK_AT_ONCE: usize = 2;

/// How services behave.
#[derive(Debug, Clone, Copy)]
pub struct ServiceOptions {
    /// How long a caller is kept waiting for a change to reach its node.
    pub apply_wait: Duration,
    /// A peer whose last handshake is no older is online.
    pub online_window: Duration,
    /// What an agent may cost while its connection is tested or its secret is proven.
    pub agent_limits: Limits,
    /// How much callers may ask.
    pub access_limits: AccessLimits,
}

impl Default for ServiceOptions {
    fn default() -> Self {
        Self {
            apply_wait: Duration::from_secs(2),
            online_window: Duration::from_secs(180),
            agent_limits: Limits::default(),
            access_limits: AccessLimits::default(),
        }
    }
}

/// What all services share.
pub struct Core {
    /// What should be.
    pub store: Store,
    /// Those who make it so.
    pub dispatch: Dispatch,
    /// What happened, for those who want to know.
    pub events: EventLog,
    /// What time it is.
    pub clock: WallClock,
    /// How to behave.
    pub options: ServiceOptions,
    /// Requests under way that may be sent again.
    pub running: once::Running,
    /// Bulk requests at a time: what they hold in memory is bounded by it.
    pub bulk: Semaphore,
    /// Who is known, and how much they asked.
    pub access: Arc<Access>,
}

impl Core {
    /// Ready to be shared.
    #[must_use]
    pub fn new(
        store: Store,
        dispatch: Dispatch,
        events: EventLog,
        clock: WallClock,
        options: ServiceOptions,
    ) -> Arc<Self> {
        Arc::new(Self {
            store,
            dispatch,
            events,
            clock,
            access: Arc::new(Access::new(options.access_limits)),
            options,
            running: once::Running::default(),
            bulk: Semaphore::new(BULK_AT_ONCE),
        })
    }

    /// Now, Unix seconds.
    #[must_use]
    pub fn now_s(&self) -> i64 {
        i64::try_from(self.clock.now().as_secs()).unwrap_or(i64::MAX)
    }

    /// Makes one change, or none of it: whatever `work` refuses with is the caller's answer, and
    /// what it had written until then is taken back.
    ///
    /// # Errors
    /// What `work` says, or that the store could not commit it.
    pub async fn change<T, F>(&self, work: F) -> Result<T, Status>
    where
        T: Send + 'static,
        F: FnOnce(&WriteTx<'_>) -> Result<T, Status> + Send + 'static,
    {
        let refusal = Arc::new(Mutex::new(None));
        let kept = Arc::clone(&refusal);
        let outcome = self
            .store
            .try_write(move |tx| work(tx).map_err(|status| keep(&kept, status)))
            .await;
        outcome.map_err(|error| kept_or(&refusal, error))
    }

    /// Looks something up, on one snapshot.
    ///
    /// # Errors
    /// What `work` says, or that the store can't be read.
    pub async fn look<T, F>(&self, work: F) -> Result<T, Status>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Status> + Send + 'static,
    {
        let refusal = Arc::new(Mutex::new(None));
        let kept = Arc::clone(&refusal);
        let outcome = self
            .store
            .read(move |conn| work(conn).map_err(|status| keep(&kept, status)))
            .await;
        outcome.map_err(|error| kept_or(&refusal, error))
    }
}

/// The store takes a change back for one of its own errors only, so a refusal travels beside one.
fn keep(kept: &Mutex<Option<Status>>, status: Status) -> StoreError {
    *kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(status);
    StoreError::Internal("refused by a service".into())
}

fn kept_or(kept: &Mutex<Option<Status>>, error: StoreError) -> Status {
    let refusal = kept.lock().unwrap_or_else(PoisonError::into_inner).take();
    refusal.unwrap_or_else(|| error.into())
}
