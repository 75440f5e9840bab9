//! Builds the controller, runs it, and lets it finish.

mod fleet;
mod grpc;
mod housekeeping;
mod local_node;

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use wgfleet_proto::v1::{
    audit_service_server::AuditServiceServer, backup_service_server::BackupServiceServer,
    event_service_server::EventServiceServer, history_service_server::HistoryServiceServer,
    node_service_server::NodeServiceServer, token_service_server::TokenServiceServer,
    webhook_service_server::WebhookServiceServer,
};

use self::grpc::{GrpcError, GrpcListener};
use crate::{
    agent_client::WallClock,
    config::Config,
    dispatch::{Dispatch, DispatchOptions},
    events::EventLog,
    facade::{self, BindError, Listener, PageOptions, Readiness, Server},
    history,
    metrics::{self, Metrics},
    services::{
        Core, ServiceOptions,
        audit_service::Audit,
        auth::{AdminTokenError, ensure_admin_token, keep_uses},
        backup_service::Backups,
        event_service::Events,
        history::History,
        lapses,
        nodes::Nodes,
        peers::Peers,
        tokens::Tokens,
        webhooks::WebhooksService,
    },
    store::{Store, StoreError, StoreOptions, meta},
    webhooks::Webhooks,
};

/// How long workers may take for their last checkpoint.
const WORKERS_DRAIN: Duration = Duration::from_secs(5);
/// A store that does not answer a reader within this is not readable.
const READY_WITHIN: Duration = Duration::from_secs(2);

/// Why the controller ended other than by being told to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The store, or what guards it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store, where looking at its disk may help.
    #[error(
        "{source}. Look whether the disk of {data_dir} is full or read-only, or another program has \
         the store open, and start again"
    )]
    Unavailable {
        /// Where everything is kept.
        data_dir: PathBuf,
        /// What SQLite or the system says.
        source: StoreError,
    },
    /// The first administrator's token.
    #[error(transparent)]
    AdminToken(#[from] AdminTokenError),
    /// The REST listener.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The gRPC listener.
    #[error(transparent)]
    Grpc(#[from] GrpcError),
    /// The node of this host.
    #[error("--local-agent: {0}")]
    LocalNode(String),
    /// The runtime or its signals.
    #[error("the system refused what the controller needs to run: {0}")]
    System(#[from] io::Error),
    /// A part that must not end.
    #[error("a part of the controller ended: {0}")]
    PartEnded(&'static str),
}

impl RunError {
    /// SQLite says neither which file it means nor what to do.
    fn naming(self, data_dir: PathBuf) -> Self {
        match self {
            Self::Store(source) | Self::AdminToken(AdminTokenError::Store(source))
                if source.is_transient() =>
            {
                Self::Unavailable { data_dir, source }
            }
            other => other,
        }
    }
}

/// Runs the controller until SIGTERM or SIGINT, or until something it can't do without fails.
///
/// # Errors
/// See [`RunError`].
pub fn run(config: Config) -> Result<(), RunError> {
    let data_dir = config.data_dir.clone();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(run_async(config));
    // The writer of the store has said that it is done; its thread need not be waited for.
    runtime.shutdown_background();
    outcome.map_err(|error| error.naming(data_dir))
}

async fn run_async(config: Config) -> Result<(), RunError> {
    let signals = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    let clock = WallClock::system();
    let metrics = Metrics::new();
    let store = open_store(&config, metrics.clone(), now_s(&clock)).await?;
    let outcome = run_on(config, &store, (clock, metrics), signals).await;
    store.close().await;
    outcome
}

async fn run_on(
    config: Config,
    store: &Store,
    (clock, metrics): (WallClock, Metrics),
    mut signals: (Signal, Signal),
) -> Result<(), RunError> {
    // Bound first: a port in use fails before anything is changed.
    let listener = Listener::bind("--listen", config.listen, config.tls.as_ref()).await?;
    let metrics_listener = match config.metrics_listen {
        Some(address) => Some(Listener::bind("--metrics-listen", address, None).await?),
        None => None,
    };
    let grpc = match &config.grpc_listen {
        Some(address) => Some(GrpcListener::bind(address).await?),
        None => None,
    };
    ensure_admin_token(store, &config.data_dir, now_s(&clock)).await?;
    if let Some(agent) = &config.local_agent {
        local_node::ensure(store, agent, now_s(&clock)).await?;
    }
    let stop = CancellationToken::new();
    let core = start_core(&config, store, (clock, metrics.clone()), &stop).await?;

    let webhooks = Webhooks::new(
        store.clone(),
        core.events.clone(),
        core.clock.clone(),
        stop.clone(),
    );
    let limits = config.limits.server;
    let pages = PageOptions {
        secure: config.tls.is_some(),
    };
    let app = router(&core, &webhooks, metrics.clone(), pages);
    let server = Server::new(app, limits, stop.clone());
    warn_if_in_the_clear(&config);
    let mut parts = JoinSet::new();
    let events = core.events.clone();
    parts.spawn(async move {
        events.run().await;
        "the telling of events"
    });
    let deliveries = webhooks.clone();
    parts.spawn(async move {
        deliveries.run().await;
        "the delivery to webhooks"
    });
    if let Some(listener) = metrics_listener {
        tracing::info!("metrics at {}/metrics", listener.url()?);
        let page = metrics_page(metrics, &core);
        let accepting = Server::new(page, limits, stop.clone()).accept_on(listener);
        parts.spawn(async move {
            accepting.await;
            "the metrics listener"
        });
    }
    if let Some(grpc) = grpc {
        tracing::info!("the inner services listen on {grpc}");
        parts.spawn(grpc.serve(Arc::clone(&core), webhooks, stop.clone()));
    }

    parts.spawn(housekeeping::run(Arc::clone(&core), stop.clone()));
    parts.spawn(keep_uses(Arc::clone(&core), stop.clone()));
    parts.spawn(lapses::keep(Arc::clone(&core), stop.clone()));
    parts.spawn(history::keep(
        core.store.clone(),
        core.dispatch.clone(),
        core.clock.clone(),
        stop.clone(),
    ));

    // Last: whoever waits for this line finds everything there.
    tracing::info!("listening on {}", listener.url()?);
    let accepting = server.clone().accept_on(listener);
    parts.spawn(async move {
        accepting.await;
        "the REST listener"
    });

    let outcome = tokio::select! {
        name = stopped(&mut signals) => {
            tracing::info!("{name}: finishing what is under way");
            Ok(())
        }
        () = core.dispatch.died() => Err(RunError::PartEnded("a worker of a node, by a panic")),
        Some(ended) = parts.join_next() => Err(RunError::PartEnded(ended.unwrap_or("by a panic"))),
    };
    stop.cancel();
    drain(parts, server, &core).await;
    outcome
}

async fn open_store(config: &Config, metrics: Metrics, now_s: i64) -> Result<Store, RunError> {
    let options = StoreOptions {
        master_key: config.master_key.clone(),
        queue_depth: config.limits.store_queue,
        on_commit: Some(Arc::new(move |took| metrics.committed(took))),
        ..StoreOptions::new(&config.data_dir)
    };
    let opening = tokio::task::spawn_blocking(move || Store::open(&options, now_s));
    let opened = opening.await.map_err(io::Error::other)?;
    Ok(opened?)
}

async fn start_core(
    config: &Config,
    store: &Store,
    (clock, metrics): (WallClock, Metrics),
    stop: &CancellationToken,
) -> Result<Arc<Core>, StoreError> {
    let options = DispatchOptions {
        poll_interval: config.poll_interval,
        online_window: config.online_window,
        metrics,
    };
    let store = store.clone();
    let dispatch = Dispatch::start(store.clone(), clock.clone(), options).await?;
    let events = EventLog::new(store.clone(), clock.clone(), stop.clone());
    let options = ServiceOptions {
        online_window: config.online_window,
        access_limits: config.limits.access,
        ..ServiceOptions::default()
    };
    Ok(Core::new(store, dispatch, events, clock, options))
}

fn metrics_page(metrics: Metrics, core: &Arc<Core>) -> axum::Router {
    let core = Arc::clone(core);
    metrics::router(metrics, move || {
        let core = Arc::clone(&core);
        async move { fleet::look(&core).await }
    })
}

fn router(
    core: &Arc<Core>,
    webhooks: &Webhooks,
    metrics: Metrics,
    pages: PageOptions,
) -> axum::Router {
    facade::router(
        NodeServiceServer::new(Nodes::new(Arc::clone(core))),
        Peers::server(Arc::clone(core)),
        (
            TokenServiceServer::new(Tokens::new(Arc::clone(core))),
            AuditServiceServer::new(Audit::new(Arc::clone(core))),
        ),
        (
            EventServiceServer::new(Events::new(Arc::clone(core))),
            WebhookServiceServer::new(WebhooksService::new(Arc::clone(core), webhooks.clone())),
        ),
        (
            HistoryServiceServer::new(History::new(Arc::clone(core))),
            BackupServiceServer::new(Backups::new(Arc::clone(core))),
        ),
        (readiness(core.store.clone()), metrics),
        pages,
    )
}

fn readiness(store: Store) -> Readiness {
    Readiness::new(move || {
        let store = store.clone();
        async move {
            let read = store.read(meta::store_id);
            matches!(tokio::time::timeout(READY_WITHIN, read).await, Ok(Ok(_)))
        }
    })
}

/// Connections first: what they still ask for needs the workers.
async fn drain(mut parts: JoinSet<&'static str>, server: Server, core: &Core) {
    let drained = async {
        server.drain().await;
        while parts.join_next().await.is_some() {}
    };
    if tokio::time::timeout(facade::DRAIN * 2, drained)
        .await
        .is_err()
    {
        tracing::warn!("some calls did not finish in time");
    }
    let workers = core.dispatch.shutdown();
    if tokio::time::timeout(WORKERS_DRAIN, workers).await.is_err() {
        tracing::warn!("some workers did not finish in time");
    }
}

fn warn_if_in_the_clear(config: &Config) {
    if config.tls.is_none() && !config.listen.ip().to_canonical().is_loopback() {
        tracing::warn!(
            "tokens and keys cross the network unencrypted: give --tls-cert and --tls-key, or \
             listen on a loopback address behind a proxy that speaks TLS"
        );
    }
}

async fn stopped(signals: &mut (Signal, Signal)) -> &'static str {
    tokio::select! {
        _ = signals.0.recv() => "SIGTERM",
        _ = signals.1.recv() => "SIGINT",
    }
}

fn now_s(clock: &WallClock) -> i64 {
    i64::try_from(clock.now().as_secs()).unwrap_or(i64::MAX)
}
