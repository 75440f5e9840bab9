//! The services of tokens and of the audit.

use tonic::{Request, Response, Status};
use wgfleet_proto::v1::{
    self, audit_service_server::AuditService, token_service_server::TokenService,
};

use super::{Fake, ID, Reply, page};

fn token() -> v1::Token {
    v1::Token {
        id: ID.into(),
        name: "ci".into(),
        role: v1::TokenRole::Operator.into(),
        label_scope: [("team".into(), "red".into())].into(),
        expires_at: Some(1_772_366_400),
        revoked_at: None,
        created_at: 1_772_366_400,
        last_used_at: Some(1_772_366_460),
    }
}

#[tonic::async_trait]
impl TokenService for Fake {
    async fn list(&self, r: Request<v1::ListTokensRequest>) -> Reply<v1::ListTokensResponse> {
        let mut token = token();
        token.name = self.called(&token.name);
        let items = vec![token];
        let page = page();
        self.reply(&r, v1::ListTokensResponse { items, page })
    }

    async fn create(&self, r: Request<v1::CreateTokenRequest>) -> Reply<v1::CreateTokenResponse> {
        let answer = v1::CreateTokenResponse {
            token: Some(token()),
            text: "wgf_drawn".into(),
        };
        self.reply(&r, answer)
    }

    async fn revoke(&self, r: Request<v1::RevokeTokenRequest>) -> Reply<v1::Token> {
        let mut token = token();
        token.revoked_at = Some(1_772_366_401);
        self.reply(&r, token)
    }

    /// Lets in who shows a token. Noted is only who asks for no more than that.
    async fn who_am_i(&self, r: Request<v1::WhoAmIRequest>) -> Reply<v1::Token> {
        if !r.metadata().contains_key("authorization") {
            let status = Status::unauthenticated("a valid token is needed");
            return Err(status);
        }
        if let Some(status) = self.closed.clone() {
            return Err(status);
        }
        let mut token = token();
        token.name = self.called(&token.name);
        if let Some(role) = self.role {
            token.set_role(role);
            token.label_scope.clear();
        }
        if r.metadata().contains_key("x-wgfleet-counted") {
            return self.reply(&r, token);
        }
        Ok(Response::new(token))
    }
}

#[tonic::async_trait]
impl AuditService for Fake {
    async fn list(&self, r: Request<v1::ListAuditRequest>) -> Reply<v1::ListAuditResponse> {
        let entry = v1::AuditEntry {
            id: 9,
            at: 1_772_366_400,
            actor: self.called("ci"),
            source: "192.0.2.7".into(),
            action: "peer.update".into(),
            object_kind: "peer".into(),
            object_id: ID.into(),
            before: String::new(),
            after: "{\"enabled\":false}".into(),
        };
        let answer = v1::ListAuditResponse {
            items: vec![entry],
            page: page(),
        };
        self.reply(&r, answer)
    }
}
