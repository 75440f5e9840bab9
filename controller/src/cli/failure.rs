//! Why a command came to nothing, and the exit code that says so.

use std::{io, path::Path};

use super::client::Problem;

/// The controller refused, or something failed that has no code of its own.
pub(super) const FAILED: u8 = 1;
/// A flag, variable or file of settings is not as it must be (`EX_USAGE`).
pub(super) const USAGE: u8 = 64;
/// What was read is not as it must be (`EX_DATAERR`).
pub(super) const DATA: u8 = 65;
/// The controller can't be reached, or can't do it just now (`EX_UNAVAILABLE`).
pub(super) const UNAVAILABLE: u8 = 69;
/// A file can't be read or written (`EX_IOERR`).
pub(super) const FILES: u8 = 74;
/// The token is missing, not valid, or may not do this (`EX_NOPERM`).
pub(super) const PERMISSION: u8 = 77;

/// Why a command came to nothing. Each displays as one sentence for a person.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// What was said on the command line can't be meant.
    #[error("{0}")]
    Usage(String),
    /// What was read is not as it must be.
    #[error("{0}")]
    Data(String),
    /// The controller answered no.
    #[error("{0}")]
    Refused(Problem),
    /// The controller did not answer.
    #[error("{0}")]
    Unavailable(String),
    /// There is no token, or it may not be used.
    #[error("{0}")]
    Permission(String),
    /// A file.
    #[error("{what}: {source}")]
    File {
        /// Which, and what was to be done with it.
        what: String,
        /// What the system says.
        source: io::Error,
    },
    /// Nobody takes what is written.
    #[error("the output can't be written: {0}")]
    Output(#[from] io::Error),
    /// Anything else.
    #[error("{0}")]
    Failed(String),
}

impl Failure {
    /// The code the program ends with.
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => USAGE,
            Self::Data(_) => DATA,
            Self::Refused(problem) => match problem.status {
                401 | 403 => PERMISSION,
                429 | 502..=504 => UNAVAILABLE,
                _ => FAILED,
            },
            Self::Unavailable(_) => UNAVAILABLE,
            Self::Permission(_) => PERMISSION,
            Self::File { .. } | Self::Output(_) => FILES,
            Self::Failed(_) => FAILED,
        }
    }

    /// A file that can't be read.
    pub(super) fn reading(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let what = format!("{} can't be read", path.display());
        move |source| Self::File { what, source }
    }

    /// A file that can't be written.
    pub(super) fn writing(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let what = format!("{} can't be written", path.display());
        move |source| Self::File { what, source }
    }
}
