//! The accept loop, over real sockets.

use std::{sync::Arc, time::Duration};

use rustls::{ClientConfig, RootCertStore, crypto::ring::default_provider};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
};
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;

use super::{Fake, over};
use crate::facade::{BindError, Listener, Server, ServerLimits, TlsError, TlsFiles};

const HEALTH: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

struct Running {
    address: String,
    server: Server,
    stop: CancellationToken,
    accepting: JoinHandle<()>,
}

async fn start(tls: Option<&TlsFiles>) -> Running {
    start_with(tls, ServerLimits::default()).await
}

async fn start_with(tls: Option<&TlsFiles>, limits: ServerLimits) -> Running {
    let bound = Listener::bind("--listen", ([127, 0, 0, 1], 0).into(), tls).await;
    let listener = bound.unwrap_or_else(|error| panic!("{error}"));
    let url = listener.url().expect("an address");
    let (scheme, address) = url.split_once("://").expect("a URL");
    assert_eq!(scheme == "https", tls.is_some());
    let stop = CancellationToken::new();
    let server = Server::new(over(&Fake::new()), limits, stop.clone());
    Running {
        address: address.to_owned(),
        accepting: tokio::spawn(server.clone().accept_on(listener)),
        server,
        stop,
    }
}

async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &[u8]) -> String {
    stream.write_all(request).await.expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("answered");
    String::from_utf8(answer).expect("text")
}

#[tokio::test]
async fn serves_and_lets_connections_finish() {
    let running = start(None).await;
    let connect = || TcpStream::connect(&running.address);
    let answer = exchange(connect().await.expect("connected"), HEALTH).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    let idle = connect().await.expect("connected");
    running.stop.cancel();
    let drained = async {
        running.accepting.await.expect("ended");
        running.server.drain().await;
    };
    let within = tokio::time::timeout(Duration::from_secs(2), drained).await;
    assert!(within.is_ok(), "an idle connection holds nothing up");
    drop(idle);
}

#[tokio::test]
async fn who_reads_the_document_stays_a_stranger() {
    let limits = ServerLimits {
        max_connections: 1,
        ..ServerLimits::default()
    };
    let running = start_with(None, limits).await;
    let connect = || TcpStream::connect(&running.address);
    let mut reader = connect().await.expect("connected");
    let request = b"GET /api/v1/openapi.json HTTP/1.1\r\nHost: a\r\n\r\n";
    reader.write_all(request).await.expect("sent");
    let mut answer = [0; 15];
    reader.read_exact(&mut answer).await.expect("answered");
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
    let answer = exchange(connect().await.expect("connected"), HEALTH).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "it makes room");
}

#[tokio::test]
async fn two_requests_are_never_made_of_one() {
    let running = start(None).await;
    for request in [
        &b"GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"[..],
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",
    ] {
        let stream = TcpStream::connect(&running.address)
            .await
            .expect("connected");
        let answer = exchange(stream, request).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let running = start(None).await;
    let address = running.address.parse().expect("an address");
    let bound = Listener::bind("--listen", address, None).await;
    assert!(matches!(bound, Err(BindError::InUse { address: taken, .. }) if taken == address));
}

#[tokio::test]
async fn speaks_tls_and_nothing_else() {
    let directory = tempfile::tempdir().expect("a directory");
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("made");
    let files = TlsFiles {
        certificate: directory.path().join("cert.pem"),
        key: directory.path().join("key.pem"),
    };
    std::fs::write(&files.certificate, made.cert.pem()).expect("written");
    std::fs::write(&files.key, made.signing_key.serialize_pem()).expect("written");
    let running = start(Some(&files)).await;

    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).expect("a certificate");
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(&running.address)
        .await
        .expect("connected");
    let name = "localhost".try_into().expect("a name");
    let secured = TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await;
    let answer = exchange(secured.expect("secured"), HEALTH).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");

    let mut plain = TcpStream::connect(&running.address)
        .await
        .expect("connected");
    plain.write_all(HEALTH).await.expect("sent");
    let mut answer = Vec::new();
    // Cut off, with an alert or without.
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"));
}

#[tokio::test]
async fn unusable_certificates_are_named() {
    let directory = tempfile::tempdir().expect("a directory");
    let empty = directory.path().join("empty.pem");
    std::fs::write(&empty, "").expect("written");
    let missing = TlsFiles {
        certificate: directory.path().join("none.pem"),
        key: empty.clone(),
    };
    let files = TlsFiles {
        certificate: empty.clone(),
        key: empty,
    };
    for files in [missing, files] {
        let bound = Listener::bind("--listen", ([127, 0, 0, 1], 0).into(), Some(&files)).await;
        let Err(BindError::Tls(TlsError::Certificate { path, .. })) = bound else {
            panic!("a certificate that can't be used is refused");
        };
        assert_eq!(path, files.certificate);
    }
}
