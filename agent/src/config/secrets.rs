//! The shared secret, from a file nobody else can read, or from the environment.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use wire_contract::signing::{RECOMMENDED_SECRET_BYTES, Secret, SecretTooShort, Verifier};
use zeroize::Zeroizing;

/// Where systemd puts what a unit's `LoadCredential=` names.
const CREDENTIALS_VARIABLE: &str = "CREDENTIALS_DIRECTORY";
/// Name of the variable that takes the place of the file.
const VARIABLE: &str = "WGFLEET_SECRET";

/// The current secret and, while it is being introduced, the next.
#[derive(Debug, Clone)]
pub struct Secrets {
    current: Secret,
    next: Option<Secret>,
    /// `None` when they came from the environment.
    file: Option<PathBuf>,
}

/// There is no secret the agent could use.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// Neither a file nor the variable.
    #[error(
        "no secret: write one to a file only this user can read and name it with --secret-file, or set {VARIABLE}"
    )]
    Missing,
    /// The file can't be read.
    #[error("--secret-file {path}: {source}")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Somebody besides its owner may read or write the file.
    #[error(
        "--secret-file {path}: others than its owner can read or change it (mode {mode:03o}); run chmod 600 on it"
    )]
    Exposed {
        /// Which.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Not one or two lines.
    #[error("{place}: expected one secret a line, one or two of them, found {lines}")]
    Count {
        /// Where it was looked for.
        place: String,
        /// How many lines there are that are not empty.
        lines: usize,
    },
    /// Too easy to guess.
    #[error("{place}: {source}; make one with: head -c 32 /dev/urandom | base64")]
    TooShort {
        /// Where it was looked for.
        place: String,
        /// How short.
        #[source]
        source: SecretTooShort,
    },
    /// Bytes that are no text.
    #[error("{place}: a secret must be UTF-8 text")]
    NotText {
        /// Where it was looked for.
        place: String,
    },
}

impl Secrets {
    /// From the file that was `asked_for` by flag or variable, else from the environment, else from
    /// the file that is `configured`.
    ///
    /// # Errors
    /// See [`SecretError`].
    pub fn load(asked_for: Option<&Path>, configured: Option<&Path>) -> Result<Self, SecretError> {
        if let Some(path) = asked_for {
            return Self::from_file(path);
        }
        let place = || VARIABLE.to_owned();
        match (std::env::var(VARIABLE).map(Zeroizing::new), configured) {
            (Ok(text), _) => Self::parse(&text, place()),
            (Err(std::env::VarError::NotUnicode(_)), _) => {
                Err(SecretError::NotText { place: place() })
            }
            (Err(std::env::VarError::NotPresent), Some(path)) => Self::from_file(path),
            (Err(std::env::VarError::NotPresent), None) => Err(SecretError::Missing),
        }
    }

    /// Reads them again where they were read before. What came from the environment stays as it is:
    /// nobody can change it there.
    ///
    /// # Errors
    /// See [`SecretError`].
    pub fn reread(&self) -> Result<Self, SecretError> {
        match &self.file {
            Some(path) => Self::from_file(path),
            None => Ok(self.clone()),
        }
    }

    fn from_file(path: &Path) -> Result<Self, SecretError> {
        let unreadable = |source| SecretError::Unreadable {
            path: path.to_owned(),
            source,
        };
        let file = fs::File::open(path).map_err(unreadable)?;
        let mode = file.metadata().map_err(unreadable)?.mode() & 0o777;
        if mode & 0o077 != 0 && !is_credential(path) {
            return Err(SecretError::Exposed {
                path: path.to_owned(),
                mode,
            });
        }
        let text = Zeroizing::new(io::read_to_string(file).map_err(unreadable)?);
        let mut secrets = Self::parse(&text, format!("--secret-file {}", path.display()))?;
        secrets.file = Some(path.to_owned());
        Ok(secrets)
    }

    fn parse(text: &str, place: String) -> Result<Self, SecretError> {
        let lines: Vec<_> = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .collect();
        let (current, next) = match lines.as_slice() {
            [current] => (*current, None),
            [current, next] => (*current, Some(*next)),
            _ => {
                return Err(SecretError::Count {
                    place,
                    lines: lines.len(),
                });
            }
        };
        let secret = |text: &str| {
            Secret::new(text).map_err(|source| SecretError::TooShort {
                place: place.clone(),
                source,
            })
        };
        Ok(Self {
            current: secret(current)?,
            next: next.map(secret).transpose()?,
            file: None,
        })
    }

    /// Accepts what either signs.
    #[must_use]
    pub fn verifier(&self) -> Verifier {
        Verifier::new(&self.current, self.next.as_ref())
    }

    /// A warning, where a secret is shorter than it should be.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        let weak = self.current.is_weak() || self.next.as_ref().is_some_and(Secret::is_weak);
        weak.then(|| {
            format!("a secret is shorter than the recommended {RECOMMENDED_SECRET_BYTES} bytes")
        })
    }
}

/// Whether the service manager guards the file. It may let this user in by an access control list, and
/// that shows as permissions of the group.
fn is_credential(path: &Path) -> bool {
    std::env::var_os(CREDENTIALS_VARIABLE)
        .is_some_and(|directory| !directory.is_empty() && path.starts_with(directory))
}
