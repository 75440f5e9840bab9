//! The routes of nodes, for programs.

use serde_json::json;
use wgfleet_proto::v1;

use super::{
    super::{
        input::OfNode,
        openapi::{Operation, parameters, samples},
        shape::Page,
    },
    DELETE_PEERS,
    answer::{Created, Deleted, Node, Plan, Rotated, STATUSES, SyncResult, TestResult},
    request::{CreateNode, PatchNode, RotateSecret, SyncNode, TestNode},
};

const TAG: &str = "Nodes";
const SECRET: &str = "a long secret that the agent has, too";
const HASH: &str = "b1946ac92492d2347c6235b4d2611184";

pub(in crate::facade) fn operations() -> Vec<Operation> {
    let mut all = declared();
    all.extend(connected());
    all
}

fn declared() -> Vec<Operation> {
    let node = Node::from(samples::node());
    let page: Page<Node> = Page::new(vec![samples::node()], samples::page());
    let created = Created::from(v1::CreateNodeResponse {
        node: Some(samples::node()),
        secret: None,
    });
    let settings = json!({
        "name": "node-1", "agent_url": "https://node-1.example.com:8443", "wg_interface": "wg0",
        "secret": SECRET, "ip_pool_cidr": "10.8.0.0/24, fd00:8::/64",
        "endpoint": "vpn.example.com:51820", "labels": {"region": "eu"},
    });
    let filters = vec![
        parameters::word("status", &STATUSES, "Only nodes in this status."),
        parameters::label(),
        parameters::text("q", "Only nodes whose name or agent URL contains this."),
    ];
    let peers = "What becomes of its peers: they are placed on other nodes, deleted, or deleted here \
                 and left on the node. Without it a node that has peers is not deleted.";
    vec![
        Operation::get("/nodes", "listNodes")
            .does(TAG, "Nodes, by name", "")
            .page()
            .query(filters)
            .answers(&page, "A page of nodes."),
        Operation::post("/nodes", "createNode")
            .does(
                TAG,
                "Adds a node",
                "Waits up to two seconds for its first poll.",
            )
            .body::<CreateNode>(settings)
            .refuses(400, &["pool_invalid"])
            .refuses(403, &["outside_scope"])
            .refuses(409, &["name_taken", "interface_taken", "public_key_taken"])
            .refuses(409, &["secret_taken", "secret_differs"])
            .creates(&created, "The node that was added.")
            .header("ETag"),
        Operation::get("/nodes/{id}", "getNode")
            .does(TAG, "One node", "")
            .of::<OfNode>()
            .answers(&node, "The node.")
            .header("ETag"),
        Operation::patch("/nodes/{id}", "updateNode")
            .does(
                TAG,
                "Changes what is given",
                "`null` clears what can be cleared.",
            )
            .of::<OfNode>()
            .if_match()
            .body::<PatchNode>(json!({"weight": 200, "labels": {"region": "eu", "tier": "1"}}))
            .refuses(400, &["pool_invalid"])
            .refuses(403, &["outside_scope"])
            .refuses(409, &["name_taken", "interface_taken", "public_key_taken"])
            .refuses(409, &["agent_shared", "agent_url_taken", "secret_differs"])
            .refuses(409, &["pool_leaves_out_addresses"])
            .answers(&node, "The node as it is now.")
            .header("ETag"),
        Operation::delete("/nodes/{id}", "deleteNode")
            .does(TAG, "Removes a node", "")
            .of::<OfNode>()
            .if_match()
            .query(vec![parameters::word("peers", &DELETE_PEERS, peers)])
            .refuses(409, &["node_has_peers", "node_awaits_confirmation"])
            .refuses(
                409,
                &["node_unreachable", "no_node_fits", "no_free_address"],
            )
            .refuses(409, &["public_key_taken", "address_taken"])
            .refuses(503, &["node_not_settled"])
            .answers(
                &Deleted::from(v1::DeleteNodeResponse { peer_count: 3 }),
                "It is gone.",
            ),
        Operation::post("/nodes/{id}/enable", "enableNode")
            .does(TAG, "Lets a node be polled and written to again", "")
            .of::<OfNode>()
            .if_match()
            .answers(&node, "The node as it is now.")
            .header("ETag"),
        Operation::post("/nodes/{id}/disable", "disableNode")
            .does(
                TAG,
                "No more polls and no more writes",
                "The kernel is left as it is.",
            )
            .of::<OfNode>()
            .if_match()
            .answers(&node, "The node as it is now.")
            .header("ETag"),
    ]
}

fn connected() -> Vec<Operation> {
    let tested = TestResult::from(v1::TestNodeResponse {
        ok: true,
        reachable: true,
        secret_accepted: true,
        wrong_signature_refused: true,
        interface_found: true,
        latency_ms: Some(3),
        version: "0.1.0".into(),
        public_key: samples::NODE_KEY.into(),
        ..v1::TestNodeResponse::default()
    });
    let unsaved = json!({
        "agent_url": "https://node-1.example.com:8443", "wg_interface": "wg0", "secret": SECRET,
    });
    let what_is_tested = "Whether the agent is there, accepts the secret, refuses a wrong signature and \
                          has the interface. A failed test is an answer, too.";
    vec![
        Operation::post("/nodes/test", "testUnsavedNode")
            .does(TAG, "Tries a connection before it is saved", what_is_tested)
            .body::<TestNode>(unsaved)
            .answers(&tested, "How it went."),
        Operation::post("/nodes/{id}/test", "testNode")
            .does(TAG, "Tries the connection to a node", what_is_tested)
            .of::<OfNode>()
            .answers(&tested, "How it went."),
        Operation::get("/nodes/{id}/plan", "planNode")
            .does(TAG, "What would be written to a node now", "")
            .of::<OfNode>()
            .refuses(409, &["node_disabled"])
            .refuses(503, &["node_unreachable"])
            .answers(&plan(), "The plan."),
        Operation::post("/nodes/{id}/sync", "syncNode")
            .does(
                TAG,
                "Brings a node to what is declared now",
                "With `confirm` also what was held back for an operator.",
            )
            .of::<OfNode>()
            .optional_body::<SyncNode>(json!({"confirm": HASH}))
            .refuses(409, &["node_disabled", "plan_changed"])
            .refuses(503, &["node_unreachable"])
            .answers(&synced(), "How far it came."),
        Operation::post("/nodes/{id}/secret", "rotateNodeSecret")
            .does(
                TAG,
                "Moves to another secret",
                "One that the agent holds as its second one: it is proven with a signed call before \
                 the old one is let go. All nodes of the agent move together.",
            )
            .of::<OfNode>()
            .optional_body::<RotateSecret>(json!({"secret": SECRET}))
            .refuses(409, &["agent_shared", "secret_taken", "rotation_overtaken"])
            .answers(&rotated(), "How far it came."),
    ]
}

fn plan() -> Plan {
    let added = v1::Change {
        action: v1::ChangeAction::Add.into(),
        public_key: samples::PEER_KEY.into(),
        fields: [(
            "allowed_ips".to_owned(),
            v1::FieldChange {
                from: String::new(),
                to: "10.8.0.2/32".into(),
            },
        )]
        .into(),
        reason: String::new(),
    };
    Plan::from(v1::PlanNodeResponse {
        hash: HASH.into(),
        changes: vec![added],
        ..v1::PlanNodeResponse::default()
    })
}

fn synced() -> SyncResult {
    SyncResult::from(v1::SyncNodeResponse {
        sync: Some(samples::applied()),
        desired_generation: 7,
        observed_generation: 7,
    })
}

fn rotated() -> Rotated {
    Rotated::from(v1::RotateNodeSecretResponse {
        completed: true,
        node_ids: vec![samples::NODE.into()],
        ..v1::RotateNodeSecretResponse::default()
    })
}
