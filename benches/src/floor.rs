//! The floor: a dump received with a 32 KiB buffer and not looked at.

use std::io;

use wgfleet_agent::wireguard::kernel::{GenericSocket, NetlinkIo};

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const GENL_ID_CTRL: u16 = 16;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_DUMP: u16 = 0x300;
const CTRL_CMD_GETFAMILY: u8 = 3;
const CTRL_ATTR_FAMILY_ID: u16 = 1;
const CTRL_ATTR_FAMILY_NAME: u16 = 2;
const WG_CMD_GET_DEVICE: u8 = 0;
const WGDEVICE_A_IFNAME: u16 = 2;
const BUFFER_BYTES: usize = 32 * 1024;
const HEADERS_BYTES: usize = 20;

/// A socket that asks for dumps and throws them away.
pub struct Floor {
    socket: GenericSocket,
    request: Vec<u8>,
    buffer: Vec<u8>,
}

/// What one dump took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// Calls of `recvmsg`.
    pub calls: u32,
    /// Bytes received.
    pub bytes: usize,
}

impl Floor {
    /// Prepares to dump `interface`.
    ///
    /// # Errors
    /// The system's.
    pub fn open(interface: &str) -> io::Result<Self> {
        let mut socket = GenericSocket::open()?;
        let mut buffer = vec![0; BUFFER_BYTES];
        let ask = message(
            GENL_ID_CTRL,
            NLM_F_REQUEST,
            CTRL_CMD_GETFAMILY,
            CTRL_ATTR_FAMILY_NAME,
            b"wireguard\0",
        );
        socket.send(&ask)?;
        let answer = socket.recv(&mut buffer)?;
        let family = family_id(&buffer[..answer.bytes]).ok_or(io::ErrorKind::NotFound)?;
        let name = [interface.as_bytes(), b"\0"].concat();
        let request = message(
            family,
            NLM_F_REQUEST | NLM_F_DUMP,
            WG_CMD_GET_DEVICE,
            WGDEVICE_A_IFNAME,
            &name,
        );
        Ok(Self {
            socket,
            request,
            buffer,
        })
    }

    /// One whole dump.
    ///
    /// # Errors
    /// The system's, or what the kernel said in place of a dump.
    pub fn dump(&mut self) -> io::Result<Received> {
        self.socket.send(&self.request)?;
        let mut total = Received { calls: 0, bytes: 0 };
        loop {
            let received = self.socket.recv(&mut self.buffer)?;
            total.calls += 1;
            total.bytes += received.bytes;
            if is_last(&self.buffer[..received.bytes])? {
                return Ok(total);
            }
        }
    }
}

/// Whether a datagram ends the dump: the end may stand alone or behind other messages.
fn is_last(datagram: &[u8]) -> io::Result<bool> {
    let mut rest = datagram;
    while let Some(head) = rest.first_chunk::<6>() {
        let bytes = u32::from_ne_bytes([head[0], head[1], head[2], head[3]]);
        match u16::from_ne_bytes([head[4], head[5]]) {
            NLMSG_DONE => return Ok(true),
            NLMSG_ERROR => return Err(io::ErrorKind::Other.into()),
            _ => {}
        }
        let next = usize::try_from(bytes).map_or(usize::MAX, |bytes| bytes.next_multiple_of(4));
        rest = rest.get(next.max(4)..).unwrap_or_default();
    }
    Ok(false)
}

fn message(family: u16, flags: u16, command: u8, attribute: u16, value: &[u8]) -> Vec<u8> {
    let attribute_bytes = 4 + value.len();
    let padded = attribute_bytes.next_multiple_of(4);
    let mut bytes = Vec::with_capacity(HEADERS_BYTES + padded);
    bytes.extend(
        u32::try_from(HEADERS_BYTES + padded)
            .expect("short")
            .to_ne_bytes(),
    );
    bytes.extend(family.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend([1, 0, 0, 0, 0, 0, 0, 0]);
    bytes.extend([command, 1, 0, 0]);
    bytes.extend(u16::try_from(attribute_bytes).expect("short").to_ne_bytes());
    bytes.extend(attribute.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(HEADERS_BYTES + padded, 0);
    bytes
}

fn family_id(answer: &[u8]) -> Option<u16> {
    let mut rest = answer.get(HEADERS_BYTES..)?;
    while rest.len() >= 4 {
        let len = usize::from(u16::from_ne_bytes([rest[0], rest[1]]));
        if u16::from_ne_bytes([rest[2], rest[3]]) == CTRL_ATTR_FAMILY_ID {
            return Some(u16::from_ne_bytes([*rest.get(4)?, *rest.get(5)?]));
        }
        rest = rest.get(len.max(4).next_multiple_of(4)..)?;
    }
    None
}
