//! One connection, bytes in and bytes out, everything with a deadline.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::TcpStream,
    os::{fd::AsFd, unix::net::UnixStream},
    sync::Arc,
    time::{Duration, Instant},
};

use rustix::{io::Errno, net::RecvFlags};
use rustls::{ClientConfig, ClientConnection, StreamOwned, pki_types::ServerName};

use super::{Address, Response, response};

#[derive(Debug)]
enum Stream {
    Tcp(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
    Unix(UnixStream),
}

/// An open connection.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    timeout: Duration,
    /// Read, and not part of an answer yet.
    pending: Vec<u8>,
}

impl Connection {
    pub(super) fn open(
        address: &Address,
        timeout: Duration,
        tls: Option<&Arc<ClientConfig>>,
    ) -> io::Result<Self> {
        let stream = match address {
            Address::Tcp(address) => {
                let stream = TcpStream::connect_timeout(address, timeout)?;
                stream.set_nodelay(true)?;
                match tls {
                    None => Stream::Tcp(stream),
                    Some(tls) => Stream::Tls(Box::new(shake_hands(tls, stream, timeout)?)),
                }
            }
            Address::Unix(path) => Stream::Unix(UnixStream::connect(path)?),
        };
        Ok(Self {
            stream,
            timeout,
            pending: Vec::new(),
        })
    }

    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// What the system says.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.stream {
            Stream::Tcp(stream) => {
                stream.set_write_timeout(Some(self.timeout))?;
                stream.write_all(bytes)
            }
            Stream::Tls(stream) => {
                stream.sock.set_write_timeout(Some(self.timeout))?;
                stream.write_all(bytes)
            }
            Stream::Unix(stream) => {
                stream.set_write_timeout(Some(self.timeout))?;
                stream.write_all(bytes)
            }
        }
    }

    /// Writes a request and reads its answer. An answer that comes before all of the request is
    /// written, to refuse it, counts.
    ///
    /// # Errors
    /// What the system says; `InvalidData` for what is not HTTP.
    pub fn exchange(&mut self, request: &[u8]) -> io::Result<Response> {
        let written = self.write(request);
        let answered = if request.starts_with(b"HEAD ") {
            self.read_response_to_head()
        } else {
            self.read_response()
        };
        match (written, answered) {
            (_, Ok(response)) => Ok(response),
            (Err(error), Err(_)) | (Ok(()), Err(error)) => Err(error),
        }
    }

    /// Reads the next answer.
    ///
    /// # Errors
    /// As [`Connection::exchange`]; `UnexpectedEof` when the connection is closed before its end.
    pub fn read_response(&mut self) -> io::Result<Response> {
        self.read_parsed(false)
    }

    /// Reads the next answer, to a `HEAD`: one without a body.
    ///
    /// # Errors
    /// As [`Connection::read_response`].
    pub fn read_response_to_head(&mut self) -> io::Result<Response> {
        self.read_parsed(true)
    }

    fn read_parsed(&mut self, to_head: bool) -> io::Result<Response> {
        let deadline = Instant::now() + self.timeout;
        let mut closed = false;
        loop {
            if let Some((response, used)) = response::parse(&self.pending, closed, to_head)? {
                self.pending.drain(..used);
                return Ok(response);
            }
            if closed {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            closed = self.fill(deadline)? == 0;
        }
    }

    /// Reads until the other side closes, and gives all of it.
    ///
    /// # Errors
    /// `TimedOut` when it does not close in time. A reset counts as closing.
    pub fn read_to_end(&mut self) -> io::Result<Vec<u8>> {
        let deadline = Instant::now() + self.timeout;
        loop {
            match self.fill(deadline) {
                Ok(0) => break,
                Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
                other => other?,
            };
        }
        Ok(std::mem::take(&mut self.pending))
    }

    /// Whether the other side has closed, or sent something nobody asked for. Does not wait.
    pub(super) fn is_closed(&self) -> bool {
        let socket = match &self.stream {
            Stream::Tcp(stream) => stream.as_fd(),
            Stream::Tls(stream) => stream.sock.as_fd(),
            Stream::Unix(stream) => stream.as_fd(),
        };
        let look = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        !matches!(
            rustix::net::recv(socket, &mut [0_u8; 1][..], look),
            Err(Errno::AGAIN)
        )
    }

    fn fill(&mut self, deadline: Instant) -> io::Result<usize> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        let mut chunk = [0; 16 * 1024];
        let read = match &mut self.stream {
            Stream::Tcp(stream) => {
                stream.set_read_timeout(Some(left))?;
                stream.read(&mut chunk)
            }
            Stream::Tls(stream) => {
                stream.sock.set_read_timeout(Some(left))?;
                stream.read(&mut chunk)
            }
            Stream::Unix(stream) => {
                stream.set_read_timeout(Some(left))?;
                stream.read(&mut chunk)
            }
        };
        match read {
            Ok(count) => {
                self.pending.extend_from_slice(&chunk[..count]);
                Ok(count)
            }
            // The system's way of saying that the read timeout passed.
            Err(error) if error.kind() == ErrorKind::WouldBlock => Err(ErrorKind::TimedOut.into()),
            Err(error) => Err(error),
        }
    }
}

/// A handshake to its end, so that its failure is told as one of connecting.
fn shake_hands(
    tls: &Arc<ClientConfig>,
    mut stream: TcpStream,
    timeout: Duration,
) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    let name = ServerName::from(stream.peer_addr()?.ip());
    let mut connection = ClientConnection::new(Arc::clone(tls), name).map_err(io::Error::other)?;
    while connection.is_handshaking() {
        connection.complete_io(&mut stream)?;
    }
    Ok(StreamOwned::new(connection, stream))
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, thread};

    use super::*;
    use crate::client::{Client, Request};

    /// A server that answers each connection with fixed bytes after reading something, then closes.
    fn server(answer: &'static [u8]) -> Client {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                assert_ne!(stream.read(&mut [0; 1024]).unwrap(), 0);
                stream.write_all(answer).unwrap();
            }
        });
        Client::new(Address::Tcp(address), "secret").timeout(Duration::from_millis(300))
    }

    #[test]
    fn an_answer_is_read() {
        let client = server(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
        let response = client.get("/health");
        assert_eq!(
            (response.status, response.json()),
            (200, serde_json::json!({}))
        );
    }

    #[test]
    fn a_kept_connection_that_was_closed_is_opened_anew() {
        let client = server(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").keep_alive();
        for _ in 0..3 {
            let kept = client.kept.as_ref().unwrap();
            crate::eventually(Duration::from_secs(5), "the server closes", || {
                kept.lock()
                    .unwrap()
                    .as_ref()
                    .is_none_or(Connection::is_closed)
                    .then_some(())
            });
            assert_eq!(client.get("/").status, 200);
        }
    }

    #[test]
    fn half_an_answer_is_an_error() {
        let client = server(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}");
        let error = client
            .send(&Request::get("/"))
            .expect_err("one byte is missing");
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    }

    #[test]
    fn raw_bytes_come_back_raw() {
        assert_eq!(server(b"anything").send_raw(b"x").unwrap(), b"anything");
    }

    #[test]
    fn a_server_that_says_nothing_is_not_waited_for_longer_than_asked() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = Client::new(Address::Tcp(listener.local_addr().unwrap()), "secret")
            .timeout(Duration::from_millis(50));
        let error = client.send(&Request::get("/")).expect_err("nobody answers");
        assert_eq!(error.kind(), ErrorKind::TimedOut);
    }
}
