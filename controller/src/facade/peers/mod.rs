//! `/api/v1/peers`.

mod answer;
mod bulk;
mod describe;
mod request;

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::IntoResponse,
    routing::{get, post},
};
use wgfleet_proto::v1::{self, PeerSort};

pub(super) use self::answer::Peer;
pub(super) use self::describe::operations;
use self::{
    answer::{Created, Deleted, Updated},
    request::{CreatePeer, PatchPeer},
};
use super::{
    Answer, Facade,
    caller::{Caller, IfMatch},
    input::{Id, Input, OfPeer},
    problem::Problem,
    query::Parameters,
    shape::{PEER_STATES, Page, SYNC_STATES, etag},
};

/// The words of `sort`; `-` is from the greatest down.
pub(super) const SORTS: [(&str, PeerSort); 7] = [
    ("name", PeerSort::Name),
    ("-name", PeerSort::NameDesc),
    ("created_at", PeerSort::CreatedAt),
    ("-created_at", PeerSort::CreatedAtDesc),
    ("-latest_handshake", PeerSort::LatestHandshakeDesc),
    ("-rx_bytes_total", PeerSort::RxBytesTotalDesc),
    ("-tx_bytes_total", PeerSort::TxBytesTotalDesc),
];

pub(super) fn routes() -> Router<Facade> {
    Router::new()
        .route("/peers", get(list).post(create))
        .route("/peers/bulk/create", post(bulk::create))
        .route("/peers/bulk/delete", post(bulk::delete))
        .route("/peers/{id}", get(read).patch(update).delete(delete))
        .route("/peers/{id}/enable", post(enable))
        .route("/peers/{id}/disable", post(disable))
        .route("/peers/{id}/config", get(config))
}

async fn list(
    State(mut facade): State<Facade>,
    caller: Caller,
    query: Parameters,
) -> Answer<Json<Page<Peer>>> {
    let message = list_request(query)?;
    let answer = facade.peers.list(caller.request(message)).await?;
    let answer = answer.into_inner();
    Ok(Json(Page::new(answer.items, answer.page)))
}

fn list_request(mut query: Parameters) -> Result<v1::ListPeersRequest, Problem> {
    let message = v1::ListPeersRequest {
        page: Some(query.page()?),
        node_id: query.text("node_id")?.unwrap_or_default(),
        q: query.text("q")?.unwrap_or_default(),
        label: query.labels()?,
        online: query.flag("online")?,
        sync: query.word("sync", &SYNC_STATES)?.unwrap_or_default().into(),
        enabled: query.flag("enabled")?,
        expires_before: query.time_s("expires_before")?,
        state: query
            .word("state", &PEER_STATES)?
            .unwrap_or_default()
            .into(),
        sort: query.word("sort", &SORTS)?.unwrap_or_default().into(),
    };
    query.finish()?;
    Ok(message)
}

async fn create(
    State(mut facade): State<Facade>,
    caller: Caller,
    Input(peer): Input<CreatePeer>,
) -> Answer<impl IntoResponse> {
    let message = peer.try_into()?;
    let answer = facade.peers.create(caller.request(message)).await?;
    let created = Created::from(answer.into_inner());
    let location = format!("/api/v1/peers/{}", created.id());
    let headers = [(header::LOCATION, location), created.etag()];
    Ok((StatusCode::CREATED, headers, Json(created)))
}

async fn read(
    State(mut facade): State<Facade>,
    caller: Caller,
    Id { id, .. }: Id<OfPeer>,
) -> Answer<impl IntoResponse> {
    let message = v1::GetPeerRequest { id };
    let peer = facade.peers.get(caller.request(message)).await?;
    Ok(tagged(peer.into_inner()))
}

async fn update(
    State(mut facade): State<Facade>,
    caller: Caller,
    Id { id, .. }: Id<OfPeer>,
    IfMatch(if_match): IfMatch,
    Input(patch): Input<PatchPeer>,
) -> Answer<impl IntoResponse> {
    let message = patch.message(id, if_match);
    let answer = facade.peers.update(caller.request(message)).await?;
    let updated = Updated::from(answer.into_inner());
    Ok(([updated.etag()], Json(updated)))
}

async fn delete(
    State(mut facade): State<Facade>,
    caller: Caller,
    Id { id, .. }: Id<OfPeer>,
    IfMatch(if_match): IfMatch,
) -> Answer<Json<Deleted>> {
    let message = v1::DeletePeerRequest { id, if_match };
    let answer = facade.peers.delete(caller.request(message)).await?;
    Ok(Json(answer.into_inner().into()))
}

async fn enable(
    State(mut facade): State<Facade>,
    caller: Caller,
    Id { id, .. }: Id<OfPeer>,
    IfMatch(if_match): IfMatch,
) -> Answer<impl IntoResponse> {
    let message = v1::EnablePeerRequest { id, if_match };
    let peer = facade.peers.enable(caller.request(message)).await?;
    Ok(tagged(peer.into_inner()))
}

async fn disable(
    State(mut facade): State<Facade>,
    caller: Caller,
    Id { id, .. }: Id<OfPeer>,
    IfMatch(if_match): IfMatch,
) -> Answer<impl IntoResponse> {
    let message = v1::DisablePeerRequest { id, if_match };
    let peer = facade.peers.disable(caller.request(message)).await?;
    Ok(tagged(peer.into_inner()))
}

/// A peer with the tag of its version.
fn tagged(peer: v1::Peer) -> impl IntoResponse {
    let tag = etag(&peer.etag);
    ([tag], Json(Peer::from(peer)))
}

async fn config(
    State(mut facade): State<Facade>,
    caller: Caller,
    Id { id, .. }: Id<OfPeer>,
) -> Answer<impl IntoResponse> {
    let message = v1::GetPeerConfigRequest { id };
    let answer = facade.peers.get_config(caller.request(message)).await?;
    let answer = answer.into_inner();
    let headers: [(HeaderName, HeaderValue); 2] = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        ),
        (header::CONTENT_DISPOSITION, attachment(&answer.file_name)),
    ];
    Ok((headers, answer.config))
}

/// A download under this name, as far as the name can stand in a header and be a file's.
pub(super) fn attachment(file_name: &str) -> HeaderValue {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_. ".contains(c);
    let safe: String = file_name
        .chars()
        .map(|c| if plain(c) { c } else { '_' })
        .collect();
    let safe = if safe.is_empty() { "peer.conf" } else { &safe };
    HeaderValue::try_from(format!("attachment; filename=\"{safe}\""))
        .expect("only plain characters are left")
}
