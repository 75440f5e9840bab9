//! The connections to one agent: few, reused, and not kept for long.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Request, Response,
    body::Incoming,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, sleep_until},
};
use tokio_util::task::AbortOnDropHandle;

use super::{
    connect::{Heard, Stream},
    error::AgentError,
};

/// Largest head of an answer that is read.
const MAX_HEAD_BYTES: usize = 64 << 10;

/// One HTTP/1.1 connection. Dropping it closes it, whatever is under way on it.
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    heard: Heard,
    _driver: AbortOnDropHandle<()>,
}

/// Why a request got no head of an answer.
pub(crate) struct Unanswered {
    pub(crate) error: AgentError,
    /// Not a byte came back. On a connection used before this means the agent closed it, most likely
    /// before it saw the request.
    pub(crate) unheard: bool,
}

impl Connection {
    pub(crate) async fn open(stream: Stream) -> Result<Self, AgentError> {
        let heard = stream.heard();
        let handshake = http1::Builder::new()
            .max_buf_size(MAX_HEAD_BYTES)
            // Names of headers don't mind their case, but some hand-written agents do.
            .title_case_headers(true)
            .handshake(TokioIo::new(stream))
            .await;
        let (sender, connection) = handshake.map_err(|error| AgentError::from_hyper(&error))?;
        let driver = tokio::spawn(async move {
            // Whoever waits for an answer is told of the error by `send`.
            let _ = connection.await;
        });
        Ok(Self {
            sender,
            heard,
            _driver: AbortOnDropHandle::new(driver),
        })
    }

    pub(crate) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, Unanswered> {
        self.heard.clear();
        let sent = match self.sender.ready().await {
            Ok(()) => self.sender.send_request(request).await,
            Err(error) => Err(error),
        };
        sent.map_err(|error| Unanswered {
            error: AgentError::from_hyper(&error),
            unheard: !self.heard.any(),
        })
    }
}

/// Idle connections, and how many there may be in all.
pub(super) struct Pool {
    idle: Arc<Mutex<Idle>>,
    permits: Semaphore,
    idle_timeout: Duration,
}

#[derive(Default)]
struct Idle {
    /// The longest idle one first.
    connections: Vec<(Instant, Connection)>,
    has_reaper: bool,
}

impl Pool {
    pub(super) fn new(max_connections: usize, idle_timeout: Duration) -> Self {
        Self {
            idle: Arc::default(),
            permits: Semaphore::new(max_connections.max(1)),
            idle_timeout,
        }
    }

    /// Leave to hold a connection.
    pub(super) async fn permit(&self) -> SemaphorePermit<'_> {
        self.permits
            .acquire()
            .await
            .expect("the semaphore is never closed")
    }

    /// The connection used last, as far as can be told still open.
    pub(super) fn take(&self) -> Option<Connection> {
        let mut idle = locked(&self.idle);
        while let Some((since, connection)) = idle.connections.pop() {
            if since.elapsed() < self.idle_timeout && !connection.sender.is_closed() {
                return Some(connection);
            }
        }
        None
    }

    /// Keeps a connection whose last answer was read to its end.
    pub(super) fn put(&self, connection: Connection) {
        let mut idle = locked(&self.idle);
        idle.connections.push((Instant::now(), connection));
        if !idle.has_reaper {
            idle.has_reaper = true;
            tokio::spawn(reap(Arc::downgrade(&self.idle), self.idle_timeout));
        }
    }
}

/// Closes connections when they have been idle long enough; ends with the last of them.
async fn reap(idle: Weak<Mutex<Idle>>, idle_timeout: Duration) {
    loop {
        let next = {
            let Some(idle) = idle.upgrade() else { return };
            let mut idle = locked(&idle);
            let now = Instant::now();
            idle.connections
                .retain(|(since, _)| now.duration_since(*since) < idle_timeout);
            match idle.connections.first() {
                Some((since, _)) => *since + idle_timeout,
                None => {
                    idle.has_reaper = false;
                    return;
                }
            }
        };
        sleep_until(next).await;
    }
}

fn locked(idle: &Mutex<Idle>) -> MutexGuard<'_, Idle> {
    // A list of connections is whole after any panic.
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}
