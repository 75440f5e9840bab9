//! Through the generated client, on a real store. The nodes have no workers: nothing is ever applied,
//! and answers say so.

mod changing;
mod creating;
mod lapsing;
mod looking;
mod repeating;

use std::time::Duration;

use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Request, Status};
use wgfleet_proto::v1::{
    CreatePeerRequest, Peer, PresharedKeyChoice, UpdatePeerRequest, peer_service_client,
    peer_service_server::PeerServiceServer, preshared_key_choice::Choice,
};
use wire_contract::AllowedIp;

use super::{Core, Peers};
use crate::{
    agent_client::WallClock,
    dispatch::{Dispatch, DispatchOptions},
    events::EventLog,
    services::{
        ServiceOptions, auth,
        status::{wgfleet_code, wgfleet_field},
    },
    store::{
        NodeId, NodeStatus, Role, Store, StoreOptions, TokenId, UnmanagedPeers, agents,
        node_status::{self, NodeState},
        nodes::{self, NodeSettings},
        pools::{self, PoolSpec},
        tokens,
    },
};

const NOW_S: i64 = 1_790_000_000;
const TOKEN: &str = "a token for tests";

type Client = peer_service_client::PeerServiceClient<PeerServiceServer<Peers>>;

struct Fixture {
    core: std::sync::Arc<Core>,
    client: Client,
    _dir: TempDir,
}

/// A node to add; its name decides the rest of it.
struct NodeSpec<'a> {
    name: &'a str,
    pools: &'a [&'a str],
    weight: u32,
    max_peers: u32,
    status: NodeStatus,
}

const ONLINE: NodeSpec<'static> = NodeSpec {
    name: "node-1",
    pools: &["10.8.0.0/24", "fd00:8::/64"],
    weight: 100,
    max_peers: 0,
    status: NodeStatus::Online,
};

impl Fixture {
    async fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::open(&StoreOptions::new(dir.path()), NOW_S).expect("a new store");
        let clock = WallClock::new(|| Duration::from_secs(NOW_S.unsigned_abs()));
        let events = EventLog::new(store.clone(), clock.clone(), CancellationToken::new());
        tokio::spawn(events.clone().run());
        let options = DispatchOptions::default();
        let dispatch = Dispatch::start(store.clone(), clock.clone(), options);
        let dispatch = dispatch.await.expect("no workers");
        let options = ServiceOptions {
            apply_wait: Duration::from_millis(1),
            ..ServiceOptions::default()
        };
        let core = Core::new(store, dispatch, events, clock, options);
        let server = Peers::server(core.clone());
        let fixture = Self {
            client: Client::new(server),
            core,
            _dir: dir,
        };
        fixture.token(TOKEN, Role::Operator).await;
        fixture
    }

    async fn token(&self, token: &str, role: Role) {
        let row = tokens::TokenRow {
            id: TokenId::generate(),
            name: format!("{}'s token", role.as_str()),
            role,
            label_scope: Default::default(),
            expires_at: None,
            revoked_at: None,
            created_at: NOW_S,
            last_used_at: None,
        };
        let hash = auth::hash_token(token);
        let write = move |tx: &crate::store::WriteTx<'_>| tokens::create(tx, &row, &hash);
        self.core.store.write(write).await.expect("a token");
    }

    async fn node(&self, spec: NodeSpec<'_>) -> NodeId {
        let settings = node_settings(&spec);
        let pools: Vec<_> = spec.pools.iter().map(|text| pool(text)).collect();
        let status = spec.status;
        let write = move |tx: &crate::store::WriteTx<'_>| {
            let url = format!("http://{}.invalid:8080", settings.name);
            let secret = format!("the secret of {}", settings.name);
            let agent = agents::create(tx, &url, secret.as_bytes(), NOW_S)?;
            let settings = NodeSettings {
                agent_id: agent,
                ..settings
            };
            let id = nodes::create(tx, &settings, NOW_S)?;
            pools::set_pools(tx, id, &pools)?;
            node_status::record(tx, id, &state(status))?;
            Ok(id)
        };
        self.core.store.write(write).await.expect("a node")
    }

    async fn create(&self, request: CreatePeerRequest) -> Result<Peer, Status> {
        let answer = self.client.clone().create(signed(request)).await?;
        Ok(answer.into_inner().peer.expect("a peer"))
    }

    async fn update(&self, request: UpdatePeerRequest) -> Result<(Peer, bool), Status> {
        let answer = self
            .client
            .clone()
            .update(signed(request))
            .await?
            .into_inner();
        Ok((answer.peer.expect("a peer"), answer.client_needs_config))
    }

    async fn generation(&self, node: NodeId) -> u64 {
        let read = move |conn: &_| Ok(nodes::get(conn, node)?.desired_generation);
        self.core.store.read(read).await.expect("a node")
    }

    async fn peer_count(&self, node: NodeId) -> u32 {
        let read = move |conn: &_| Ok(nodes::get(conn, node)?.peer_count);
        self.core.store.read(read).await.expect("a node")
    }
}

fn signed<T>(message: T) -> Request<T> {
    signed_as(TOKEN, message)
}

fn signed_as<T>(token: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    let value = format!("Bearer {token}").parse().expect("ASCII");
    request.metadata_mut().insert("authorization", value);
    request
}

fn named(name: &str) -> CreatePeerRequest {
    CreatePeerRequest {
        name: name.to_owned(),
        ..CreatePeerRequest::default()
    }
}

fn patch(peer: &Peer) -> UpdatePeerRequest {
    UpdatePeerRequest {
        id: peer.id.clone(),
        ..UpdatePeerRequest::default()
    }
}

fn preshared(choice: Choice) -> Option<PresharedKeyChoice> {
    Some(PresharedKeyChoice {
        choice: Some(choice),
    })
}

/// Code, stable code and field of a refusal.
fn refusal<T>(outcome: Result<T, Status>) -> (Code, String, String) {
    let Err(status) = outcome else {
        panic!("this should have been refused");
    };
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    (
        status.code(),
        text(wgfleet_code(&status)),
        text(wgfleet_field(&status)),
    )
}

fn node_settings(spec: &NodeSpec<'_>) -> NodeSettings {
    NodeSettings {
        name: spec.name.to_owned(),
        agent_id: crate::store::AgentId::generate(),
        wg_interface: "wg0".parse().expect("an interface name"),
        endpoint: Some("vpn.example.com:51820".into()),
        weight: spec.weight,
        max_peers: spec.max_peers,
        enabled: true,
        labels: [("name".to_owned(), spec.name.to_owned())].into(),
        unmanaged_peers: UnmanagedPeers::Ignore,
        reserved_ips: Vec::new(),
        dns: vec!["10.8.0.1".into()],
        mtu: Some(1420),
        client_allowed_ips: Vec::new(),
        persistent_keepalive: None,
        public_key: None,
        tls_pin_sha256: None,
        tls_ca_pem: None,
    }
}

/// A pool without its network address, its first host and its last address.
fn pool(text: &str) -> PoolSpec {
    let cidr: AllowedIp = text.parse().expect("a network");
    let skip = match cidr.network() {
        std::net::IpAddr::V4(first) if cidr.prefix_len() < 31 => {
            let size = 1_u32 << (32 - cidr.prefix_len());
            [0, 1, size - 1]
                .map(|at| std::net::Ipv4Addr::from_bits(first.to_bits() + at).to_string())
                .to_vec()
        }
        std::net::IpAddr::V6(first) => [0, 1]
            .map(|at| std::net::Ipv6Addr::from_bits(first.to_bits() + at).to_string())
            .to_vec(),
        std::net::IpAddr::V4(_) => Vec::new(),
    };
    let skip = skip.iter().map(|ip| ip.parse().expect("an address"));
    PoolSpec {
        cidr,
        skip: skip.collect(),
    }
}

fn state(status: NodeStatus) -> NodeState {
    NodeState {
        status,
        status_reason: match status {
            NodeStatus::Online => String::new(),
            _ => "the connection was refused".into(),
        },
        status_since: NOW_S,
        last_seen: None,
        latency_ms: None,
        version: None,
        boot_id: None,
        ifindex: None,
        uptime_s: None,
    }
}
