//! Which certificate an agent must show.

use std::{
    fmt,
    str::FromStr,
    sync::{Arc, OnceLock},
};

use ring::digest;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, RootCertStore,
    SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring as provider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};

/// Whom to believe that an `https://` agent is the one meant. Without effect on the other URLs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Trust {
    /// The certificate authorities this host trusts.
    #[default]
    SystemRoots,
    /// These authorities and no others: one or more certificates in PEM.
    Ca(String),
    /// This very certificate, whoever signed it, whatever name and dates it bears.
    Pinned(Fingerprint),
}

/// The SHA-256 of a certificate in DER.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; digest::SHA256_OUTPUT_LEN]);

/// A [`Trust`] that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTrust {
    /// Not 64 hex digits.
    #[error("a pinned certificate is given as its SHA-256: 64 hex digits, colons allowed")]
    Fingerprint,
    /// No certificate in the PEM, or a broken one.
    #[error("the CA must be one or more certificates in PEM ('-----BEGIN CERTIFICATE-----')")]
    Ca,
    /// This host trusts nobody.
    #[error(
        "this host has no certificate authorities installed; give the node an own CA or pin its certificate"
    )]
    NoSystemRoots,
}

impl Fingerprint {
    /// The fingerprint of a certificate in DER.
    #[must_use]
    pub fn of(certificate_der: &[u8]) -> Self {
        let digest = digest::digest(&digest::SHA256, certificate_der);
        Self(digest.as_ref().try_into().expect("SHA-256 has 32 bytes"))
    }
}

impl FromStr for Fingerprint {
    type Err = InvalidTrust;

    /// Takes the forms tools print: either case, with or without colons.
    fn from_str(text: &str) -> Result<Self, InvalidTrust> {
        let mut digits = text.trim().bytes().filter(|byte| *byte != b':');
        let mut nibble = || {
            let digit = char::from(digits.next()?).to_digit(16)?;
            u8::try_from(digit).ok()
        };
        let mut bytes = [0; digest::SHA256_OUTPUT_LEN];
        for byte in &mut bytes {
            let (high, low) = nibble().zip(nibble()).ok_or(InvalidTrust::Fingerprint)?;
            *byte = high << 4 | low;
        }
        if digits.next().is_some() {
            Err(InvalidTrust::Fingerprint)
        } else {
            Ok(Self(bytes))
        }
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

impl Trust {
    pub(super) fn client_config(&self) -> Result<Arc<ClientConfig>, InvalidTrust> {
        match self {
            Self::SystemRoots => system_roots(),
            Self::Ca(pem) => {
                let mut roots = RootCertStore::empty();
                for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
                    let certificate = certificate.map_err(|_| InvalidTrust::Ca)?;
                    roots.add(certificate).map_err(|_| InvalidTrust::Ca)?;
                }
                if roots.is_empty() {
                    Err(InvalidTrust::Ca)
                } else {
                    Ok(believing(roots))
                }
            }
            Self::Pinned(fingerprint) => Ok(pinned(*fingerprint)),
        }
    }
}

/// Read once: a hundred nodes need not parse the same hundred certificates each.
fn system_roots() -> Result<Arc<ClientConfig>, InvalidTrust> {
    static SYSTEM: OnceLock<Arc<ClientConfig>> = OnceLock::new();

    if let Some(config) = SYSTEM.get() {
        return Ok(config.clone());
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(InvalidTrust::NoSystemRoots);
    }
    Ok(SYSTEM.get_or_init(|| believing(roots)).clone())
}

fn builder() -> rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier> {
    ClientConfig::builder_with_provider(Arc::new(provider::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has cipher suites for both TLS versions")
}

fn believing(roots: RootCertStore) -> Arc<ClientConfig> {
    http1(
        builder()
            .with_root_certificates(roots)
            .with_no_client_auth(),
    )
}

fn pinned(fingerprint: Fingerprint) -> Arc<ClientConfig> {
    let verifier = Pinned {
        fingerprint,
        provider: provider::default_provider(),
    };
    let config = builder()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    http1(config.with_no_client_auth())
}

fn http1(mut config: ClientConfig) -> Arc<ClientConfig> {
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config)
}

/// Accepts one certificate. The handshake's signature is still checked: a certificate is public,
/// only its key proves who shows it.
#[derive(Debug)]
struct Pinned {
    fingerprint: Fingerprint,
    provider: CryptoProvider,
}

/// The certificate that was shown in place of the pinned one.
#[derive(Debug, thiserror::Error)]
#[error("the certificate is not the pinned one; its SHA-256 is {0}")]
struct NotThePinned(Fingerprint);

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let shown = Fingerprint::of(end_entity);
        if shown == self.fingerprint {
            return Ok(ServerCertVerified::assertion());
        }
        Err(CertificateError::Other(OtherError(Arc::new(NotThePinned(shown)))).into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(
            message,
            cert,
            dss,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(
            message,
            cert,
            dss,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// One sentence for a person on what went wrong in TLS.
pub(super) fn sentence(error: &Error) -> String {
    use CertificateError as Cert;

    let certificate = match error {
        Error::InvalidCertificate(certificate) => certificate,
        Error::InvalidMessage(_) => return "what listens there does not speak TLS".into(),
        other => return other.to_string(),
    };
    match certificate {
        // A bad signature: another authority of the same name.
        Cert::UnknownIssuer | Cert::BadSignature => {
            "the certificate is signed by an authority that is not trusted here".into()
        }
        Cert::NotValidForName | Cert::NotValidForNameContext { .. } => {
            "the certificate is for another host name".into()
        }
        Cert::Expired | Cert::ExpiredContext { .. } => "the certificate has expired".into(),
        Cert::NotValidYet | Cert::NotValidYetContext { .. } => {
            "the certificate is not valid yet; is the controller's clock right?".into()
        }
        Cert::Other(OtherError(other)) if other.is::<NotThePinned>() => other.to_string(),
        other => format!("the certificate was refused ({other}); a self-signed one can be pinned"),
    }
}
