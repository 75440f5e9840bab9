//! TLS in front of an agent, with whatever certificate a test likes.

use std::{
    io::{self, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use ring::digest;
use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer},
};

use super::server::{DEADLINE, forward, read_request};

pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

pub(crate) struct Certificate {
    der: CertificateDer<'static>,
    key: KeyPair,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("signed"))
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for `name`, good from one year to the first day of another.
    pub(crate) fn issue(&self, name: &str, years: (i32, i32)) -> Certificate {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        params.not_before = date_time_ymd(years.0, 1, 1);
        params.not_after = date_time_ymd(years.1, 1, 1);
        let der = params
            .signed_by(&key, &self.0)
            .expect("signed")
            .der()
            .clone();
        Certificate { der, key }
    }
}

impl Certificate {
    /// As the API takes it.
    pub(crate) fn pin(&self) -> String {
        let digest = digest::digest(&digest::SHA256, &self.der);
        faster_hex::hex_string(digest.as_ref())
    }

    fn config(&self) -> Arc<ServerConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = PrivateKeyDer::Pkcs8(self.key.serialize_der().into());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring has cipher suites")
            .with_no_client_auth()
            .with_single_cert(vec![self.der.clone()], key);
        Arc::new(config.expect("the key is the certificate's"))
    }
}

/// Ends TLS in front of an agent. Stops when dropped.
pub(crate) struct TlsProxy {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    requests: Arc<AtomicUsize>,
}

impl TlsProxy {
    pub(crate) fn start(certificate: &Certificate, agent: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let proxy = Self {
            address: listener.local_addr().expect("bound"),
            stop: Arc::default(),
            requests: Arc::default(),
        };
        let config = certificate.config();
        let (stop, requests) = (Arc::clone(&proxy.stop), Arc::clone(&proxy.requests));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let (config, requests) = (Arc::clone(&config), Arc::clone(&requests));
                // A caller that breaks off the handshake is what these tests are about.
                thread::spawn(move || serve(config, stream, agent, &requests).ok());
            }
        });
        proxy
    }

    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Requests that came through, so far.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }
}

impl Drop for TlsProxy {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Wakes the listener; it may be gone already.
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(
    config: Arc<ServerConfig>,
    stream: TcpStream,
    agent: SocketAddr,
    requests: &AtomicUsize,
) -> io::Result<()> {
    stream.set_read_timeout(Some(DEADLINE))?;
    stream.set_write_timeout(Some(DEADLINE))?;
    let connection = ServerConnection::new(config).map_err(io::Error::other)?;
    let mut tls = StreamOwned::new(connection, stream);
    if let Some((head, body)) = read_request(&mut tls)? {
        requests.fetch_add(1, Ordering::Relaxed);
        tls.write_all(&forward(agent, &head, &body)?)?;
    }
    tls.conn.send_close_notify();
    tls.flush()
}
