//! The master key: the one secret that is not in the store.
//!
//! It stands in a file only its owner can read, or comes as a systemd credential. It wraps the data
//! keys and nothing else, so it can be replaced without sealing every value again.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

/// Bytes in a master key.
pub const MASTER_KEY_BYTES: usize = 32;

/// Where the master key comes from.
#[derive(Debug, Clone)]
pub enum MasterKeySource {
    /// A file with mode 0600, made at first start when it is absent.
    File(PathBuf),
    /// A systemd credential. The service manager guards who reads it, and it is never made.
    Credential(PathBuf),
}

/// Why there is no usable master key. Each says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MasterKeyError {
    /// The store is there, its key is not.
    #[error(
        "the master key {path} is missing but the store exists: put the key back from where you keep \
         it. Without it the secrets in the store can't be read"
    )]
    Missing {
        /// Where it was looked for.
        path: String,
    },
    /// Others than the owner can read or change it.
    #[error(
        "the master key {path} has mode {mode:04o}, so others can read or change it: run `chmod 600 \
         {path}`, and replace the secrets if anyone may have read it"
    )]
    Exposed {
        /// The file.
        path: String,
        /// Its permission bits.
        mode: u32,
    },
    /// It is not 32 bytes in base64.
    #[error("the master key {path} must hold the base64 of {MASTER_KEY_BYTES} bytes")]
    Malformed {
        /// The file.
        path: String,
    },
    /// It does not open this store.
    #[error(
        "the master key does not belong to this store: use the key the store was made with, or \
         restore the store that belongs to this key"
    )]
    Wrong,
    /// The file can't be read or written.
    #[error("the master key {path}: {reason}")]
    Io {
        /// The file.
        path: String,
        /// What the system said.
        reason: String,
    },
}

/// The key that wraps data keys. Wiped when dropped, never shown.
pub struct MasterKey(Zeroizing<[u8; MASTER_KEY_BYTES]>);

impl MasterKey {
    /// Takes the raw key.
    #[must_use]
    pub fn from_bytes(bytes: [u8; MASTER_KEY_BYTES]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Reads the key. A missing file is made only when there is no store yet.
    ///
    /// # Errors
    /// [`MasterKeyError`], which says what to do.
    pub fn load(source: &MasterKeySource, store_exists: bool) -> Result<Self, MasterKeyError> {
        match source {
            MasterKeySource::Credential(path) => read(path),
            MasterKeySource::File(path) => match fs::metadata(path) {
                Ok(metadata) => {
                    refuse_exposed(path, metadata.mode() & 0o7777)?;
                    read(path)
                }
                Err(e) if e.kind() == io::ErrorKind::NotFound && !store_exists => create(path),
                Err(e) => Err(failed(path, &e)),
            },
        }
    }

    pub(super) fn expose(&self) -> &[u8; MASTER_KEY_BYTES] {
        &self.0
    }
}

fn refuse_exposed(path: &Path, mode: u32) -> Result<(), MasterKeyError> {
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(MasterKeyError::Exposed {
        path: path.display().to_string(),
        mode,
    })
}

fn read(path: &Path) -> Result<MasterKey, MasterKeyError> {
    let text = Zeroizing::new(fs::read(path).map_err(|e| failed(path, &e))?);
    let malformed = || MasterKeyError::Malformed {
        path: path.display().to_string(),
    };
    // One group more than a key, which the decoder wants room for.
    let mut bytes = Zeroizing::new([0; MASTER_KEY_BYTES + 3]);
    match STANDARD.decode_slice(text.trim_ascii(), &mut *bytes) {
        Ok(MASTER_KEY_BYTES) => {
            let mut key = Zeroizing::new([0; MASTER_KEY_BYTES]);
            key.copy_from_slice(&bytes[..MASTER_KEY_BYTES]);
            Ok(MasterKey(key))
        }
        _ => Err(malformed()),
    }
}

/// Written beside, synced and renamed: a crash leaves a whole key or none.
fn create(path: &Path) -> Result<MasterKey, MasterKeyError> {
    let mut key = Zeroizing::new([0; MASTER_KEY_BYTES]);
    SystemRandom::new()
        .fill(&mut *key)
        .map_err(|_| failed(path, &io::Error::other("the system gave no random bytes")))?;
    let text = Zeroizing::new(STANDARD.encode(*key));
    write_new(path, text.as_bytes()).map_err(|e| failed(path, &e))?;
    Ok(MasterKey(key))
}

fn write_new(path: &Path, text: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)?;
    file.write_all(text)?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    match path.parent() {
        Some(directory) => fs::File::open(directory)?.sync_all(),
        None => Ok(()),
    }
}

fn failed(path: &Path, error: &io::Error) -> MasterKeyError {
    let path = path.display().to_string();
    match error.kind() {
        io::ErrorKind::NotFound => MasterKeyError::Missing { path },
        _ => MasterKeyError::Io {
            path,
            reason: error.to_string(),
        },
    }
}
