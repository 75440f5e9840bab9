//! Who may do what, asked of all services as a client of `--grpc-listen` does.

mod every_method;
mod limits;
mod managing;
mod scope;

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Request, Response, Status, service::Routes};
use wgfleet_proto::v1::{
    self, audit_service_client::AuditServiceClient, audit_service_server::AuditServiceServer,
    backup_service_server::BackupServiceServer, dispatch_service_client::DispatchServiceClient,
    dispatch_service_server::DispatchServiceServer, event_service_server::EventServiceServer,
    history_service_server::HistoryServiceServer, node_service_client::NodeServiceClient,
    node_service_server::NodeServiceServer, peer_service_client::PeerServiceClient,
    peer_service_server::PeerServiceServer, token_service_client::TokenServiceClient,
    token_service_server::TokenServiceServer, webhook_service_server::WebhookServiceServer,
};

use super::{AccessLimits, SOURCE, hash_token};
use crate::{
    agent_client::WallClock,
    dispatch::{Dispatch, DispatchOptions},
    domain::labels::Labels,
    events::EventLog,
    services::{
        Core, ServiceOptions, audit_service::Audit, backup_service::Backups,
        dispatch_service::Workers, event_service::Events, history::History, nodes::Nodes,
        peers::Peers, status::wgfleet_code, tokens::Tokens, webhooks::WebhooksService,
    },
    store::{
        NodeId, NodeStatus, Role, Store, StoreOptions, TokenId, UnmanagedPeers, WriteTx, agents,
        node_status, nodes,
        pools::{self, PoolSpec},
        tokens::{self, TokenRow},
    },
    webhooks::Webhooks,
};

const NOW_S: i64 = 1_790_000_000;

/// All services over one store, and what time it is there.
struct World {
    core: Arc<Core>,
    routes: Routes,
    now_s: Arc<AtomicI64>,
    _dir: TempDir,
}

impl World {
    async fn new() -> Self {
        Self::with(AccessLimits::default()).await
    }

    async fn with(access_limits: AccessLimits) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::open(&StoreOptions::new(dir.path()), NOW_S).expect("a new store");
        let now_s = Arc::new(AtomicI64::new(NOW_S));
        let shown = Arc::clone(&now_s);
        let clock = WallClock::new(move || {
            Duration::from_secs(shown.load(Ordering::Relaxed).unsigned_abs())
        });
        let stop = CancellationToken::new();
        let events = EventLog::new(store.clone(), clock.clone(), stop.clone());
        tokio::spawn(events.clone().run());
        let webhooks = Webhooks::new(store.clone(), events.clone(), clock.clone(), stop);
        let options = DispatchOptions::default();
        let dispatch = Dispatch::start(store.clone(), clock.clone(), options);
        let dispatch = dispatch.await.expect("no workers");
        let options = ServiceOptions {
            apply_wait: Duration::from_millis(1),
            access_limits,
            ..ServiceOptions::default()
        };
        let core = Core::new(store, dispatch, events, clock, options);
        let routes = Routes::new(NodeServiceServer::new(Nodes::new(core.clone())))
            .add_service(PeerServiceServer::new(Peers::new(core.clone())))
            .add_service(DispatchServiceServer::new(Workers::new(core.clone())))
            .add_service(EventServiceServer::new(Events::new(core.clone())))
            .add_service(TokenServiceServer::new(Tokens::new(core.clone())))
            .add_service(AuditServiceServer::new(Audit::new(core.clone())))
            .add_service(HistoryServiceServer::new(History::new(core.clone())))
            .add_service(WebhookServiceServer::new(WebhooksService::new(
                core.clone(),
                webhooks,
            )))
            .add_service(BackupServiceServer::new(Backups::new(core.clone())));
        Self {
            core,
            routes,
            now_s,
            _dir: dir,
        }
    }

    fn nodes(&self) -> NodeServiceClient<Routes> {
        NodeServiceClient::new(self.routes.clone())
    }

    fn peers(&self) -> PeerServiceClient<Routes> {
        PeerServiceClient::new(self.routes.clone())
    }

    fn workers(&self) -> DispatchServiceClient<Routes> {
        DispatchServiceClient::new(self.routes.clone())
    }

    fn tokens(&self) -> TokenServiceClient<Routes> {
        TokenServiceClient::new(self.routes.clone())
    }

    fn audit(&self) -> AuditServiceClient<Routes> {
        AuditServiceClient::new(self.routes.clone())
    }

    /// Adds a token, whose text is its name.
    async fn token(&self, name: &str, role: Role, scope: &[(&str, &str)]) {
        let row = TokenRow {
            id: TokenId::generate(),
            name: name.to_owned(),
            role,
            label_scope: labels(scope),
            expires_at: None,
            revoked_at: None,
            created_at: NOW_S,
            last_used_at: None,
        };
        let hash = hash_token(name);
        let write = move |tx: &WriteTx<'_>| tokens::create(tx, &row, &hash);
        self.core.store.write(write).await.expect("a token");
    }

    /// Adds a node of this team, with the pool 10.N.0.0/24.
    async fn node(&self, name: &str, team: &str, pool: u8) -> NodeId {
        let (name, team) = (name.to_owned(), team.to_owned());
        let write = move |tx: &WriteTx<'_>| {
            let url = format!("http://{name}.invalid:8080");
            let secret = format!("the long secret of the agent of {name}");
            let agent_id = agents::create(tx, &url, secret.as_bytes(), NOW_S)?;
            let settings = nodes::NodeSettings {
                name,
                agent_id,
                wg_interface: "wg0".parse().expect("a name"),
                endpoint: None,
                weight: 100,
                max_peers: 0,
                enabled: true,
                labels: labels(&[("team", &team), ("tier", "1")]),
                unmanaged_peers: UnmanagedPeers::Ignore,
                reserved_ips: Vec::new(),
                dns: Vec::new(),
                mtu: None,
                client_allowed_ips: Vec::new(),
                persistent_keepalive: None,
                public_key: None,
                tls_pin_sha256: None,
                tls_ca_pem: None,
            };
            let id = nodes::create(tx, &settings, NOW_S)?;
            let spec = PoolSpec {
                cidr: format!("10.{pool}.0.0/24").parse().expect("a network"),
                skip: Vec::new(),
            };
            pools::set_pools(tx, id, &[spec])?;
            let mut state = nodes::get(tx, id)?.state;
            state.status = NodeStatus::Online;
            node_status::record(tx, id, &state)?;
            Ok(id)
        };
        self.core.store.write(write).await.expect("a node")
    }

    async fn peer(
        &self,
        token: &str,
        name: &str,
        node: Option<NodeId>,
    ) -> Result<v1::Peer, Status> {
        let message = v1::CreatePeerRequest {
            name: name.into(),
            node_id: node.map(|id| id.to_string()).unwrap_or_default(),
            ..Default::default()
        };
        let answer = self.peers().create(by(token, message)).await?;
        Ok(answer.into_inner().peer.expect("a peer"))
    }

    fn at(&self, now_s: i64) {
        self.now_s.store(now_s, Ordering::Relaxed);
    }
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    let own = |text: &str| text.to_owned();
    pairs.iter().map(|(k, v)| (own(k), own(v))).collect()
}

/// The message as the holder of this token sends it from 192.0.2.1.
fn by<T>(token: &str, message: T) -> Request<T> {
    from("192.0.2.1", token, message)
}

fn from<T>(source: &str, token: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    let metadata = request.metadata_mut();
    metadata.insert(SOURCE, source.parse().expect("ASCII"));
    if !token.is_empty() {
        let value = format!("Bearer {token}").parse().expect("ASCII");
        metadata.insert("authorization", value);
    }
    request
}

#[track_caller]
fn assert_refused<T>(outcome: Result<Response<T>, Status>, code: Code, stable: &str) -> Status {
    let Err(status) = outcome else {
        panic!("this should have been refused with {stable}");
    };
    let found = (status.code(), wgfleet_code(&status));
    assert_eq!(found, (code, Some(stable)), "{status:?}");
    status
}
