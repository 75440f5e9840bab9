//! Copies of the store for those who may see all of it.

use std::{
    fs::File,
    io::{self, Read},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use futures_util::{Stream, StreamExt as _, stream};
use serde_json::json;
use tokio::{sync::mpsc, task::spawn_blocking};
use tonic::{Code, Request, Response, Status};
use wgfleet_proto::v1::{
    BackupInfo, CreateBackupRequest, CreateBackupResponse, backup_service_server::BackupService,
    create_backup_response::Part,
};

use super::{
    Core,
    auth::{Caller, authorize},
    status::{internal, refuse, retry_after},
};
use crate::store::{Role, audit, backup::Backup};

const CHUNK_BYTES: usize = 64 * 1024;
/// A caller who takes nothing for that long is given nothing more.
const TAKE_WITHIN: Duration = Duration::from_secs(30);
/// When to come back while another backup is under way.
const RUNNING_S: u64 = 5;

/// The service of backups.
#[derive(Clone)]
pub struct Backups(Arc<Core>);

impl Backups {
    /// The service.
    #[must_use]
    pub const fn new(core: Arc<Core>) -> Self {
        Self(core)
    }
}

#[tonic::async_trait]
impl BackupService for Backups {
    type CreateStream = Pin<Box<dyn Stream<Item = Result<CreateBackupResponse, Status>> + Send>>;

    async fn create(
        &self,
        request: Request<CreateBackupRequest>,
    ) -> Result<Response<Self::CreateStream>, Status> {
        let core = &self.0;
        let caller = authorize(core, request.metadata(), Role::Admin).await?;
        let created_at = core.now_s();
        let backup = core.store.back_up().await?.ok_or_else(running)?;
        let info = BackupInfo {
            store_id: backup.described.store_id.clone(),
            schema_version: backup.described.schema_version,
            created_at,
            size_bytes: backup.bytes,
        };
        // Before anything is handed out.
        note(core, caller, info.clone()).await?;
        let (parts, taken) = mpsc::channel(1);
        tokio::spawn(hand_out(backup, parts));
        let first = stream::iter([Ok(part(Part::Info(info)))]);
        let rest = stream::unfold(taken, |mut taken| async {
            taken.recv().await.map(|part| (part, taken))
        });
        Ok(Response::new(Box::pin(first.chain(rest))))
    }
}

async fn note(core: &Core, caller: Caller, info: BackupInfo) -> Result<(), Status> {
    core.change(move |tx| {
        let after = json!({
            "size_bytes": info.size_bytes,
            "schema_version": info.schema_version,
        });
        let object = ("store", info.store_id);
        let entry = caller.audit(info.created_at, "backup.create", object, None, Some(after));
        audit::append(tx, &entry)?;
        Ok(())
    })
    .await
}

/// Reads the copy as its caller takes it. It is gone at the end of this, which comes soon after the
/// caller has hung up.
async fn hand_out(backup: Backup, parts: mpsc::Sender<Result<CreateBackupResponse, Status>>) {
    let file = Arc::new(backup.file);
    loop {
        let reading = Arc::clone(&file);
        let read = spawn_blocking(move || read(&reading)).await;
        let next = match read.unwrap_or_else(|panic| Err(io::Error::other(panic))) {
            Ok(bytes) if bytes.is_empty() => return,
            Ok(bytes) => Ok(part(Part::Data(bytes))),
            Err(error) => Err(internal(&format!("a backup can't be read: {error}"))),
        };
        let is_last = next.is_err();
        if parts.send_timeout(next, TAKE_WITHIN).await.is_err() || is_last {
            return;
        }
    }
}

fn read(mut file: &File) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; CHUNK_BYTES];
    let length = file.read(&mut bytes)?;
    bytes.truncate(length);
    Ok(bytes)
}

fn part(part: Part) -> CreateBackupResponse {
    CreateBackupResponse { part: Some(part) }
}

fn running() -> Status {
    let message = "another backup is made or downloaded just now; ask again in a while";
    let status = refuse(Code::Unavailable, "backup_running", None, message);
    retry_after(status, RUNNING_S)
}
