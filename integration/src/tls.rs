//! Certificates for tests, and clients that believe them.

use std::{
    fs,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair,
    PublicKeyData as _,
};
use rustls::{ClientConfig, RootCertStore, crypto::ring::default_provider};

/// An authority of a test's own.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, in PEM.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// The certificate.
    pub certificate: String,
    /// Its private key.
    pub key: String,
    /// Of its public key, in Base64: how a browser is told to believe this one.
    pub spki_sha256: String,
}

/// A certificate in files.
#[derive(Debug, Clone)]
pub struct CertificateFiles {
    /// The certificate's.
    pub certificate: PathBuf,
    /// The key's, which only its owner can read.
    pub key: PathBuf,
}

impl Authority {
    /// A new one.
    ///
    /// # Panics
    /// Never: what it is made of is valid.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "no two are the same")]
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.distinguished_name = name("authority of a test");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("random numbers");
        Self(CertifiedIssuer::self_signed(params, key).expect("signed"))
    }

    /// A certificate of 127.0.0.1.
    ///
    /// # Panics
    /// Never: what it is made of is valid.
    #[must_use]
    pub fn issue(&self) -> Certificate {
        self.issue_for("127.0.0.1")
    }

    /// A certificate of that address.
    ///
    /// # Panics
    /// Never: what it is made of is valid.
    #[must_use]
    pub fn issue_for(&self, address: &str) -> Certificate {
        let key = KeyPair::generate().expect("random numbers");
        let mut params = CertificateParams::new(vec![address.to_owned()]).expect("a name");
        params.distinguished_name = name(address);
        let certificate = params.signed_by(&key, &self.0).expect("signed");
        let spki = ring::digest::digest(&ring::digest::SHA256, &key.subject_public_key_info());
        Certificate {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
            spki_sha256: STANDARD.encode(spki),
        }
    }

    /// Its own certificate, in PEM.
    #[must_use]
    pub fn pem(&self) -> String {
        self.0.pem()
    }
}

impl CertificateFiles {
    /// Writes a certificate into `directory`.
    ///
    /// # Panics
    /// When that is not possible.
    #[must_use]
    pub fn new(directory: &Path, content: &Certificate) -> Self {
        let files = Self {
            certificate: directory.join("cert.pem"),
            key: directory.join("key.pem"),
        };
        files.write(content);
        files
    }

    /// Writes another certificate in its place.
    ///
    /// # Panics
    /// When that is not possible.
    pub fn write(&self, content: &Certificate) {
        fs::write(&self.certificate, &content.certificate).expect("written");
        let mut options = fs::OpenOptions::new();
        let options = options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(&self.key).expect("a key file");
        std::io::Write::write_all(&mut file, content.key.as_bytes()).expect("written");
    }

    /// The arguments of an agent, or a controller, that shows it.
    ///
    /// # Panics
    /// When its path is no text.
    #[must_use]
    pub fn arguments(&self) -> [&str; 4] {
        [
            "--tls-cert",
            self.certificate.to_str().expect("text"),
            "--tls-key",
            self.key.to_str().expect("text"),
        ]
    }
}

/// Another name than its authority's: a certificate whose issuer has its own name is taken for one that
/// signed itself.
fn name(common: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common);
    name
}

/// A client's side that believes these authorities, and speaks HTTP/1.1.
///
/// # Panics
/// Never: the authorities are valid.
#[must_use]
pub fn believing(authorities: &[&Authority]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        roots.add(authority.0.der().clone()).expect("a certificate");
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions of ring")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config)
}
