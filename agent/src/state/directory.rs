//! The state directory: made when absent, proven writable, held by one agent at a time.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use ring::rand::{SecureRandom, SystemRandom};
use rustix::fs::{FlockOperation, flock};

/// A state directory that no other agent uses while this value lives.
#[derive(Debug)]
pub struct StateDirectory {
    path: PathBuf,
    _lock: File,
}

/// Why a state directory can't be used.
#[derive(Debug, thiserror::Error)]
pub enum StateDirectoryError {
    /// It can't be made or written to.
    #[error(
        "the state directory {path} can't be used: {source}; make it writable for this user or name another one with --state-dir"
    )]
    Unusable {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another agent holds it.
    #[error(
        "another agent is using the state directory {0}; stop it or name another directory with --state-dir"
    )]
    InUse(PathBuf),
}

impl StateDirectory {
    /// Makes `path` (mode 0700) when it is absent, and holds it.
    ///
    /// # Errors
    /// See [`StateDirectoryError`].
    pub fn open(path: &Path) -> Result<Self, StateDirectoryError> {
        let unusable = |source| StateDirectoryError::Unusable {
            path: path.to_owned(),
            source,
        };
        if !path.is_dir() {
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent).map_err(unusable)?;
            }
            DirBuilder::new()
                .mode(0o700)
                .create(path)
                .map_err(unusable)?;
        }
        let lock = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(false)
            .mode(0o600)
            .open(path.join("lock"))
            .map_err(unusable)?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self {
                path: path.to_owned(),
                _lock: lock,
            }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(StateDirectoryError::InUse(path.to_owned())),
            Err(errno) => Err(unusable(errno.into())),
        }
    }

    /// A number drawn once for this directory: what tells simulated hosts apart, and stays the same
    /// when the agent starts again.
    ///
    /// # Errors
    /// See [`StateDirectoryError`].
    pub fn simulated_host(&self) -> Result<[u8; 16], StateDirectoryError> {
        let file = self.path.join("simulated-host");
        let unusable = |source| StateDirectoryError::Unusable {
            path: file.clone(),
            source,
        };
        match fs::read(&file).map(<[u8; 16]>::try_from) {
            Ok(Ok(known)) => return Ok(known),
            Ok(Err(_)) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(unusable(error)),
        }
        let mut drawn = [0; 16];
        let random = SystemRandom::new().fill(&mut drawn);
        random.map_err(|_| unusable(io::ErrorKind::Unsupported.into()))?;
        OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(true)
            .mode(0o600)
            .open(&file)
            .and_then(|mut file| file.write_all(&drawn))
            .map_err(unusable)?;
        Ok(drawn)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}
