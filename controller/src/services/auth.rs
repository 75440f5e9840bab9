//! Who calls, and whether they may.
//!
//! A request carries `authorization: Bearer <token>`. Tokens are random and long, so the store keeps
//! their plain SHA-256 and finds them by it. It is asked each time: a revoked token is refused from
//! the next request on.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    digest,
    rand::{SecureRandom as _, SystemRandom},
};
use serde_json::Value;
use tonic::{Code, Status, metadata::MetadataMap};
use zeroize::Zeroizing;

use super::{Core, once, status::refuse};
use crate::store::{Role, Store, StoreError, TokenId, audit::AuditEntry, tokens};

/// Metadata key of the address a request came from, for the audit. Set by the facade.
pub const SOURCE: &str = "x-wgfleet-source";
/// Name of the first administrator's token inside the data directory.
pub const ADMIN_TOKEN_FILE: &str = "admin-token";

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
}

/// Who calls, when they have at least the role `needed`.
///
/// # Errors
/// UNAUTHENTICATED without a valid token, PERMISSION_DENIED when its role is too low.
pub async fn authorize(
    core: &Core,
    metadata: &MetadataMap,
    needed: Role,
) -> Result<Caller, Status> {
    let hash = bearer(metadata)
        .map(hash_token)
        .ok_or_else(unauthenticated)?;
    let token = core
        .store
        .read(move |conn| tokens::find(conn, &hash))
        .await?;
    let now_s = core.now_s();
    let is_valid = |token: &tokens::TokenRow| {
        token.revoked_at.is_none() && token.expires_at.is_none_or(|at| now_s < at)
    };
    let token = token.filter(is_valid).ok_or_else(unauthenticated)?;
    // Scopes are not looked at yet by the services; until they are, a scoped token gets nothing
    // rather than everything.
    if rank(token.role) < rank(needed) || !token.label_scope.is_empty() {
        return Err(forbidden(needed));
    }
    Ok(Caller {
        token_id: token.id,
        name: token.name,
        role: token.role,
        source: source(metadata),
        idempotency_key: idempotency_key(metadata),
    })
}

/// Why there is no token for the first administrator.
#[derive(Debug, thiserror::Error)]
pub enum AdminTokenError {
    /// It could not be written.
    #[error("the administrator's token could not be written to {path}: {source}")]
    File {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes an administrator's token when the store has no token at all, and writes it to the data
/// directory. The file comes first: after a crash in between there is none in the store, and the
/// next start makes another.
///
/// # Errors
/// [`AdminTokenError`].
pub async fn ensure_admin_token(
    store: &Store,
    data_dir: &Path,
    now_s: i64,
) -> Result<(), AdminTokenError> {
    let has_tokens = store.read(|conn| Ok(!tokens::list(conn)?.is_empty())).await;
    if has_tokens? {
        return Ok(());
    }
    let token = random_token()?;
    let path = data_dir.join(ADMIN_TOKEN_FILE);
    write_private(&path, &token).map_err(|source| AdminTokenError::File { path, source })?;
    let row = tokens::TokenRow {
        id: TokenId::generate(),
        name: "admin".into(),
        role: Role::Admin,
        label_scope: Default::default(),
        expires_at: None,
        revoked_at: None,
        created_at: now_s,
    };
    let hash = hash_token(&token);
    Ok(store
        .write(move |tx| tokens::create(tx, &row, &hash))
        .await?)
}

/// 32 random bytes in URL-safe base64 without padding: a token, or a secret.
///
/// # Errors
/// When the system has no randomness.
pub fn random_token() -> Result<Zeroizing<String>, StoreError> {
    let mut bytes = Zeroizing::new([0; 32]);
    SystemRandom::new()
        .fill(bytes.as_mut())
        .map_err(|_| StoreError::Internal("the system gave no random bytes".into()))?;
    Ok(Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes.as_ref())))
}

/// What the store keeps of a token.
#[must_use]
pub fn hash_token(token: &str) -> [u8; 32] {
    let digest = digest::digest(&digest::SHA256, token.as_bytes());
    digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
}

/// Readable by its owner only from the first byte on, and whole or not there.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let unfinished = path.with_extension("new");
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&unfinished)?;
    file.write_all(text.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    fs::rename(&unfinished, path)
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

fn unauthenticated() -> Status {
    let message = "a valid token is needed: authorization: Bearer <token>";
    refuse(Code::Unauthenticated, "unauthenticated", None, message)
}

fn forbidden(needed: Role) -> Status {
    let message = format!(
        "this token may not do that; the role {} may",
        needed.as_str()
    );
    refuse(Code::PermissionDenied, "forbidden", None, message)
}
