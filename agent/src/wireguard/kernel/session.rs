//! One socket's conversation with the kernel: sequence numbers, answers, the family's number.

use std::io;

use rustix::io::Errno;
use zeroize::{Zeroize, Zeroizing};

use super::{
    abi::{self, ctrl},
    message::{Head, Malformed, Message, Messages, Writer},
    socket::NetlinkIo,
};

/// The kernel fills at most 32 KiB of a dump's buffer, but a refusal carries the refused message of
/// nearly 64 KiB behind its errno.
const BUFFER_BYTES: usize = 128 * 1024;

/// Why an exchange with the kernel did not succeed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The kernel's answer, a positive errno.
    #[error("{}", io::Error::from_raw_os_error(*.0))]
    Errno(i32),
    /// The kernel has no `wireguard` family.
    #[error("the kernel has no WireGuard")]
    NoFamily,
    /// What was dumped changed meanwhile.
    #[error("the interface changed during the dump")]
    Interrupted,
    /// The answer was longer than the buffer.
    #[error("an answer was cut short")]
    Truncated,
    /// The answer can't be one.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The socket failed or an answer did not come.
    #[error("{doing}: {source}")]
    Socket {
        doing: &'static str,
        source: io::Error,
    },
}

/// A socket, its receive buffer, and what is known by talking over it.
pub(super) struct Session<S> {
    io: S,
    /// A part of an older answer may still be on its way: the next request takes another socket.
    is_spoilt: bool,
    sequence: u32,
    family: Option<u16>,
    buffer: Zeroizing<Vec<u8>>,
    used_bytes: usize,
}

impl<S: NetlinkIo> Session<S> {
    pub(super) fn new(io: S) -> Self {
        Self {
            io,
            is_spoilt: false,
            sequence: 0,
            family: None,
            buffer: Zeroizing::new(vec![0; BUFFER_BYTES]),
            used_bytes: 0,
        }
    }

    pub(super) fn port_id(&self) -> u32 {
        self.io.port_id()
    }

    /// A sequence number no request had for a very long time.
    pub(super) fn next_sequence(&mut self) -> u32 {
        self.sequence = self.sequence.wrapping_add(1);
        self.sequence
    }

    /// Takes another socket for the next request.
    pub(super) fn spoil(&mut self) {
        self.is_spoilt = true;
    }

    /// Forgets the family's number: the module may have been loaded anew.
    pub(super) fn forget_family(&mut self) {
        self.family = None;
    }

    /// Forgets the keys received.
    pub(super) fn wipe(&mut self) {
        self.buffer[..self.used_bytes].zeroize();
        self.used_bytes = 0;
    }

    /// Sends a request, over a new socket if the present one is spoilt.
    pub(super) fn send(&mut self, message: &[u8]) -> Result<(), Failure> {
        if self.is_spoilt {
            let reopened = self.io.reopen();
            reopened.map_err(|source| Failure::Socket {
                doing: "opening netlink",
                source,
            })?;
            self.is_spoilt = false;
        }
        self.io.send(message).map_err(|source| {
            self.is_spoilt = true;
            Failure::Socket {
                doing: "writing to netlink",
                source,
            }
        })
    }

    /// The next datagram from the kernel. The session is spoilt if there is none.
    pub(super) fn receive(&mut self) -> Result<&[u8], Failure> {
        match self.receive_bytes() {
            Ok(bytes) => Ok(&self.buffer[..bytes]),
            Err(failure) => {
                self.is_spoilt = true;
                Err(failure)
            }
        }
    }

    fn receive_bytes(&mut self) -> Result<usize, Failure> {
        loop {
            let received = self.io.recv(&mut self.buffer);
            let received = received.map_err(|source| Failure::Socket {
                doing: "reading from netlink",
                source,
            })?;
            self.used_bytes = self.used_bytes.max(received.bytes.min(BUFFER_BYTES));
            if received.is_truncated || received.bytes > BUFFER_BYTES {
                return Err(Failure::Truncated);
            }
            if received.sender_port_id == 0 {
                return Ok(received.bytes);
            }
        }
    }

    /// Waits for the acknowledgement of the request with this sequence number.
    pub(super) fn acknowledged(&mut self, sequence: u32) -> Result<(), Failure> {
        self.answer(sequence, |message| match message.kind {
            abi::ERROR => match message.errno()? {
                0 => Ok(Some(())),
                errno => Err(Failure::Errno(errno)),
            },
            _ => Ok(None),
        })
    }

    /// The number of the `wireguard` family, asked for once.
    pub(super) fn family(&mut self) -> Result<u16, Failure> {
        if let Some(family) = self.family {
            return Ok(family);
        }
        let sequence = self.next_sequence();
        let mut request = Vec::new();
        let head = Head {
            family: ctrl::FAMILY,
            flags: abi::FLAG_REQUEST,
            sequence,
            command: ctrl::GET_FAMILY,
            version: ctrl::VERSION,
        };
        let mut writer = Writer::begin(&mut request, head);
        writer.put(ctrl::FAMILY_NAME, abi::WIREGUARD_FAMILY_NAME);
        writer.finish();
        self.send(&request)?;
        let family = self.answer(sequence, |message| match message.kind {
            ctrl::FAMILY => family_id(message).map(Some),
            abi::ERROR => Err(no_family(message.errno()?)),
            _ => Ok(None),
        })?;
        self.family = Some(family);
        Ok(family)
    }

    /// Reads until `of` makes something of a message that answers the request with this sequence
    /// number. Late answers to older requests, and other sockets' answers, are skipped.
    fn answer<T>(
        &mut self,
        sequence: u32,
        of: impl Fn(&Message<'_>) -> Result<Option<T>, Failure>,
    ) -> Result<T, Failure> {
        let port_id = self.io.port_id();
        loop {
            let answer = find(self.receive()?, sequence, port_id, &of);
            if let Err(Failure::Malformed(_)) = answer {
                self.is_spoilt = true;
            }
            if let Some(answer) = answer? {
                return Ok(answer);
            }
        }
    }
}

fn find<T>(
    datagram: &[u8],
    sequence: u32,
    port_id: u32,
    of: impl Fn(&Message<'_>) -> Result<Option<T>, Failure>,
) -> Result<Option<T>, Failure> {
    for message in Messages(datagram) {
        let message = message?;
        if message.sequence == sequence
            && message.port_id == port_id
            && let Some(answer) = of(&message)?
        {
            return Ok(Some(answer));
        }
    }
    Ok(None)
}

fn family_id(message: &Message<'_>) -> Result<u16, Failure> {
    for attribute in message.attributes()? {
        if let (ctrl::FAMILY_ID, id) = attribute? {
            return Ok(u16::from_ne_bytes(super::message::exactly(
                id,
                "a family's number",
            )?));
        }
    }
    Err(Malformed("a family without a number").into())
}

fn no_family(errno: i32) -> Failure {
    if errno == Errno::NOENT.raw_os_error() {
        Failure::NoFamily
    } else {
        Failure::Errno(errno)
    }
}
