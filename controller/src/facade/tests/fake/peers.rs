//! The service of peers.

use tonic::Request;
use wgfleet_proto::v1::{self, bulk_result::Outcome, peer_service_server::PeerService};

use super::{Fake, ID, Reply, page, pending};

fn peer() -> v1::Peer {
    v1::Peer {
        id: ID.into(),
        name: "laptop".into(),
        node_id: ID.into(),
        public_key: "key".into(),
        allowed_ips: vec!["10.8.0.2/32".into()],
        persistent_keepalive: 25,
        enabled: true,
        state: v1::PeerState::Active.into(),
        sync: Some(pending()),
        rx_bytes_total: u64::MAX,
        created_at: 1_772_366_400,
        updated_at: 1_772_366_400,
        etag: "v1".into(),
        ..v1::Peer::default()
    }
}

impl Fake {
    fn peer(&self) -> v1::Peer {
        let peer = peer();
        v1::Peer {
            name: self.called(&peer.name),
            ..peer
        }
    }
}

#[tonic::async_trait]
impl PeerService for Fake {
    async fn list(&self, r: Request<v1::ListPeersRequest>) -> Reply<v1::ListPeersResponse> {
        let items = vec![self.peer()];
        self.reply(
            &r,
            v1::ListPeersResponse {
                items,
                page: page(),
            },
        )
    }

    async fn create(&self, r: Request<v1::CreatePeerRequest>) -> Reply<v1::CreatePeerResponse> {
        let is_shown = r.get_ref().keep_private_key == Some(false);
        let answer = v1::CreatePeerResponse {
            private_key: is_shown.then(|| "a drawn key".into()),
            peer: Some(self.peer()),
            placement: "node-1: 3 of 100 peers at weight 100".into(),
            ..Default::default()
        };
        self.reply(&r, answer)
    }

    async fn get(&self, r: Request<v1::GetPeerRequest>) -> Reply<v1::Peer> {
        self.reply(&r, self.peer())
    }

    async fn update(&self, r: Request<v1::UpdatePeerRequest>) -> Reply<v1::UpdatePeerResponse> {
        let answer = v1::UpdatePeerResponse {
            peer: Some(self.peer()),
            client_needs_config: true,
            preshared_key: None,
        };
        self.reply(&r, answer)
    }

    async fn delete(&self, r: Request<v1::DeletePeerRequest>) -> Reply<v1::DeletePeerResponse> {
        let sync = Some(pending());
        self.reply(&r, v1::DeletePeerResponse { sync })
    }

    async fn enable(&self, r: Request<v1::EnablePeerRequest>) -> Reply<v1::Peer> {
        self.reply(&r, self.peer())
    }

    async fn disable(&self, r: Request<v1::DisablePeerRequest>) -> Reply<v1::Peer> {
        self.reply(&r, self.peer())
    }

    async fn bulk_create(
        &self,
        r: Request<v1::BulkCreatePeersRequest>,
    ) -> Reply<v1::BulkPeersResponse> {
        let created = v1::CreatePeerResponse {
            peer: Some(self.peer()),
            ..Default::default()
        };
        let refused = v1::Refusal {
            status: tonic::Code::AlreadyExists.into(),
            code: "address_taken".into(),
            message: "taken".into(),
            field: "allowed_ips".into(),
        };
        self.reply(&r, results(Outcome::Created(created), refused))
    }

    async fn bulk_delete(
        &self,
        r: Request<v1::BulkDeletePeersRequest>,
    ) -> Reply<v1::BulkPeersResponse> {
        let refused = v1::Refusal {
            status: tonic::Code::NotFound.into(),
            code: "peer_not_found".into(),
            message: "no such peer".into(),
            field: String::new(),
        };
        self.reply(&r, results(Outcome::Deleted(ID.into()), refused))
    }

    async fn get_config(
        &self,
        r: Request<v1::GetPeerConfigRequest>,
    ) -> Reply<v1::GetPeerConfigResponse> {
        let answer = v1::GetPeerConfigResponse {
            config: "[Interface]\n".into(),
            file_name: "lap\"top\r\n.conf".into(),
            complete: true,
        };
        self.reply(&r, answer)
    }

    async fn get_qr(&self, r: Request<v1::GetPeerQrRequest>) -> Reply<v1::GetPeerQrResponse> {
        let png = r.get_ref().format() == v1::QrFormat::Png;
        let answer = v1::GetPeerQrResponse {
            image: b"an image".into(),
            media_type: if png { "image/png" } else { "image/svg+xml" }.into(),
        };
        self.reply(&r, answer)
    }
}

fn results(first: Outcome, second: v1::Refusal) -> v1::BulkPeersResponse {
    let outcomes = [first, Outcome::Refused(second)];
    let result = |outcome| v1::BulkResult {
        outcome: Some(outcome),
    };
    v1::BulkPeersResponse {
        results: outcomes.map(result).into(),
        succeeded: 1,
        failed: 1,
    }
}
