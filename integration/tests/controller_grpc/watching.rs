//! Events and workers, for programs that want to know at once.

use tonic::Streaming;
use wgfleet_proto::v1::{
    CreatePeerRequest, DeletePeerRequest, Event, GetWorkerRequest, WatchRequest, WorkerState,
    event::Kind,
};

use crate::caller::{Offered, PLACES, SOON, run};

/// The next event that `find` makes something of.
async fn next<T>(events: &mut Streaming<Event>, find: impl Fn(Kind) -> Option<T>) -> T {
    let waiting = async {
        loop {
            let event = events.message().await.expect("no error");
            // One without a kind says how far the stream is.
            let kind = event.expect("it goes on").kind;
            if let Some(found) = kind.and_then(&find) {
                return found;
            }
        }
    };
    tokio::time::timeout(SOON, waiting)
        .await
        .expect("it is told")
}

#[test]
fn what_happens_is_told_and_a_watcher_does_not_hold_up_the_end() {
    for place in PLACES {
        let mut offered = Offered::start(place);
        run(async {
            let mut caller = offered.admin().await;
            let watched = caller.events.watch(WatchRequest::default()).await;
            let mut events = watched.expect("a stream").into_inner();
            let made = caller.nodes.create(offered.node("first")).await;
            let node_id = made.expect("made").into_inner().node.expect("a node").id;
            let told = next(&mut events, |kind| match kind {
                Kind::NodeCreated(it) => it.node,
                _ => None,
            });
            assert_eq!(told.await.id, node_id);
            let peer = CreatePeerRequest {
                name: "laptop".into(),
                node_id: node_id.clone(),
                ..CreatePeerRequest::default()
            };
            let made = caller.peers.create(peer).await.expect("made");
            let id = made.into_inner().peer.expect("a peer").id;
            let told = next(&mut events, |kind| match kind {
                Kind::PeerCreated(it) => it.peer,
                _ => None,
            });
            assert_eq!(told.await.id, id);
            let gone = DeletePeerRequest {
                id: id.clone(),
                ..DeletePeerRequest::default()
            };
            caller.peers.delete(gone).await.expect("deleted");
            let told = next(&mut events, |kind| match kind {
                Kind::PeerDeleted(it) => Some(it.peer_id),
                _ => None,
            });
            assert_eq!(told.await, id);
            let worker = caller
                .workers
                .get_worker(GetWorkerRequest { node_id })
                .await;
            let worker = worker.expect("there").into_inner();
            assert_ne!(worker.state(), WorkerState::Unspecified, "{worker:?}");
            assert_eq!(worker.node_name, "first");
            // Still watching.
            assert!(offered.controller.terminate().success());
            assert!(!offered.controller.log().contains("did not finish in time"));
        });
    }
}
