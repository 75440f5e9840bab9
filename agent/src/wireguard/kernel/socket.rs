//! The generic-netlink socket, and the trait a scripted one implements in tests.

use std::{
    io::{self, IoSliceMut},
    os::fd::OwnedFd,
    time::Duration,
};

use rustix::{
    io::retry_on_intr,
    net::{
        AddressFamily, RecvAncillaryBuffer, RecvFlags, ReturnFlags, SendFlags, SocketFlags,
        SocketType, bind, connect, getsockname,
        netlink::{self, SocketAddrNetlink},
        recvmsg, send, socket_with,
        sockopt::{Timeout, set_socket_timeout},
    },
};

/// How long an answer may take. The kernel answers within the call that asks; only a lost message
/// makes anyone wait.
const RECEIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// The port id of the kernel itself, and the one that asks it to choose ours.
const KERNEL: SocketAddrNetlink = SocketAddrNetlink::new(0, 0);

/// One received datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// How much of the buffer it fills.
    pub bytes: usize,
    /// Whether it was longer than the buffer.
    pub is_truncated: bool,
    /// Who sent it; 0 is the kernel.
    pub sender_port_id: u32,
}

/// A datagram socket to the kernel.
pub trait NetlinkIo: Send {
    /// The socket's own address, which answers carry.
    fn port_id(&self) -> u32;

    /// Sends one message to the kernel.
    ///
    /// # Errors
    /// The system's, errno included.
    fn send(&mut self, message: &[u8]) -> io::Result<()>;

    /// Waits for the next datagram.
    ///
    /// # Errors
    /// The system's, errno included; `WouldBlock` when nothing came in time.
    fn recv(&mut self, buffer: &mut [u8]) -> io::Result<Received>;

    /// Forgets whatever is still on its way: begins again with another socket.
    ///
    /// # Errors
    /// The system's, errno included.
    fn reopen(&mut self) -> io::Result<()>;
}

/// A real socket. Closed on exec; connected to the kernel, so that no other process's datagrams reach
/// it.
#[derive(Debug)]
pub struct GenericSocket {
    socket: OwnedFd,
    port_id: u32,
}

impl GenericSocket {
    /// Opens a socket.
    ///
    /// # Errors
    /// The system's, errno included.
    pub fn open() -> io::Result<Self> {
        let kind = SocketType::RAW;
        let protocol = Some(netlink::GENERIC);
        let socket = socket_with(AddressFamily::NETLINK, kind, SocketFlags::CLOEXEC, protocol)?;
        set_socket_timeout(&socket, Timeout::Recv, Some(RECEIVE_TIMEOUT))?;
        bind(&socket, &KERNEL)?;
        connect(&socket, &KERNEL)?;
        let port_id = SocketAddrNetlink::try_from(getsockname(&socket)?)?.pid();
        Ok(Self { socket, port_id })
    }
}

impl NetlinkIo for GenericSocket {
    fn port_id(&self) -> u32 {
        self.port_id
    }

    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        let sent = retry_on_intr(|| send(&self.socket, message, SendFlags::empty()))?;
        if sent == message.len() {
            Ok(())
        } else {
            Err(io::Error::new(
                io::ErrorKind::WriteZero,
                "the kernel took a part of the message",
            ))
        }
    }

    fn recv(&mut self, buffer: &mut [u8]) -> io::Result<Received> {
        let received = retry_on_intr(|| {
            let mut parts = [IoSliceMut::new(buffer)];
            let mut none = RecvAncillaryBuffer::default();
            recvmsg(&self.socket, &mut parts, &mut none, RecvFlags::empty())
        })?;
        let sender = received.address.ok_or(io::ErrorKind::InvalidData)?;
        Ok(Received {
            bytes: received.bytes,
            is_truncated: received.flags.contains(ReturnFlags::TRUNC),
            sender_port_id: SocketAddrNetlink::try_from(sender)?.pid(),
        })
    }

    fn reopen(&mut self) -> io::Result<()> {
        *self = Self::open()?;
        Ok(())
    }
}
