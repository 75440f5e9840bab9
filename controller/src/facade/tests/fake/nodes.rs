//! The service of nodes.

use tonic::Request;
use wgfleet_proto::v1::{self, node_service_server::NodeService};

use super::{Fake, ID, Reply, page, pending};

fn node() -> v1::Node {
    v1::Node {
        id: ID.into(),
        name: "node-1".into(),
        agent_url: "http://127.0.0.1:8080".into(),
        wg_interface: "wg0".into(),
        ip_pool_cidr: "10.8.0.0/24, fd00:8::/64".into(),
        weight: 100,
        enabled: true,
        labels: [("region".into(), "eu".into())].into(),
        unmanaged_peers: v1::UnmanagedPeers::Adopt.into(),
        status: v1::NodeStatus::Offline.into(),
        status_reason: "connection refused".into(),
        status_since: 1_772_366_400,
        latency_ms: Some(3),
        created_at: 1_772_366_400,
        updated_at: 1_772_366_401,
        etag: "v1".into(),
        ..v1::Node::default()
    }
}

impl Fake {
    fn node(&self) -> v1::Node {
        let name = self.called("node-1");
        v1::Node { name, ..node() }
    }
}

#[tonic::async_trait]
impl NodeService for Fake {
    async fn list(&self, r: Request<v1::ListNodesRequest>) -> Reply<v1::ListNodesResponse> {
        let items = vec![self.node()];
        self.reply(
            &r,
            v1::ListNodesResponse {
                items,
                page: page(),
            },
        )
    }

    async fn create(&self, r: Request<v1::CreateNodeRequest>) -> Reply<v1::CreateNodeResponse> {
        let secret = r.get_ref().secret.is_none().then(|| "drawn".to_owned());
        let node = Some(self.node());
        self.reply(&r, v1::CreateNodeResponse { node, secret })
    }

    async fn get(&self, r: Request<v1::GetNodeRequest>) -> Reply<v1::Node> {
        self.reply(&r, self.node())
    }

    async fn update(&self, r: Request<v1::UpdateNodeRequest>) -> Reply<v1::UpdateNodeResponse> {
        let node = Some(self.node());
        self.reply(&r, v1::UpdateNodeResponse { node })
    }

    async fn delete(&self, r: Request<v1::DeleteNodeRequest>) -> Reply<v1::DeleteNodeResponse> {
        self.reply(&r, v1::DeleteNodeResponse { peer_count: 3 })
    }

    async fn enable(&self, r: Request<v1::EnableNodeRequest>) -> Reply<v1::Node> {
        self.reply(&r, self.node())
    }

    async fn disable(&self, r: Request<v1::DisableNodeRequest>) -> Reply<v1::Node> {
        self.reply(&r, self.node())
    }

    async fn test(&self, r: Request<v1::TestNodeRequest>) -> Reply<v1::TestNodeResponse> {
        let answer = v1::TestNodeResponse {
            reason: "the agent refused the signature: wrong secret".into(),
            reachable: true,
            ..Default::default()
        };
        self.reply(&r, answer)
    }

    async fn plan(&self, r: Request<v1::PlanNodeRequest>) -> Reply<v1::PlanNodeResponse> {
        let keepalive = v1::FieldChange {
            from: String::new(),
            to: "25".into(),
        };
        let change = v1::Change {
            action: v1::ChangeAction::Update.into(),
            public_key: "a".into(),
            fields: [("persistent_keepalive".into(), keepalive)].into(),
            reason: "another peer owns an address".into(),
        };
        let unmanaged = v1::UnmanagedPeer {
            public_key: "b".into(),
            allowed_ips: vec!["10.8.0.9/32".into()],
            persistent_keepalive: 25,
        };
        let answer = v1::PlanNodeResponse {
            hash: "h".into(),
            changes: vec![change],
            unmanaged: vec![unmanaged],
            ..Default::default()
        };
        self.reply(&r, answer)
    }

    async fn sync(&self, r: Request<v1::SyncNodeRequest>) -> Reply<v1::SyncNodeResponse> {
        let answer = v1::SyncNodeResponse {
            sync: Some(pending()),
            desired_generation: 9,
            observed_generation: 8,
        };
        self.reply(&r, answer)
    }

    async fn rotate_secret(
        &self,
        r: Request<v1::RotateNodeSecretRequest>,
    ) -> Reply<v1::RotateNodeSecretResponse> {
        let answer = v1::RotateNodeSecretResponse {
            completed: true,
            node_ids: vec![ID.into()],
            ..Default::default()
        };
        self.reply(&r, answer)
    }
}
