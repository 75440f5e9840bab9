//! A client that costs little: one connection, one large buffer, nothing parsed but the length.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
};

use wgfleet_integration::client::{Address, Client, Request};

/// A connection to an agent.
pub struct LocalClient {
    signer: Client,
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl LocalClient {
    /// Connects, and signs with `secret`.
    ///
    /// # Errors
    /// The system's; `Unsupported` for an agent on a unix socket.
    pub fn connect(address: &Address, secret: &str, buffer_bytes: usize) -> io::Result<Self> {
        let Address::Tcp(tcp) = address else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        Ok(Self {
            signer: Client::new(address.clone(), secret).keep_alive(),
            stream: TcpStream::connect(tcp)?,
            buffer: vec![0; buffer_bytes],
        })
    }

    /// Sends `request` and reads the whole answer: its head, and the length of its body.
    ///
    /// # Errors
    /// The system's; `InvalidData` for anything but 200 with a length that fits the buffer.
    pub fn exchange(&mut self, request: &Request) -> io::Result<usize> {
        let wire = self.signer.prepare(request).to_bytes();
        self.stream.write_all(&wire)?;
        let mut filled = 0;
        let (head, body) = loop {
            filled += self.read_more(filled)?;
            if let Some(lengths) = lengths(&self.buffer[..filled]) {
                break lengths?;
            }
        };
        while filled < head + body {
            filled += self.read_more(filled)?;
        }
        Ok(body)
    }

    fn read_more(&mut self, filled: usize) -> io::Result<usize> {
        match self.stream.read(&mut self.buffer[filled..])? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            count => Ok(count),
        }
    }
}

/// Lengths of head and body, once the head is there.
fn lengths(bytes: &[u8]) -> Option<io::Result<(usize, usize)>> {
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
    let length = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"));
    let length = length.and_then(|value| value.trim().parse().ok());
    Some(match length {
        Some(body) if text.starts_with("http/1.1 200") => Ok((head, body)),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, text)),
    })
}
