//! A client that keeps a server busy: so many connections, on each one request after the other, all
//! from one thread.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use rustix::{buffer::spare_capacity, event::epoll};

const BUFFER_BYTES: usize = 16 * 1024;

/// Open connections.
pub struct Load {
    epoll: std::os::fd::OwnedFd,
    connections: Vec<Connection>,
}

struct Connection {
    stream: TcpStream,
    answer: Vec<u8>,
    filled: usize,
}

impl Load {
    /// Opens `in_flight` connections.
    ///
    /// # Errors
    /// The system's.
    pub fn connect(address: SocketAddr, in_flight: usize) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mut connections = Vec::with_capacity(in_flight);
        for position in 0..in_flight {
            let stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            let data = epoll::EventData::new_u64(position as u64);
            // Edge-triggered: an answer is read in one call, without asking for more.
            let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
            epoll::add(&epoll, &stream, data, flags)?;
            connections.push(Connection {
                stream,
                answer: vec![0; BUFFER_BYTES],
                filled: 0,
            });
        }
        Ok(Self { epoll, connections })
    }

    /// Sends `count` requests, one on each connection at a time; gives how long all of them took.
    /// `request` gives the bytes of each.
    ///
    /// # Errors
    /// The system's; `InvalidData` for any answer but 200.
    pub fn run<'r>(
        &mut self,
        count: usize,
        request: impl Fn(usize) -> &'r [u8],
    ) -> io::Result<Duration> {
        let started = Instant::now();
        let mut sent = 0;
        for connection in self.connections.iter_mut().take(count) {
            connection.send(request(sent))?;
            sent += 1;
        }
        let mut answered = 0;
        let mut events = Vec::with_capacity(self.connections.len());
        while answered < count {
            events.clear();
            epoll::wait(&self.epoll, spare_capacity(&mut events), None)?;
            for event in &events {
                let position = usize::try_from(event.data.u64()).expect("as it was given");
                let connection = &mut self.connections[position];
                if !connection.receive()? {
                    continue;
                }
                answered += 1;
                if sent < count {
                    connection.send(request(sent))?;
                    sent += 1;
                }
            }
        }
        Ok(started.elapsed())
    }
}

impl Connection {
    /// Requests are small: the socket has room for one.
    fn send(&mut self, request: &[u8]) -> io::Result<()> {
        self.stream.write_all(request)
    }

    /// Whether the whole answer is there.
    fn receive(&mut self) -> io::Result<bool> {
        let read = match self.stream.read(&mut self.answer[self.filled..]) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            other => other?,
        };
        self.filled += read;
        let answer = &self.answer[..self.filled];
        let Some(length) = whole_length(answer) else {
            return Ok(false);
        };
        if !answer.starts_with(b"HTTP/1.1 200 ") {
            let text = String::from_utf8_lossy(answer).into_owned();
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        let is_whole = self.filled >= length;
        if is_whole {
            self.filled = 0;
        }
        Ok(is_whole)
    }
}

/// Length of head and body together, once the head is there. `hyper` writes names in lower case.
fn whole_length(answer: &[u8]) -> Option<usize> {
    const NAME: &[u8] = b"\r\ncontent-length: ";
    let head = find(answer, b"\r\n\r\n")?;
    let value = &answer[find(&answer[..head], NAME)? + NAME.len()..];
    let digits = value.iter().take_while(|byte| byte.is_ascii_digit());
    let body = digits.fold(0, |length, digit| length * 10 + usize::from(digit - b'0'));
    Some(head + 4 + body)
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_the_length_it_says() {
        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 12\r\ndate: x\r\n\r\n";
        assert_eq!(whole_length(head), Some(head.len() + 12));
        assert_eq!(whole_length(&head[..head.len() - 1]), None);
    }
}
