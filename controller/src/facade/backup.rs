//! `/api/v1/backup`.

mod describe;

use std::io;

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::header,
    response::IntoResponse,
    routing::post,
};
use futures_util::{StreamExt as _, stream};
use tonic::{Status, Streaming};
use wgfleet_proto::v1::{self, create_backup_response::Part};

use super::{Answer, Facade, caller::Caller};

pub(super) use self::describe::operations;

pub(super) fn routes() -> Router<Facade> {
    Router::new().route("/backup", post(create))
}

/// Not kept under an idempotency key: a copy is as large as the store.
async fn create(State(mut facade): State<Facade>, caller: Caller) -> Answer<impl IntoResponse> {
    download(&mut facade, &caller).await
}

/// A copy as an answer that streams it.
///
/// # Errors
/// When it is refused, before anything is sent.
pub(super) async fn download(
    facade: &mut Facade,
    caller: &Caller,
) -> Answer<impl IntoResponse + use<>> {
    let message = v1::CreateBackupRequest {};
    let answer = facade.backup.create(caller.request(message)).await?;
    let mut parts = answer.into_inner();
    let first = parts.message().await?.and_then(|first| first.part);
    let Some(Part::Info(info)) = first else {
        return Err(Status::internal("a backup that does not say what it is").into());
    };
    let name = format!("wgfleet-{}.backup", info.created_at);
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_LENGTH, info.size_bytes.to_string()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}\""),
        ),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    let bytes = stream::unfold(parts, |mut parts| async {
        Some((next(&mut parts).await?, parts))
    });
    Ok((headers, Body::from_stream(bytes.boxed())))
}

/// A copy that ends early is told from a whole one by its length, and by how the answer ends.
async fn next(parts: &mut Streaming<v1::CreateBackupResponse>) -> Option<io::Result<Bytes>> {
    let part = match parts.message().await {
        Ok(part) => part?.part,
        Err(status) => {
            let message = status.message();
            tracing::warn!(message, "a backup could not be read to its end");
            return Some(Err(io::Error::other(status)));
        }
    };
    match part {
        Some(Part::Data(bytes)) => Some(Ok(bytes.into())),
        Some(Part::Info(_)) | None => Some(Err(io::Error::other("not the next bytes"))),
    }
}
