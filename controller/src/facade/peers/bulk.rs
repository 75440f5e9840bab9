//! `/api/v1/peers/bulk`: many peers at once, one result for each.

use axum::{Json, extract::State, http::StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tonic::{Code, Status};
use wgfleet_proto::v1::{self, bulk_result::Outcome};

use super::{
    super::{
        Answer, Facade,
        caller::Caller,
        input::BulkInput,
        openapi::format,
        problem::{self, Problem},
    },
    answer::Created,
    request::CreatePeer,
};

/// Peers to add.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "BulkCreatePeers")]
pub(super) struct CreatePeers {
    #[schemars(length(min = 1, max = 10_000))]
    peers: Vec<CreatePeer>,
}

/// Peers to remove.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "BulkDeletePeers")]
pub(super) struct DeletePeers {
    #[schemars(length(min = 1, max = 10_000))]
    ids: Vec<String>,
}

/// What came of each, in the order of the request.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "BulkResults")]
pub(super) struct Results {
    results: Vec<OneResult>,
    #[schemars(with = "format::Count")]
    succeeded: u32,
    #[schemars(with = "format::Count")]
    failed: u32,
}

/// What came of one: `status` is what a request of its own would have been answered with.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "BulkResult")]
struct OneResult {
    #[schemars(with = "format::HttpStatus")]
    status: u16,
    /// The one that was added.
    #[serde(skip_serializing_if = "Option::is_none")]
    peer: Option<Created>,
    /// The one that is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<Refused>,
}

/// Why one was refused.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "BulkRefusal")]
struct Refused {
    /// As of a problem document.
    code: String,
    /// One sentence for people.
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
}

pub(super) async fn create(
    State(mut facade): State<Facade>,
    caller: Caller,
    BulkInput(CreatePeers { peers }): BulkInput<CreatePeers>,
) -> Answer<Json<Results>> {
    let peers = peers.into_iter().enumerate().map(|(at, peer)| {
        v1::CreatePeerRequest::try_from(peer)
            .map_err(|problem| problem.inside(&format!("peers[{at}]")))
    });
    let peers = peers.collect::<Result<_, Problem>>()?;
    let message = v1::BulkCreatePeersRequest { peers };
    let answer = facade.peers.bulk_create(caller.request(message)).await?;
    Ok(Json(answer.into_inner().into()))
}

pub(super) async fn delete(
    State(mut facade): State<Facade>,
    caller: Caller,
    BulkInput(DeletePeers { ids }): BulkInput<DeletePeers>,
) -> Answer<Json<Results>> {
    let message = v1::BulkDeletePeersRequest { ids };
    let answer = facade.peers.bulk_delete(caller.request(message)).await?;
    Ok(Json(answer.into_inner().into()))
}

impl From<v1::BulkPeersResponse> for Results {
    fn from(answer: v1::BulkPeersResponse) -> Self {
        let results = answer.results.into_iter();
        Self {
            results: results.map(|it| it.outcome.into()).collect(),
            succeeded: answer.succeeded,
            failed: answer.failed,
        }
    }
}

impl From<Option<Outcome>> for OneResult {
    fn from(outcome: Option<Outcome>) -> Self {
        let nothing = |status: StatusCode| Self {
            status: status.as_u16(),
            peer: None,
            id: None,
            problem: None,
        };
        match outcome {
            Some(Outcome::Created(answer)) => Self {
                peer: Some(answer.into()),
                ..nothing(StatusCode::CREATED)
            },
            Some(Outcome::Deleted(id)) => Self {
                id: Some(id),
                ..nothing(StatusCode::OK)
            },
            Some(Outcome::Refused(refusal)) => {
                let problem = Problem::from(status(refusal));
                Self {
                    problem: Some(Refused {
                        code: problem.code.into_owned(),
                        detail: problem.detail,
                        field: problem.field,
                    }),
                    ..nothing(problem.status)
                }
            }
            None => nothing(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }
}

fn status(refusal: v1::Refusal) -> Status {
    problem::named(
        Status::new(Code::from_i32(refusal.status), refusal.message),
        &refusal.code,
        &refusal.field,
    )
}
