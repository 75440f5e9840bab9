//! The services of nodes, workers and events through their generated clients.

mod agent;
mod changing;
mod creating;
mod deleting;
mod looking;
mod rotating;

use std::{sync::Arc, time::Duration};

use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Request, Status};
use wgfleet_proto::v1::{
    self, CreateNodeRequest, node_service_client::NodeServiceClient,
    node_service_server::NodeServiceServer,
};
use wire_contract::{AllowedIp, PublicKey};

use self::agent::Agent;
use super::Nodes;
use crate::{
    agent_client::WallClock,
    dispatch::{Dispatch, DispatchOptions},
    events::EventLog,
    services::{
        Core, ServiceOptions,
        auth::{ADMIN_TOKEN_FILE, ensure_admin_token},
        status::{wgfleet_code, wgfleet_field},
    },
    store::{
        NodeId, PeerId, Store, StoreOptions, allocations, audit, generation,
        peer_nodes::{self, Placement},
        peers::{self, NewPeer, PeerSettings},
        pools,
    },
};

const SECRET: &str = "an example of a shared secret 32";
const OTHER_SECRET: &str = "quite another secret of 32 bytes";

struct World {
    core: Arc<Core>,
    client: NodeServiceClient<NodeServiceServer<Nodes>>,
    token: String,
    _dir: TempDir,
}

impl World {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = WallClock::system();
        let store = Store::open(&StoreOptions::new(dir.path()), 1).unwrap();
        ensure_admin_token(&store, dir.path(), 1).await.unwrap();
        let token = std::fs::read_to_string(dir.path().join(ADMIN_TOKEN_FILE)).unwrap();
        let events = EventLog::new(store.clone(), clock.clone(), CancellationToken::new());
        tokio::spawn(events.clone().run());
        let options = DispatchOptions {
            poll_interval: Duration::from_millis(100),
            ..DispatchOptions::default()
        };
        let dispatch = Dispatch::start(store.clone(), clock.clone(), options)
            .await
            .unwrap();
        let options = ServiceOptions {
            apply_wait: Duration::from_secs(1),
            ..ServiceOptions::default()
        };
        let core = Core::new(store, dispatch, events, clock, options);
        let client = NodeServiceClient::new(NodeServiceServer::new(Nodes::new(core.clone())));
        Self {
            core,
            client,
            token: token.trim().to_owned(),
            _dir: dir,
        }
    }

    fn client(&self) -> NodeServiceClient<NodeServiceServer<Nodes>> {
        self.client.clone()
    }

    fn ask<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        let value = format!("Bearer {}", self.token).parse().unwrap();
        request.metadata_mut().insert("authorization", value);
        request
    }

    async fn create(&self, node: CreateNodeRequest) -> Result<v1::CreateNodeResponse, Status> {
        let answer = self.client().create(self.ask(node)).await;
        answer.map(tonic::Response::into_inner)
    }

    async fn node(&self, name: &str, agent: &Agent, pool: &str) -> v1::Node {
        let mut request = node(name, &agent.url, SECRET);
        request.ip_pool_cidr = pool.into();
        request.secret = Some(agent.host.lock().unwrap().secrets[0].clone());
        self.create(request).await.unwrap().node.unwrap()
    }

    async fn update(&self, patch: v1::UpdateNodeRequest) -> Result<v1::Node, Status> {
        let answer = self.client().update(self.ask(patch)).await?;
        Ok(answer.into_inner().node.unwrap())
    }

    async fn get(&self, id: &str) -> Result<v1::Node, Status> {
        let request = self.ask(v1::GetNodeRequest { id: id.into() });
        self.client()
            .get(request)
            .await
            .map(tonic::Response::into_inner)
    }

    async fn delete(
        &self,
        id: &str,
        peers: v1::DeletePeers,
    ) -> Result<v1::DeleteNodeResponse, Status> {
        let request = v1::DeleteNodeRequest {
            id: id.into(),
            peers: peers.into(),
            ..Default::default()
        };
        let answer = self.client().delete(self.ask(request)).await;
        answer.map(tonic::Response::into_inner)
    }

    /// Adds a peer with the next free address, and waits until the agent has it.
    async fn peer(&self, node: &str, number: u8) -> PeerId {
        let node: NodeId = node.parse().unwrap();
        let added = self.core.change(move |tx| {
            let key = PublicKey::from_bytes([number; 32]);
            let settings = PeerSettings {
                name: format!("peer-{number}"),
                enabled: true,
                ..PeerSettings::default()
            };
            let peer = NewPeer {
                id: PeerId::generate(),
                node_id: node,
                public_key: key,
                private_key: None,
                preshared_key: None,
                settings: &settings,
            };
            peers::insert(tx, &peer, 1)?;
            let given = allocations::allocate_next(tx, &pools::list(tx, node)?, peer.id)?;
            let allowed_ips = [AllowedIp::new(given.address, 32).unwrap()];
            let generation = generation::bump(tx, node)?;
            let placement = Placement {
                node_id: node,
                public_key: key,
                peer_id: peer.id,
                allowed_ips: &allowed_ips,
                psk_confirmed: true,
                generation,
            };
            peer_nodes::place(tx, &placement)?;
            Ok((peer.id, generation))
        });
        let (id, generation) = added.await.unwrap();
        self.core.dispatch.wake(node);
        let wait = Duration::from_secs(5);
        assert!(self.core.dispatch.settled(node, generation, wait).await);
        id
    }

    async fn audited(&self, id: &str) -> Vec<audit::AuditEntry> {
        let id = id.to_owned();
        let rows = self
            .core
            .look(move |conn| Ok(audit::list(conn, Some(&id), None, 100)?));
        rows.await
            .unwrap()
            .into_iter()
            .map(|(_, row)| row)
            .collect()
    }
}

fn node(name: &str, agent_url: &str, secret: &str) -> CreateNodeRequest {
    CreateNodeRequest {
        name: name.into(),
        agent_url: agent_url.into(),
        wg_interface: "wg0".into(),
        secret: Some(secret.into()),
        ..CreateNodeRequest::default()
    }
}

/// Nothing listens there, and it says so at once.
async fn nobody() -> String {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", free.local_addr().unwrap())
}

#[track_caller]
fn assert_refused<T: std::fmt::Debug>(
    outcome: Result<T, Status>,
    code: Code,
    stable: &str,
) -> Status {
    let status = outcome.unwrap_err();
    assert_eq!(status.code(), code, "{status:?}");
    assert_eq!(wgfleet_code(&status), Some(stable), "{status:?}");
    status
}

#[track_caller]
fn assert_invalid<T: std::fmt::Debug>(outcome: Result<T, Status>, field: &str) {
    let status = outcome.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    assert_eq!(wgfleet_field(&status), Some(field), "{status:?}");
}
