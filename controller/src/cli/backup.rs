//! `wgfleet backup`: a copy of the controller's store.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use http_body_util::BodyExt as _;
use hyper::header::CONTENT_LENGTH;
use serde_json::json;

use super::{
    client::{Call, Opened},
    credentials::private_beside,
    failure::Failure,
    output::{Column, bytes},
    progress,
    session::Session,
};

const COLUMNS: &[Column] = &[Column::of("file"), Column::of("size_bytes").as_(bytes)];
/// From one part of the copy to the next.
const PART_WITHIN: Duration = Duration::from_secs(60);

/// Where it goes.
#[derive(Debug, Args)]
pub(super) struct BackupFlags {
    /// The copy; it never holds the master key, which must be kept apart
    file: PathBuf,

    /// Replace FILE if it exists
    #[arg(long)]
    force: bool,
}

/// Downloads it: there whole or not at all, readable by its owner alone.
pub(super) async fn run(session: &Session, flags: BackupFlags) -> Result<(), Failure> {
    let BackupFlags { file: path, force } = flags;
    if !force && path.exists() {
        let path = path.display();
        return Err(Failure::Failed(format!(
            "{path} exists: --force replaces it"
        )));
    }
    let call = Call::post("/backup", &json!({})).in_bulk();
    let opened = session.client.open(&call).await;
    let opened = opened.map_err(|lost| lost.into_failure(session.client.url(), true))?;
    let size_bytes = save(opened, &path, force).await?;
    let done = json!({"file": path.display().to_string(), "size_bytes": size_bytes});
    session.output.done(
        COLUMNS,
        &done,
        &format!(
            "{} holds the store. The master key is not in it: keep a copy of that apart",
            path.display()
        ),
    )
}

async fn save(mut opened: Opened, path: &Path, force: bool) -> Result<u64, Failure> {
    let length = opened.headers.get(CONTENT_LENGTH);
    let length: Option<u64> = length.and_then(|text| text.to_str().ok()?.parse().ok());
    let Some(length) = length else {
        return Err(broken());
    };
    let bar = progress::bytes_bar(length);
    let mut file = private_beside(path).map_err(Failure::writing(path))?;
    let mut received = 0;
    while let Some(frame) = tokio::time::timeout(PART_WITHIN, opened.body.frame())
        .await
        .map_err(|_| broken())?
    {
        if let Ok(data) = frame.map_err(|_| broken())?.into_data() {
            file.write_all(&data).map_err(Failure::writing(path))?;
            received += data.len() as u64;
            bar.set_position(received);
        }
    }
    bar.finish_and_clear();
    if received != length {
        return Err(broken());
    }
    file.as_file().sync_all().map_err(Failure::writing(path))?;
    let kept = if force {
        file.persist(path)
    } else {
        file.persist_noclobber(path)
    };
    kept.map_err(|error| Failure::writing(path)(error.error))?;
    Ok(length)
}

fn broken() -> Failure {
    Failure::Unavailable("the copy did not arrive whole, and was not kept: try again".into())
}
