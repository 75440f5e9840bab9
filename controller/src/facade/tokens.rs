//! `/api/v1/tokens` and `/api/v1/whoami`.

mod describe;

use std::collections::BTreeMap;

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::{delete, get},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wgfleet_proto::v1::{self, TokenRole};

use super::{
    Answer, Facade,
    caller::Caller,
    input::{Id, Input, OfToken, required},
    openapi::format,
    problem::Problem,
    query::Parameters,
    shape::{Page, word},
    time::Timestamp,
};

pub(super) use self::describe::operations;

/// The words of `role`.
pub(super) const ROLES: [(&str, TokenRole); 3] = [
    ("admin", TokenRole::Admin),
    ("operator", TokenRole::Operator),
    ("viewer", TokenRole::Viewer),
];

pub(super) fn routes() -> Router<Facade> {
    Router::new()
        .route("/tokens", get(list).post(create))
        .route("/tokens/{id}", delete(revoke))
        .route("/whoami", get(who_am_i))
}

/// A token without its text.
#[derive(JsonSchema, Serialize)]
struct Token {
    #[schemars(with = "format::Uuid")]
    id: String,
    name: String,
    #[schemars(with = "format::Role")]
    role: &'static str,
    /// Only nodes with all of these labels exist for it, and the peers on them. Empty is the whole fleet.
    #[schemars(with = "format::Labels")]
    label_scope: BTreeMap<String, String>,
    /// `null` is never.
    expires_at: Option<Timestamp>,
    /// `null` while it is in use.
    revoked_at: Option<Timestamp>,
    created_at: Timestamp,
    /// `null` is never.
    last_used_at: Option<Timestamp>,
}

/// A token that was made just now.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "CreatedToken")]
struct Created {
    #[serde(flatten)]
    row: Token,
    /// What its holder sends. Shown this once.
    #[schemars(regex(pattern = "^wgf_"))]
    token: String,
}

/// A new token.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["name", "role"]))]
struct CreateToken {
    /// Who the audit says it was; no other token in use has it.
    #[schemars(with = "format::Name")]
    name: Option<String>,
    #[schemars(with = "format::Role")]
    role: Option<String>,
    /// Only nodes with all of these labels exist for it.
    #[schemars(with = "Option<format::Labels>")]
    label_scope: Option<BTreeMap<String, String>>,
    /// A time to come.
    #[schemars(with = "Option<format::Future>")]
    expires_at: Option<Timestamp>,
}

impl From<v1::Token> for Token {
    fn from(token: v1::Token) -> Self {
        Self {
            role: word(&ROLES, token.role()),
            id: token.id,
            name: token.name,
            label_scope: token.label_scope,
            expires_at: token.expires_at.map(Timestamp),
            revoked_at: token.revoked_at.map(Timestamp),
            created_at: Timestamp(token.created_at),
            last_used_at: token.last_used_at.map(Timestamp),
        }
    }
}

impl TryFrom<CreateToken> for v1::CreateTokenRequest {
    type Error = Problem;

    fn try_from(token: CreateToken) -> Result<Self, Problem> {
        let role = required("role", token.role)?;
        let known = ROLES.iter().find(|(word, _)| *word == role);
        let form = "role must be one of admin, operator, viewer";
        let (_, role) = known.ok_or_else(|| Problem::invalid_field("role", form))?;
        Ok(Self {
            name: required("name", token.name)?,
            role: (*role).into(),
            label_scope: token.label_scope.unwrap_or_default(),
            expires_at: token.expires_at.map(|time| time.0),
        })
    }
}

async fn list(
    State(mut facade): State<Facade>,
    caller: Caller,
    mut query: Parameters,
) -> Answer<Json<Page<Token>>> {
    let page = Some(query.page()?);
    query.finish()?;
    let message = v1::ListTokensRequest { page };
    let answer = facade.tokens.list(caller.request(message)).await?;
    let answer = answer.into_inner();
    Ok(Json(Page::new(answer.items, answer.page)))
}

async fn create(
    State(mut facade): State<Facade>,
    caller: Caller,
    Input(token): Input<CreateToken>,
) -> Answer<impl IntoResponse> {
    let message = token.try_into()?;
    let answer = facade.tokens.create(caller.request(message)).await?;
    let answer = answer.into_inner();
    let created = Created {
        row: answer.token.unwrap_or_default().into(),
        token: answer.text,
    };
    let location = format!("/api/v1/tokens/{}", created.row.id);
    let headers = [(header::LOCATION, location)];
    Ok((StatusCode::CREATED, headers, Json(created)))
}

async fn revoke(
    State(mut facade): State<Facade>,
    caller: Caller,
    Id { id, .. }: Id<OfToken>,
) -> Answer<Json<Token>> {
    let message = v1::RevokeTokenRequest { id };
    let token = facade.tokens.revoke(caller.request(message)).await?;
    Ok(Json(token.into_inner().into()))
}

async fn who_am_i(State(mut facade): State<Facade>, caller: Caller) -> Answer<Json<Token>> {
    let message = v1::WhoAmIRequest::default();
    let token = facade.tokens.who_am_i(caller.request(message)).await?;
    Ok(Json(token.into_inner().into()))
}
