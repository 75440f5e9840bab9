//! A client's configuration, as a file and as a QR code.

use axum::{
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use wgfleet_proto::v1;

use super::super::page::SignedIn;
use crate::facade::{
    Answer, Facade,
    input::{Id, OfPeer},
    peers::attachment,
};

/// The file. The name it comes with is safe in a header and as a file's.
pub(super) async fn file(
    State(mut facade): State<Facade>,
    signed: SignedIn,
    Id { id, .. }: Id<OfPeer>,
) -> Answer<Response> {
    let asked = signed.caller.request(v1::GetPeerConfigRequest { id });
    let answer = facade.peers.get_config(asked).await?.into_inner();
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_DISPOSITION, attachment(&answer.file_name)),
    ];
    Ok((headers, answer.config).into_response())
}

/// The code, for an `<img>`.
pub(super) async fn qr(
    State(mut facade): State<Facade>,
    signed: SignedIn,
    Id { id, .. }: Id<OfPeer>,
) -> Answer<Response> {
    let format = v1::QrFormat::Svg.into();
    let asked = signed.caller.request(v1::GetPeerQrRequest { id, format });
    let answer = facade.peers.get_qr(asked).await?.into_inner();
    let kind = HeaderValue::from_static("image/svg+xml");
    Ok(([(header::CONTENT_TYPE, kind)], answer.image).into_response())
}
