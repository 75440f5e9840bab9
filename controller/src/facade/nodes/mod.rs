//! `/api/v1/nodes`.

mod answer;
mod describe;
mod request;

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::{get, post},
};
use wgfleet_proto::v1;

pub(super) use self::answer::{ACTIONS, Node, STATUSES, UNMANAGED};
pub(super) use self::describe::operations;
use self::{
    answer::{Created, Deleted, Plan, Rotated, SyncResult, TestResult},
    request::{CreateNode, PatchNode, RotateSecret, SyncNode, TestNode},
};
use super::{
    Answer, Facade,
    caller::{Caller, IfMatch},
    input::{Id, Input, OfNode, OptionalInput},
    query::Parameters,
    shape::{Page, etag},
};

const DELETE_PEERS: [(&str, v1::DeletePeers); 3] = [
    ("move", v1::DeletePeers::Move),
    ("delete", v1::DeletePeers::Delete),
    ("forget", v1::DeletePeers::Forget),
];

pub(super) fn routes() -> Router<Facade> {
    Router::new()
        .route("/nodes", get(list).post(create))
        .route("/nodes/test", post(test_unsaved))
        .route("/nodes/{id}", get(read).patch(update).delete(delete))
        .route("/nodes/{id}/enable", post(enable))
        .route("/nodes/{id}/disable", post(disable))
        .route("/nodes/{id}/test", post(test))
        .route("/nodes/{id}/plan", get(plan))
        .route("/nodes/{id}/sync", post(sync))
        .route("/nodes/{id}/secret", post(rotate_secret))
}

async fn list(
    State(mut facade): State<Facade>,
    caller: Caller,
    mut query: Parameters,
) -> Answer<Json<Page<Node>>> {
    let status = query.word("status", &STATUSES)?.unwrap_or_default();
    let message = v1::ListNodesRequest {
        page: Some(query.page()?),
        status: status.into(),
        label: query.labels()?,
        q: query.text("q")?.unwrap_or_default(),
    };
    query.finish()?;
    let answer = facade.nodes.list(caller.request(message)).await?;
    let answer = answer.into_inner();
    Ok(Json(Page::new(answer.items, answer.page)))
}

async fn create(
    State(mut facade): State<Facade>,
    caller: Caller,
    Input(node): Input<CreateNode>,
) -> Answer<impl IntoResponse> {
    let message = node.try_into()?;
    let answer = facade.nodes.create(caller.request(message)).await?;
    let created = Created::from(answer.into_inner());
    let location = format!("/api/v1/nodes/{}", created.id());
    let headers = [(header::LOCATION, location), created.etag()];
    Ok((StatusCode::CREATED, headers, Json(created)))
}

async fn read(
    State(mut facade): State<Facade>,
    caller: Caller,
    Id { id, .. }: Id<OfNode>,
) -> Answer<impl IntoResponse> {
    let message = v1::GetNodeRequest { id };
    let node = facade.nodes.get(caller.request(message)).await?;
    Ok(tagged(node.into_inner()))
}

async fn update(
    State(mut facade): State<Facade>,
    caller: Caller,
    Id { id, .. }: Id<OfNode>,
    IfMatch(if_match): IfMatch,
    Input(patch): Input<PatchNode>,
) -> Answer<impl IntoResponse> {
    let message = patch.message(id, if_match);
    let answer = facade.nodes.update(caller.request(message)).await?;
    Ok(tagged(answer.into_inner().node.unwrap_or_default()))
}

/// A node with the tag of its version.
fn tagged(node: v1::Node) -> impl IntoResponse {
    let tag = etag(&node.etag);
    ([tag], Json(Node::from(node)))
}

async fn delete(
    State(mut facade): State<Facade>,
    caller: Caller,
    Id { id, .. }: Id<OfNode>,
    IfMatch(if_match): IfMatch,
    mut query: Parameters,
) -> Answer<Json<Deleted>> {
    let peers = query.word("peers", &DELETE_PEERS)?;
    query.finish()?;
    let peers = peers.unwrap_or(v1::DeletePeers::Refuse).into();
    let message = v1::DeleteNodeRequest {
        id,
        peers,
        if_match,
    };
    let answer = facade.nodes.delete(caller.request(message)).await?;
    Ok(Json(answer.into_inner().into()))
}

async fn enable(
    State(mut facade): State<Facade>,
    caller: Caller,
    Id { id, .. }: Id<OfNode>,
    IfMatch(if_match): IfMatch,
) -> Answer<impl IntoResponse> {
    let message = v1::EnableNodeRequest { id, if_match };
    let node = facade.nodes.enable(caller.request(message)).await?;
    Ok(tagged(node.into_inner()))
}

async fn disable(
    State(mut facade): State<Facade>,
    caller: Caller,
    Id { id, .. }: Id<OfNode>,
    IfMatch(if_match): IfMatch,
) -> Answer<impl IntoResponse> {
    let message = v1::DisableNodeRequest { id, if_match };
    let node = facade.nodes.disable(caller.request(message)).await?;
    Ok(tagged(node.into_inner()))
}

async fn test(
    State(facade): State<Facade>,
    caller: Caller,
    Id { id, .. }: Id<OfNode>,
) -> Answer<Json<TestResult>> {
    test_target(facade, &caller, v1::test_node_request::Target::Id(id)).await
}

async fn test_unsaved(
    State(facade): State<Facade>,
    caller: Caller,
    Input(node): Input<TestNode>,
) -> Answer<Json<TestResult>> {
    let target = v1::test_node_request::Target::Unsaved(node.try_into()?);
    test_target(facade, &caller, target).await
}

async fn test_target(
    mut facade: Facade,
    caller: &Caller,
    target: v1::test_node_request::Target,
) -> Answer<Json<TestResult>> {
    let target = Some(target);
    let message = v1::TestNodeRequest { target };
    let answer = facade.nodes.test(caller.request(message)).await?;
    Ok(Json(answer.into_inner().into()))
}

async fn plan(
    State(mut facade): State<Facade>,
    caller: Caller,
    Id { id, .. }: Id<OfNode>,
) -> Answer<Json<Plan>> {
    let message = v1::PlanNodeRequest { id };
    let plan = facade.nodes.plan(caller.request(message)).await?;
    Ok(Json(plan.into_inner().into()))
}

async fn sync(
    State(mut facade): State<Facade>,
    caller: Caller,
    Id { id, .. }: Id<OfNode>,
    OptionalInput(SyncNode { confirm }): OptionalInput<SyncNode>,
) -> Answer<Json<SyncResult>> {
    let message = v1::SyncNodeRequest { id, confirm };
    let answer = facade.nodes.sync(caller.request(message)).await?;
    Ok(Json(answer.into_inner().into()))
}

async fn rotate_secret(
    State(mut facade): State<Facade>,
    caller: Caller,
    Id { id, .. }: Id<OfNode>,
    OptionalInput(RotateSecret { secret }): OptionalInput<RotateSecret>,
) -> Answer<Json<Rotated>> {
    let message = v1::RotateNodeSecretRequest { id, secret };
    let answer = facade.nodes.rotate_secret(caller.request(message)).await?;
    Ok(Json(answer.into_inner().into()))
}
