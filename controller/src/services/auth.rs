//! Who calls, and whether they may.
//!
//! A request carries `authorization: Bearer <token>`. Tokens are random and long, so the store keeps
//! their plain SHA-256 and finds them by it. The tokens in use are kept in memory and read again when
//! one changes: a revoked token is refused from the next request on, and so is one that expired.
//!
//! [`authorize`] is for methods that concern the whole fleet; it refuses tokens with a label scope.
//! Methods that look at the scope themselves, by [`Caller::node`] and its like, take
//! [`authorize_scoped`].

mod known;
mod limits;
mod making;
pub mod rules;
pub mod scope;
#[cfg(test)]
mod tests;
mod uses;

use std::sync::Arc;

use serde_json::Value;
use tonic::{Code, Status, metadata::MetadataMap};

use self::{
    known::{Hash, Known, Lookup},
    limits::{Limiters, Source},
    uses::Uses,
};
pub use self::{
    limits::AccessLimits,
    making::{
        ADMIN_TOKEN_FILE, AdminTokenError, ensure_admin_token, hash_token, new_token, random_token,
    },
    uses::keep_uses,
};
use super::{
    Core, once,
    status::{rate_limited, refuse},
};
use crate::{
    domain::labels::Labels,
    store::{
        Role, Store, StoreError, TokenId,
        audit::AuditEntry,
        tokens::{self, TokenRow},
    },
};

/// Metadata key of the address a request came from, for the audit. Set by the facade.
pub const SOURCE: &str = "x-wgfleet-source";
/// Metadata key of a call that is part of one that was counted already. Set by the facade, and taken
/// off whatever comes in over a network.
pub const COUNTED: &str = "x-wgfleet-counted";

const MAX_SOURCE_CHARS: usize = 128;
/// No token of ours is nearly as long; nobody makes us hash more.
const MAX_TOKEN_BYTES: usize = 512;

/// Who makes a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Their token.
    pub token_id: TokenId,
    /// Its name.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Labels of the nodes that exist for them; empty is all.
    pub label_scope: Labels,
    /// Where they call from, as far as is known; empty otherwise.
    pub source: String,
    /// What the request is known by when it is sent again.
    pub idempotency_key: Option<String>,
}

impl Caller {
    /// An audit row of theirs. `before` and `after` never hold secrets.
    #[must_use]
    pub fn audit(
        &self,
        at: i64,
        action: &str,
        object: (&str, String),
        before: Option<Value>,
        after: Option<Value>,
    ) -> AuditEntry {
        AuditEntry {
            at,
            actor: self.name.clone(),
            source: self.source.clone(),
            action: action.to_owned(),
            object_kind: object.0.to_owned(),
            object_id: object.1,
            before,
            after,
        }
    }

    /// Whether they have at least the role `needed`.
    ///
    /// # Errors
    /// PERMISSION_DENIED.
    pub fn need_role(&self, needed: Role) -> Result<(), Status> {
        if rank(self.role) >= rank(needed) {
            return Ok(());
        }
        let needed = needed.as_str();
        Err(forbidden(format!(
            "this token may not do that; the role {needed} may"
        )))
    }

    /// Whether they have the whole fleet.
    ///
    /// # Errors
    /// PERMISSION_DENIED.
    pub fn need_whole_fleet(&self) -> Result<(), Status> {
        if self.is_scoped() {
            let message = "this token is for some nodes only and may not do what concerns all";
            return Err(forbidden(message.into()));
        }
        Ok(())
    }
}

/// What is kept in memory to tell who calls.
pub struct Access {
    known: Known,
    limiters: Limiters,
    uses: Uses,
}

impl Access {
    /// Nobody is known yet.
    #[must_use]
    pub fn new(limits: AccessLimits) -> Self {
        Self {
            known: Known::default(),
            limiters: Limiters::new(limits),
            uses: Uses::default(),
        }
    }

    /// When a token was last used, Unix seconds: what is written down of it, or what was seen since.
    #[must_use]
    pub fn last_used_at(&self, token: &TokenRow) -> Option<i64> {
        token.last_used_at.max(self.uses.of(token.id))
    }
}

/// Has the tokens read again when dropped. A transaction that changes one gives this back: whether
/// its caller still waits or has hung up, it is dropped after the commit.
pub struct TokensChanged(pub Arc<Access>);

impl Drop for TokensChanged {
    fn drop(&mut self) {
        self.0.known.forget();
    }
}

/// Who calls, when they have at least the role `needed`, and the whole fleet.
///
/// # Errors
/// UNAUTHENTICATED without a valid token, PERMISSION_DENIED when its role is too low or it has a label
/// scope, RESOURCE_EXHAUSTED (`rate_limited`) when there were too many calls.
pub async fn authorize(
    core: &Core,
    metadata: &MetadataMap,
    needed: Role,
) -> Result<Caller, Status> {
    let caller = authorize_scoped(core, metadata, needed).await?;
    caller.need_whole_fleet()?;
    Ok(caller)
}

/// Who calls, when they have at least the role `needed`. The method must keep to their label scope.
///
/// # Errors
/// As [`authorize`], but for the scope.
pub async fn authorize_scoped(
    core: &Core,
    metadata: &MetadataMap,
    needed: Role,
) -> Result<Caller, Status> {
    let source = source(metadata);
    let token = authenticate(core, metadata, &source).await?;
    if !metadata.contains_key(COUNTED) {
        let counted = core.access.limiters.call(token.id);
        let message = "this token makes too many requests";
        counted.map_err(|wait_s| rate_limited(message, wait_s))?;
    }
    core.access.uses.note(token.id, core.now_s());
    let caller = Caller {
        token_id: token.id,
        name: token.name.clone(),
        role: token.role,
        label_scope: token.label_scope.clone(),
        source,
        idempotency_key: idempotency_key(metadata),
    };
    caller.need_role(needed)?;
    Ok(caller)
}

/// Whether a caller who was let in before would be let in now: for what goes on for long, such as a
/// stream of events. No when it can't be told.
pub async fn still_valid(core: &Core, caller: &Caller) -> bool {
    let (id, now_s) = (caller.token_id, core.now_s());
    if let Some(row) = core.access.known.of_id(id) {
        return row.is_usable(now_s);
    }
    let row = core.store.read(move |conn| tokens::get(conn, id)).await;
    row.is_ok_and(|row| row.is_usable(now_s))
}

async fn authenticate(
    core: &Core,
    metadata: &MetadataMap,
    source: &str,
) -> Result<Arc<TokenRow>, Status> {
    let failed = || failed(&core.access, source);
    let hash = bearer(metadata).map(hash_token).ok_or_else(failed)?;
    let token = match find(core, &hash, source).await? {
        Some(token) => token,
        None => return Err(unauthenticated()),
    };
    if token.is_usable(core.now_s()) {
        return Ok(token);
    }
    Err(failed())
}

/// The token with this hash. One that is not known counts as a failure of its source before the store
/// is asked: guesses must not keep the store busy.
async fn find(core: &Core, hash: &Hash, source: &str) -> Result<Option<Arc<TokenRow>>, Status> {
    let known = &core.access.known;
    if let Lookup::Missing {
        generation,
        is_complete: false,
    } = known.get(hash)
    {
        known.fill(generation, core.store.read(tokens::by_hash).await?);
    }
    let generation = match known.get(hash) {
        Lookup::Found(token) => return Ok(Some(token)),
        Lookup::Missing { generation, .. } => generation,
    };
    count_failure(&core.access, source)?;
    let found = read(&core.store, *hash).await?;
    let found = found
        .filter(|token| token.revoked_at.is_none())
        .map(Arc::new);
    if let Some(token) = &found {
        known.add(generation, *hash, token);
    }
    Ok(found)
}

async fn read(store: &Store, hash: Hash) -> Result<Option<TokenRow>, StoreError> {
    store.read(move |conn| tokens::find(conn, &hash)).await
}

fn failed(access: &Access, source: &str) -> Status {
    count_failure(access, source).map_or_else(|status| status, |()| unauthenticated())
}

fn count_failure(access: &Access, source: &str) -> Result<(), Status> {
    if let Some(suppressed) = access.limiters.may_log() {
        tracing::info!(source, suppressed, "a caller showed no valid token");
    }
    let counted = access.limiters.failure(Source::named(source));
    let message = "too many requests without a valid token came from this address";
    counted.map_err(|wait_s| rate_limited(message, wait_s))
}

fn bearer(metadata: &MetadataMap) -> Option<&str> {
    let mut values = metadata.get_all("authorization").iter();
    let value = values.next()?.to_str().ok()?;
    if values.next().is_some() {
        return None;
    }
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && token.len() <= MAX_TOKEN_BYTES)
        .then_some(token)
}

fn source(metadata: &MetadataMap) -> String {
    let text = metadata.get(SOURCE).and_then(|value| value.to_str().ok());
    text.unwrap_or_default()
        .chars()
        .take(MAX_SOURCE_CHARS)
        .collect()
}

/// What is no text is kept as one that will be refused.
fn idempotency_key(metadata: &MetadataMap) -> Option<String> {
    let key = metadata.get(once::KEY)?;
    Some(key.to_str().unwrap_or_default().to_owned())
}

const fn rank(role: Role) -> u8 {
    match role {
        Role::Viewer => 0,
        Role::Operator => 1,
        Role::Admin => 2,
    }
}

/// There is no valid token.
pub(super) fn unauthenticated() -> Status {
    let message = "a valid token is needed: authorization: Bearer <token>";
    refuse(Code::Unauthenticated, "unauthenticated", None, message)
}

fn forbidden(message: String) -> Status {
    refuse(Code::PermissionDenied, "forbidden", None, message)
}
