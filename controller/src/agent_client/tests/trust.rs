//! Which certificates are believed.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::agent_client::{AgentError, Fingerprint, InvalidTrust};

struct Certificate {
    der: CertificateDer<'static>,
    key: KeyPair,
}

impl Certificate {
    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.der)
    }
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn issued(by: &CertifiedIssuer<'static, KeyPair>, name: &str) -> Certificate {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    Certificate {
        der: params.signed_by(&key, by).unwrap().der().clone(),
        key,
    }
}

async fn serve_tls(certificate: &Certificate) -> Served {
    let key = PrivateKeyDer::Pkcs8(certificate.key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der.clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = Arc::new(TcpListener::bind("127.0.0.1:0").await.unwrap());
    let url = format!("https://{}", listener.local_addr().unwrap());
    serve(url, Arc::new(agent), move || {
        let (listener, acceptor) = (listener.clone(), acceptor.clone());
        async move { acceptor.accept(listener.accept().await?.0).await }
    })
}

async fn health(agent: &Served, trust: &Trust) -> Result<(), AgentError> {
    let url = agent.url.parse().unwrap();
    let client = AgentClient::new(url, trust, &secret(), Limits::default()).unwrap();
    client.health().await?;
    // A second one, on the connection that was kept.
    client.health().await.map(|_| ())
}

fn reason(outcome: Result<(), AgentError>) -> String {
    match outcome {
        Err(AgentError::Tls(reason)) => reason,
        other => panic!("expected a TLS error, not {other:?}"),
    }
}

#[tokio::test]
async fn an_own_authority() {
    let ours = authority();
    let agent = serve_tls(&issued(&ours, "127.0.0.1")).await;
    health(&agent, &Trust::Ca(ours.pem())).await.unwrap();
    assert_eq!(
        agent
            .seen()
            .iter()
            .map(|it| it.connection)
            .collect::<Vec<_>>(),
        [0, 0]
    );
    assert!(agent.seen().iter().all(Seen::is_signed));

    let other = reason(health(&agent, &Trust::Ca(authority().pem())).await);
    assert!(other.contains("authority that is not trusted"), "{other}");
    assert_eq!(
        agent.seen().len(),
        2,
        "nothing was sent to whom is not believed"
    );
}

#[tokio::test]
async fn an_own_authority_for_another_name() {
    let ours = authority();
    let agent = serve_tls(&issued(&ours, "node1.example.com")).await;
    let reason = reason(health(&agent, &Trust::Ca(ours.pem())).await);
    assert_eq!(reason, "the certificate is for another host name");
}

#[tokio::test]
async fn a_pinned_certificate() {
    let certificate = issued(&authority(), "any name will do");
    let agent = serve_tls(&certificate).await;
    health(&agent, &Trust::Pinned(certificate.fingerprint()))
        .await
        .unwrap();

    let other = issued(&authority(), "127.0.0.1").fingerprint();
    let reason = reason(health(&agent, &Trust::Pinned(other)).await);
    let shown = certificate.fingerprint();
    assert_eq!(
        reason,
        format!("the certificate is not the pinned one; its SHA-256 is {shown}")
    );
    assert_eq!(agent.seen().len(), 2);
}

#[tokio::test]
async fn tls_where_there_is_none_and_none_where_there_is() {
    let plain = serve_agent().await;
    let https = plain.url.replace("http://", "https://");
    let pin = Trust::Pinned(Fingerprint::of(b""));
    let client = AgentClient::new(https.parse().unwrap(), &pin, &secret(), short()).unwrap();
    // This server waits for the end of a request line that never comes.
    assert!(client.health().await.is_err());

    let certificate = issued(&authority(), "127.0.0.1");
    let agent = serve_tls(&certificate).await;
    let http = agent.url.replace("https://", "http://");
    let error = client_with(&http, short()).health().await.unwrap_err();
    assert!(
        matches!(error, AgentError::NotTheContract(_) | AgentError::Closed),
        "{error:?}"
    );
}

#[test]
fn fingerprints_in_the_forms_tools_print() {
    let plain = "ab".repeat(32);
    let colons = vec!["AB"; 32].join(":");
    let fingerprint: Fingerprint = plain.parse().unwrap();
    assert_eq!(fingerprint, colons.parse().unwrap());
    assert_eq!(fingerprint.to_string(), plain);
    for wrong in [
        "",
        "ab",
        &"ab".repeat(31),
        &"ab".repeat(33),
        &"xy".repeat(32),
    ] {
        assert_eq!(
            wrong.parse::<Fingerprint>(),
            Err(InvalidTrust::Fingerprint),
            "{wrong}"
        );
    }
}

#[test]
fn an_unusable_authority_is_refused_at_once() {
    let url: super::super::AgentUrl = "https://127.0.0.1".parse().unwrap();
    for pem in [
        "",
        "no PEM",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        let trust = Trust::Ca(pem.into());
        let made = AgentClient::new(url.clone(), &trust, &secret(), Limits::default());
        assert_eq!(made.unwrap_err(), InvalidTrust::Ca, "{pem}");
    }
}
