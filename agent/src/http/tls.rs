//! The certificate the agent shows on TCP, and how it is exchanged while connections go on.

use std::{
    fmt, fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use arc_swap::ArcSwap;
use rustls::{
    ServerConfig,
    crypto::ring::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio_rustls::TlsAcceptor;

/// The one protocol spoken inside.
const PROTOCOL: &[u8] = b"http/1.1";

/// Where certificate and key are, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate first, then those that lead to its authority.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// TLS can't be offered with these files.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificates.
    #[error("--tls-cert {path}: {reason}")]
    Certificate {
        /// Which file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The key.
    #[error("--tls-key {path}: {reason}")]
    Key {
        /// Which file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// They do not belong together, or are of a kind nobody can use.
    #[error("--tls-cert {certificate} and --tls-key {key} can't be used together: {source}")]
    Pair {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// Why.
        #[source]
        source: rustls::Error,
    },
}

/// What new connections are secured with. Cheap to clone; all clones show the same certificate.
#[derive(Clone)]
pub struct Tls {
    files: TlsFiles,
    present: Arc<ArcSwap<ServerConfig>>,
}

impl Tls {
    /// Reads both files.
    ///
    /// # Errors
    /// See [`TlsError`].
    pub fn load(files: TlsFiles) -> Result<Self, TlsError> {
        let config = files.read()?;
        Ok(Self {
            files,
            present: Arc::new(ArcSwap::from_pointee(config)),
        })
    }

    /// Reads the files again and shows what is in them to new connections; those that are open go on
    /// with what they began with.
    ///
    /// # Errors
    /// See [`TlsError`]; the certificate stays what it was.
    pub fn reload(&self) -> Result<(), TlsError> {
        self.present.store(Arc::new(self.files.read()?));
        Ok(())
    }

    /// A warning, where others than its owner can read the key.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        // Read a moment ago; if it is gone by now, there is nothing to warn about.
        let mode = fs::metadata(&self.files.key).ok()?.mode() & 0o777;
        (mode & 0o077 != 0).then(|| {
            format!(
                "--tls-key {}: others than its owner can read or change it (mode {mode:03o}); run chmod 600 on it",
                self.files.key.display()
            )
        })
    }

    /// For the next connection.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        self.present.load_full().into()
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

impl TlsFiles {
    fn read(&self) -> Result<ServerConfig, TlsError> {
        let (certificates, key) = (self.read_certificates()?, self.read_key()?);
        ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| {
                builder
                    .with_no_client_auth()
                    .with_single_cert(certificates, key)
            })
            .map(|mut config| {
                config.alpn_protocols = vec![PROTOCOL.to_vec()];
                config
            })
            .map_err(|source| TlsError::Pair {
                certificate: self.certificate.clone(),
                key: self.key.clone(),
                source,
            })
    }

    fn read_certificates(&self) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let failed = |reason: String| TlsError::Certificate {
            path: self.certificate.clone(),
            reason,
        };
        let pem = open(&self.certificate).map_err(|error| failed(error.to_string()))?;
        let certificates: Vec<_> = CertificateDer::pem_reader_iter(pem)
            .collect::<Result<_, _>>()
            .map_err(|error| failed(error.to_string()))?;
        if certificates.is_empty() {
            return Err(failed("there is no certificate in it".into()));
        }
        Ok(certificates)
    }

    fn read_key(&self) -> Result<PrivateKeyDer<'static>, TlsError> {
        let failed = |reason: String| TlsError::Key {
            path: self.key.clone(),
            reason,
        };
        let pem = open(&self.key).map_err(|error| failed(error.to_string()))?;
        PrivateKeyDer::from_pem_reader(pem).map_err(|error| match error {
            rustls::pki_types::pem::Error::NoItemsFound => {
                failed("there is no private key in it".into())
            }
            other => failed(other.to_string()),
        })
    }
}

/// The system's own words for what it refuses, whatever the PEM reader would make of them.
fn open(path: &Path) -> io::Result<io::BufReader<fs::File>> {
    fs::File::open(path).map(io::BufReader::new)
}
