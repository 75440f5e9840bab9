//! The sockets daemons listen on, and a conversation over one: bounded in time and in bytes.

use std::{
    fs, io,
    io::{Read, Write},
    os::{
        fd::OwnedFd,
        unix::{
            fs::{FileTypeExt, MetadataExt},
            net::UnixStream,
        },
    },
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rustix::{
    io::Errno,
    net::{
        AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with,
        sockopt::{Timeout, set_socket_timeout},
    },
};
use wire_contract::InterfaceName;
use zeroize::Zeroizing;

use super::answer::Malformed;

/// Where every implementation keeps its sockets.
const DIRECTORY: &str = "/var/run/wireguard";
const SUFFIX: &str = ".sock";

/// The longest line a daemon may send. The longest that means anything has some 80 bytes.
const MAX_LINE_BYTES: usize = 64 * 1024;
/// The longest answer. The 65,536 peers wireguard-go has at most take a tenth of it.
const MAX_ANSWER_BYTES: u64 = 256 << 20;

/// Why an exchange with a daemon did not succeed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// There is no socket of that name.
    #[error("there is no socket")]
    NoSocket,
    /// The daemon's answer, a positive errno.
    #[error("{}", io::Error::from_raw_os_error(*.0))]
    Errno(i32),
    /// The answer can't be one.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The daemon hung up.
    #[error("the daemon ended the connection in the middle of its answer")]
    CutShort,
    /// The connection failed, or time was up.
    #[error("{doing}: {source}")]
    Socket {
        doing: &'static str,
        source: io::Error,
    },
}

/// Tells one daemon's socket from the next one's of the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SocketIdentity {
    device: u64,
    inode: u64,
    changed: (i64, i64),
}

/// A directory of sockets, each named after its interface.
#[derive(Debug, Clone)]
pub struct SocketDirectory(PathBuf);

impl Default for SocketDirectory {
    /// The one all implementations use.
    fn default() -> Self {
        Self(DIRECTORY.into())
    }
}

impl SocketDirectory {
    /// Another one.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Which socket an interface has now, if it has one; nobody need listen on it.
    pub(super) fn identity(&self, name: &InterfaceName) -> Option<SocketIdentity> {
        let metadata = fs::metadata(self.path(name)).ok()?;
        metadata.file_type().is_socket().then(|| SocketIdentity {
            device: metadata.dev(),
            inode: metadata.ino(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }

    /// Whether a daemon listens, however busy it is. Does not wait.
    pub(super) fn is_served(&self, name: &InterfaceName) -> bool {
        let connected = connected(&self.path(name), SocketFlags::NONBLOCK, None);
        // No room for another connection: there is someone who does not get to them.
        matches!(connected, Ok(_) | Err(Errno::AGAIN))
    }

    /// Begins a conversation that must end within `timeout`.
    pub(super) fn converse(
        &self,
        name: &InterfaceName,
        timeout: Duration,
    ) -> Result<Conversation, Failure> {
        let deadline = Instant::now() + timeout;
        let socket = connected(&self.path(name), SocketFlags::empty(), Some(timeout));
        let socket = socket.map_err(|errno| match errno {
            Errno::NOENT | Errno::NOTDIR => Failure::NoSocket,
            errno => failed("connecting to the interface's daemon", errno.into()),
        })?;
        Ok(Conversation::new(socket.into(), deadline))
    }

    fn path(&self, name: &InterfaceName) -> PathBuf {
        self.0.join(format!("{name}{SUFFIX}"))
    }
}

fn connected(path: &Path, flags: SocketFlags, timeout: Option<Duration>) -> Result<OwnedFd, Errno> {
    let address = SocketAddrUnix::new(path)?;
    let flags = flags | SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    // Connecting waits while the daemon's backlog is full, for as long as sending may.
    set_socket_timeout(&socket, Timeout::Send, timeout)?;
    connect(&socket, &address)?;
    Ok(socket)
}

/// One request and its answer.
pub(super) struct Conversation {
    stream: UnixStream,
    deadline: Instant,
    buffer: Zeroizing<Vec<u8>>,
    /// What was received and not yet taken.
    unread: std::ops::Range<usize>,
    received_bytes: u64,
}

impl Conversation {
    fn new(stream: UnixStream, deadline: Instant) -> Self {
        Self {
            stream,
            deadline,
            buffer: Zeroizing::new(vec![0; MAX_LINE_BYTES]),
            unread: 0..0,
            received_bytes: 0,
        }
    }

    /// Sends a request.
    pub(super) fn send(&mut self, request: &[u8]) -> Result<(), Failure> {
        let mut rest = request;
        while !rest.is_empty() {
            let sent = self.remaining().and_then(|remaining| {
                self.stream.set_write_timeout(Some(remaining))?;
                self.stream.write(rest)
            });
            match sent {
                Ok(sent) => rest = &rest[sent..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(failed("writing to the interface's daemon", source)),
            }
        }
        Ok(())
    }

    /// The next line, without its newline.
    pub(super) fn line(&mut self) -> Result<&[u8], Failure> {
        let mut searched = 0;
        loop {
            let unread = &self.buffer[self.unread.clone()];
            let newline = unread[searched..].iter().position(|byte| *byte == b'\n');
            if let Some(newline) = newline {
                let start = self.unread.start;
                let end = start + searched + newline;
                self.unread.start = end + 1;
                return Ok(&self.buffer[start..end]);
            }
            searched = unread.len();
            self.receive()?;
        }
    }

    fn receive(&mut self) -> Result<(), Failure> {
        self.buffer.copy_within(self.unread.clone(), 0);
        self.unread = 0..self.unread.len();
        let free = self.unread.end;
        if free == self.buffer.len() {
            return Err(Malformed("a line that does not end").into());
        }
        let received = self.remaining().and_then(|remaining| {
            self.stream.set_read_timeout(Some(remaining))?;
            self.stream.read(&mut self.buffer[free..])
        });
        match received {
            Ok(0) => Err(Failure::CutShort),
            Ok(bytes) => {
                self.unread.end += bytes;
                self.received_bytes += u64::try_from(bytes).unwrap_or(u64::MAX);
                if self.received_bytes > MAX_ANSWER_BYTES {
                    return Err(Malformed("it does not end").into());
                }
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            // Killed with our request unread.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Err(Failure::CutShort),
            Err(source) => Err(failed("waiting for the interface's daemon", source)),
        }
    }

    fn remaining(&self) -> io::Result<Duration> {
        let remaining = self.deadline.saturating_duration_since(Instant::now());
        if remaining.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(remaining)
    }
}

/// Sockets say "would block" when their time is up.
fn failed(doing: &'static str, source: io::Error) -> Failure {
    let source = match source.kind() {
        io::ErrorKind::WouldBlock => io::ErrorKind::TimedOut.into(),
        _ => source,
    };
    Failure::Socket { doing, source }
}
