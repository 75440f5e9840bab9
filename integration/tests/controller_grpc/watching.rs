//! Events and workers, for programs that want to know at once.

use serde_json::json;
use tonic::Streaming;
use wgfleet_integration::eventually;
use wgfleet_proto::v1::{
    CreatePeerRequest, DeletePeerRequest, Event, GetWorkerRequest, WatchRequest, WorkerState,
    event::Kind,
};

use crate::caller::{Offered, PLACES, Place, SOON, run};

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

#[test]
fn a_watcher_that_reads_nothing_does_not_hold_up_the_end_either() {
    let mut offered = Offered::start(Place::Loopback);
    run(async {
        let mut caller = offered.admin().await;
        let watched = caller.events.watch(WatchRequest::default()).await;
        let _unread = watched.expect("a stream").into_inner();
        caller
            .nodes
            .create(offered.node("first"))
            .await
            .expect("made");
        // More than fits into what it lets be sent.
        let rest = offered.controller.rest();
        let peer =
            |n: usize| json!({"name": format!("laptop {n}"), "labels": {"of": "x".repeat(60)}});
        let peers = json!({"peers": (0..250).map(peer).collect::<Vec<_>>()});
        let made = rest.post("/peers/bulk/create", &peers).json();
        assert_eq!(made["succeeded"], 250, "{made}");
        eventually(SOON, "all are on their node", || {
            (offered.shown().len() == 250).then_some(())
        });
        assert!(offered.controller.terminate().success());
        let log = offered.controller.log();
        assert!(
            log.contains("calls of the inner services did not finish in time"),
            "{log}"
        );
    });
}
