//! POST, PUT and DELETE: remembered, then made or refused.

use std::sync::Arc;

use bytes::Bytes;
use hyper::{HeaderMap, Method, header::CONTENT_TYPE};
use tokio_util::task::TaskTracker;
use wire_contract::{
    ErrorCode, InterfaceName,
    dto::{AddPeer, AddedPeer, PeerAdded, PeerChanged, SuccessStatus, UpdatePeer},
    path::{InvalidTarget, Resource},
    signing::Mac,
};

use super::{answer::Answer, gate::Authentic, handlers::allowed_methods, limits::Source};
use crate::{
    clock::Clock,
    state::replay::{Admission, PeerId, ReplayMemory, Ticket},
    wireguard::interface::{Interfaces, Mutation, MutationError},
};

/// Makes mutations, each in a task of its own so that it outlives a client that hangs up.
pub(super) struct Mutations {
    shared: Arc<Shared>,
    tasks: TaskTracker,
}

struct Shared {
    interfaces: Arc<Interfaces>,
    replay: Arc<ReplayMemory>,
    clock: Clock,
}

/// A mutation that has authenticated, as far as it could be read.
struct Asked {
    mac: Mac,
    timestamp: i64,
    peer: PeerId,
    /// The answer, where no kernel is needed to know it.
    wanted: Result<(InterfaceName, Mutation), Answer>,
}

impl Mutations {
    pub(super) fn new(
        interfaces: Arc<Interfaces>,
        replay: Arc<ReplayMemory>,
        clock: Clock,
        tasks: TaskTracker,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                interfaces,
                replay,
                clock,
            }),
            tasks,
        }
    }

    pub(super) async fn handle(
        &self,
        request: Authentic<'_>,
        resource: Result<Resource, InvalidTarget>,
        source: Source,
        limited: Option<u64>,
    ) -> Answer {
        let mut asked = read(&request, resource);
        if let Some(retry_after_secs) = limited {
            asked.wanted = Err(Answer::RateLimited { retry_after_secs });
        }
        drop(request);
        let shared = Arc::clone(&self.shared);
        let task = self.tasks.spawn(async move { shared.make(asked).await });
        task.await.unwrap_or_else(|error| {
            tracing::error!(%error, %source, "a mutation's task died");
            Answer::internal()
        })
    }
}

impl Shared {
    async fn make(self: Arc<Self>, asked: Asked) -> Answer {
        let ticket = loop {
            let now = self.clock.unix_seconds();
            match self
                .replay
                .admit(&asked.mac, asked.timestamp, asked.peer, now)
            {
                Admission::New(ticket) => break ticket,
                Admission::Repeat => return first_answer(asked.wanted),
                Admission::InFlight(mut done) => {
                    // An error is what is waited for: the other's ticket is gone.
                    let _ = done.changed().await;
                }
                Admission::Replayed => {
                    return Answer::error(
                        ErrorCode::Replayed,
                        "this very request was seen before; sign it again with a new timestamp",
                    );
                }
                Admission::Expired => return Answer::unauthorized(),
                Admission::Full => {
                    return Answer::error(
                        ErrorCode::KernelUnavailable,
                        "too many changes in the last minutes to remember another; try again later",
                    );
                }
            }
        };
        match asked.wanted {
            Err(answer) => self.refuse(ticket, answer).await,
            Ok((interface, mutation)) => self.apply(ticket, &interface, mutation).await,
        }
    }

    async fn apply(
        self: Arc<Self>,
        ticket: Ticket,
        interface: &InterfaceName,
        mutation: Mutation,
    ) -> Answer {
        let owner = match self.interfaces.owner(interface).await {
            Ok(owner) => owner,
            Err(failure) => return self.refuse(ticket, failure.into()).await,
        };
        match owner.mutate(mutation.clone(), ticket).await {
            Ok(()) => success(mutation),
            Err(error) => error.into(),
        }
    }

    /// Remembers for good that it was refused, then answers.
    async fn refuse(self: Arc<Self>, ticket: Ticket, answer: Answer) -> Answer {
        let now = self.clock.unix_seconds();
        let committed = tokio::task::spawn_blocking(move || self.replay.refuse(&ticket, now)).await;
        match committed {
            Ok(Ok(())) => answer,
            Ok(Err(_)) => MutationError::LogUnavailable.into(),
            Err(error) => {
                tracing::error!(%error, "the replay log panicked");
                Answer::internal()
            }
        }
    }
}

fn read(request: &Authentic<'_>, resource: Result<Resource, InvalidTarget>) -> Asked {
    let wanted = read_mutation(request, resource);
    let peer = wanted
        .as_ref()
        .map_or(PeerId::NONE, |(interface, mutation)| {
            PeerId::new(interface, mutation.public_key())
        });
    Asked {
        mac: request.mac,
        timestamp: request.timestamp,
        peer,
        wanted,
    }
}

fn read_mutation(
    request: &Authentic<'_>,
    resource: Result<Resource, InvalidTarget>,
) -> Result<(InterfaceName, Mutation), Answer> {
    let resource = resource?;
    let method = &request.parts.method;
    match resource {
        Resource::Peers(interface) if method == Method::POST => {
            let peer: AddPeer = json(&request.parts.headers, &request.body)?;
            Ok((interface, Mutation::Add(peer)))
        }
        Resource::Peer(interface, key) if method == Method::PUT => {
            let update: UpdatePeer = json(&request.parts.headers, &request.body)?;
            Ok((interface, Mutation::Update(key, update)))
        }
        Resource::Peer(interface, key) if method == Method::DELETE => {
            Ok((interface, Mutation::Remove(key)))
        }
        other => Err(Answer::MethodNotAllowed(allowed_methods(&other))),
    }
}

fn json<'a, T: serde::Deserialize<'a>>(headers: &HeaderMap, body: &'a Bytes) -> Result<T, Answer> {
    if headers
        .get_all(CONTENT_TYPE)
        .iter()
        .any(|value| !is_json(value.as_bytes()))
    {
        return Err(Answer::error(
            ErrorCode::UnsupportedMediaType,
            "the body must be JSON: send Content-Type: application/json",
        ));
    }
    serde_json::from_slice(body).map_err(|error| {
        Answer::error(
            ErrorCode::BadRequest,
            format!("the body is not as documented: {error}"),
        )
    })
}

/// `application/json` or `…+json`, with or without parameters.
fn is_json(content_type: &[u8]) -> bool {
    let essence = content_type
        .split(|byte| *byte == b';')
        .next()
        .unwrap_or_default();
    let essence = essence.trim_ascii();
    let suffix = essence
        .len()
        .checked_sub(b"+json".len())
        .map(|at| &essence[at..]);
    essence.eq_ignore_ascii_case(b"application/json")
        || suffix.is_some_and(|suffix| suffix.eq_ignore_ascii_case(b"+json"))
}

/// What was answered when the mutation was applied: it follows from the request alone.
fn first_answer(wanted: Result<(InterfaceName, Mutation), Answer>) -> Answer {
    wanted.map_or_else(|answer| answer, |(_, mutation)| success(mutation))
}

fn success(mutation: Mutation) -> Answer {
    let status = SuccessStatus::Success;
    let changed = |message: &str| {
        Answer::json(&PeerChanged {
            status,
            message: message.into(),
        })
    };
    match mutation {
        Mutation::Add(AddPeer {
            public_key,
            allowed_ips,
            ..
        }) => Answer::json(&PeerAdded {
            status,
            message: "Peer added successfully".into(),
            peer: AddedPeer {
                public_key,
                allowed_ips,
            },
        }),
        Mutation::Update(..) => changed("Peer updated successfully"),
        Mutation::Remove(_) => changed("Peer removed successfully"),
    }
}
