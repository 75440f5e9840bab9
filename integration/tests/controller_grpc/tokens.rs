//! Whoever can reach the socket must show a token all the same.

use tonic::Code;
use wgfleet_proto::v1::{
    CreatePeerRequest, DeleteNodeRequest, DeletePeerRequest, GetNodeRequest, GetPeerRequest,
    GetWorkerRequest, ListNodesRequest, ListPeersRequest, ListWorkersRequest,
    RotateNodeSecretRequest, SyncNodeRequest, UpdateNodeRequest, UpdatePeerRequest, WatchRequest,
};

use crate::caller::{Caller, Offered, PLACES, refused, run};

#[test]
fn without_a_token_that_is_ours_every_call_is_refused() {
    for place in PLACES {
        let offered = Offered::start(place);
        run(async {
            let mut admin = offered.admin().await;
            let made = admin.nodes.create(offered.node("first")).await;
            let id = made.expect("made").into_inner().node.expect("a node").id;
            let wrong = "A".repeat(43);
            for token in [None, Some(wrong.as_str()), Some("")] {
                let mut caller = offered.caller(token).await;
                for refusal in all_calls(&mut caller, &offered, &id).await {
                    let wanted = (Code::Unauthenticated, "unauthenticated".to_owned());
                    assert_eq!(refusal, wanted, "{place:?} {token:?}");
                }
            }
            // None of it was done.
            let node = admin.nodes.get(GetNodeRequest { id }).await;
            assert_eq!(node.expect("there").into_inner().name, "first");
            let peers = admin.peers.list(ListPeersRequest::default()).await;
            assert!(peers.expect("a list").into_inner().items.is_empty());
        });
    }
}

async fn all_calls(caller: &mut Caller, offered: &Offered, id: &str) -> Vec<(Code, String)> {
    let id = || id.to_owned();
    let renamed = UpdateNodeRequest {
        id: id(),
        name: Some("theirs".into()),
        ..UpdateNodeRequest::default()
    };
    let peer = CreatePeerRequest {
        name: "theirs".into(),
        node_id: id(),
        ..CreatePeerRequest::default()
    };
    let (nodes, peers) = (&mut caller.nodes, &mut caller.peers);
    let (workers, events) = (&mut caller.workers, &mut caller.events);
    let node_id = GetWorkerRequest { node_id: id() };
    let (rotate, sync) = (
        RotateNodeSecretRequest {
            id: id(),
            ..RotateNodeSecretRequest::default()
        },
        SyncNodeRequest {
            id: id(),
            ..SyncNodeRequest::default()
        },
    );
    vec![
        refused(nodes.list(ListNodesRequest::default()).await),
        refused(nodes.get(GetNodeRequest { id: id() }).await),
        refused(nodes.create(offered.node("theirs")).await),
        refused(nodes.update(renamed).await),
        refused(nodes.rotate_secret(rotate).await),
        refused(nodes.sync(sync).await),
        refused(
            nodes
                .delete(DeleteNodeRequest {
                    id: id(),
                    peers: 4,
                    ..DeleteNodeRequest::default()
                })
                .await,
        ),
        refused(peers.list(ListPeersRequest::default()).await),
        refused(peers.get(GetPeerRequest { id: id() }).await),
        refused(peers.create(peer).await),
        refused(
            peers
                .update(UpdatePeerRequest {
                    id: id(),
                    ..UpdatePeerRequest::default()
                })
                .await,
        ),
        refused(
            peers
                .delete(DeletePeerRequest {
                    id: id(),
                    ..DeletePeerRequest::default()
                })
                .await,
        ),
        refused(workers.get_worker(node_id).await),
        refused(workers.list_workers(ListWorkersRequest {}).await),
        refused(events.watch(WatchRequest::default()).await),
    ]
}
