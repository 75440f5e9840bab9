//! The same refusals where programs of the same host come in.

use serde_json::json;
use tonic::{Code, Request, Status, transport::Channel};
use wgfleet_integration::controller::{self, Controller};
use wgfleet_proto::v1::{
    CreatePeerRequest, GetNodeRequest, ListAuditRequest, ListNodesRequest, ListTokensRequest,
    audit_service_client::AuditServiceClient, node_service_client::NodeServiceClient,
    peer_service_client::PeerServiceClient, token_service_client::TokenServiceClient,
};

use crate::common::node;

fn place(controller: &Controller) -> String {
    let log = controller.log();
    let (_, rest) = log
        .split_once("the inner services listen on ")
        .expect("it says where");
    format!("http://{}", rest.lines().next().expect("the address"))
}

fn with<T>(token: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    let value = format!("Bearer {token}").parse().expect("ASCII");
    let metadata = request.metadata_mut();
    metadata.insert("authorization", value);
    // What only the facade may say.
    metadata.insert("x-wgfleet-counted", "yes".parse().expect("ASCII"));
    metadata.insert("x-wgfleet-source", "198.51.100.9".parse().expect("ASCII"));
    request
}

#[track_caller]
fn assert_is<T>(outcome: Result<T, Status>, code: Code, stable: &str) -> Status {
    let Err(status) = outcome else {
        panic!("this should have been refused with {stable}");
    };
    let found = status.metadata().get("wgfleet-code");
    let found = found.and_then(|code| code.to_str().ok());
    assert_eq!((status.code(), found), (code, Some(stable)), "{status:?}");
    status
}

#[test]
fn what_rest_refuses_grpc_refuses() {
    let controller = controller::Config::new()
        .arguments(&["--grpc-listen", "127.0.0.1:0"])
        .arguments(&["--token-rate", "1", "--token-burst", "8"])
        .arguments(&["--auth-failure-rate", "1", "--auth-failure-burst", "2"])
        .start();
    let admin = controller.rest();
    let blue = admin.create("/nodes", &node("blue-1", "blue", 1));
    let blue = blue["id"].as_str().expect("an id").to_owned();
    let text = |name: &str, role: &str, scope: serde_json::Value| {
        let body = json!({"name": name, "role": role, "label_scope": scope});
        let made = admin.create("/tokens", &body);
        made["token"].as_str().expect("shown once").to_owned()
    };
    let viewer = text("viewer", "viewer", json!({}));
    let scoped = text("scoped", "admin", json!({"team": "red"}));
    let place = place(&controller);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let endpoint = Channel::from_shared(place).expect("a URL");
        let channel = endpoint.connect().await.expect("it listens");
        let mut nodes = NodeServiceClient::new(channel.clone());
        let mut peers = PeerServiceClient::new(channel.clone());
        let mut tokens = TokenServiceClient::new(channel.clone());
        let mut audit = AuditServiceClient::new(channel);

        let list = nodes.list(with(&scoped, ListNodesRequest::default())).await;
        assert!(list.expect("a list").into_inner().items.is_empty());
        let get = nodes.get(with(&scoped, GetNodeRequest { id: blue })).await;
        assert_is(get, Code::NotFound, "node_not_found");
        let (denied, forbidden) = (Code::PermissionDenied, "forbidden");
        for token in [&scoped, &viewer] {
            let list = tokens.list(with(token, ListTokensRequest::default())).await;
            assert_is(list, denied, forbidden);
            let list = audit.list(with(token, ListAuditRequest::default())).await;
            assert_is(list, denied, forbidden);
        }
        let create = peers
            .create(with(&viewer, CreatePeerRequest::default()))
            .await;
        assert_is(create, denied, forbidden);

        // However a call calls itself: it is counted, and its source is where it comes from.
        let mut limited = None;
        for _ in 0..30 {
            let list = nodes.list(with(&viewer, ListNodesRequest::default())).await;
            limited = limited.or(list.err());
        }
        let limited = limited.expect("too many");
        let code = limited.metadata().get("wgfleet-code").expect("a code");
        assert_eq!(code, "rate_limited");
        assert!(limited.metadata().get("wgfleet-retry-after").is_some());
        let mut limited = None;
        for number in 0..20 {
            let guess = nodes
                .list(with("a-guess", ListNodesRequest::default()))
                .await;
            let status = guess.expect_err("a guess");
            if number == 0 {
                assert_is::<()>(Err(status), Code::Unauthenticated, "unauthenticated");
            } else if status.code() != Code::Unauthenticated {
                limited = Some(status);
            }
        }
        let limited = Err(limited.expect("too many"));
        assert_is::<()>(limited, Code::ResourceExhausted, "rate_limited");
    });
}
