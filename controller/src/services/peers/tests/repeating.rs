//! Versions, requests that are sent again, and many at once.

use tonic::{Code, Request};
use wgfleet_proto::v1::{
    BulkCreatePeersRequest, BulkDeletePeersRequest, BulkPeersResponse, BulkResult,
    CreatePeerRequest, CreatePeerResponse, DeletePeerRequest, GetPeerRequest, bulk_result::Outcome,
};

use super::{Fixture, NodeSpec, ONLINE, named, patch, refusal, signed};

fn with_key<T>(key: &str, message: T) -> Request<T> {
    let mut request = signed(message);
    let value = key.parse().expect("ASCII");
    request.metadata_mut().insert("idempotency-key", value);
    request
}

impl Fixture {
    async fn create_with(
        &self,
        key: &str,
        request: CreatePeerRequest,
    ) -> Result<CreatePeerResponse, tonic::Status> {
        let answer = self.client.clone().create(with_key(key, request)).await?;
        Ok(answer.into_inner())
    }

    async fn bulk_create(&self, key: &str, peers: Vec<CreatePeerRequest>) -> BulkPeersResponse {
        let request = BulkCreatePeersRequest { peers };
        let answer = self
            .client
            .clone()
            .bulk_create(with_key(key, request))
            .await;
        answer.expect("results").into_inner()
    }
}

#[tokio::test]
async fn a_version_changes_with_what_is_declared() {
    let fixture = Fixture::new().await;
    fixture.node(ONLINE).await;
    let peer = fixture.create(named("laptop")).await.expect("a peer");
    let mut change = patch(&peer);
    change.name = Some("phone".into());
    change.if_match = vec![peer.etag.clone()];
    let (renamed, _) = fixture.update(change.clone()).await.expect("changed");
    assert_ne!(renamed.etag, peer.etag);
    let (code, wgfleet_code, _) = refusal(fixture.update(change.clone()).await);
    assert_eq!(
        (code, wgfleet_code.as_str()),
        (Code::FailedPrecondition, "etag_mismatch")
    );
    change.if_match = vec!["other".into(), "*".into()];
    let (same, _) = fixture.update(change).await.expect("any version");
    assert_eq!(same.etag, renamed.etag, "nothing was changed by it");
    let mut client = fixture.client.clone();
    let mut request = DeletePeerRequest {
        id: peer.id.clone(),
        if_match: vec![peer.etag],
    };
    assert_eq!(
        refusal(client.delete(signed(request.clone())).await).1,
        "etag_mismatch"
    );
    request.if_match = vec![renamed.etag];
    client.delete(signed(request)).await.expect("deleted");
}

#[tokio::test]
async fn of_many_who_change_one_version_one_does() {
    let fixture = Fixture::new().await;
    fixture.node(ONLINE).await;
    let peer = fixture.create(named("laptop")).await.expect("a peer");
    let change = |number: u32| {
        let mut change = patch(&peer);
        change.name = Some(format!("peer {number}"));
        change.if_match = vec![peer.etag.clone()];
        fixture.update(change)
    };
    let outcomes = futures_util::future::join_all((0..8).map(change)).await;
    assert_eq!(outcomes.iter().filter(|it| it.is_ok()).count(), 1);
}

#[tokio::test]
async fn the_same_request_makes_one_change_and_has_one_answer() {
    let fixture = Fixture::new().await;
    let node = fixture.node(ONLINE).await;
    let mut request = named("laptop");
    request.keep_private_key = Some(false);
    let first = fixture
        .create_with("k", request.clone())
        .await
        .expect("a peer");
    for _ in 0..4 {
        let again = fixture
            .create_with("k", request.clone())
            .await
            .expect("the same");
        assert_eq!(again, first, "with the private key that is shown once");
    }
    assert_eq!(fixture.peer_count(node).await, 1);
    request.name = "phone".into();
    let (_, code, _) = refusal(fixture.create_with("k", request.clone()).await);
    assert_eq!(code, "idempotency_key_reused");
    fixture
        .create_with("l", request)
        .await
        .expect("a key of its own");
    assert_eq!(fixture.peer_count(node).await, 2);
    for bad in ["", "\u{7f}", &"k".repeat(256)] {
        let Ok(value) = bad.parse() else { continue };
        let mut request = signed(named("x"));
        request.metadata_mut().insert("idempotency-key", value);
        let (_, code, field) = refusal(fixture.client.clone().create(request).await);
        assert_eq!(
            (code.as_str(), field.as_str()),
            ("invalid_field", "idempotency-key")
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_request_at_once_makes_one_change() {
    let fixture = Fixture::new().await;
    let node = fixture.node(ONLINE).await;
    let create = || fixture.create_with("k", named("laptop"));
    let outcomes = futures_util::future::join_all((0..8).map(|_| create())).await;
    assert_eq!(fixture.peer_count(node).await, 1);
    let (done, refused): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
    let answers: Vec<_> = done.into_iter().flatten().collect();
    assert!(!answers.is_empty() && answers.iter().all(|it| *it == answers[0]));
    for outcome in refused {
        assert_eq!(refusal(outcome).1, "request_running");
    }
}

#[tokio::test]
async fn a_refused_request_may_be_sent_again() {
    let fixture = Fixture::new().await;
    let nowhere = fixture.create_with("k", named("laptop")).await;
    assert_eq!(refusal(nowhere).1, "no_node_fits");
    fixture.node(ONLINE).await;
    fixture
        .create_with("k", named("laptop"))
        .await
        .expect("now there is one");
}

fn created(result: &BulkResult) -> Option<&CreatePeerResponse> {
    match &result.outcome {
        Some(Outcome::Created(answer)) => Some(answer),
        _ => None,
    }
}

#[tokio::test]
async fn many_are_created_and_deleted_each_by_itself() {
    let fixture = Fixture::new().await;
    let light = fixture.node(ONLINE).await;
    let heavy = NodeSpec {
        name: "node-2",
        weight: 300,
        pools: &["10.9.0.0/22"],
        ..ONLINE
    };
    let heavy = fixture.node(heavy).await;
    let mut peers: Vec<_> = (0..400).map(|n| named(&format!("peer {n}"))).collect();
    peers[7].name.clear();
    peers[150].node_id = "nobody".into();
    let answer = fixture.bulk_create("k", peers.clone()).await;
    assert_eq!((answer.succeeded, answer.failed), (398, 2));
    let failed: Vec<_> = (0..400)
        .filter(|at| created(&answer.results[*at]).is_none())
        .collect();
    assert_eq!(failed, [7, 150]);
    let (on_light, on_heavy) = (
        fixture.peer_count(light).await,
        fixture.peer_count(heavy).await,
    );
    assert_eq!(on_light + on_heavy, 398);
    assert!(
        (95..=105).contains(&on_light),
        "by weight: {on_light} and {on_heavy}"
    );
    assert_eq!(fixture.bulk_create("k", peers).await, answer, "sent again");
    assert_eq!(fixture.peer_count(light).await, on_light);

    let ids = answer.results.iter().filter_map(created);
    let ids: Vec<_> = ids.map(|it| it.peer.clone().expect("a peer").id).collect();
    let mut wanted = ids.clone();
    wanted.insert(3, "nobody".into());
    wanted.push(ids[0].clone());
    let request = BulkDeletePeersRequest { ids: wanted };
    let deleted = fixture
        .client
        .clone()
        .bulk_delete(with_key("d", request))
        .await;
    let deleted = deleted.expect("results").into_inner();
    assert_eq!((deleted.succeeded, deleted.failed), (398, 2));
    assert_eq!(
        fixture.peer_count(light).await + fixture.peer_count(heavy).await,
        0
    );
    let get = GetPeerRequest { id: ids[9].clone() };
    assert_eq!(
        refusal(fixture.client.clone().get(signed(get)).await).1,
        "peer_not_found"
    );
}

#[tokio::test]
async fn a_pool_that_runs_out_in_the_middle_sends_the_rest_elsewhere() {
    let fixture = Fixture::new().await;
    let small = NodeSpec {
        pools: &["10.8.0.0/28"],
        weight: 100_000,
        ..ONLINE
    };
    let small = fixture.node(small).await;
    let large = NodeSpec {
        name: "node-2",
        pools: &["10.9.0.0/24"],
        ..ONLINE
    };
    let large = fixture.node(large).await;
    let peers = (0..50).map(|n| named(&format!("peer {n}"))).collect();
    let answer = fixture.bulk_create("k", peers).await;
    assert_eq!((answer.succeeded, answer.failed), (50, 0));
    assert_eq!(fixture.peer_count(small).await, 13);
    assert_eq!(fixture.peer_count(large).await, 37);
}

#[tokio::test]
async fn too_many_at_once_are_refused() {
    let fixture = Fixture::new().await;
    for count in [0, 10_001] {
        let peers = vec![named("x"); count];
        let request = BulkCreatePeersRequest { peers };
        let (code, _, field) = refusal(fixture.client.clone().bulk_create(signed(request)).await);
        assert_eq!((code, field.as_str()), (Code::InvalidArgument, "peers"));
    }
}
