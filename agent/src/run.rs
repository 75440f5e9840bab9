//! Builds the agent, runs it, and lets it finish.

use std::{io, sync::Arc};

use arc_swap::ArcSwap;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::{self, Clock},
    config::{BackendConfig, Config, MetricsConfig},
    http::{AgentService, BindError, Limits, ListenAddr, Listener, Server, ServiceParts, Tls},
    metrics::{Metrics, MetricsBindError, MetricsListener, Scrape},
    reload::Reload,
    state::{
        directory::{StateDirectory, StateDirectoryError},
        replay::{LogError, ReplayMemory},
    },
    wireguard::{
        Backend, BackendError,
        fingerprint::Fingerprinter,
        interface::{Interfaces, OwnerDied},
        kernel::KernelBackend,
        simulated::SimulatedBackend,
        userspace::UserspaceBackend,
    },
};

/// Logs, listeners, netlink sockets and what the runtime needs.
const FILES_BESIDE_CONNECTIONS: u64 = 64;

/// Why the agent ended other than by being told to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The state directory.
    #[error(transparent)]
    State(#[from] StateDirectoryError),
    /// The replay log.
    #[error("{0}; repair or remove it (a removed log forgets which requests were seen)")]
    Replay(#[from] LogError),
    /// A listener.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The listener for metrics.
    #[error(transparent)]
    BindMetrics(#[from] MetricsBindError),
    /// WireGuard.
    #[error("WireGuard can't be driven: {0}")]
    Backend(#[from] BackendError),
    /// The runtime or its signals.
    #[error("the system refused what the agent needs to run: {0}")]
    System(#[from] io::Error),
    /// A part that must not end.
    #[error("{0}")]
    Died(#[from] OwnerDied),
    /// A part that must not end.
    #[error("a part of the agent ended: {0}")]
    PartEnded(&'static str),
}

/// Runs the agent until SIGTERM or SIGINT, or until something it can't do without fails.
///
/// # Errors
/// See [`RunError`].
pub fn run(config: Config) -> Result<(), RunError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .on_thread_unpark(clock::woke_up)
        .build()?;
    let outcome = runtime.block_on(run_async(config));
    // Owners and the log block their threads; all they acknowledged is done.
    runtime.shutdown_background();
    outcome
}

async fn run_async(config: Config) -> Result<(), RunError> {
    let mut signals = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    let hangups = signal(SignalKind::hangup())?;
    for warning in warnings(&config) {
        tracing::warn!("{warning}");
    }
    // What `main` must outlive; any of them ending is an error.
    let mut parts = JoinSet::new();
    let state = StateDirectory::open(&config.state_dir)?;
    make_room_for(config.max_connections);
    let mut listeners = Vec::new();
    for address in &config.listen {
        let listener = Listener::bind(address).await?;
        listeners.push(match &config.tls {
            None => listener,
            Some(tls) => listener.secured(tls.clone()),
        });
    }
    let metrics_listener = match config.metrics {
        Some(MetricsConfig { listen, per_peer }) => {
            Some((MetricsListener::bind(listen).await?, per_peer))
        }
        None => None,
    };
    let clock = Clock::System;
    let replay = Arc::new(ReplayMemory::open(state.path(), clock.unix_seconds())?);
    let fingerprinter = Fingerprinter::new();
    let backend = start_backend(&config.backend, &fingerprinter, &state, &mut parts)?;
    let (interfaces, mut deaths) = Interfaces::new(
        backend,
        fingerprinter,
        config.interfaces.clone(),
        Arc::clone(&replay),
        clock.clone(),
    );
    let interfaces = Arc::new(interfaces);
    let metrics = Arc::new(Metrics::default());
    if let Some((listener, per_peer)) = metrics_listener {
        tracing::info!("metrics on {}", listener.url()?);
        let scrape = Scrape::new(
            Arc::clone(&metrics),
            Arc::clone(&interfaces),
            Arc::clone(&replay),
            per_peer,
        );
        parts.spawn(async move {
            listener.serve(Arc::new(scrape)).await;
            "the listener for metrics"
        });
    }
    let verifier = Arc::new(ArcSwap::from_pointee(config.secrets.verifier()));
    let service = AgentService::new(ServiceParts {
        verifier: Arc::clone(&verifier),
        interfaces: Arc::clone(&interfaces),
        replay,
        limits: Arc::new(Limits::new(config.rate_limit)),
        clock,
        metrics,
    });
    parts.spawn(async move {
        interfaces.follow_links().await;
        "the watch on links"
    });

    let reload = Reload::new(config.secrets, verifier, config.tls);
    parts.spawn(async move {
        reload.at_each(hangups).await;
        "the part that reads again at SIGHUP"
    });

    let stop = CancellationToken::new();
    let server = Server::new(service, config.max_connections, stop.clone());
    let mut accepting = JoinSet::new();
    for listener in listeners {
        tracing::info!("listening on {}", listener.url()?);
        accepting.spawn(server.clone().accept_on(listener));
    }

    let outcome = tokio::select! {
        name = stopped(&mut signals) => {
            tracing::info!("{name}: finishing what is under way");
            Ok(())
        }
        Some(died) = deaths.recv() => Err(died.into()),
        Some(ended) = parts.join_next() => Err(RunError::PartEnded(ended.unwrap_or("by a panic"))),
    };
    stop.cancel();
    while accepting.join_next().await.is_some() {}
    server.drain().await;
    drop(state);
    outcome
}

/// What is not wrong but should not be.
fn warnings(config: &Config) -> impl Iterator<Item = String> {
    let of_key = config.tls.as_ref().and_then(Tls::warning);
    let warnings = [
        config.secrets.warning(),
        of_key,
        open_to_readers(config),
        open_to_watchers(config),
    ];
    warnings.into_iter().flatten()
}

/// A warning, where metrics are shown to other hosts.
fn open_to_watchers(config: &Config) -> Option<String> {
    let listen = config.metrics?.listen;
    ListenAddr::Tcp(listen).is_off_host().then(|| {
        format!(
            "the metrics on {listen} can be read by everybody who can reach it from other hosts"
        )
    })
}

/// A warning, where requests come over a network as they are.
fn open_to_readers(config: &Config) -> Option<String> {
    if config.tls.is_some() {
        return None;
    }
    let off_host = config.listen.iter().filter(|listen| listen.is_off_host());
    let places: Vec<_> = off_host.map(ListenAddr::to_string).collect();
    (!places.is_empty()).then(|| {
        format!(
            "{} can be reached from other hosts without TLS: requests are signed, but whoever is on the way \
             can read them, preshared keys included; give --tls-cert and --tls-key, or listen on loopback",
            places.join(", ")
        )
    })
}

/// Raises this process's limit of open files as far as it may: many systems begin with 1024, and
/// strangers that use them all up would keep everybody out.
fn make_room_for(connections: usize) {
    let limit = getrlimit(Resource::Nofile);
    let wanted = u64::try_from(connections).unwrap_or(u64::MAX) + FILES_BESIDE_CONNECTIONS;
    // No limit is `None`.
    let (Some(current), maximum) = (limit.current, limit.maximum) else {
        return;
    };
    if current >= wanted {
        return;
    }
    let raised = wanted.min(maximum.unwrap_or(wanted));
    let new = Rlimit {
        current: Some(raised),
        maximum,
    };
    if setrlimit(Resource::Nofile, new).is_err() || raised < wanted {
        tracing::warn!(
            "only {current} files may be open; raise the limit to {wanted} or lower --max-connections"
        );
    }
}

async fn stopped(signals: &mut (Signal, Signal)) -> &'static str {
    tokio::select! {
        _ = signals.0.recv() => "SIGTERM",
        _ = signals.1.recv() => "SIGINT",
    }
}

fn start_backend(
    config: &BackendConfig,
    fingerprinter: &Fingerprinter,
    state: &StateDirectory,
    parts: &mut JoinSet<&'static str>,
) -> Result<Arc<dyn Backend>, RunError> {
    match config {
        BackendConfig::Kernel => {
            let (backend, driver) = KernelBackend::start(fingerprinter.clone())?;
            parts.spawn(async move {
                driver.await;
                "the connection to rtnetlink"
            });
            Ok(Arc::new(backend))
        }
        BackendConfig::Userspace => {
            let (backend, driver) = UserspaceBackend::start(fingerprinter.clone())?;
            parts.spawn(async move {
                driver.await;
                "the connection to rtnetlink"
            });
            Ok(Arc::new(backend))
        }
        BackendConfig::Simulated { interface, peers } => Ok(Arc::new(SimulatedBackend::on_host(
            state.simulated_host()?,
            fingerprinter.clone(),
            &[(interface.clone(), *peers)],
        ))),
    }
}
