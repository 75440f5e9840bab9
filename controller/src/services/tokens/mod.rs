//! Tokens: made, listed and taken out of use. Their texts are nowhere but in the answer that made
//! them.

mod create;
mod revoke;

use std::sync::Arc;

use serde_json::{Value, json};
use tonic::{Request, Response, Status};
use wgfleet_proto::v1::{self, token_service_server::TokenService};

use super::{
    Core,
    auth::{Access, authorize, authorize_scoped, rules},
    once,
    status::{invalid, page_size, parse_id},
};
use crate::store::{
    Role, StoreError, TokenId,
    tokens::{self, TokenRow},
};

/// The service of tokens.
#[derive(Clone)]
pub struct Tokens(Arc<Core>);

impl Tokens {
    /// The service.
    #[must_use]
    pub const fn new(core: Arc<Core>) -> Self {
        Self(core)
    }
}

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl TokenService for Tokens {
    async fn list(
        &self,
        request: Request<v1::ListTokensRequest>,
    ) -> Answer<v1::ListTokensResponse> {
        authorize(&self.0, request.metadata(), Role::Admin).await?;
        let page = request.into_inner().page.unwrap_or_default();
        let rows = self.0.look(|conn| Ok(tokens::list(conn)?)).await?;
        let show = |row: &TokenRow| shown(&self.0.access, row);
        list(&rows, &page, show).map(Response::new)
    }

    async fn create(
        &self,
        request: Request<v1::CreateTokenRequest>,
    ) -> Answer<v1::CreateTokenResponse> {
        let caller = authorize(&self.0, request.metadata(), Role::Admin).await?;
        let request = request.into_inner();
        let created = create::create(&self.0, caller.clone(), request.clone());
        once::run(&self.0, &caller, "tokens.create", &request, created)
            .await
            .map(Response::new)
    }

    async fn revoke(&self, request: Request<v1::RevokeTokenRequest>) -> Answer<v1::Token> {
        let caller = authorize(&self.0, request.metadata(), Role::Admin).await?;
        let id = token_id(&request.get_ref().id)?;
        let row = revoke::revoke(&self.0, caller, id).await?;
        Ok(Response::new(shown(&self.0.access, &row)))
    }

    async fn who_am_i(&self, request: Request<v1::WhoAmIRequest>) -> Answer<v1::Token> {
        let caller = authorize_scoped(&self.0, request.metadata(), Role::Viewer).await?;
        let may_call = &request.get_ref().may_call;
        if !may_call.is_empty() {
            let rule = rules::of(may_call);
            let rule = rule.ok_or_else(|| invalid("may_call", "there is no such method"))?;
            caller.need_role(rule.role)?;
            if !rule.scoped {
                caller.need_whole_fleet()?;
            }
        }
        let id = caller.token_id;
        let row = self.0.look(move |conn| Ok(tokens::get(conn, id)?)).await?;
        Ok(Response::new(shown(&self.0.access, &row)))
    }
}

/// Tokens are never deleted, so the last one shown is a place to go on from.
fn list(
    rows: &[TokenRow],
    page: &v1::PageRequest,
    show: impl Fn(&TokenRow) -> v1::Token,
) -> Result<v1::ListTokensResponse, Status> {
    let size = page_size(page)?;
    let start = match page.cursor.as_str() {
        "" => 0,
        cursor => 1 + position(rows, cursor)?,
    };
    let rest = rows.get(start..).unwrap_or_default();
    let items = &rest[..rest.len().min(size)];
    let last = items.last().filter(|_| items.len() < rest.len());
    Ok(v1::ListTokensResponse {
        page: Some(v1::PageInfo {
            next_cursor: last.map(|row| row.id.to_string()).unwrap_or_default(),
            total: rows.len().try_into().unwrap_or(u64::MAX),
        }),
        items: items.iter().map(show).collect(),
    })
}

fn position(rows: &[TokenRow], cursor: &str) -> Result<usize, Status> {
    let id: Option<TokenId> = cursor.parse().ok();
    let at = id.and_then(|id| rows.iter().position(|row| row.id == id));
    at.ok_or_else(|| invalid("cursor", "the cursor is not one of this list"))
}

fn token_id(text: &str) -> Result<TokenId, Status> {
    parse_id(text, || StoreError::NotFound { what: "token" }.into())
}

fn shown(access: &Access, row: &TokenRow) -> v1::Token {
    let role = match row.role {
        Role::Admin => v1::TokenRole::Admin,
        Role::Operator => v1::TokenRole::Operator,
        Role::Viewer => v1::TokenRole::Viewer,
    };
    v1::Token {
        id: row.id.to_string(),
        name: row.name.clone(),
        role: role.into(),
        label_scope: row.label_scope.clone(),
        expires_at: row.expires_at,
        revoked_at: row.revoked_at,
        created_at: row.created_at,
        last_used_at: access.last_used_at(row),
    }
}

/// A token in the audit.
fn audited(row: &TokenRow) -> Value {
    json!({
        "name": row.name,
        "role": row.role.as_str(),
        "label_scope": row.label_scope,
        "expires_at": row.expires_at,
    })
}
