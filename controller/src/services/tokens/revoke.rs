//! Taking a token out of use.

use serde_json::json;
use tonic::{Code, Status};

use crate::{
    services::{
        Core,
        auth::{Caller, TokensChanged},
        status::refuse,
    },
    store::{
        Role, TokenId, WriteTx, audit,
        tokens::{self, TokenRow},
    },
};

pub(super) async fn revoke(core: &Core, caller: Caller, id: TokenId) -> Result<TokenRow, Status> {
    let (now_s, changed) = (core.now_s(), TokensChanged(core.access.clone()));
    let (row, _changed) = core
        .change(move |tx| Ok((take_out(tx, &caller, id, now_s)?, changed)))
        .await?;
    Ok(row)
}

fn take_out(
    tx: &WriteTx<'_>,
    caller: &Caller,
    id: TokenId,
    now_s: i64,
) -> Result<TokenRow, Status> {
    let before = tokens::get(tx, id)?;
    if before.revoked_at.is_some() {
        return Ok(before);
    }
    let manages = |row: &TokenRow| {
        row.role == Role::Admin && row.label_scope.is_empty() && row.is_usable(now_s)
    };
    let others = tokens::list(tx)?;
    if manages(&before) && !others.iter().any(|row| row.id != id && manages(row)) {
        let message = "this is the last token that can manage tokens: make another one first";
        let code = Code::FailedPrecondition;
        return Err(refuse(code, "last_admin_token", None, message));
    }
    tokens::revoke(tx, id, now_s)?;
    let object = ("token", id.to_string());
    let (old, new) = (
        json!({"name": before.name, "revoked_at": null}),
        json!({"name": before.name, "revoked_at": now_s}),
    );
    let entry = caller.audit(now_s, "token.revoke", object, Some(old), Some(new));
    audit::append(tx, &entry)?;
    Ok(tokens::get(tx, id)?)
}
