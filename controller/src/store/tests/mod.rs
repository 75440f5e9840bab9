//! Tests of the store, on real files.

mod allocating;
mod backing_up;
mod crash;
mod declaring;
mod emptying;
mod lapsing;
mod listing;
mod measuring;
mod opening;
mod records;
mod restoring;
mod sealing;
mod seeing;
mod standing;
mod writing;

use std::path::Path;

use tempfile::TempDir;
use wire_contract::{AllowedIp, PublicKey};

use super::{
    NodeId, PeerId, Store, StoreError, StoreOptions, UnmanagedPeers, WriteTx, agents, allocations,
    generation,
    nodes::{self, NodeSettings},
    peer_nodes::{self, Placement},
    peers::{self, NewPeer, PeerSettings},
    pools::{self, PoolSpec},
};

/// Any moment; the store reads no clock.
pub(crate) const NOW_S: i64 = 1_790_000_000;

/// Undoes every migration after the second.
const TO_VERSION_2: &str = "DROP TABLE events; DROP TABLE webhook_deliveries; DROP TABLE webhooks; \
    ALTER TABLE peer_nodes DROP COLUMN online; \
    DROP TABLE audit; DROP TABLE tokens; DROP TABLE idempotency; \
    DROP TABLE node_samples; DROP TABLE peer_samples; DROP TABLE node_traffic; \
    DROP TRIGGER node_status_is_noted; DROP TABLE node_status_changes; \
    DROP TABLE peer_quotas; DROP INDEX peers_to_expire; \
    ALTER TABLE peers DROP COLUMN expired_for; PRAGMA user_version = 2";

pub(crate) struct Fixture {
    pub(crate) store: Store,
    dir: TempDir,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let store = open(dir.path()).expect("a new store");
        Self { store, dir }
    }

    /// Adds a node of its own agent with these pools, their network addresses left out.
    pub(crate) async fn node(&self, name: &str, pools: &[&str]) -> NodeId {
        let name = name.to_owned();
        let specs: Vec<_> = pools.iter().map(|cidr| spec(cidr, &[])).collect();
        let added = self.store.write(move |tx| {
            let url = format!("http://{name}:8080");
            let agent = agents::create(tx, &url, format!("{name} has a secret").as_bytes(), NOW_S)?;
            let id = nodes::create(tx, &settings(&name, agent), NOW_S)?;
            pools::set_pools(tx, id, &specs)?;
            Ok(id)
        });
        added.await.expect("a node")
    }

    /// Adds a peer with the next free address.
    async fn peer(&self, node: NodeId, name: &str) -> Result<PeerId, StoreError> {
        let name = name.to_owned();
        self.store
            .write(move |tx| add_peer(tx, node, &name, PublicKey::from_bytes(random())))
            .await
    }
}

fn open(dir: &Path) -> Result<Store, StoreError> {
    Store::open(&StoreOptions::new(dir), NOW_S)
}

fn random() -> [u8; 32] {
    use ring::rand::{SecureRandom, SystemRandom};
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).expect("random bytes");
    bytes
}

fn cidr(text: &str) -> AllowedIp {
    text.parse().expect("a network")
}

fn spec(network: &str, skip: &[&str]) -> PoolSpec {
    PoolSpec {
        cidr: cidr(network),
        skip: skip.iter().map(|text| cidr(text)).collect(),
    }
}

fn settings(name: &str, agent_id: super::AgentId) -> NodeSettings {
    NodeSettings {
        name: name.to_owned(),
        agent_id,
        wg_interface: "wg0".parse().expect("an interface name"),
        endpoint: Some("vpn.example.com:51820".into()),
        weight: 100,
        max_peers: 0,
        enabled: true,
        labels: [("region".to_owned(), "eu".to_owned())].into(),
        unmanaged_peers: UnmanagedPeers::Ignore,
        reserved_ips: vec![cidr("10.8.0.1/32")],
        dns: vec!["10.8.0.1".into()],
        mtu: Some(1420),
        client_allowed_ips: vec![cidr("0.0.0.0/0")],
        persistent_keepalive: None,
        public_key: None,
        tls_pin_sha256: None,
        tls_ca_pem: None,
    }
}

fn peer_settings(name: &str) -> PeerSettings {
    PeerSettings {
        name: name.to_owned(),
        enabled: true,
        ..PeerSettings::default()
    }
}

/// A change as services make it: peer, allocation, generation, placement.
pub(crate) fn add_peer(
    tx: &WriteTx<'_>,
    node_id: NodeId,
    name: &str,
    public_key: PublicKey,
) -> Result<PeerId, StoreError> {
    let id = PeerId::generate();
    let settings = peer_settings(name);
    let peer = NewPeer {
        id,
        node_id,
        public_key,
        private_key: None,
        preshared_key: None,
        settings: &settings,
    };
    peers::insert(tx, &peer, NOW_S)?;
    let given = allocations::allocate_next(tx, &pools::list(tx, node_id)?, id)?;
    let bits = if given.address.is_ipv4() { 32 } else { 128 };
    let allowed_ips = [AllowedIp::new(given.address, bits).expect("a whole address")];
    let generation = generation::bump(tx, node_id)?;
    let placement = Placement {
        node_id,
        public_key,
        peer_id: id,
        allowed_ips: &allowed_ips,
        psk_confirmed: true,
        generation,
    };
    peer_nodes::place(tx, &placement)?;
    Ok(id)
}
