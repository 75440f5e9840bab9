//! `/backup`: a copy of the store, and how it is put back.

use askama::Template;
use axum::{
    Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::get,
};
use wgfleet_proto::v1;

use super::{
    page::{Nav, Page, SignedIn, html_with},
    refusal::Refused,
    show::{self, Ago},
};
use crate::facade::{Answer, Facade, backup};

pub(super) fn routes() -> Router<Facade> {
    Router::new().route("/backup", get(show).post(create))
}

#[derive(Template)]
#[template(path = "backup.html")]
struct BackupPage {
    page: Page,
    refused: Option<Refused>,
    last: Option<Last>,
}

/// The last copy that the controller handed out.
struct Last {
    at: Ago,
    actor: String,
    size: String,
}

async fn show(State(mut facade): State<Facade>, signed: SignedIn) -> Answer<Response> {
    page(&mut facade, &signed, None).await
}

async fn page(
    facade: &mut Facade,
    signed: &SignedIn,
    refused: Option<Refused>,
) -> Answer<Response> {
    let status = Refused::status(refused.as_ref());
    html_with(
        status,
        &BackupPage {
            last: last(facade, signed).await?,
            page: Page::new(signed, Nav::Backup, "Backup"),
            refused,
        },
    )
}

/// As the audit has it: copies made with `wgfleet-controller backup` on the host are not in it.
async fn last(facade: &mut Facade, signed: &SignedIn) -> Answer<Option<Last>> {
    let asked = v1::ListAuditRequest {
        page: Some(v1::PageRequest {
            page_size: 1,
            cursor: String::new(),
        }),
        action: "backup.create".into(),
        ..Default::default()
    };
    let found = facade.audit.list(signed.caller.request(asked)).await?;
    let found = found.into_inner().items.into_iter().next();
    Ok(found.map(|entry| {
        let after: serde_json::Value = serde_json::from_str(&entry.after).unwrap_or_default();
        Last {
            at: Ago::new(entry.at, show::now_s()),
            actor: entry.actor,
            size: after["size_bytes"]
                .as_u64()
                .map(show::bytes)
                .unwrap_or_default(),
        }
    }))
}

async fn create(State(mut facade): State<Facade>, signed: SignedIn) -> Answer<Response> {
    match backup::download(&mut facade, &signed.caller).await {
        Ok(copy) => Ok(copy.into_response()),
        // Another copy is being made: it is said where the button is.
        Err(problem) if problem.status == StatusCode::SERVICE_UNAVAILABLE => {
            page(&mut facade, &signed, Some(problem.into())).await
        }
        Err(problem) => Err(problem),
    }
}
