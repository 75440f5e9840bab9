//! The service of events.

use tonic::{Request, Status};
use wgfleet_proto::v1::{self, event_service_server::EventService};

use super::{Fake, ID, Reply};

#[tonic::async_trait]
impl EventService for Fake {
    type WatchStream = futures_util::stream::Iter<std::vec::IntoIter<Result<v1::Event, Status>>>;

    async fn watch(&self, request: Request<v1::WatchRequest>) -> Reply<Self::WatchStream> {
        let deleted = v1::PeerDeleted {
            peer_id: ID.into(),
            node_id: ID.into(),
            public_key: "a key".into(),
        };
        let events = vec![
            Ok(v1::Event {
                id: "6".into(),
                ..Default::default()
            }),
            Ok(v1::Event {
                id: "7".into(),
                occurred_at: 1_772_366_400,
                name: "peer.deleted".into(),
                kind: Some(v1::event::Kind::PeerDeleted(deleted)),
            }),
            Err(crate::services::status::refuse(
                tonic::Code::ResourceExhausted,
                "too_slow",
                None,
                "too slow",
            )),
        ];
        self.reply(&request, futures_util::stream::iter(events))
    }
}
