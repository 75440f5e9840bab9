//! The inner services for other programs of this host.

use std::{
    fmt, io,
    net::SocketAddr,
    os::unix::fs::{FileTypeExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use futures_util::stream;
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;
use tonic::{
    Request, Status,
    service::InterceptorLayer,
    transport::{
        Server,
        server::{Router, TcpIncoming},
    },
};
use wgfleet_proto::v1::{
    audit_service_server::AuditServiceServer, backup_service_server::BackupServiceServer,
    dispatch_service_server::DispatchServiceServer, event_service_server::EventServiceServer,
    history_service_server::HistoryServiceServer, node_service_server::NodeServiceServer,
    token_service_server::TokenServiceServer, webhook_service_server::WebhookServiceServer,
};

use crate::{
    config::GrpcListen,
    facade::DRAIN,
    services::{
        Core,
        audit_service::Audit,
        auth::{COUNTED, SOURCE},
        backup_service::Backups,
        dispatch_service::Workers,
        event_service::Events,
        history::History,
        nodes::Nodes,
        peers::Peers,
        tokens::Tokens,
        webhooks::WebhooksService,
    },
    webhooks::Webhooks,
};

/// The inner services can't listen there.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {place}: {source}; choose another place with --grpc-listen")]
pub struct GrpcError {
    place: String,
    source: io::Error,
}

/// A bound listener.
pub(super) enum GrpcListener {
    Tcp(TcpListener, SocketAddr),
    Unix(UnixListener, SocketFile),
}

/// The file of a unix socket, removed when dropped.
pub(super) struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // The directory may be gone; there is nothing left to tidy then.
        let _ = std::fs::remove_file(&self.0);
    }
}

impl GrpcListener {
    /// Binds `address`. A socket file that nobody listens on any more is replaced.
    pub(super) async fn bind(address: &GrpcListen) -> Result<Self, GrpcError> {
        let (bound, place) = match address {
            GrpcListen::Loopback(address) => (bind_tcp(*address).await, address.to_string()),
            GrpcListen::Unix(path) => (bind_unix(path).await, format!("unix:{}", path.display())),
        };
        bound.map_err(|source| GrpcError { place, source })
    }

    /// Serves until told to stop.
    pub(super) async fn serve(
        self,
        core: Arc<Core>,
        webhooks: Webhooks,
        stop: CancellationToken,
    ) -> &'static str {
        let router = router(&core, webhooks);
        let stopped = stop.clone().cancelled_owned();
        let serving = async {
            match self {
                Self::Tcp(listener, _) => {
                    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
                    router.serve_with_incoming_shutdown(incoming, stopped).await
                }
                Self::Unix(listener, _file) => {
                    let incoming = stream::unfold(listener, |listener| async {
                        let accepted = listener.accept().await;
                        Some((accepted.map(|(stream, _)| stream), listener))
                    });
                    let incoming = Box::pin(incoming);
                    router.serve_with_incoming_shutdown(incoming, stopped).await
                }
            }
        };
        // Whoever reads nothing of what was sent would have the end wait for ever.
        let out_of_time = async {
            stop.cancelled().await;
            tokio::time::sleep(DRAIN).await;
        };
        let outcome = tokio::select! {
            outcome = serving => outcome,
            () = out_of_time => {
                tracing::warn!("some calls of the inner services did not finish in time");
                Ok(())
            }
        };
        if let Err(error) = outcome {
            tracing::error!(%error, "the inner services can't be served");
        }
        "the gRPC listener"
    }
}

impl fmt::Display for GrpcListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(_, address) => write!(f, "{address}"),
            Self::Unix(_, file) => write!(f, "unix:{}", file.0.display()),
        }
    }
}

type Sourced = tower::layer::util::Stack<
    InterceptorLayer<fn(Request<()>) -> Result<Request<()>, Status>>,
    tower::layer::util::Identity,
>;

fn router(core: &Arc<Core>, webhooks: Webhooks) -> Router<Sourced> {
    let interceptor: fn(Request<()>) -> Result<Request<()>, Status> = name_source;
    Server::builder()
        .layer(InterceptorLayer::new(interceptor))
        .add_service(NodeServiceServer::new(Nodes::new(Arc::clone(core))))
        .add_service(Peers::server(Arc::clone(core)))
        .add_service(DispatchServiceServer::new(Workers::new(Arc::clone(core))))
        .add_service(EventServiceServer::new(Events::new(Arc::clone(core))))
        .add_service(TokenServiceServer::new(Tokens::new(Arc::clone(core))))
        .add_service(AuditServiceServer::new(Audit::new(Arc::clone(core))))
        .add_service(WebhookServiceServer::new(WebhooksService::new(
            Arc::clone(core),
            webhooks,
        )))
        .add_service(HistoryServiceServer::new(History::new(Arc::clone(core))))
        .add_service(BackupServiceServer::new(Backups::new(Arc::clone(core))))
}

/// Where a call comes from is what the connection says, whatever the call says, and every call counts.
#[expect(clippy::unnecessary_wraps, reason = "an interceptor may refuse")]
fn name_source(mut request: Request<()>) -> Result<Request<()>, Status> {
    let address = request.remote_addr();
    let source = address.map_or_else(|| "unix".to_owned(), |a| a.ip().to_string());
    request.metadata_mut().remove(SOURCE);
    request.metadata_mut().remove(COUNTED);
    if let Ok(source) = source.parse() {
        request.metadata_mut().insert(SOURCE, source);
    }
    Ok(request)
}

async fn bind_tcp(address: SocketAddr) -> io::Result<GrpcListener> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    Ok(GrpcListener::Tcp(listener, address))
}

async fn bind_unix(path: &Path) -> io::Result<GrpcListener> {
    let stale = std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket())
        && UnixStream::connect(path).await.is_err();
    if stale {
        std::fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    let file = SocketFile(path.to_owned());
    // Whoever may connect must show a token all the same.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
    Ok(GrpcListener::Unix(listener, file))
}
