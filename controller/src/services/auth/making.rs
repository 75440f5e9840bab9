//! The first administrator's token, and what tokens are made of.

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
use zeroize::Zeroizing;

use crate::store::{Role, Store, StoreError, TokenId, tokens};

/// Name of the first administrator's token inside the data directory.
pub const ADMIN_TOKEN_FILE: &str = "admin-token";
/// What tokens begin with, so that one that leaked is recognised wherever it turns up. Tokens from
/// before there was a prefix are as good as any.
const PREFIX: &str = "wgf_";

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
    let token = new_token()?;
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
        last_used_at: None,
    };
    let hash = hash_token(&token);
    Ok(store
        .write(move |tx| tokens::create(tx, &row, &hash))
        .await?)
}

/// The text of a new token.
///
/// # Errors
/// When the system has no randomness.
pub fn new_token() -> Result<Zeroizing<String>, StoreError> {
    let random = random_token()?;
    Ok(Zeroizing::new(format!("{PREFIX}{}", random.as_str())))
}

/// 32 random bytes in URL-safe base64 without padding: most of a token, or a secret.
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
