//! An endpoint for webhooks that has only the documentation to know them by.

use std::{
    collections::VecDeque,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    crypto::ring::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use serde_json::Value;
use wgfleet_integration::{client::hex_hmac, eventually, tls::Certificate};

use crate::fleet::SOON;

/// One delivery.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) delivery: String,
    pub(crate) event: String,
    pub(crate) body: Value,
    /// What it was answered.
    pub(crate) answered: u16,
}

/// A running endpoint. Stops when dropped.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    scheme: &'static str,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    received: Mutex<Vec<Received>>,
    /// What to answer next; 200 when nothing is left.
    answers: Mutex<VecDeque<u16>>,
    secret: Mutex<String>,
    /// Answers nothing for as long as this is set.
    silent: AtomicBool,
    stop: AtomicBool,
}

impl Receiver {
    pub(crate) fn start(answers: &[u16]) -> Self {
        Self::on(answers, None)
    }

    /// One that speaks https, under this certificate.
    pub(crate) fn over_tls(certificate: &Certificate) -> Self {
        let chain = CertificateDer::from_pem_slice(certificate.certificate.as_bytes());
        let key = PrivateKeyDer::from_pem_slice(certificate.key.as_bytes());
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions of ring")
            .with_no_client_auth()
            .with_single_cert(vec![chain.expect("a certificate")], key.expect("a key"));
        Self::on(
            &[],
            Some(Arc::new(config.expect("the key is the certificate's"))),
        )
    }

    fn on(answers: &[u16], tls: Option<Arc<ServerConfig>>) -> Self {
        let scheme = if tls.is_some() { "https" } else { "http" };
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound");
        let shared = Arc::new(Shared::default());
        shared.answers.lock().expect("not poisoned").extend(answers);
        let serving = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if serving.stop.load(Ordering::Relaxed) {
                    return;
                }
                // A sender that dies in the middle is what these tests are about.
                let _ = match &tls {
                    None => serving.serve(stream),
                    Some(config) => ServerConnection::new(Arc::clone(config))
                        .map_err(std::io::Error::other)
                        .and_then(|tls| serving.serve(StreamOwned::new(tls, stream))),
                };
            }
        });
        Self {
            address,
            scheme,
            shared,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("{}://{}/hook?team=a", self.scheme, self.address)
    }

    /// Answers nothing any more, or goes on.
    pub(crate) fn be_silent(&self, silent: bool) {
        self.shared.silent.store(silent, Ordering::Relaxed);
    }

    /// What signatures are checked with from now on.
    pub(crate) fn knows(&self, secret: &str) {
        secret.clone_into(&mut self.shared.secret.lock().expect("not poisoned"));
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.shared.received.lock().expect("not poisoned").clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        // Wakes the listener; it may have gone with a failed test.
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn serve(&self, mut stream: impl Read + Write) -> std::io::Result<()> {
        let (head, body) = read_request(&mut stream)?;
        let header = |name: &str| {
            let mut lines = head.lines().filter_map(|line| line.split_once(": "));
            let found = lines.find(|(at, _)| at.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.to_owned()).unwrap_or_default()
        };
        let signature = header("X-Wgfleet-Signature");
        let at = signature.split(',').next().unwrap_or_default();
        let at = at.strip_prefix("t=").unwrap_or_default();
        let signed = [at.as_bytes(), b".", &body[..]].concat();
        let secret = self.secret.lock().expect("not poisoned").clone();
        let expected = format!("t={at},v1={}", hex_hmac(secret.as_bytes(), &signed));
        let status = if signature == expected && head.starts_with("POST /hook?team=a HTTP/1.1") {
            let next = self.answers.lock().expect("not poisoned").pop_front();
            next.unwrap_or(200)
        } else {
            401
        };
        self.received.lock().expect("not poisoned").push(Received {
            delivery: header("X-Wgfleet-Delivery"),
            event: header("X-Wgfleet-Event"),
            body: serde_json::from_slice(&body).unwrap_or_default(),
            answered: status,
        });
        eventually(SOON, "it may speak", || {
            let silent = self.silent.load(Ordering::Relaxed);
            (!silent || self.stop.load(Ordering::Relaxed)).then_some(())
        });
        let answer = format!(
            "HTTP/1.1 {status} Answer\r\nLocation: /elsewhere\r\nContent-Length: 2\r\n\
             Connection: close\r\n\r\nok"
        );
        stream.write_all(answer.as_bytes())?;
        stream.flush()
    }
}

fn read_request(stream: &mut impl Read) -> std::io::Result<(String, Vec<u8>)> {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 8192]);
    loop {
        let read = stream.read(&mut buffer)?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        bytes.extend_from_slice(&buffer[..read]);
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let lengths = head.lines().filter_map(|line| line.split_once(": "));
        let mut lengths = lengths.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        let length: usize = lengths
            .next()
            .and_then(|(_, value)| value.parse().ok())
            .unwrap_or(0);
        if bytes.len() >= end + 4 + length {
            return Ok((head, bytes[end + 4..end + 4 + length].to_vec()));
        }
    }
}
