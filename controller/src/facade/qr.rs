//! `/api/v1/peers/{id}/qr`.

mod describe;

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, HeaderValue, header},
    response::IntoResponse,
    routing::get,
};
use wgfleet_proto::v1::{GetPeerQrRequest, QrFormat};

use super::{
    Answer, Facade,
    caller::Caller,
    input::{Id, OfPeer},
    query::Parameters,
};

pub(super) use self::describe::operations;

const FORMATS: [(&str, QrFormat); 2] = [("svg", QrFormat::Svg), ("png", QrFormat::Png)];

pub(super) fn routes() -> Router<Facade> {
    Router::new().route("/peers/{id}/qr", get(qr))
}

async fn qr(
    State(mut facade): State<Facade>,
    caller: Caller,
    Id { id, .. }: Id<OfPeer>,
    headers: HeaderMap,
    mut query: Parameters,
) -> Answer<impl IntoResponse> {
    let format = query.word("format", &FORMATS)?;
    query.finish()?;
    let format = format.unwrap_or_else(|| accepted(&headers)).into();
    let message = GetPeerQrRequest { id, format };
    let answer = facade.peers.get_qr(caller.request(message)).await?;
    let answer = answer.into_inner();
    let media_type = HeaderValue::try_from(answer.media_type)
        .unwrap_or(HeaderValue::from_static("application/octet-stream"));
    let headers = [
        (header::CONTENT_TYPE, media_type),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::VARY, HeaderValue::from_static("Accept")),
    ];
    Ok((headers, answer.image))
}

/// PNG for those who name it and not SVG; browsers name both, or take anything.
fn accepted(headers: &HeaderMap) -> QrFormat {
    let names = |wanted: &str| {
        let values = headers.get_all(header::ACCEPT).iter();
        let values = values.filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|range| {
            let media_type = range.split(';').next().unwrap_or_default();
            media_type.trim().eq_ignore_ascii_case(wanted)
        })
    };
    if names("image/png") && !names("image/svg+xml") {
        QrFormat::Png
    } else {
        QrFormat::Svg
    }
}
