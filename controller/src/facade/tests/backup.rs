//! A backup as a download.

use std::pin::Pin;

use futures_util::{Stream, stream};
use tonic::{Code, Request, Response, Status};
use wgfleet_proto::v1::{
    BackupInfo, CreateBackupRequest, CreateBackupResponse, backup_service_server::BackupService,
    create_backup_response::Part,
};

use super::{super::problem::named, Body, Fake, ID, Method, StatusCode, answer, request};

#[tonic::async_trait]
impl BackupService for Fake {
    type CreateStream = Pin<Box<dyn Stream<Item = Result<CreateBackupResponse, Status>> + Send>>;

    async fn create(
        &self,
        request: Request<CreateBackupRequest>,
    ) -> Result<Response<Self::CreateStream>, Status> {
        let info = BackupInfo {
            store_id: ID.into(),
            schema_version: 4,
            created_at: 1_772_366_400,
            size_bytes: 6,
        };
        let parts = [
            Part::Info(info),
            Part::Data(b"one".to_vec()),
            Part::Data(b"two".to_vec()),
        ];
        let parts = parts.map(|part| Ok(CreateBackupResponse { part: Some(part) }));
        let answer = self.reply(&request, ())?;
        Ok(answer.map(|()| Box::pin(stream::iter(parts)) as Self::CreateStream))
    }
}

#[tokio::test]
async fn it_is_a_file_of_a_known_length() {
    let fake = Fake::new();
    let request = request(Method::POST, "/api/v1/backup").body(Body::empty());
    let answer = answer(&fake, request.expect("a request")).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.body, b"onetwo");
    assert_eq!(
        answer.header("content-type"),
        Some("application/octet-stream")
    );
    assert_eq!(answer.header("content-length"), Some("6"));
    let disposition = answer.header("content-disposition");
    let expected = "attachment; filename=\"wgfleet-1772366400.backup\"";
    assert_eq!(disposition, Some(expected));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn a_second_one_comes_back_later() {
    let status = named(
        Status::new(Code::Unavailable, "later"),
        "backup_running",
        "",
    );
    let fake = Fake::refusing(status);
    let request = request(Method::POST, "/api/v1/backup").body(Body::empty());
    let answer = answer(&fake, request.expect("a request")).await;
    assert_eq!(answer.problem(), (503, "backup_running".into(), None));
    assert!(answer.header("retry-after").is_some());
}
