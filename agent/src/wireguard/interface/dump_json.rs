//! The body of `GET /wg/{interface}/dump`, written while the dump is read.
//!
//! Formatting is what a dump costs, so the common values are written digit by digit; nothing is
//! allocated for a peer.

use std::sync::Arc;

use bytes::Bytes;
use wire_contract::{AllowedIp, InterfaceName};

use super::line::Line;
use crate::wireguard::{DeviceFacts, DumpSink, PeerFacts};

/// A body that has grown to this many bytes may grow far beyond.
const LARGE: usize = 1 << 20;
/// So much room is then asked for at once, some 200,000 peers. What is not written to costs addresses
/// only, while growing by doubling would have the body in memory twice.
const FAR_AHEAD: usize = 64 << 20;
/// Otherwise it grows by this many at a time.
const STEP: usize = 64 << 10;

/// More than a peer takes up to its allowed IPs: key, endpoint, and what names them.
const BEGINNING: usize = 256;
/// More than an allowed IP takes.
const ALLOWED_IP: usize = 96;
/// More than a peer takes behind its allowed IPs: four numbers, and what names them.
const ENDING: usize = 192;

/// A body that was handed out.
struct Lent(Arc<Vec<u8>>);

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Writes one body after the other into a buffer it takes back once the last reader is done.
pub struct DumpJson {
    /// `{"interface":"wg0","peers":[`
    head: String,
    /// As long as it ever was, what is beyond the body left over.
    buffer: Vec<u8>,
    /// Bytes of the body so far.
    len: usize,
    /// The buffer of the body before, while somebody may read it.
    lent: Option<Arc<Vec<u8>>>,
    /// What comes behind the allowed IPs that are being written.
    open: Option<End>,
    /// Whether an allowed IP of it was written.
    listed: bool,
    /// Bytes of the body before: the next one is about as large.
    last_len: usize,
}

/// What a peer's line ends with.
struct End {
    latest_handshake: i64,
    rx_bytes: u64,
    tx_bytes: u64,
    persistent_keepalive: u16,
}

impl DumpJson {
    /// A writer for the dumps of `interface`.
    #[must_use]
    pub fn new(interface: &InterfaceName) -> Self {
        let name = serde_json::to_string(interface).expect("a string is always JSON");
        let head = format!("{{\"interface\":{name},\"peers\":[");
        Self {
            head,
            buffer: Vec::new(),
            len: 0,
            lent: None,
            open: None,
            listed: false,
            last_len: 0,
        }
    }

    /// Closes the body and hands it out.
    #[must_use]
    pub fn finish(&mut self) -> Bytes {
        self.close_peer();
        self.write::<2>(|line| line.put(b"]}"));
        self.last_len = self.len;
        self.buffer.truncate(self.len);
        let body = Arc::new(std::mem::take(&mut self.buffer));
        self.lent = Some(Arc::clone(&body));
        Bytes::from_owner(Lent(body))
    }

    /// Has `N` bytes or less written behind the body.
    #[inline(always)]
    fn write<const N: usize>(&mut self, write: impl FnOnce(&mut Line<'_, N>)) {
        if self.buffer.len() - self.len < N {
            self.grow();
        }
        let room = self.buffer[self.len..].first_chunk_mut();
        let mut line = Line::new(room.expect("a step is longer than any line"));
        write(&mut line);
        self.len += line.len();
    }

    #[cold]
    fn grow(&mut self) {
        let wanted = self.len + STEP;
        if wanted > self.buffer.capacity() && self.len >= LARGE {
            self.buffer.reserve_exact(FAR_AHEAD);
        }
        self.buffer.resize(wanted, 0);
    }

    #[inline(always)]
    fn close_peer(&mut self) {
        let Some(end) = self.open.take() else { return };
        self.write::<ENDING>(|line| {
            line.put(b"],\"latest_handshake\":");
            line.put_signed(end.latest_handshake);
            line.put(b",\"transfer_rx\":");
            line.put_number(end.rx_bytes);
            line.put(b",\"transfer_tx\":");
            line.put_number(end.tx_bytes);
            line.put(b",\"persistent_keepalive\":");
            line.put_number(end.persistent_keepalive.into());
            line.put(b"}");
        });
    }
}

impl DumpSink for DumpJson {
    fn device(&mut self, _device: &DeviceFacts) {
        self.open = None;
        if let Some(Ok(back)) = self.lent.take().map(Arc::try_unwrap) {
            self.buffer = back;
        }
        let about = self.last_len.max(self.head.len()) + self.last_len / 16;
        if self.buffer.len() < about {
            self.buffer.reserve_exact(about - self.buffer.len());
            self.buffer.resize(about, 0);
        }
        self.buffer[..self.head.len()].copy_from_slice(self.head.as_bytes());
        self.len = self.head.len();
    }

    fn peer(&mut self, peer: &PeerFacts) {
        let follows = self.open.is_some();
        self.close_peer();
        self.write::<BEGINNING>(|line| {
            if follows {
                line.put(b",");
            }
            line.put(b"{\"public_key\":\"");
            line.put(peer.public_key.to_base64().as_bytes());
            line.put(b"\",\"endpoint\":");
            match peer.endpoint {
                None => line.put(b"null"),
                Some(endpoint) => {
                    line.put(b"\"");
                    line.put_endpoint(endpoint);
                    line.put(b"\"");
                }
            }
            line.put(b",\"allowed_ips\":[");
        });
        self.open = Some(End {
            latest_handshake: peer.latest_handshake,
            rx_bytes: peer.rx_bytes,
            tx_bytes: peer.tx_bytes,
            persistent_keepalive: peer.persistent_keepalive.as_secs(),
        });
        self.listed = false;
    }

    fn allowed_ip(&mut self, allowed_ip: AllowedIp) {
        let listed = std::mem::replace(&mut self.listed, true);
        self.write::<ALLOWED_IP>(|line| {
            if listed {
                line.put(b",");
            }
            line.put(b"\"");
            line.put_ip(allowed_ip.network());
            line.put(b"/");
            line.put_octet(allowed_ip.prefix_len());
            line.put(b"\"");
        });
    }
}
