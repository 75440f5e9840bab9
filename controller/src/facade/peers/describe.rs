//! The routes of peers, for programs.

use serde_json::json;
use wgfleet_proto::v1::{self, bulk_result::Outcome};

use super::{
    super::{
        input::OfPeer,
        openapi::{Operation, parameters, samples},
        shape::{PEER_STATES, Page, SYNC_STATES},
    },
    SORTS,
    answer::{Created, Deleted, Peer, Updated},
    bulk::{CreatePeers, DeletePeers, Results},
    request::{CreatePeer, PatchPeer},
};

const TAG: &str = "Peers";

pub(in crate::facade) fn operations() -> Vec<Operation> {
    let mut all = vec![list(), create(), read(), update(), delete(), config()];
    all.extend(switched());
    all.extend(bulk());
    all
}

fn list() -> Operation {
    let page: Page<Peer> = Page::new(vec![samples::peer()], samples::page());
    let filters = vec![
        parameters::text("node_id", "Only peers of this node."),
        parameters::short_text(
            "q",
            256,
            "Only peers whose name, key or address contains this.",
        ),
        parameters::label(),
        parameters::flag(
            "online",
            "Only those with, or without, a handshake within the window.",
        ),
        parameters::word("sync", &SYNC_STATES, "Only peers in this sync state."),
        parameters::flag("enabled", "Only enabled, or disabled, ones."),
        parameters::word("state", &PEER_STATES, "Only peers in this state."),
        parameters::time(
            "expires_before",
            "2099-03-01T12:00:00Z",
            "Only those that expire before.",
        ),
        parameters::word("sort", &SORTS, "The order; `-` is from the greatest down."),
    ];
    Operation::get("/peers", "listPeers")
        .does(
            TAG,
            "Peers, filtered and in order",
            "What is given of the filter holds together.",
        )
        .page()
        .query(filters)
        .refuses(404, &["node_not_found"])
        .answers(&page, "A page of peers.")
}

fn create() -> Operation {
    let peer = json!({
        "name": "laptop", "labels": {"team": "red"}, "selector": {"region": "eu"},
        "preshared_key": "generate",
    });
    Operation::post("/peers", "createPeer")
        .does(
            TAG,
            "Adds a peer",
            "On the given node or on one that is picked, with the given addresses or the next free \
             ones. Waits up to two seconds until the node has it; `sync` says whether it does.",
        )
        .body::<CreatePeer>(peer)
        .refuses(400, &["address_refused"])
        .refuses(404, &["node_not_found"])
        .refuses(
            409,
            &["public_key_taken", "address_taken", "no_free_address"],
        )
        .refuses(409, &["no_node_fits", "node_full"])
        .creates(&created(), "The peer that was added.")
        .header("ETag")
}

fn created() -> Created {
    Created::from(v1::CreatePeerResponse {
        peer: Some(samples::peer()),
        placement: "node-1: 1 of 250 peers at weight 100".into(),
        private_key: None,
        preshared_key: Some(samples::NODE_KEY.into()),
    })
}

fn read() -> Operation {
    Operation::get("/peers/{id}", "getPeer")
        .does(TAG, "One peer", "")
        .of::<OfPeer>()
        .answers(&Peer::from(samples::peer()), "The peer.")
        .header("ETag")
}

fn update() -> Operation {
    let updated = Updated::from(v1::UpdatePeerResponse {
        peer: Some(samples::peer()),
        client_needs_config: false,
        preshared_key: None,
    });
    Operation::patch("/peers/{id}", "updatePeer")
        .does(
            TAG,
            "Changes what is given",
            "`null` clears what can be cleared. Another `node_id` moves it: it is added there, then \
             removed here.",
        )
        .of::<OfPeer>()
        .if_match()
        .body::<PatchPeer>(json!({"name": "desktop", "expires_at": null}))
        .refuses(400, &["address_refused"])
        .refuses(404, &["node_not_found"])
        .refuses(409, &["public_key_taken", "address_taken", "no_free_address"])
        .refuses(409, &["node_full", "peer_expired", "peer_moving", "peer_quota_used_up"])
        .answers(&updated, "The peer as it is now.")
        .header("ETag")
}

fn delete() -> Operation {
    let gone = Deleted::from(v1::DeletePeerResponse {
        sync: Some(samples::applied()),
    });
    Operation::delete("/peers/{id}", "deletePeer")
        .does(
            TAG,
            "Removes a peer",
            "And from its node, for as long as it takes.",
        )
        .of::<OfPeer>()
        .if_match()
        .answers(&gone, "Whether it is gone from its node already.")
}

fn config() -> Operation {
    let text = json!({
        "type": "string",
        "example": "[Interface]\nPrivateKey = …\nAddress = 10.8.0.2/32\n\n[Peer]\nPublicKey = …\n",
    });
    Operation::get("/peers/{id}/config", "getPeerConfig")
        .does(
            TAG,
            "The client's configuration",
            "Without the private key, if that is not kept: a comment says where to put it.",
        )
        .of::<OfPeer>()
        .refuses(409, &["node_key_unknown"])
        .sends(&[("text/plain", text)], "In the format of wg-quick.")
        .header("Content-Disposition")
}

fn switched() -> [Operation; 2] {
    let peer = Peer::from(samples::peer());
    let both = |operation: Operation| {
        operation
            .of::<OfPeer>()
            .if_match()
            .answers(&peer, "The peer as it is now.")
            .header("ETag")
    };
    [
        both(
            Operation::post("/peers/{id}/enable", "enablePeer")
                .does(TAG, "Puts a disabled peer back on its node", "")
                .refuses(409, &["peer_expired", "peer_quota_used_up"]),
        ),
        both(Operation::post("/peers/{id}/disable", "disablePeer").does(
            TAG,
            "Takes a peer off its node",
            "It keeps its address.",
        )),
    ]
}

fn bulk() -> [Operation; 2] {
    let each = "Each by itself, a few hundred in one transaction; what was done is answered before the \
                nodes have it, and events tell when they do. The body has at most 16 MiB.";
    [
        Operation::post("/peers/bulk/create", "bulkCreatePeers")
            .does(TAG, "Adds up to 10,000 peers", each)
            .body::<CreatePeers>(json!({"peers": [{"name": "laptop"}, {"name": "phone"}]}))
            .answers(
                &results(),
                "What came of each, in the order of the request.",
            ),
        Operation::post("/peers/bulk/delete", "bulkDeletePeers")
            .does(TAG, "Removes up to 10,000 peers", each)
            .body::<DeletePeers>(json!({"ids": [samples::PEER]}))
            .answers(
                &results(),
                "What came of each, in the order of the request.",
            ),
    ]
}

fn results() -> Results {
    let result = |outcome| v1::BulkResult {
        outcome: Some(outcome),
    };
    let refused = Outcome::Refused(v1::Refusal {
        status: tonic::Code::NotFound.into(),
        code: "peer_not_found".into(),
        message: "no such peer".into(),
        field: String::new(),
    });
    let done = Outcome::Deleted(samples::PEER.into());
    Results::from(v1::BulkPeersResponse {
        results: vec![result(done), result(refused)],
        succeeded: 1,
        failed: 1,
    })
}
