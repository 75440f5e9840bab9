//! Making a token.

use tonic::Status;
use wgfleet_proto::v1;

use super::{audited, shown};
use crate::{
    domain::{labels::check_labels, name::checked_name},
    services::{
        Core,
        auth::{Caller, TokensChanged, hash_token, new_token},
        once,
        status::invalid,
    },
    store::{
        Role, StoreError, TokenId, WriteTx, audit,
        tokens::{self, TokenRow},
    },
};

pub(super) async fn create(
    core: &Core,
    caller: Caller,
    request: v1::CreateTokenRequest,
) -> Result<v1::CreateTokenResponse, Status> {
    let now_s = core.now_s();
    let row = checked(request, now_s)?;
    let text = new_token()?;
    let (hash, changed) = (hash_token(&text), TokensChanged(core.access.clone()));
    let answer = v1::CreateTokenResponse {
        token: Some(shown(&core.access, &row)),
        text: text.to_string(),
    };
    let noted = once::current().zip(Some(answer.clone()));
    core.change(move |tx| {
        insert(tx, &caller, &row, &hash)?;
        if let Some((once, answer)) = &noted {
            once.record(tx, answer)?;
        }
        Ok(changed)
    })
    .await?;
    Ok(answer)
}

fn checked(request: v1::CreateTokenRequest, now_s: i64) -> Result<TokenRow, Status> {
    check_labels(&request.label_scope).map_err(|e| invalid("label_scope", e.to_string()))?;
    if request.expires_at.is_some_and(|at| at <= now_s) {
        return Err(invalid("expires_at", "a time that is still to come"));
    }
    Ok(TokenRow {
        id: TokenId::generate(),
        name: checked_name(&request.name)?.to_owned(),
        role: role(request.role)?,
        label_scope: request.label_scope,
        expires_at: request.expires_at,
        revoked_at: None,
        created_at: now_s,
        last_used_at: None,
    })
}

fn role(number: i32) -> Result<Role, Status> {
    match v1::TokenRole::try_from(number) {
        Ok(v1::TokenRole::Admin) => Ok(Role::Admin),
        Ok(v1::TokenRole::Operator) => Ok(Role::Operator),
        Ok(v1::TokenRole::Viewer) => Ok(Role::Viewer),
        Ok(v1::TokenRole::Unspecified) | Err(_) => {
            Err(invalid("role", "admin, operator or viewer"))
        }
    }
}

fn insert(
    tx: &WriteTx<'_>,
    caller: &Caller,
    row: &TokenRow,
    hash: &[u8; 32],
) -> Result<(), Status> {
    let others = tokens::list(tx)?;
    let same = |other: &&TokenRow| other.name == row.name && other.is_usable(row.created_at);
    // The audit tells who it was by this name.
    if others.iter().any(|other| same(&other)) || row.name == audit::CONTROLLER {
        let other = "another token in use".into();
        return Err(StoreError::Conflict {
            what: "name",
            other,
        }
        .into());
    }
    tokens::create(tx, row, hash)?;
    let object = ("token", row.id.to_string());
    let after = Some(audited(row));
    let entry = caller.audit(row.created_at, "token.create", object, None, after);
    audit::append(tx, &entry)?;
    Ok(())
}
