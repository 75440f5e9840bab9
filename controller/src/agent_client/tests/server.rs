//! A server by hand: it sees each request as it stood on the wire and reacts as a test tells it.

use std::{
    future::Future,
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    task::JoinSet,
};
use tokio_util::task::AbortOnDropHandle;
use wire_contract::signing::{Mac, SignedParts, Timestamp, Verifier};

/// A request as it stood on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) method: String,
    pub(super) target: String,
    /// Names in lower case.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    /// Which connection it came on, from 0.
    pub(super) connection: usize,
    /// How many came on that connection before it.
    pub(super) place: usize,
}

impl Seen {
    pub(super) fn header(&self, name: &str) -> &str {
        let mut values = self
            .headers
            .iter()
            .filter(|(n, _)| n == name)
            .map(|(_, value)| value);
        let value = values.next().map_or("", |value| value.as_str());
        assert!(values.next().is_none(), "{name} is there twice");
        value
    }

    /// Whether the contract's own verifier accepts it, the time window aside.
    pub(super) fn is_signed(&self) -> bool {
        let timestamp = Timestamp::parse(self.header("x-timestamp").as_bytes()).unwrap();
        let mac = Mac::parse(self.header("x-signature").as_bytes()).unwrap();
        let parts = SignedParts {
            method: &self.method,
            target: &self.target,
            body: &self.body,
        };
        Verifier::new(&super::secret(), None)
            .verify(parts, timestamp, &mac)
            .is_ok()
    }
}

/// What to do about a request.
pub(super) enum Reaction {
    /// Send these bytes and wait for the next request.
    Keep(Vec<u8>),
    /// Send these bytes and close.
    Last(Vec<u8>),
    /// Send these bytes, then close when this much time has passed.
    CloseAfter(Vec<u8>, Duration),
    /// Send these bytes, then zeros until nobody reads them.
    Endless(Vec<u8>),
    /// Say nothing.
    Hang,
}

pub(super) type React = Arc<dyn Fn(&Seen) -> Reaction + Send + Sync>;

/// A server under way; it ends when dropped.
pub(super) struct Served {
    pub(super) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    open: Arc<AtomicUsize>,
    _task: AbortOnDropHandle<()>,
}

impl Served {
    /// All requests so far.
    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Connections that are open now.
    pub(super) fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }
}

/// Serves what `accept` hands over.
pub(super) fn serve<F, S>(
    url: String,
    react: React,
    mut accept: impl FnMut() -> F + Send + 'static,
) -> Served
where
    F: Future<Output = io::Result<S>> + Send,
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (seen, open) = (Arc::default(), Arc::<AtomicUsize>::default());
    let (log, count) = (Arc::clone(&seen), open.clone());
    let task = tokio::spawn(async move {
        let mut connections = JoinSet::new();
        for number in 0.. {
            // A handshake that fails is the test's to look at from the other side.
            let Ok(stream) = accept().await else { continue };
            let (react, log, count) = (react.clone(), Arc::clone(&log), count.clone());
            connections.spawn(async move {
                count.fetch_add(1, Ordering::SeqCst);
                let _ = converse(stream, number, &react, &log).await;
                count.fetch_sub(1, Ordering::SeqCst);
            });
        }
    });
    Served {
        url,
        seen,
        open,
        _task: AbortOnDropHandle::new(task),
    }
}

async fn converse(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    connection: usize,
    react: &React,
    log: &Mutex<Vec<Seen>>,
) -> io::Result<()> {
    for place in 0.. {
        let Some(mut seen) = read_request(&mut stream).await? else {
            return Ok(());
        };
        (seen.connection, seen.place) = (connection, place);
        log.lock().unwrap().push(seen.clone());
        match react(&seen) {
            Reaction::Keep(bytes) => stream.write_all(&bytes).await?,
            Reaction::Last(bytes) => {
                stream.write_all(&bytes).await?;
                return stream.shutdown().await;
            }
            Reaction::CloseAfter(bytes, wait) => {
                stream.write_all(&bytes).await?;
                tokio::time::sleep(wait).await;
                return stream.shutdown().await;
            }
            Reaction::Endless(bytes) => {
                stream.write_all(&bytes).await?;
                loop {
                    stream.write_all(&[b'0'; 65536]).await?;
                }
            }
            Reaction::Hang => std::future::pending().await,
        }
    }
    Ok(())
}

async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Seen>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.trim_end().split("\r\n");
    let mut first = lines.next().unwrap().split(' ');
    let headers: Vec<_> = lines
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let mut seen = Seen {
        method: first.next().unwrap().into(),
        target: first.next().unwrap().into(),
        headers,
        body: Vec::new(),
        connection: 0,
        place: 0,
    };
    assert_eq!(first.next(), Some("HTTP/1.1"));
    seen.body = vec![0; seen.header("content-length").parse().unwrap_or(0)];
    stream.read_exact(&mut seen.body).await?;
    Ok(Some(seen))
}

/// A whole response.
pub(super) fn answer(status: u16, content_type: &str, body: &str) -> Vec<u8> {
    answer_with(status, &format!("Content-Type: {content_type}\r\n"), body)
}

/// A whole response with these further header lines.
pub(super) fn answer_with(status: u16, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status} X\r\n{headers}Content-Length: {length}\r\n\r\n{body}").into_bytes()
}

/// 200 with JSON.
pub(super) fn ok(body: &str) -> Reaction {
    Reaction::Keep(answer(200, "application/json", body))
}
